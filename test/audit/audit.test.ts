// The audit: what is in it, that it is chained whatever comes late or is forged, and that whoever changes one row of
// it, or a head, is found. The tampering is done by who has the whole database: triggers off, everything writable, but
// no key of the fleet.
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import pg from "pg";
import { rowsPerMinute } from "../../src/command/admin/denials.ts";
import { variables } from "../../src/config/variables.ts";
import { encryptEntry } from "../../src/crypto/audit.ts";
import { type DataKeys, loadDataKeys } from "../../src/crypto/envelope.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { called } from "../authctl/authctl.ts";
import { auditOf, auditShown, chainWaiting } from "../support/audited.ts";
import { type Fleet, startFleet } from "../support/fleet.ts";
import { operatorToken } from "../support/operator.ts";
import { end } from "../support/processes.ts";
import { ownFolder } from "../support/stack.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { until } from "../support/until.ts";
import { type Confirmed, confirmed, loggedIn, newUser, refusalOf } from "../support/users.ts";
import { actions, restoreOlder, statements } from "./tampering.ts";

let own: Fleet;
let fleet: TestFleet;
let user: Confirmed;
let env: Record<string, string>;
beforeAll(async () => {
  own = await startFleet("audit", { processes: ["worker", "relay"], env: { AUTH_AUDIT_HEAD_EVERY: "1s" } });
  [fleet] = await Promise.all([testFleet(own), own.start("relay", "relay-2")]);
  ({ env } = own);
}, 90_000);
afterAll(async () => {
  await fleet.close();
  await own.stop();
});

interface Document {
  ok: boolean;
  rows: number;
  first: number;
  last: number;
  heads: number;
  covered: number;
  kept: number;
  broken: { what: string; number: number | null; sentence: string } | null;
}

async function verify(...more: string[]): Promise<Document & { code: number | null }> {
  const { code, stdout, stderr } = await called(["audit", "verify", "--json", ...more], env);
  if (stdout === "") throw new Error(stderr);
  return { code, ...(JSON.parse(stdout) as Document) };
}

const shown = (...options: string[]) => auditShown(env, ...options);

/** Every row that has been committed is chained, and a head covers all. */
async function settled(): Promise<void> {
  await until("all is chained and signed", async () => {
    const { rows } = await fleet.sql.query<{ done: boolean }>(
      "SELECT NOT EXISTS (SELECT FROM audit_intake) AND (SELECT max(number) FROM audit) = (SELECT max(number) FROM audit_heads) AS done",
    );
    return rows[0]!.done;
  });
}

const client = { ip: "203.0.113.7", userAgent: "Audit/1.0", device: null };

describe("what is audited", () => {
  test("what happened to a user: by whom, how it ended, from where", async () => {
    user = await confirmed(fleet);
    const { login, password, id } = user;
    await fleet.client.request("auth.session.login", { login, password, client });
    await refusalOf(fleet.client.request("auth.session.login", { login, password: "not the one", client }));
    const asOperator = { actorToken: await operatorToken(fleet, "opal"), target: login };
    await fleet.client.request("auth.admin.set-roles", { ...asOperator, roles: ["user"], reason: "a trial" });
    await fleet.client.request("auth.admin.ban-user", { ...asOperator, reason: "a nuisance" });
    await chainWaiting(env);
    const rows = await shown("--user", login);
    expect(rows.map(({ event, actor, outcome }) => [event, actor, outcome])).toEqual([
      ["UserRegistered", `user:${id}`, "ok"],
      ["UserConfirmed", `user:${id}`, "ok"],
      ["LoggedIn", `user:${id}`, "ok"],
      ["LoggedIn", `user:${id}`, "ok"],
      ["LoginRefused", "anonymous", "INVALID_CREDENTIALS"],
      ["RolesChanged", "operator:opal", "ok"],
      ["UserBanned", "operator:opal", "ok"],
    ]);
    expect(rows.every(({ userId, erased }) => userId === id && !erased)).toBe(true);
    expect(rows[3]).toMatchObject({ details: { method: "password" }, personal: { login, client: { ip: client.ip } } });
    expect(rows[4]).toMatchObject({
      details: { code: "INVALID_CREDENTIALS" },
      personal: { client: { ip: client.ip } },
    });
    expect(rows[5]).toMatchObject({ details: { roles: ["user"] }, personal: { reason: "a trial" } });
    expect(rows[6]?.personal).toEqual({ reason: "a nuisance" });
    expect((await shown("--actor", "operator:opal")).map(({ event }) => event)).toEqual(["RolesChanged", "UserBanned"]);
    expect((await shown("--limit", "1")).map(({ number }) => number)).toEqual([(await verify()).last]);
  });

  test("also a refused login of an unknown user, and nothing twice when a request comes again", async () => {
    const { login, password } = newUser();
    const idempotencyKey = `audit-of-${login}-again`;
    for (let time = 0; time < 2; time += 1)
      await refusalOf(fleet.client.request("auth.session.login", { login, password, client }, { idempotencyKey }));
    await chainWaiting(env);
    const rows = (await shown("--actor", "anonymous")).filter(({ personal }) => personal?.["login"] === login);
    expect(rows).toMatchObject([{ event: "LoginRefused", userId: null, personal: { client: { ip: client.ip } } }]);
  });

  test("what operators do to keys, and what the fleet itself did", async () => {
    await called(["keys", "rotate", "--use", "enc"], env);
    await chainWaiting(env);
    const made = (await shown()).filter(({ event }) => event === "KeyMade");
    const operator = expect.stringMatching(/^operator:./);
    expect(made.map(({ actor, details }) => [actor, details["use"], details["state"]])).toEqual([
      ["system:keys", "sig", "active"],
      ["system:keys", "enc", "active"],
      [operator, "enc", "next"],
    ]);
  });

  test("no row says anything personal in clear", async () => {
    const { rows } = await fleet.sql.query<{ text: string }>("SELECT a::text AS text FROM audit a");
    expect(rows.some(({ text }) => text.includes("LoggedIn"))).toBe(true);
    for (const secret of [user.login, client.ip, "a nuisance"])
      expect(rows.filter(({ text }) => text.includes(secret))).toEqual([]);
  });
});

describe("the chain", () => {
  test("takes in a row that commits after younger ones were chained", async () => {
    const late = new pg.Client({ connectionString: env["AUTH_DATABASE_URL"] });
    await late.connect();
    await late.query("BEGIN");
    await late.query("INSERT INTO audit_intake (encrypted) VALUES ($1)", [await sealed("TookItsTime")]);
    const other = await confirmed(fleet);
    await loggedIn(fleet, other);
    expect(await auditOf(fleet, other.id)).toHaveLength(4); // the younger rows are chained
    await late.query("COMMIT");
    await late.end();
    await settled();
    expect((await shown("--limit", "1"))[0]?.event).toBe("TookItsTime");
    expect(await verify()).toMatchObject({ code: 0, ok: true, broken: null });
  });

  test("takes a waiting row that the fleet has not sealed as forged", async () => {
    await fleet.sql.query("INSERT INTO audit_intake (encrypted) VALUES ($1)", [randomBytes(100)]);
    await settled();
    expect(await shown("--limit", "1")).toMatchObject([
      { event: "AuditRowForged", details: { sha256: expect.any(String) } },
    ]);
    expect(await verify()).toMatchObject({ code: 0, ok: true });
  });

  test("holds with two relays and 50 commits at once, and every commit is in it once", async () => {
    const before = (await verify()).last;
    const { tokens } = await confirmed(fleet);
    let { refreshToken } = tokens;
    const attempts = Array.from({ length: 50 }, async () => {
      const { accessToken } = await fleet.client.request(
        "auth.session.refresh",
        { refreshToken },
        { timeoutMs: 20_000 },
      );
      return accessToken;
    });
    await Promise.all(attempts);
    ({ refreshToken } = await fleet.client.request("auth.session.refresh", { refreshToken }));
    await settled();
    expect(await verify()).toMatchObject({ code: 0, ok: true, last: before + 3 + 51 });
  }, 60_000);

  test("its heads are on the topic auth.audit, each with its signature", async () => {
    await until("the outbox is published", async () => {
      const { rowCount } = await fleet.sql.query("SELECT FROM outbox WHERE published_at IS NULL LIMIT 1");
      return rowCount === 0;
    });
    const { heads, kept, covered, last } = await verify();
    expect(kept).toBe(heads);
    expect(covered).toBe(last);
    expect((await verify("--offline")).kept).toBe(0);
  });
});

async function fleetKeys(): Promise<DataKeys> {
  const { rows } = await fleet.sql.query<{ id: number; purpose: string; wrapped: string }>("SELECT * FROM data_keys");
  return loadDataKeys(variables.AUTH_MASTER_KEY.parse(env["AUTH_MASTER_KEY"]!), rows);
}

async function sealed(event: string): Promise<Buffer> {
  const entry = { eventId: "00000000-0000-7000-8000-000000000000", at: Date.now(), event, actor: "service:test" };
  return encryptEntry(await fleetKeys(), {
    ...entry,
    userId: null,
    outcome: "ok",
    traceparent: null,
    details: {},
    personal: null,
  });
}

// The last that needs the worker.
test("attempts at administrative commands without a valid token: a row each up to a number a minute, the others counted", async () => {
  const { id, login, tokens } = await confirmed(fleet);
  const ago = { ...systemClock, now: () => systemClock.now() - 120_000 };
  const ban = (actorToken: string, idempotencyKey?: string) =>
    refusalOf(
      fleet.client.request(
        "auth.admin.ban-user",
        { actorToken, target: login, reason: "a test" },
        { ...(idempotencyKey && { idempotencyKey }) },
      ),
    );
  const key = `audit-of-${login}-nobody`;
  expect(await ban(await operatorToken(fleet, "late", ago), key)).toBe("TOKEN_EXPIRED");
  await fleet.client.request("auth.session.logout", { accessToken: tokens.accessToken });
  expect(await ban(tokens.accessToken)).toBe("SESSION_REVOKED");
  for (let time = 0; time < rowsPerMinute; time += 1) expect(await ban("garbage")).toBe("TOKEN_INVALID");
  // Nothing is kept of such an attempt: with a good token the same request is carried out.
  const actorToken = await operatorToken(fleet);
  const again = { actorToken, target: login, reason: "a test" };
  expect(await fleet.client.request("auth.admin.ban-user", again, { idempotencyKey: key })).toMatchObject({
    until: null,
  });
  await end(own.processes.get("worker-1")!); // says the number, as the end of the minute would
  await settled();
  const rows = (await shown("--actor", "anonymous")).filter(({ event }) => event === "AdminRefused");
  const target = `id:${id}`;
  expect(rows.map(({ details: { command, target: of, code, more } }) => [command, of, code, more])).toEqual([
    ["ban-user", target, "TOKEN_EXPIRED", 0],
    ["ban-user", target, "SESSION_REVOKED", 0],
    ...Array.from({ length: rowsPerMinute - 2 }, () => ["ban-user", target, "TOKEN_INVALID", 0]),
    ["", "", "", 2],
  ]);
  expect(await verify()).toMatchObject({ code: 0, ok: true });
}, 60_000);

describe("verify", () => {
  let untouched: Document;
  const tables = ["audit", "audit_heads", "audit_state", "audit_keys"];
  const all = (statement: (table: string) => string) => fleet.sql.query(tables.map(statement).join("; "));

  beforeAll(async () => {
    await settled();
    await Promise.all(["relay-1", "relay-2"].map((name) => end(own.processes.get(name)!)));
    untouched = await verify();
    await expect(fleet.sql.query("UPDATE audit SET actor = 'nobody'")).rejects.toThrow("written once");
    await expect(fleet.sql.query("DELETE FROM audit")).rejects.toThrow("written once");
    await fleet.sql.query("ALTER TABLE audit DISABLE TRIGGER written_once");
    await all((table) => `CREATE TABLE kept_${table} AS TABLE ${table}`);
  }, 60_000);

  const restore = () => all((table) => `DELETE FROM ${table}; INSERT INTO ${table} TABLE kept_${table}`);

  test("accepts an audit that was not changed, and a part of it", async () => {
    expect(untouched).toMatchObject({ code: 0, ok: true, first: 1, rows: untouched.last, broken: null });
    expect(untouched.heads).toBeGreaterThan(2);
    const { rows } = await fleet.sql.query<{ number: string; signed_at: Date }>(
      "SELECT number, signed_at FROM audit_heads ORDER BY number OFFSET 1 LIMIT 1",
    );
    const from = rows[0]!.signed_at.toISOString();
    expect(await verify("--from", from)).toMatchObject({
      ok: true,
      first: Number(rows[0]!.number) + 1,
      last: untouched.last,
    });
    expect(await verify("--to", from)).toMatchObject({ ok: true, first: 1, last: Number(rows[0]!.number) });
    const readOnly = new URL(env["AUTH_DATABASE_URL"]!);
    readOnly.searchParams.set("options", "-c default_transaction_read_only=on");
    const text = await called(["audit", "verify"], { ...env, AUTH_DATABASE_URL: readOnly.href });
    expect(text).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Rows 1 to \d+ verified/) });
  });

  test.each(statements)("finds %s", async (_what, statement, what, number) => {
    await fleet.sql.query(statement);
    const { code, ok, broken } = await verify("--offline");
    await restore();
    expect({ code, ok, what: broken?.what, number: broken?.number }).toEqual({ code: 1, ok: false, what, number });
    expect(broken?.sentence).toContain(String(number));
  });

  test.each(actions)("finds %s", async (_what, act, what, number) => {
    await act(fleet.sql, untouched.last);
    const { code, broken } = await verify("--offline");
    await restore();
    expect({ code, what: broken?.what }).toEqual({ code: 1, what });
    const expected = number(untouched.last);
    if (expected !== null) expect(broken?.number).toBe(expected);
  });

  test("finds an older copy of all tables only by the heads that are kept elsewhere", async () => {
    const { rows } = await fleet.sql.query<{ number: string; jws: string }>(
      "SELECT number, jws FROM audit_heads ORDER BY number DESC LIMIT 1",
    );
    const log = join(ownFolder("audit-heads"), "relay.log");
    writeFileSync(log, `{"level":30,"msg":"audit head signed","jws":"${rows[0]!.jws}"}\n`);
    expect(await verify("--offline", "--heads", log)).toMatchObject({ ok: true, kept: 1 });
    const last = await restoreOlder(fleet.sql, await fleetKeys());
    const [alone, withTopic, withLog] = [
      await verify("--offline"),
      await verify(),
      await verify("--offline", "--heads", log),
    ];
    await restore();
    expect(alone).toMatchObject({ code: 0, ok: true, last });
    for (const { code, broken } of [withTopic, withLog])
      expect({ code, what: broken?.what, number: broken?.number }).toEqual({ code: 1, what: "end", number: last + 1 });
  });

  test("accepts it again once all is restored", async () => {
    expect(await verify()).toEqual(untouched);
  });

  test.each([
    [["--from", "yesterday"], /--from takes a time/],
    [["--heads", "/nowhere"], /--heads/],
    [["--heads", "-"], /no head in -/],
  ])("refuses %j", async (options, sentence) => {
    const { code, stderr } = await called(["audit", "verify", ...options], env);
    expect(code).toBe(2);
    expect(stderr).toMatch(sentence);
  });
});
