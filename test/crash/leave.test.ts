// Workers come and go under load, one after the other and all at once: nobody is refused, nothing is lost or done
// twice, and a pause is the time of a rebalance. A process that is told to stop finishes what it has begun, as far as
// its time allows, hands the rest over and is gone.
import { expect, test } from "@jest/globals";
import { audit, effects, eventsMissing } from "../support/audit.ts";
import { crashFixture } from "../support/crash.ts";
import { without } from "../support/faults.ts";
import { committed } from "../support/groups.ts";
import { failures, longest, type SentRequest, sendRequest, startLoad } from "../support/load.ts";
import { gauge } from "../support/metrics.ts";
import { end } from "../support/processes.ts";
import { until } from "../support/until.ts";
import { newUser } from "../support/users.ts";

const fixture = crashFixture("leave");
const sent: SentRequest[] = []; // of all tests: the audit counts over the fleet's whole life

/** A session that nobody ends for 6 s would show here: leaving says so to the group. */
const pauseMs = 4000;

let workers = 2;
async function join(env: Record<string, string> = {}, node: string[] = []): Promise<string> {
  workers += 1;
  const name = `worker-${workers}`;
  await fixture.own.start("worker", name, env, node);
  return name;
}

/** @returns how long it took, ms */
async function leave(name: string): Promise<number> {
  const told = performance.now();
  expect(await end(fixture.own.processes.get(name)!)).toBe(0);
  fixture.own.processes.delete(name);
  return Math.round(performance.now() - told);
}

const running = (): string[] => [...fixture.own.processes.keys()].filter((name) => name.startsWith("worker-"));

const load = () => startLoad(fixture.fleet, fixture.users, { perSecond: 80, timeoutMs: 30_000 });

test("workers leave and join under load and no request is refused", async () => {
  const users = load();
  await users.awaitProgress(3);
  const usual = longest(users.sent, 0);
  const leaves = performance.now();
  const gone = await leave("worker-1");
  await users.awaitProgress(3);
  const left = longest(users.sent, leaves);
  const joins = performance.now();
  await join();
  await users.awaitProgress(3);
  const joined = longest(users.sent, joins);
  const asked = await users.stop();
  sent.push(...asked);
  const pauses = `then ${left} ms as one left (gone after ${gone} ms) and ${joined} ms as one joined`;
  console.log(`a worker leaves, another joins: ${asked.length} requests, the longest took ${usual} ms, ${pauses}`);
  expect(failures(asked)).toEqual([]);
  expect(Math.max(left, gone)).toBeLessThan(pauseMs + 2 * usual);
  expect(await effects(fixture.fleet, fixture.users, sent)).toEqual([]);
  expect(await eventsMissing(fixture.fleet, fixture.users, sent)).toEqual([]);
}, 180_000);

test("rebalance storm: 1, 4, 2 workers in quick succession under load, and no request is refused", async () => {
  await leave("worker-2");
  const users = load();
  await users.awaitProgress(2);
  const usual = longest(users.sent, 0);
  const began = performance.now();
  await Promise.all([join(), join(), join()]);
  const [first, second] = running();
  await Promise.all([leave(first!), leave(second!)]);
  const took = Math.round(performance.now() - began);
  await users.awaitProgress(3);
  const pause = longest(users.sent, began);
  const asked = await users.stop();
  sent.push(...asked);
  const said = `${asked.length} requests, the storm took ${took} ms, the longest request ${usual} ms before and ${pause} ms in it`;
  console.log(`rebalance storm: ${said}`);
  expect(failures(asked)).toEqual([]);
  expect(await audit(fixture.fleet, fixture.users, sent)).toEqual([]);
}, 180_000);

test("a worker that leaves without telling its group delays requests until its session ends (the control)", async () => {
  const silent = await join({}, without("silent-leave"));
  const users = load();
  await users.awaitProgress(2);
  const told = performance.now();
  await leave(silent);
  await users.awaitProgress(2);
  sent.push(...(await users.stop()));
  expect(longest(sent, told)).toBeGreaterThan(pauseMs);
}, 180_000);

async function committedInAll(): Promise<number> {
  const offsets = await committed(fixture.fleet, "auth.account.register");
  return offsets.reduce((sum, offset) => sum + Math.max(0, offset), 0);
}

interface Filling {
  requests: number;
  timeoutMs: number;
  drain: string;
  node?: string[];
  /**
   * What else must have come about before it is told to stop.
   * @param before offsets that were committed before, together
   */
  begun?: (before: number) => Promise<void>;
}

/**
 * One worker, alone, gets so many registrations at once that it cannot finish them before it is gone; another one
 * comes.
 */
async function stoppedWhenFull({ requests, timeoutMs, drain, node = [], begun = async () => undefined }: Filling) {
  const others = running();
  // Each hash four times as long as usual: there is more to do than the drain has time for. Of what may wait for two
  // hashes at a time, 1,000 are less than the three quarters that are there for requests without a device token.
  const slow = { AUTH_HASH_THREADS: "2", AUTH_ARGON2_TIME: "4", AUTH_DRAIN_TIMEOUT: drain };
  const full = await join(slow, node);
  for (const other of others) await leave(other);
  const before = await committedInAll();
  const input = () => newUser("full");
  const ask = () => sendRequest(fixture.fleet, { by: "", topic: "auth.account.register", input: input(), timeoutMs });
  const calls = Array.from({ length: requests }, ask);
  const inFlight = () => gauge(fixture.own.http[full]!, "auth_requests_in_flight");
  await until("all are in flight", async () => (await inFlight()) > 0.9 * requests);
  const held = await inFlight();
  await begun(before);
  const [gone] = await Promise.all([leave(full), join()]);
  const asked = await Promise.all(calls);
  sent.push(...asked);
  return { held, gone, asked };
}

test("SIGTERM with 1,000 requests in flight: drained or handed over, one answer each", async () => {
  const { held, gone, asked } = await stoppedWhenFull({ requests: 1000, timeoutMs: 120_000, drain: "1s" }); // nobody may be OVERLOADED where hashes are slow
  const took = longest(asked, 0);
  console.log(
    `SIGTERM with ${held} in flight: gone after ${gone} ms, the last of ${asked.length} answered after ${took} ms`,
  );
  expect(failures(asked)).toEqual([]);
  expect(gone).toBeLessThan(1000 + 3000);
  expect(await audit(fixture.fleet, [], asked)).toEqual([]);
}, 180_000);

test("a worker that commits offsets of unfinished requests loses them when it is stopped (the control)", async () => {
  const node = without("early-commit");
  const begun = (before: number) =>
    until("what has begun is committed", async () => (await committedInAll()) - before > 150);
  const { held, asked } = await stoppedWhenFull({ requests: 300, timeoutMs: 10_000, drain: "100ms", node, begun });
  expect(failures(asked).length).toBeGreaterThan(held / 4);
}, 180_000);
