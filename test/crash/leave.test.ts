// SIGTERM to a worker under load, with another one there: it finishes what it has begun, hands the rest over and is gone; nobody is
// refused, and the pause is the time of one rebalance. The same for one that joins.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { effects, facts } from "../support/audit.ts";
import { end, type Fleet, startFleet, type TestFleet, testFleet } from "../support/fleet.ts";
import { crashSeconds, failures, longest, people, startLoad } from "../support/load.ts";
import type { Confirmed } from "../support/people.ts";

let own: Fleet;
let fleet: TestFleet;
let crowd: Confirmed[];
const stops: (() => Promise<void>)[] = [];
beforeAll(async () => {
  own = await startFleet("leave", { roles: ["worker", "relay"], env: { AUTH_HASH_QUEUE_TARGET: "100" } });
  stops.push(() => own.stop());
  await own.start("worker", "worker-2");
  fleet = await testFleet(own);
  stops.push(() => fleet.close());
  crowd = await people(fleet, 8);
}, 240_000);
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
}, 60_000);

/** A session that nobody ends for 6 s would show here: leaving says so to the group. */
const pauseMs = 4000;

test(
  "workers leave and join under load and nobody is refused",
  async () => {
    const load = startLoad(fleet, crowd, { perSecond: 80, timeoutMs: 30_000 });
    await load.goesOn(3);
    const usual = longest(load.deeds, 0);
    const pauses: { leave: number; gone: number; join: number }[] = [];
    const ends = performance.now() + crashSeconds() * 1000;
    for (let round = 1; round === 1 || performance.now() < ends; round += 1) {
      const told = performance.now();
      expect(await end(own.processes.get(`worker-${round}`)!)).toBe(0);
      const gone = Math.round(performance.now() - told);
      await load.goesOn(3);
      const leave = longest(load.deeds, told);
      const joins = performance.now();
      await own.start("worker", `worker-${round + 2}`);
      await load.goesOn(3);
      pauses.push({ leave, gone, join: longest(load.deeds, joins) });
    }
    const deeds = await load.stop();
    console.log(`${deeds.length} requests, the longest took ${usual} ms before; then, ms: ${JSON.stringify(pauses)}`);
    expect(failures(deeds)).toEqual([]);
    expect(await effects(fleet, crowd, deeds)).toEqual([]);
    expect(await facts(fleet, crowd, deeds)).toEqual([]);
    for (const { leave, gone } of pauses) {
      expect(leave).toBeLessThan(pauseMs + 2 * usual);
      expect(gone).toBeLessThan(pauseMs + 2 * usual);
    }
  },
  180_000 + crashSeconds() * 3000,
);
