// What the fleet needs goes away and comes back: Kafka, PostgreSQL, the registry, each killed under a running fleet. Requests end inside
// their time with a code that says so, or wait where their time allows it; afterwards all works again and no role was restarted.
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { connectKafka } from "../../src/bus/kafka.ts";
import { type Stack, startStack } from "../../stack/stack.ts";
import { end, type Fleet, quiet, startFleet, type TestFleet, testFleet, until } from "../support/fleet.ts";
import { mailbox } from "../support/mailbox.ts";
import { type Confirmed, confirmed, loggedIn, refused } from "../support/people.ts";
import { replyTopic } from "../support/raw.ts";
import { ownFolder } from "../support/stack.ts";

let stack: Stack;
let own: Fleet;
let fleet: TestFleet;
let person: Confirmed;
const stops: (() => Promise<void>)[] = [];
beforeAll(async () => {
  stack = await startStack({ dir: ownFolder("away"), report: () => undefined, postgres: { fsync: "off" } });
  stops.push(() => stack.stop());
  const addresses = {
    kafka: stack.kafka.address,
    registry: stack.registry.address,
    database: stack.postgres.address,
  };
  own = await startFleet("away", { stack: addresses });
  stops.push(() => own.stop());
  fleet = await testFleet(own);
  stops.push(() => fleet.close());
  fleet.sql.on("error", () => undefined); // its connection goes with the server
  person = await confirmed(fleet);
}, 240_000);
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
}, 60_000);

/** Pids of the roles: whoever was started anew has another one. */
const pids = (): (number | undefined)[] => [...own.processes.values()].map((child) => child.pid);
const alive = (): boolean => [...own.processes.values()].every((child) => child.exitCode === null && !child.signalCode);
afterEach(() => expect(alive()).toBe(true));

async function timed<T>(run: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const began = performance.now();
  const value = await run();
  return { value, ms: Math.round(performance.now() - began) };
}

const login = (timeoutMs: number) =>
  fleet.client.request("auth.session.login", { login: person.login, password: person.password }, { timeoutMs });

const replyPartitions = 2;

/** A record to each partition of a reply topic, by somebody whose connection is new. */
async function produceEarly(): Promise<void> {
  const settings = {
    brokers: [stack.kafka.address],
    clientId: "early",
    prefix: own.prefix,
    tls: undefined,
    sasl: undefined,
  };
  const other = connectKafka(settings, quiet);
  stops.push(() => other.close());
  const records = Array.from({ length: replyPartitions }, (_, partition) => ({
    topic: replyTopic,
    partition,
    key: null,
    value: null,
    headers: { early: "yes" },
  }));
  await until("records are taken", () => other.produce(records).then(() => true));
}

/** @returns ms until a login works and every role says that it is ready */
async function recovered(): Promise<number> {
  const { ms } = await timed(async () => {
    await until("a login works", () => login(3000).then(() => true));
    for (const [name, url] of Object.entries(own.http)) {
      await until(`${name} is ready`, async () => (await fetch(`${url}/readyz`)).status === 200);
    }
  });
  return ms;
}

test("Kafka away: a request ends inside its time, one with time to wait is answered, no reply is missed", async () => {
  await loggedIn(fleet, person); // the control: it works
  const before = pids();
  const replies = mailbox(fleet.kafka, [replyTopic]);
  await replies.ready;
  await stack.kafka.kill();
  const short = await timed(() => refused(login(2000)));
  expect(["UNAVAILABLE", "DEADLINE_EXCEEDED"]).toContain(short.value.code);
  expect(short.ms).toBeLessThan(2500);
  const long = timed(() => login(60_000));
  // Its readers have given up on their connections and build new ones, after pauses: what comes first when Kafka is back, comes without them.
  await until("the client is out", () => !fleet.client.healthy);
  await stack.kafka.start();
  await produceEarly();
  const back = await recovered();
  const waited = await long;
  expect(waited.value.tokens).not.toBeNull();
  await until("the early record of every partition is read", () => {
    const early = replies.all(replyTopic).filter(({ headers }) => headers["early"] !== undefined);
    return new Set(early.map(({ partition }) => partition)).size === replyPartitions;
  });
  const said = `${short.value.code} after ${short.ms} ms; all worked ${back} ms after it was back; who waited got an answer after ${waited.ms} ms`;
  console.log(`Kafka away: ${said}`);
  expect(pids()).toEqual(before);
}, 120_000);

test("Kafka away after a commit: the event waits in the outbox, and comes when Kafka is back", async () => {
  const relay = own.processes.get("relay-1")!;
  relay.kill("SIGSTOP"); // so that the commit is surely not published yet
  const { sessionId } = await loggedIn(fleet, person);
  const waiting = async (): Promise<{ event_id: string; published: boolean } | undefined> => {
    const question =
      "SELECT event_id, published_at IS NOT NULL AS published FROM outbox WHERE kind = 'LoggedIn' AND body->>'sessionId' = $1";
    const { rows } = await fleet.sql.query<{ event_id: string; published: boolean }>(question, [sessionId]);
    return rows[0];
  };
  const before = await waiting();
  expect(before?.published).toBe(false);
  await stack.kafka.kill();
  relay.kill("SIGCONT");
  await until(
    "the relay has noticed",
    async () => (await fetch(`${own.http["relay-1"]}/readyz`)).status === 503,
    60_000,
  );
  expect((await waiting())?.published).toBe(false);
  await stack.kafka.start();
  await until("it is published", async () => (await waiting())?.published === true, 60_000);
  await until(
    "it has come",
    () => fleet.mails.all("auth.event").some(({ headers }) => String(headers["ce_id"]) === before!.event_id),
    60_000,
  );
  await recovered();
}, 180_000);

test("PostgreSQL away: UNAVAILABLE at once, and it works again when it is back", async () => {
  const before = pids();
  const { ms: usual } = await timed(() => login(20_000));
  await stack.postgres.kill();
  const first = await timed(() => refused(login(20_000)));
  const second = await timed(() => refused(login(20_000)));
  await stack.postgres.start();
  const back = await recovered();
  console.log(
    `PostgreSQL away: UNAVAILABLE after ${first.ms} and ${second.ms} ms; recovered ${back} ms after it was back`,
  );
  expect([first.value.code, second.value.code]).toEqual(["UNAVAILABLE", "UNAVAILABLE"]);
  expect(first.value.retryAfterMs).toBeGreaterThan(0);
  expect(Math.max(first.ms, second.ms)).toBeLessThan(4000 + 4 * usual);
  expect(back).toBeLessThan(5000 + 4 * usual);
  expect(pids()).toEqual(before);
}, 60_000);

test("registry away: nobody notices, and a fresh worker starts", async () => {
  await stack.registry.kill();
  await expect(fetch(stack.registry.address)).rejects.toThrow(); // the control: it is gone
  await login(3000);
  await own.start("worker", "worker-2");
  await end(own.processes.get("worker-1")!);
  own.processes.delete("worker-1");
  delete own.http["worker-1"];
  await login(10_000);
}, 60_000);
