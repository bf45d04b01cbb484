// Every command delivered again, from the first record on, in all the ways that its scenario carries it out and has it
// refused: a stored answer is given again as it was, everything else is answered, and no row of the database changes.
// The commands are those that have a handler, so a new one is part of it.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { handlers } from "../src/handlers/index.ts";
import { called } from "./authctl/authctl.ts";
import { scenarios } from "./handlers/scenarios.ts";
import { chainWaiting } from "./support/audited.ts";
import { without } from "./support/faults.ts";
import { type Fleet, startFleet } from "./support/fleet.ts";
import { forget } from "./support/groups.ts";
import { end } from "./support/processes.ts";
import { type Raw, type RawReply, type RawRequest, rawRequests, replyTopic } from "./support/raw.ts";
import { secretScenarios } from "./support/secret-scenarios.ts";
import { type TestFleet, testFleet } from "./support/test-fleet.ts";
import { until } from "./support/until.ts";

interface Sent {
  request: RawRequest;
  id: string;
  first: RawReply;
}

/** As scenarios want it. */
const env = { AUTH_LEGACY_TOPICS: "false", AUTH_PASSWORD_MIN: "15", AUTH_HASH_QUEUE_TARGET: "1000" };

const sent: Sent[] = [];
let own: Fleet;
let fleet: TestFleet;
let raw: Raw;
beforeAll(async () => {
  own = await startFleet("again", { processes: ["worker", "relay"], env });
  fleet = await testFleet(own);
  raw = await rawRequests(fleet);
  const runner = await secretScenarios(fleet, {
    bare: true,
    sent: (request, first) => sent.push({ request, id: hex(request.headers!["kafka_correlationId"] as Buffer), first }),
  });
  await Promise.all(handlers.map(({ topic }) => scenarios[topic]!.run(runner, topic)));
  await runner.close();
}, 120_000);
afterAll(async () => {
  await fleet.close();
  await own.stop();
});

const hex = (bytes: Buffer): string => bytes.toString("hex");
const idOf = ({ headers }: { headers: Record<string, unknown> }): string =>
  hex(headers["kafka_correlationId"] as Buffer);

/** What a relay or a worker writes by the clock, whatever was asked. */
const byTheClock = ["serving", "migrations", "audit_heads", "audit_intake", "audit_state"];
/**
 * Of an outbox row nothing is kept once it is published but what it was; the audit's chain and times come later than
 * the commit.
 */
const compared: Record<string, string[]> = {
  outbox: ["id", "event_id", "topic", "kind", "user_id", "sequence"],
  audit: ["number", "event_id", "event", "actor", "user_id", "outcome"],
};

/** Every row of every table, as text. */
async function state(): Promise<Record<string, string[]>> {
  const { rows: tables } = await fleet.sql.query<{ name: string }>(
    "SELECT c.relname AS name FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1",
  );
  const names = tables.map(({ name }) => name).filter((name) => !byTheClock.includes(name));
  await until("all events are in the audit", async () => {
    const { rowCount } = await fleet.sql.query("SELECT FROM audit_intake LIMIT 1");
    return rowCount === 0;
  });
  const all: [string, string[]][] = [];
  for (const name of names) {
    const columns = compared[name]?.map((column) => `t.${column}`).join();
    const what = columns === undefined ? "to_jsonb(t)" : `to_jsonb((SELECT r FROM (SELECT ${columns}) r))`;
    const which = name === "outbox" ? "WHERE topic <> 'auth.audit'" : ""; // heads come by the clock
    const { rows } = await fleet.sql.query<{ row: string }>(
      `SELECT ${what}::text AS row FROM ${name} t ${which} ORDER BY 1`,
    );
    all.push([name, rows.map(({ row }) => row)]);
  }
  return Object.fromEntries(all);
}

async function redeliver(name: string, node: string[] = []): Promise<void> {
  await end([...own.processes].findLast(([process]) => process.startsWith("worker"))![1]);
  await forget(own, ["auth"]);
  await own.start("worker", name, {}, node);
}

/** Which of the answers came again, in the order in which they were asked for. */
async function secondAnswers(count: number): Promise<Map<string, RawReply>> {
  const known = new Map(sent.map((each) => [each.id, each]));
  const mine = await raw.replies.count(replyTopic, sent.length * count, (record) => known.has(idOf(record)));
  return new Map(mine.map((record) => [idOf(record), raw.read(known.get(idOf(record))!.request.topic, record)]));
}

/** Correlation ids of requests whose answer is kept. */
async function keptIds(): Promise<Set<string>> {
  const { rows } = await fleet.sql.query<{ key: string }>("SELECT encode(idempotency_key, 'hex') AS key FROM inbox");
  return new Set(rows.map(({ key }) => key.slice(2))); // behind the byte that says that the caller gave it
}

/** Carried out again they read again: only their refusals are stored. */
const readsOnly = Object.keys(scenarios).filter((topic) => scenarios[topic]!.readsOnly);

const told = ({ outcome, body, secrets }: RawReply): unknown => [outcome, body, secrets];

test("every command is among them, carried out", () => {
  const done = new Set(sent.filter(({ first }) => first.outcome === "ok").map(({ request }) => request.topic));
  expect(handlers.map(({ topic }) => topic).filter((topic) => !done.has(topic))).toEqual([]);
});

test("what all of them have made of accounts is what their audit says, and a write past the fleet is not", async () => {
  await chainWaiting(own.env);
  const verify = async () => {
    const { code, stdout } = await called(["audit", "verify", "--state", "--offline", "--json"], own.env);
    return { code, state: (JSON.parse(stdout) as { state: { accounts: number; found: object[] } }).state };
  };
  const { code, state: clean } = await verify();
  expect({ code, ...clean }).toMatchObject({ code: 0, unknown: 0, differing: 0, found: [], rights: [] });
  expect(clean.accounts).toBeGreaterThan(20);
  const written = await fleet.sql.query<{ id: string }>(
    "UPDATE users SET confirmed_at = NULL WHERE id = (SELECT max(id) FROM users WHERE confirmed_at IS NOT NULL) RETURNING id, now()",
  );
  const [{ id }] = written.rows as [{ id: string }];
  expect(await verify()).toMatchObject({
    code: 1,
    state: {
      differing: 1,
      found: [{ userId: Number(id), aspects: [{ aspect: "confirmed", row: expect.any(Number) }] }],
    },
  });
  await fleet.sql.query("UPDATE users SET confirmed_at = now() WHERE id = $1", [id]);
});

test("delivered again, what was kept is answered as the first time, the rest is answered, and no row changes", async () => {
  const kept = await keptIds();
  const once = handlers.filter((handler) => handler.storesAnswer).map(({ topic }) => topic);
  const carriedOut = sent.filter(({ request, first }) => once.includes(request.topic) && first.outcome === "ok");
  const before = await state();
  await redeliver("worker-2");
  const again = await secondAnswers(2);
  const differing = sent
    .filter(({ id, first }) => kept.has(id) && JSON.stringify(told(again.get(id)!)) !== JSON.stringify(told(first)))
    .map(({ id, request, first }) => [request.topic, first.outcome, again.get(id)!.outcome]);
  expect(differing).toEqual([]);
  const forgotten = carriedOut.filter(({ id }) => !kept.has(id)).map(({ request }) => request.topic);
  expect([...new Set(forgotten)].sort()).toEqual(readsOnly.sort());
  expect(await state()).toEqual(before);
}, 90_000);

test("without the inbox a redelivery changes rows (the control)", async () => {
  const before = await state();
  await redeliver("worker-3", without("no-inbox"));
  await until("a row more", async () => JSON.stringify(await state()) !== JSON.stringify(before));
}, 60_000);
