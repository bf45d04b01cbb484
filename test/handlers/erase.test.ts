// Erasing an account and taking a copy of it, through Kafka. After erasing, every table of the database is searched for
// whatever is personal; the control is the same search before, which finds it.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { called } from "../authctl/authctl.ts";
import { type Audited, auditOf } from "../support/audited.ts";
import { operatorToken } from "../support/operator.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { until } from "../support/until.ts";
import {
  type Confirmed,
  confirmed,
  loggedIn,
  newUser,
  refusalOf,
  refused,
  registered,
  withTooMuch,
} from "../support/users.ts";

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
afterAll(() => fleet.close());

const client = (user: Confirmed) => ({
  ip: `2001:db8::${user.id}:77`,
  userAgent: `Lynx of ${user.login}`,
  device: null,
});
const login = (user: Confirmed, password = user.password) =>
  fleet.client.request("auth.session.login", { login: user.login, password, client: client(user) });
const erase = (user: Confirmed, password = user.password, idempotencyKey?: string) =>
  fleet.client.request(
    "auth.account.delete",
    { accessToken: user.tokens.accessToken, password },
    { ...(idempotencyKey && { idempotencyKey }) },
  );
const exported = ({ accessToken }: { accessToken: string }, idempotencyKey?: string) =>
  fleet.client.request("auth.account.export", { accessToken }, { ...(idempotencyKey && { idempotencyKey }) });

const audited = (user: Confirmed, event: string): Promise<Audited[]> =>
  auditOf(fleet, user.id).then((rows) => {
    expect(rows.map((row) => row.event)).toContain(event);
    return rows;
  });

/** The tables in which one of the texts stands, in any form that a column may have it in. */
async function whereIs(...texts: string[]): Promise<string[]> {
  const { rows: tables } = await fleet.sql.query<{ name: string }>(
    "SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname",
  );
  const forms = texts.flatMap((text) => [
    text,
    text.toLowerCase(),
    ...(["hex", "base64"] as const).map((form) => Buffer.from(text).toString(form).replace(/.?=*$/, "")),
  ]);
  const each = tables.map(
    ({ name }) =>
      `SELECT '${name}' AS name WHERE EXISTS (SELECT FROM (SELECT lower(t::text) AS text FROM "${name}" t) AS r
        WHERE ${forms.map((_, at) => `strpos(r.text, lower($${at + 1})) > 0`).join(" OR ")})`,
  );
  const { rows } = await fleet.sql.query<{ name: string }>(each.join(" UNION ALL "), forms);
  return rows.map(({ name }) => name.replace(/_\d+$/, ""));
}

const personal = (user: Confirmed) => [user.login, user.email, client(user).ip];

/**
 * Somebody of whom there is something everywhere: sessions that go on and that are over, refusals, events, a waiting
 * link.
 */
async function known(one = newUser()): Promise<Confirmed> {
  const user = await confirmed(fleet, one);
  const { tokens } = await login(user);
  await refusalOf(login(user, "not the one"));
  await fleet.client.request("auth.session.logout", { accessToken: tokens!.accessToken });
  await login(user);
  return user;
}

const gone = async (user: Confirmed) => {
  await until(`nothing is left of ${user.login}`, async () => (await whereIs(...personal(user))).length === 0);
};

describe("auth.account.delete", () => {
  test("leaves nothing of the user in any table, and the chain holds", async () => {
    const user = await known();
    await fleet.client.request("auth.admin.set-roles", {
      actorToken: await operatorToken(fleet),
      target: user.login,
      roles: ["user"],
      reason: `asked by ${user.email}`,
    });
    const { accessToken } = await fleet.client.request("auth.session.refresh", {
      refreshToken: user.tokens.refreshToken,
    });
    const before = await audited(user, "RolesChanged");
    expect(await whereIs(user.login)).toContain("users");
    expect(await whereIs(user.email)).toContain("users");
    expect(await whereIs(client(user).ip)).toContain("sessions");
    expect(before.map(({ event }) => event)).toContain("LoginRefused");
    expect(JSON.stringify(before.map((row) => row.personal))).toContain(client(user).ip);
    expect(JSON.stringify(before.map((row) => row.personal))).toContain(user.email);

    expect(await erase({ ...user, tokens: { ...user.tokens, accessToken } })).toEqual({});
    const after = await audited(user, "UserDeleted");
    await gone(user);
    expect(after.slice(0, before.length).map(({ event, details }) => [event, details])).toEqual(
      before.map(({ event, details }) => [event, details]),
    );
    expect(after.every((row) => row.erased && row.personal === null)).toBe(true);
    expect(after.at(-1)).toMatchObject({ actor: `user:${user.id}`, details: { reason: "deleted by its owner" } });
    expect((await called(["audit", "verify"], fleet.env)).code).toBe(0);
  });

  test("ends every session; the login is kept for a while; asked again with its key it is answered again", async () => {
    const user = await confirmed(fleet);
    const other = await loggedIn(fleet, user);
    const key = `delete-of-${user.login}-again`;
    expect([await erase(user, user.password, key), await erase(user, user.password, key)]).toEqual([{}, {}]);
    for (const { accessToken, refreshToken } of [other, user.tokens]) {
      expect(await refusalOf(fleet.client.request("auth.session.inspect", { accessToken }))).toBe("SESSION_REVOKED");
      expect(await refusalOf(fleet.client.request("auth.session.refresh", { refreshToken }))).toBe("SESSION_REVOKED");
    }
    expect(await refusalOf(loggedIn(fleet, user))).toBe("INVALID_CREDENTIALS");
    const { login: name, username, email, password } = user;
    const anew = { login: name, username, email, password };
    expect(await refusalOf(registered(fleet, anew))).toBe("LOGIN_TAKEN");
    expect((await registered(fleet, { ...anew, login: newUser().login })).email).toBe(email); // the address is free at once
    expect((await audited(user, "UserDeleted")).filter(({ event }) => event === "UserDeleted")).toHaveLength(1);
  });

  test("with a wrong password changes nothing and is counted, once per key", async () => {
    const user = await confirmed(fleet);
    const key = `delete-of-${user.login}-wrong`;
    const attempt = (password: string) => refusalOf(erase(user, password, key));
    expect([await attempt("not the one"), await attempt("not the one"), await attempt(user.password)]).toEqual([
      "INVALID_CREDENTIALS",
      "INVALID_CREDENTIALS",
      "IDEMPOTENCY_CONFLICT",
    ]);
    expect(await loggedIn(fleet, user)).toMatchObject({ userId: user.id });
    expect((await audited(user, "PasswordRefused")).filter(({ event }) => event === "PasswordRefused")).toHaveLength(1);
  });

  test("refuses an empty password and who holds no token of a session that goes on", async () => {
    const user = await confirmed(fleet);
    expect(await refusalOf(erase(user, ""))).toBe("INVALID_INPUT");
    const forged = { ...user, tokens: { ...user.tokens, accessToken: "garbage" } };
    expect(await refusalOf(erase(forged))).toBe("TOKEN_INVALID");
    await fleet.client.request("auth.session.logout", { accessToken: user.tokens.accessToken });
    expect(await refusalOf(erase(user))).toBe("SESSION_REVOKED");
  });
});

test.each([
  [
    "an operator",
    async ({ login: target }: Confirmed) =>
      fleet.client.request("auth.admin.delete-user", {
        actorToken: await operatorToken(fleet),
        target,
        reason: "a test",
      }),
  ],
  [
    "the platform",
    async ({ id }: Confirmed) =>
      fleet.kafka.produce([
        { topic: "delete", partition: 0, key: null, value: Buffer.from(JSON.stringify({ id })), headers: {} },
      ]),
  ],
])("deleted by %s, nothing is left either", async (_who, action) => {
  const user = await known();
  await audited(user, "LoginRefused");
  expect(await whereIs(client(user).ip)).toContain("sessions");
  await action(user);
  await until("the user is gone", async () => {
    const { rowCount } = await fleet.sql.query("SELECT FROM users WHERE id = $1", [user.id]);
    return rowCount === 0;
  });
  const rows = await audited(user, "UserDeleted");
  await gone(user);
  expect(rows.every(({ erased }) => erased)).toBe(true);
});

interface Copy extends Record<string, unknown> {
  account: Record<string, unknown>;
  sessions: { createdAt: string; endReason: string | null; client: unknown }[];
  history: Record<string, unknown>[];
}

describe("auth.account.export", () => {
  test("gives everything that is held, and no secret", async () => {
    const user = await known({ ...newUser(), locale: "de" });
    await fleet.client.request("auth.admin.set-roles", {
      actorToken: await operatorToken(fleet, "ophelia"),
      target: user.login,
      roles: ["user"],
      reason: "a test",
    });
    await audited(user, "RolesChanged");
    const { accessToken } = await fleet.client.request("auth.session.refresh", {
      refreshToken: user.tokens.refreshToken,
    });
    const { document } = await exported({ accessToken });
    const copy = JSON.parse(document) as Copy;
    expect(Object.keys(copy)).toEqual([
      "format",
      "exportedAt",
      "account",
      "roles",
      "credentials",
      "authenticatorApp",
      "recoveryCodes",
      "passkeys",
      "loginsUnderWay",
      "links",
      "knownDevices",
      "sessions",
      "history",
      "leftOut",
    ]);
    const { id, login: name, username, email } = user;
    expect(copy.account).toMatchObject({
      id,
      login: name,
      username,
      email,
      locale: "de",
      confirmedAt: expect.any(String),
    });
    expect(copy["roles"]).toEqual(["user"]);
    expect(copy["credentials"]).toEqual([{ kind: "password", changedAt: expect.any(String) }]);
    expect(copy["links"]).toMatchObject([{ purpose: "confirm", usedAt: expect.any(String) }]);
    expect(copy.sessions.map(({ endReason }) => endReason)).toEqual([null, "logout", null]);
    expect(copy.sessions[0]!.client).toEqual(client(user));
    const before = copy.history.filter(({ event }) => event !== "SessionRefreshed"); // which may be in there already
    expect(before[0]).toMatchObject({ event: "RolesChanged", by: "operator", roles: ["user"], reason: "a test" });
    expect(copy.history.find(({ event }) => event === "LoginRefused")).toMatchObject({
      by: "anonymous",
      client: client(user),
    });
    expect(copy.history.at(-1)).toMatchObject({ event: "UserRegistered", by: "yourself", login: name });
    expect(copy["leftOut"]).toEqual({});
    for (const secret of [
      user.password,
      "argon2",
      "ophelia",
      user.confirmationToken.split(".")[1]!,
      user.tokens.refreshToken,
    ])
      expect(document).not.toContain(secret);
  });

  test("is audited, answered again by its key, and not made anew for ten minutes", async () => {
    const user = await confirmed(fleet);
    const key = `export-of-${user.login}-again`;
    const first = await exported(user.tokens, key);
    expect(await exported(user.tokens, key)).toEqual(first);
    const { code, retryAfterMs } = await refused(exported(user.tokens));
    expect(code).toBe("THROTTLED");
    expect(retryAfterMs).toBeGreaterThan(500_000);
    expect(retryAfterMs).toBeLessThanOrEqual(600_000);
    expect((await audited(user, "DataExported")).filter(({ event }) => event === "DataExported")).toHaveLength(1);
    await fleet.sql.query("UPDATE users SET exported_at = now() - interval '601 seconds' WHERE id = $1", [user.id]);
    expect((JSON.parse((await exported(user.tokens)).document) as Copy).history[0]).toMatchObject({
      event: "DataExported",
    });
  });

  test("of two at once makes one", async () => {
    const user = await confirmed(fleet);
    const answers = await Promise.all([exported, exported].map((ask) => ask(user.tokens).then(() => "ok", String)));
    expect(answers.filter((answer) => answer === "ok")).toHaveLength(1);
  });

  test("too large for a record it leaves the oldest out, and says from when on", async () => {
    const user = await confirmed(fleet);
    await withTooMuch(fleet, user);
    const { document } = await exported(user.tokens);
    const copy = JSON.parse(document) as Copy & {
      leftOut: { sessions: { olderThan: string } };
    };
    expect(document.length).toBeGreaterThan(200_000);
    expect(copy.sessions.length).toBeGreaterThan(100);
    expect(copy.sessions.length).toBeLessThan(1000);
    expect(copy.leftOut.sessions.olderThan).toBe(copy.sessions.at(-1)!.createdAt);
  });

  test("refuses who holds no token of a session that goes on", async () => {
    const user = await confirmed(fleet);
    expect(await refusalOf(exported({ accessToken: "garbage" }))).toBe("TOKEN_INVALID");
    expect(await refusalOf(exported({ accessToken: "" }))).toBe("INVALID_INPUT");
    await fleet.client.request("auth.session.logout", { accessToken: user.tokens.accessToken });
    expect(await refusalOf(exported(user.tokens))).toBe("SESSION_REVOKED");
  });
});
