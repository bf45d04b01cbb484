// Marks `asOf` in auth.revocation, as relays write them to Kafka: they must stand still rather than lie, beside a
// commit that waits, a shard that nobody publishes, without a relay, and where a relay hangs; whatever the clocks of
// its machine and of the database say. as-of.test.ts shows the same for each part of the mechanism.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import pg from "pg";
import { shardOf } from "../../src/db/outbox.ts";
import { clockOff, without } from "../support/faults.ts";
import { type Feed, readFeed } from "../support/feed.ts";
import { type Fleet, startFleet } from "../support/fleet.ts";
import { holdUser } from "../support/held.ts";
import { skewsOf } from "../support/metrics.ts";
import { end, run } from "../support/processes.ts";
import { ownFolder } from "../support/stack.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { until } from "../support/until.ts";
import { type Confirmed, confirmed, loggedIn } from "../support/users.ts";

const tenMinutes = 600_000;
const hour = 3_600_000;
/** Marks come five times within it. */
const maxAgeMs = 2500;

let own: Fleet;
let fleet: TestFleet;
let feed: Feed;
let users: Confirmed[];
beforeAll(async () => {
  own = await startFleet("marks", { processes: [], env: { AUTH_VERIFIER_MAX_AGE: `${maxAgeMs}ms` } });
  await Promise.all([
    own.start("worker", "worker-1", { AUTH_ACCESS_TTL: "2h" }), // migrate had 15 minutes
    own.start("relay", "relay-1", {}, without("lock-kept-2s")),
    own.start("relay", "relay-2", {}, without("lock-kept-2s")),
  ]);
  fleet = await testFleet(own);
  feed = await readFeed(fleet.kafka);
  users = await confirmedUsers(4);
}, 90_000);
afterAll(async () => {
  await fleet.close();
  await own.stop();
});

/** One after the other: many hashes at once are more than a busy machine takes on. */
async function confirmedUsers(count: number): Promise<Confirmed[]> {
  const all: Confirmed[] = [];
  for (let one = 0; one < count; one += 1) all.push(await confirmed(fleet));
  return all;
}

const logout = (accessToken: string) => fleet.client.request("auth.session.logout", { accessToken });
const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;

/** As long as several marks that lie would need to show. */
const watchMs = 1500;

/** Highest time in any mark so far, once some mark is beyond the time, or the span is over. */
async function watched(since: number, spanMs = watchMs): Promise<number> {
  const over = performance.now() + spanMs;
  while (performance.now() < over && Math.max(...feed.marks()) <= since)
    await new Promise((resolve) => setTimeout(resolve, 25)); // what is shown is that nothing happens meanwhile
  return Math.max(...feed.marks());
}

const marksPass = (time: number, boundMs?: number) =>
  until("marks beyond that time in every partition", () => Math.min(...feed.marks()) > time, boundMs);
/** By the broker's time. */
const marksSince = (time: number) => feed.of("asOf").filter(({ timestamp }) => timestamp > time);
const asOfs = (partition: number) =>
  feed.of("asOf").flatMap((mark) => (mark.partition === partition ? [Number(mark.body["asOf"])] : []));

/** Every mark beyond the time comes after the record in its partition. */
function expectMarkedAfter(key: string, time: number): void {
  const record = feed.of(key)[0]!;
  const beyond = feed.of("asOf").filter(({ body }) => Number(body["asOf"]) > time);
  expect(beyond.length).toBeGreaterThan(0);
  for (const mark of beyond.filter(({ partition }) => partition === record.partition))
    expect(mark.offset).toBeGreaterThan(record.offset);
}

interface Load {
  revocations: number;
  /** Keys of those before whose records some mark stood that was later than their replies. */
  lies: string[];
  /** From reply to feed, ms. */
  took: number[];
}

async function underLoad(rounds: number): Promise<Load> {
  const replied = new Map<string, { at: number; came: number }>();
  await Promise.all(
    users.map(async (user) => {
      for (let round = 0; round < rounds; round += 1) {
        const { accessToken, sessionId } = await loggedIn(fleet, user);
        await logout(accessToken);
        replied.set(`s:${sessionId}`, { at: Date.now(), came: performance.now() });
      }
    }),
  );
  await marksPass(Math.max(...[...replied.values()].map(({ at }) => at)));
  for (const key of replied.keys()) await feed.first(key);
  const marks = feed.of("asOf");
  const found = [...replied].map(([key, { at, came }]) => {
    const record = feed.of(key)[0]!;
    const isPassed = marks.some(
      ({ partition, offset, body }) =>
        partition === record.partition && offset < record.offset && Number(body["asOf"]) > at,
    );
    return { key, isPassed, took: record.came - came };
  });
  return {
    revocations: replied.size,
    lies: found.flatMap(({ key, isPassed }) => (isPassed ? [key] : [])),
    took: found.map(({ took }) => took),
  };
}

/**
 * A shard whose lock somebody holds, as a relay that hangs would, with a revocation in it; what marks say meanwhile.
 */
async function besideHeldShard(spanMs?: number): Promise<{ key: string; replied: number; highest: number }> {
  const [user, bystander] = [await confirmed(fleet), await confirmed(fleet)];
  if (shardOf(bystander.id) === shardOf(user.id)) throw new Error("the next id is in the next shard");
  const key = `s:${user.tokens.sessionId}`;
  const other = new pg.Client({ connectionString: own.env["AUTH_DATABASE_URL"] });
  await other.connect();
  await other.query("SELECT pg_advisory_lock(hashtext('auth outbox'), $1)", [shardOf(user.id)]);
  await logout(user.tokens.accessToken);
  const replied = Date.now();
  await logout(bystander.tokens.accessToken);
  await feed.first(`s:${bystander.tokens.sessionId}`); // the other shards are published
  const highest = await watched(replied, spanMs);
  expect(feed.of(key)).toEqual([]);
  await other.end();
  return { key, replied, highest };
}

describe("marks", () => {
  test("under load stand behind everything whose reply came before their time", async () => {
    const { revocations, lies } = await underLoad(12);
    expect(revocations).toBe(48);
    expect(lies).toEqual([]);
  }, 60_000);

  test("come as often from two relays together as from one, rise, and are never ahead of the time", async () => {
    await until("some marks", () => asOfs(0).length > 8);
    for (const partition of feed.marks().keys())
      expect(asOfs(partition)).toEqual(asOfs(partition).toSorted((a, b) => a - b));
    for (const { body, timestamp } of feed.of("asOf")) expect(body["asOf"]).toBeLessThanOrEqual(timestamp);
    const times = feed.of("asOf").flatMap(({ partition, timestamp }) => (partition === 0 ? [timestamp] : []));
    const gaps = times.slice(1).map((time, index) => time - times[index]!);
    expect(median(gaps)).toBeLessThan(maxAgeMs / 4); // the others wait for a busy machine
    expect(median(gaps)).toBeGreaterThan(maxAgeMs / 10);
  }, 30_000);

  test("are not later than a commit that waits for a row", async () => {
    const user = await confirmed(fleet);
    await marksPass(Date.now());
    const row = await holdUser(own.env["AUTH_DATABASE_URL"]!, user.id);
    const call = logout(user.tokens.accessToken);
    await until("the commit waits", async () => (await row.waiting()) > 0);
    const waits = Date.now();
    expect(await watched(waits)).toBeLessThanOrEqual(waits);
    await row.release();
    await call;
    await marksPass(waits);
    expectMarkedAfter(`s:${user.tokens.sessionId}`, waits);
  }, 30_000);

  test("are not later than a revocation in a shard that a relay holds and does not publish", async () => {
    const { key, replied, highest } = await besideHeldShard();
    expect(highest).toBeLessThanOrEqual(replied);
    await marksPass(replied);
    expectMarkedAfter(key, replied);
  }, 30_000);

  test("go on when the relay that writes them hangs", async () => {
    // Of this database alone: the server shows the locks of other fleets' too.
    const writers = `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = hashtext('auth asOf')::oid
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
    const stoodMs: number[] = [];
    for (const name of ["relay-1", "relay-2", "relay-1", "relay-2"]) {
      const relay = own.processes.get(name)!;
      relay.kill("SIGSTOP"); // one of the two holds the lock; the database takes it away after 2 s, which are 10 s otherwise
      const hung = Date.now();
      await marksPass(hung + 500, 40_000);
      relay.kill("SIGCONT");
      stoodMs.push(marksSince(hung + 100)[0]!.timestamp - hung);
      expect((await fleet.sql.query(writers)).rows.length).toBeLessThanOrEqual(1);
      if (stoodMs.at(-1)! > 1500) break; // that was the one
    }
    expect(Math.max(...stoodMs)).toBeGreaterThan(1500);
  }, 120_000);

  test("stand still without a relay, and go on with the next one, behind what was committed meanwhile", async () => {
    const user = await confirmed(fleet);
    await Promise.all(["relay-1", "relay-2"].map((name) => end(own.processes.get(name)!)));
    const stopped = Date.now();
    await logout(user.tokens.accessToken);
    const replied = Date.now();
    expect(await watched(stopped)).toBeLessThanOrEqual(stopped);
    // Its machine's clock is slow, and the database's is fast.
    await own.start("relay", "relay-3", {}, [...clockOff(-tenMinutes), ...without("database-ahead")]);
    await marksPass(replied);
    expectMarkedAfter(`s:${user.tokens.sessionId}`, replied);
  }, 60_000);

  test("go by the broker's time where the machine's clock is ten minutes slow and the database's fast, and the metric says so", async () => {
    const since = Date.now();
    await marksPass(since);
    for (const { body, timestamp } of marksSince(since)) {
      expect(Number(body["asOf"])).toBeLessThanOrEqual(timestamp);
      expect(Number(body["asOf"])).toBeGreaterThan(timestamp - 60_000);
    }
    const { machine, database } = await skewsOf(own.http["relay-3"]!);
    expect(Math.abs(machine! + tenMinutes)).toBeLessThan(10_000);
    expect(Math.abs(database! - tenMinutes)).toBeLessThan(10_000);
  }, 30_000);
});

test("the control: with a relay that trusts others to publish, and gathers for long, marks lie, and half of all revocations need more than 100 ms", async () => {
  await Promise.all([
    own.start("relay", "relay-4", {}, without("marks-unpublished", "relay-gathers-long")),
    end(own.processes.get("relay-3")!),
  ]);
  const { lies, took } = await underLoad(1);
  expect(lies.length).toBeGreaterThan(0); // a mark tells of the time before the one before it: two come while this relay gathers
  expect(median(took)).toBeGreaterThan(100);
  const { replied, highest } = await besideHeldShard(20_000);
  expect(highest).toBeGreaterThan(replied);
}, 90_000);

test("marks tell the longest AUTH_ACCESS_TTL that a worker or migrate ever had, and the retention follows it, not the one of today", async () => {
  const told = async (): Promise<unknown> => {
    const since = Date.now();
    await until("a mark", () => marksSince(since).length > 0);
    return marksSince(since).at(-1)!.body["tokenLifeMs"];
  };
  expect(await told()).toBe(2 * hour); // by the worker; migrate had 15 minutes
  const folder = ownFolder("retention");
  await run(["migrate"], { env: { ...own.env, AUTH_ACCESS_TTL: "14m" }, folder });
  expect(readFileSync(join(folder, "log"), "utf8")).toMatch(/set retention\.ms=7800000 of auth\.revocation/); // and 10 minutes more
  expect(await told()).toBe(2 * hour);
}, 60_000);
