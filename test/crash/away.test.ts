// What the fleet needs goes away and comes back: Kafka, PostgreSQL and the registry, killed and restarted under a
// running fleet. Requests end inside their time with a code that says so, or wait where their time allows it;
// afterwards all works again, nothing is half done, and no process was restarted. Beside it a second fleet lives
// through the same without three of its mechanisms, and shows what they are for.
import { afterEach, beforeAll, expect, test } from "@jest/globals";
import { connectKafka } from "../../src/kafka/kafka.ts";
import type { Refusal } from "../../src/protocol/errors.ts";
import { audit, events } from "../support/audit.ts";
import { addressesOf, connected, crashFixture, heldLogin, reconnect } from "../support/crash.ts";
import { testDriver } from "../support/driver.ts";
import { type FaultName, without } from "../support/faults.ts";
import { crashSeconds, failures, longest, type SentRequest, startLoad } from "../support/load.ts";
import { quiet } from "../support/logger.ts";
import { type Mailbox, mailbox } from "../support/mailbox.ts";
import { end } from "../support/processes.ts";
import { replyTopic } from "../support/raw.ts";
import { until } from "../support/until.ts";
import { loggedIn, newUser, refused } from "../support/users.ts";

const fixture = crashFixture("away", { stack: "own", workers: 1, bridge: true });
const lacks: FaultName[] = ["marked-first", "no-retry", "driver-queue"];
const lacking = crashFixture("lacking", {
  stack: async () => addressesOf(fixture.stack),
  workers: 1,
  users: 2,
  without: lacks,
});

/** Of all processes: one that was started anew has another pid. */
const pids = (): (number | undefined)[] => [...fixture.own.processes.values()].map((child) => child.pid);
let before: (number | undefined)[];
beforeAll(() => {
  before = pids();
});
afterEach(() => {
  const alive = [...fixture.own.processes.values()].every((child) => child.exitCode === null && !child.signalCode);
  expect([alive, pids()]).toEqual([true, before]);
});

async function timed<T>(run: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const began = performance.now();
  const value = await run();
  return { value, ms: Math.round(performance.now() - began) };
}

function login(timeoutMs: number) {
  const { login: name, password } = fixture.users[0]!;
  return fixture.fleet.client.request("auth.session.login", { login: name, password }, { timeoutMs });
}

const sent: SentRequest[] = []; // of all tests: the audit counts over the fleet's whole life
const load = (timeoutMs: number) => startLoad(fixture.fleet, fixture.users.slice(1), { perSecond: 60, timeoutMs });
const audited = (): Promise<string[]> => audit(fixture.fleet, fixture.users.slice(1), sent);

/** @returns ms until a login works and every process says that it is ready */
async function recovered(): Promise<number> {
  const { ms } = await timed(async () => {
    await until("a login works", () => login(3000).then(() => true));
    for (const [name, url] of Object.entries(fixture.own.http)) {
      await until(`${name} is ready`, async () => (await fetch(`${url}/readyz`)).status === 200);
    }
  });
  return ms;
}

const replyPartitions = 2;

/** A record to each partition of a reply topic, by somebody whose connection is new. */
async function produceEarly(): Promise<void> {
  const { prefix } = fixture.own;
  const brokers = [fixture.stack.kafka.address];
  const other = connectKafka({ driver: testDriver(), brokers, clientId: "early", prefix }, quiet);
  fixture.onStop(() => other.close());
  const records = Array.from({ length: replyPartitions }, (_, partition) => ({
    topic: replyTopic,
    partition,
    key: null,
    value: null,
    headers: { early: "yes" },
  }));
  await until("records are taken", () => other.produce(records).then(() => true));
}

async function allEarlyAreRead(replies: Mailbox): Promise<void> {
  await until("the early record of every partition is read", () => {
    const early = replies.all(replyTopic).filter(({ headers }) => headers["early"] !== undefined);
    return new Set(early.map(({ partition }) => partition)).size === replyPartitions;
  });
}

test("Kafka away: a request ends before its deadline, one with a long deadline is answered after the restart, what was committed meanwhile is published", async () => {
  await loggedIn(fixture.fleet, fixture.users[0]!); // the control: it works
  const replies = mailbox(fixture.fleet.kafka, [replyTopic]);
  await replies.ready;
  const held = await heldLogin(fixture.fleet, fixture.users[1]!);
  const heldThere = await heldLogin(lacking.fleet, lacking.users[0]!);
  await fixture.stack.kafka.kill();
  await Promise.all([held.release(), heldThere.release()]); // they commit now, and can tell nobody
  const short = await timed(() => refused(login(2000)));
  expect(["UNAVAILABLE", "DEADLINE_EXCEEDED"]).toContain(short.value.code);
  expect(short.ms).toBeLessThan(2500);
  const long = timed(() => login(120_000)); // the relay may take a minute to notice
  // Its readers have given up on their connections and build new ones, after pauses: what comes first when Kafka is
  // back, comes without them.
  await until("the client is out", () => !fixture.fleet.client.healthy);
  const relay = `${fixture.own.http["relay-1"]}/readyz`;
  await until("the relay has noticed", async () => (await fetch(relay)).status === 503, 60_000);
  await end(lacking.own.processes.get("relay-1")!, "SIGKILL"); // with what it has marked and not published yet
  await fixture.stack.kafka.start();
  await produceEarly();
  await lacking.own.start("relay", "relay-2", {}, without(...lacks));
  const back = await recovered();
  const waited = await long;
  expect(waited.value.tokens).not.toBeNull();
  const answered = await held.request;
  sent.push(answered);
  expect(failures([answered])).toEqual([]);
  await allEarlyAreRead(replies);
  expect(await events(fixture.fleet)).toEqual([]);
  const lost = await events(lacking.fleet);
  expect(lost.filter((fault) => !/never came/.test(fault))).toEqual([]);
  expect(lost.length).toBeGreaterThan(0); // they were marked before they were published
  const said = `all worked ${back} ms after it was back; who waited got an answer after ${waited.ms} ms`;
  console.log(`Kafka away: ${short.value.code} after ${short.ms} ms; ${said}`);
}, 180_000);

test("Kafka restarts under load: requests wait and are answered, nothing accepted is lost", async () => {
  const users = load(60_000);
  await users.awaitProgress(2);
  const usual = longest(users.sent, 0);
  const stops = performance.now();
  await fixture.stack.kafka.stop();
  const { ms: start } = await timed(() => fixture.stack.kafka.start());
  const { ms: back } = await timed(() => users.awaitProgress(1));
  await users.awaitProgress(2);
  const asked = await users.stop();
  sent.push(...asked);
  const pause = longest(asked, stops);
  const said = `${asked.length} requests, the longest took ${usual} ms before and ${pause} ms over the restart`;
  console.log(`Kafka restarts: ${said}; it started in ${start} ms, everybody was answered ${back} ms after that`);
  expect(failures(asked)).toEqual([]);
  expect(pause).toBeGreaterThan(start); // the control: somebody did wait for it
  expect(await audited()).toEqual([]);
}, 180_000);

test("PostgreSQL restarts under load: UNAVAILABLE at worst, nothing half done, and the pool is whole again", async () => {
  const users = load(30_000);
  const there = startLoad(lacking.fleet, lacking.users, { perSecond: 30, timeoutMs: 30_000 });
  await Promise.all([users.awaitProgress(2), there.awaitProgress(1)]);
  await fixture.stack.postgres.stop();
  await fixture.stack.postgres.start();
  const { ms: back } = await timed(() => users.awaitProgress(2));
  const asked = await users.stop();
  sent.push(...asked);
  await Promise.all([reconnect(fixture), reconnect(lacking)]);
  const refusals = asked.filter(({ refusal }) => refusal !== undefined);
  console.log(
    `PostgreSQL restarts: ${asked.length} requests, ${refusals.length} UNAVAILABLE, everybody was answered ${back} ms after it was back`,
  );
  expect(refusals.filter(({ refusal }) => refusal !== "UNAVAILABLE")).toEqual([]);
  expect(failures(await there.stop())).toContainEqual(expect.stringMatching(/INTERNAL/)); // without the table of passing faults
  expect(await audited()).toEqual([]);
  expect(await poolIsWhole()).toEqual([]);
}, 180_000);

/**
 * A login that nobody has: it asks the database and changes nothing, and no mailbox makes it wait for
 * others.
 */
async function strangersLogin(fleet = fixture.fleet, timeoutMs = 20_000): Promise<Refusal> {
  const { login: name, password } = newUser();
  return refused(fleet.client.request("auth.session.login", { login: name, password }, { timeoutMs }));
}

const strangers = (count: number, ask = strangersLogin) => Promise.all(Array.from({ length: count }, () => timed(ask)));

/**
 * More requests at once than the pool has connections are answered, and leave no more connections than it may have,
 * none in use.
 */
async function poolIsWhole(): Promise<string[]> {
  const answers = await strangers(40);
  expect(new Set(answers.map(({ value }) => value.code))).toEqual(new Set(["INVALID_CREDENTIALS"]));
  const observer = await connected(fixture.fleet.env["AUTH_DATABASE_URL"]!);
  const connections = async (): Promise<{ name: string; n: number; busy: number }[]> =>
    (
      await observer.query(
        "SELECT application_name AS name, count(*)::int AS n, count(*) FILTER (WHERE state LIKE 'idle in%')::int AS busy FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'auth%' GROUP BY 1",
      )
    ).rows;
  // The relay may be at work; a transaction that was left behind stays.
  await until("no transaction is open", async () => (await connections()).every(({ busy }) => busy === 0));
  const rows = await connections();
  await observer.end();
  const pool = 10; // AUTH_DATABASE_POOL's default
  return [
    ...(rows.length > 0 ? [] : ["nobody is connected"]),
    ...rows.filter(({ n }) => n > pool).map((row) => JSON.stringify(row)),
  ];
}

/** Until it is back; the long version waits a minute, in which pools and queues have time to fill. */
async function postgresAway(): Promise<{ codes: Set<string>; slowest: number; asked: number }> {
  const codes = new Set<string>();
  const ends = performance.now() + (crashSeconds() > 0 ? 60_000 : 0);
  let slowest = 0;
  let asked = 0;
  do {
    const answers = await strangers(20);
    for (const { value, ms } of answers) {
      codes.add(value.code);
      expect(value.retryAfterMs).toBeGreaterThan(0);
      slowest = Math.max(slowest, ms);
    }
    asked += answers.length;
  } while (performance.now() < ends);
  return { codes, slowest, asked };
}

test("PostgreSQL away: UNAVAILABLE at once for everybody, and it works again when it is back", async () => {
  const { ms: usual } = await timed(() => login(20_000));
  await fixture.stack.postgres.kill();
  const there = strangers(20, () => strangersLogin(lacking.fleet, 2000));
  const away = await timed(postgresAway);
  await fixture.stack.postgres.start();
  const back = await recovered();
  await reconnect(fixture);
  const { codes, slowest, asked } = away.value;
  const said = `all ${asked} requests of ${away.ms} ms were refused ${[...codes].join()} within ${slowest} ms`;
  console.log(`PostgreSQL away: ${said}; recovered ${back} ms after it was back`);
  expect([...codes]).toEqual(["UNAVAILABLE"]);
  expect((await there).map(({ value }) => value.code)).toContain("DEADLINE_EXCEEDED"); // left waiting in the driver's queue
  expect(slowest).toBeLessThan(4000 + 4 * usual);
  expect(back).toBeLessThan(5000 + 4 * usual);
  expect(await poolIsWhole()).toEqual([]);
  expect(await audited()).toEqual([]);
}, 180_000);

test("registry away: requests are answered, and a fresh worker starts", async () => {
  await fixture.stack.registry.kill();
  await expect(fetch(fixture.stack.registry.address)).rejects.toThrow(); // the control: it is gone
  await login(3000);
  await fixture.own.start("worker", "worker-2");
  await end(fixture.own.processes.get("worker-1")!);
  fixture.own.processes.delete("worker-1");
  delete fixture.own.http["worker-1"];
  before = pids();
  await login(10_000);
}, 180_000);
