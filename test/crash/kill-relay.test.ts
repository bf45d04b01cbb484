// kill -9 of the relay between the commit of events and the mark that they are published, under load, again and again: no event is lost,
// each comes at least once under its own id, and a user's events keep their order.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { events, facts, repeats } from "../support/audit.ts";
import { end, type Fleet, startFleet, type TestFleet, testFleet, until } from "../support/fleet.ts";
import { crashSeconds, failures, people, startLoad } from "../support/load.ts";
import { type Confirmed, loggedIn } from "../support/people.ts";

let own: Fleet;
let fleet: TestFleet;
let crowd: Confirmed[];
const stops: (() => Promise<void>)[] = [];
beforeAll(async () => {
  own = await startFleet("kill-relay", { roles: ["worker", "relay"], env: { AUTH_HASH_QUEUE_TARGET: "100" } });
  stops.push(() => own.stop());
  fleet = await testFleet(own);
  stops.push(() => fleet.close());
  crowd = await people(fleet, 8);
}, 240_000);
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
}, 60_000);

async function unpublished(): Promise<number> {
  const { rows } = await fleet.sql.query<{ n: number }>(
    "SELECT count(*)::int AS n FROM outbox WHERE published_at IS NULL",
  );
  return rows[0]!.n;
}

const relay = (round: number) => own.processes.get(`relay-${round}`)!;

let round = 1;

test(
  "kill -9 of the relay under load: every event comes, in its user's order",
  async () => {
    const load = startLoad(fleet, crowd, { perSecond: 80, timeoutMs: 30_000 });
    const left: number[] = [];
    const ends = performance.now() + crashSeconds() * 1000;
    for (; round <= 2 || performance.now() < ends; round += 1) {
      await load.goesOn(1);
      await until("a commit that waits for the relay", async () => (await unpublished()) > 0);
      await end(relay(round), "SIGKILL");
      left.push(await unpublished());
      await load.goesOn(1); // requests do not wait for the relay
      expect(await unpublished()).toBeGreaterThan(0); // the control: nobody else publishes
      await own.start("relay", `relay-${round + 1}`);
    }
    const deeds = await load.stop();
    expect(failures(deeds)).toEqual([]);
    expect(await events(fleet)).toEqual([]);
    expect(await facts(fleet, crowd, deeds)).toEqual([]);
    const said = `${deeds.length} requests, ${left.join(", ")} rows left behind, ${repeats(fleet)} events came twice`;
    console.log(`kill -9 of the relay, ${left.length} times: ${said}`);
  },
  180_000 + crashSeconds() * 3000,
);

test("a row that is marked before it is published is a lost event, and the audit finds it", async () => {
  await end(relay(round), "SIGKILL");
  await loggedIn(fleet, crowd[0]!);
  await fleet.sql.query("UPDATE outbox SET published_at = now() WHERE published_at IS NULL");
  await own.start("relay", `relay-${round + 1}`);
  expect(await events(fleet)).toEqual([expect.stringMatching(/never came/)]);
});
