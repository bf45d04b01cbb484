// kill -9 of a worker under load, with another one there and a fresh one started: every request gets its one answer and has its one
// effect, no event is lost, and all goes on within the time that Kafka takes to miss a member (session timeout 6 s).
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { answers, effects, events, facts } from "../support/audit.ts";
import { end, type Fleet, startFleet, type TestFleet, testFleet } from "../support/fleet.ts";
import { crashSeconds, type Deed, failures, longest, people, startLoad } from "../support/load.ts";
import type { Confirmed } from "../support/people.ts";

let own: Fleet;
let fleet: TestFleet;
let crowd: Confirmed[];
let deeds: Deed[];
const stops: (() => Promise<void>)[] = [];
beforeAll(async () => {
  // The load is bounded by its people, and a recovery ends in a burst: no login may be refused for the length of the queue.
  own = await startFleet("kill-worker", { roles: ["worker", "relay"], env: { AUTH_HASH_QUEUE_TARGET: "100" } });
  stops.push(() => own.stop());
  await own.start("worker", "worker-2");
  fleet = await testFleet(own);
  stops.push(() => fleet.close());
  crowd = await people(fleet, 8);
}, 240_000);
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
}, 60_000);

/** The promise of design section 7, on top of what the machine takes anyway. */
const recoveryMs = 8000;

test(
  "kill -9 of a worker under load: one answer, one effect, nothing lost",
  async () => {
    const load = startLoad(fleet, crowd, { perSecond: 80, timeoutMs: 30_000 });
    await load.goesOn(3);
    const usual = longest(load.deeds, 0);
    const times: number[] = [];
    const until = performance.now() + crashSeconds() * 1000;
    for (let round = 1; round === 1 || performance.now() < until; round += 1) {
      const killed = performance.now();
      await end(own.processes.get(`worker-${round}`)!, "SIGKILL");
      await Promise.all([own.start("worker", `worker-${round + 2}`), load.goesOn(2)]);
      await load.goesOn(3);
      times.push(longest(load.deeds, killed));
    }
    deeds = await load.stop();
    console.log(
      `kill -9 of a worker: ${deeds.length} requests, the longest took ${usual} ms before and ${times.join(", ")} ms after a kill`,
    );
    expect(failures(deeds)).toEqual([]);
    expect(Math.max(...times)).toBeLessThan(recoveryMs + 2 * usual);
    expect(Math.max(...times)).toBeGreaterThan(1000); // the control: somebody did wait for the one that was killed
    expect(await effects(fleet, crowd, deeds)).toEqual([]);
    expect(await facts(fleet, crowd, deeds)).toEqual([]);
    expect(await answers(fleet, deeds)).toEqual([]);
    expect(await events(fleet)).toEqual([]);
    expect(await facts(fleet, crowd, deeds)).toEqual([]); // asking again did nothing again
  },
  180_000 + crashSeconds() * 3000,
);

test.each([
  [
    "a second session of one login",
    "INSERT INTO sessions SELECT gen_random_uuid(), user_id, rotating, refresh_hash, previous_hash, refresh_key, rotations, rotated_at, created_at, last_used_at, expires_at, ended_at, end_reason, amr, client FROM sessions WHERE id = $1",
    /no login accounts for/,
  ],
  ["a lost session", "DELETE FROM sessions WHERE id = $1", /is not there/],
  ["a second rotation", "UPDATE sessions SET rotations = rotations + 1 WHERE id = $1", /rotations for/],
  [
    "a lost event",
    "DELETE FROM outbox WHERE kind = 'LoggedIn' AND body->>'sessionId' = $1::uuid::text",
    /events LoggedIn for/,
  ],
])("the audit finds %s", async (_what, plant, fault) => {
  const { tokens } = deeds.find((deed) => deed.topic === "auth.session.login")!.answer as {
    tokens: { sessionId: string };
  };
  await fleet.sql.query("BEGIN");
  try {
    const { rowCount } = await fleet.sql.query(plant, [tokens.sessionId]);
    expect(rowCount).toBe(1);
    const faults = [...(await effects(fleet, crowd, deeds)), ...(await facts(fleet, crowd, deeds))];
    expect(faults).toEqual([expect.stringMatching(fault)]);
  } finally {
    await fleet.sql.query("ROLLBACK");
  }
});

test("the audit finds another answer, and an event that never came", async () => {
  const [one] = deeds.filter((deed) => deed.topic === "auth.session.refresh");
  expect(await answers(fleet, [{ ...one!, answer: { ...one!.answer, accessToken: "another" } }])).toEqual([
    "auth.session.refresh was answered otherwise when asked again",
  ]);
  await fleet.sql.query("BEGIN");
  try {
    await fleet.sql.query(
      "INSERT INTO outbox (shard, topic, key, kind, event_id, user_id, sequence, actor, body, published_at) SELECT shard, topic, key, kind, gen_random_uuid(), user_id, sequence + 1, actor, body, now() FROM outbox WHERE user_id = $1 AND sequence IS NOT NULL ORDER BY sequence DESC LIMIT 1",
      [crowd[0]!.id],
    );
    expect(await events(fleet)).toEqual([expect.stringMatching(/never came/)]);
  } finally {
    await fleet.sql.query("ROLLBACK");
  }
});
