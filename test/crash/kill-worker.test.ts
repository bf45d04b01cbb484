// kill -9 of a worker under load, with another one there and a fresh one started: every request gets its one answer and
// has its one effect, no event is lost, and all goes on within the time that Kafka takes to miss a member (session
// timeout 6 s).
import { expect, test } from "@jest/globals";
import { answers, audit, effects, events, eventsMissing } from "../support/audit.ts";
import { crashFixture } from "../support/crash.ts";
import { failures, longest, type SentRequest, startLoad } from "../support/load.ts";
import { end } from "../support/processes.ts";

const fixture = crashFixture("kill-worker");
let sent: SentRequest[];

/** The promise of design section 7, on top of what the machine takes anyway. */
const recoveryMs = 8000;

test("kill -9 of a worker under load: one answer, one effect, nothing lost", async () => {
  const { own, fleet, users } = fixture;
  const load = startLoad(fleet, users, { perSecond: 80, timeoutMs: 30_000 });
  await load.awaitProgress(3);
  const usual = longest(load.sent, 0);
  const killed = performance.now();
  await end(own.processes.get("worker-1")!, "SIGKILL");
  await Promise.all([own.start("worker", "worker-3"), load.awaitProgress(2)]);
  await load.awaitProgress(3);
  const recovered = longest(load.sent, killed);
  sent = await load.stop();
  const said = `${sent.length} requests, the longest took ${usual} ms before and ${recovered} ms after`;
  console.log(`kill -9 of a worker: ${said}`);
  expect(failures(sent)).toEqual([]);
  expect(recovered).toBeLessThan(recoveryMs + 2 * usual);
  expect(recovered).toBeGreaterThan(1000); // the control: somebody did wait for the one that was killed
  expect(await audit(fleet, users, sent)).toEqual([]);
}, 180_000);

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
  const { fleet, users } = fixture;
  const { tokens } = sent.find((request) => request.topic === "auth.session.login")!.answer as {
    tokens: { sessionId: string };
  };
  await fleet.sql.query("BEGIN");
  try {
    const { rowCount } = await fleet.sql.query(plant, [tokens.sessionId]);
    expect(rowCount).toBe(1);
    const faults = [...(await effects(fleet, users, sent)), ...(await eventsMissing(fleet, users, sent))];
    expect(faults).toEqual([expect.stringMatching(fault)]);
  } finally {
    await fleet.sql.query("ROLLBACK");
  }
});

test("the audit finds another answer, and an event that never came", async () => {
  const { fleet, users } = fixture;
  const [one] = sent.filter((request) => request.topic === "auth.session.refresh");
  expect(await answers(fleet, [{ ...one!, answer: { ...one!.answer, accessToken: "another" } }])).toEqual([
    "auth.session.refresh was answered otherwise when asked again",
  ]);
  await fleet.sql.query("BEGIN");
  try {
    await fleet.sql.query(
      "INSERT INTO outbox (shard, topic, key, kind, event_id, user_id, sequence, actor, body, published_at) SELECT shard, topic, key, kind, gen_random_uuid(), user_id, sequence + 1, actor, body, now() FROM outbox WHERE user_id = $1 AND sequence IS NOT NULL ORDER BY sequence DESC LIMIT 1",
      [users[0]!.id],
    );
    expect(await events(fleet)).toEqual([expect.stringMatching(/never came/)]);
  } finally {
    await fleet.sql.query("ROLLBACK");
  }
});
