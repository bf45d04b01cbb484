// Banning, lifting a ban and deleting through Kafka: ok replies, every refusal, events, and a ban's end that needs no
// job.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { auditOf } from "../support/audited.ts";
import { holdUser } from "../support/held.ts";
import { operatorToken } from "../support/operator.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { until } from "../support/until.ts";
import { type Confirmed, confirmed, loggedIn, newUser, refusalOf, registered } from "../support/users.ts";

let fleet: TestFleet;
let operator: string;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
beforeEach(async () => {
  operator = await operatorToken(fleet); // it is good for a minute
});
afterAll(() => fleet.close());

const inspect = (accessToken: string) => fleet.client.request("auth.session.inspect", { accessToken });
const refresh = (refreshToken: string) => fleet.client.request("auth.session.refresh", { refreshToken });
const reason = "a test";
type Options = { actorToken?: string; until?: number | null; idempotencyKey?: string };

function ban(target: string, { actorToken = operator, until: end = null, idempotencyKey }: Options = {}) {
  const input = { actorToken, target, reason, until: end };
  return fleet.client.request("auth.admin.ban-user", input, { ...(idempotencyKey && { idempotencyKey }) });
}
const unban = (target: string, actorToken = operator) =>
  fleet.client.request("auth.admin.unban-user", { actorToken, target, reason });
function erase(target: string, { actorToken = operator, idempotencyKey }: Options = {}) {
  const input = { actorToken, target, reason };
  return fleet.client.request("auth.admin.delete-user", input, { ...(idempotencyKey && { idempotencyKey }) });
}

async function events({ id }: Confirmed) {
  const rows = (await auditOf(fleet, id)).filter(({ event }) => /^User(B|Unb|D)/.test(event));
  return rows.map(({ event, actor, details, personal }) => ({ kind: event, actor, ...details, ...personal }));
}
const kinds = async (user: Confirmed) => (await events(user)).map(({ kind }) => kind);

describe("auth.admin.ban-user", () => {
  test("ends all sessions and keeps the user out, until the ban is lifted; old sessions stay over", async () => {
    const user = await confirmed(fleet);
    const { accessToken, refreshToken } = await loggedIn(fleet, user);
    expect(await ban(user.login.toUpperCase())).toEqual({ userId: user.id, until: null });
    expect(await refusalOf(inspect(accessToken))).toBe("SESSION_REVOKED");
    expect(await refusalOf(refresh(refreshToken))).toBe("SESSION_REVOKED");
    expect(await refusalOf(loggedIn(fleet, user))).toBe("BANNED");
    expect(await unban(`id:${user.id}`)).toEqual({ userId: user.id, wasBanned: true });
    expect(await refusalOf(refresh(refreshToken))).toBe("SESSION_REVOKED");
    expect(await refusalOf(inspect(accessToken))).toBe("SESSION_REVOKED");
    expect(await inspect((await loggedIn(fleet, user)).accessToken)).toMatchObject({ isActive: true });
    const said = { actor: "operator:tester", reason, state: ["ban"] };
    expect(await events(user)).toEqual([
      { kind: "UserBanned", ...said },
      { kind: "UserUnbanned", ...said },
    ]);
  });

  test("until a time: refused before, let in after, though nobody lifts it", async () => {
    const user = await confirmed(fleet);
    const end = Date.now() + 2500;
    expect(await ban(user.login, { until: end })).toEqual({ userId: user.id, until: end });
    expect(await refusalOf(loggedIn(fleet, user))).toBe("BANNED");
    expect(await refusalOf(inspect(user.tokens.accessToken))).toBe("SESSION_REVOKED");
    const show = () => fleet.client.request("auth.admin.get-user", { actorToken: operator, target: user.login });
    expect(await show()).toMatchObject({ isActive: false, bannedUntil: end });
    await until("the ban's end", async () => (await show()).isActive);
    expect(Date.now()).toBeGreaterThanOrEqual(end - 50);
    expect((await show()).bannedUntil).toBeNull();
    const { accessToken, refreshToken } = await loggedIn(fleet, user);
    expect(await inspect(accessToken)).toMatchObject({ userId: user.id });
    expect(await refresh(refreshToken)).toMatchObject({ userId: user.id });
    expect(await unban(user.login)).toEqual({ userId: user.id, wasBanned: false });
    expect(await events(user)).toMatchObject([{ kind: "UserBanned", until: end }]);
  });

  test("of a banned user sets the new end", async () => {
    const user = await confirmed(fleet);
    await ban(user.login, { until: Date.now() + 60_000 });
    await ban(user.login);
    const { rows } = await fleet.sql.query("SELECT banned_until FROM users WHERE id = $1", [user.id]);
    expect(rows).toEqual([{ banned_until: null }]);
    expect(await kinds(user)).toEqual(["UserBanned", "UserBanned"]);
  });

  test("asked again with its key it is answered again and happens once; another end with that key is a conflict", async () => {
    const user = await confirmed(fleet);
    const idempotencyKey = `ban-of-${user.login}-again`;
    for (let time = 0; time < 2; time += 1)
      expect(await ban(user.login, { idempotencyKey })).toEqual({ userId: user.id, until: null });
    expect(await refusalOf(ban(user.login, { idempotencyKey, until: Date.now() + 60_000 }))).toBe(
      "IDEMPOTENCY_CONFLICT",
    );
    expect(await kinds(user)).toEqual(["UserBanned"]);
  });

  test("behind a login that is being committed ends the session that it opens", async () => {
    const user = await confirmed(fleet);
    const row = await holdUser(fleet.env["AUTH_DATABASE_URL"]!, user.id);
    const login = loggedIn(fleet, user);
    await until("the login's commit waits for the row", async () => (await row.waiting()) === 1);
    const banned = ban(user.login);
    await until("the ban waits behind it", async () => (await row.waiting()) === 2);
    await row.release();
    await banned;
    const { accessToken, refreshToken } = await login;
    expect(await refusalOf(inspect(accessToken))).toBe("SESSION_REVOKED");
    expect(await refusalOf(refresh(refreshToken))).toBe("SESSION_REVOKED");
    const { rows } = await fleet.sql.query(
      "SELECT count(*)::int AS live FROM sessions WHERE user_id = $1 AND ended_at IS NULL",
      [user.id],
    );
    expect(rows).toEqual([{ live: 0 }]); // so lifting the ban brings none of them back
  });

  test("refuses an end that is past, a reason that is a book, an unknown target and who may not", async () => {
    const user = await confirmed(fleet);
    expect(await refusalOf(ban(user.login, { until: Date.now() - 1 }))).toBe("INVALID_INPUT");
    expect(await refusalOf(ban(user.login, { until: Number.MAX_SAFE_INTEGER }))).toBe("INVALID_INPUT");
    const book = { actorToken: operator, target: user.login, reason: "x".repeat(1001) };
    expect(await refusalOf(fleet.client.request("auth.admin.ban-user", book))).toBe("INVALID_INPUT");
    expect(await refusalOf(ban(newUser().login))).toBe("NOT_FOUND");
    expect(await refusalOf(ban(""))).toBe("INVALID_INPUT");
    expect(await refusalOf(ban(user.login, { actorToken: user.tokens.accessToken }))).toBe("FORBIDDEN");
    expect(await refusalOf(ban(user.login, { actorToken: "garbage" }))).toBe("TOKEN_INVALID");
    expect(await loggedIn(fleet, user)).toMatchObject({ userId: user.id });
  });
});

describe("auth.admin.unban-user", () => {
  test("of a user without a ban changes nothing, and refuses an unknown target and who may not", async () => {
    const user = await confirmed(fleet);
    expect(await unban(user.login)).toEqual({ userId: user.id, wasBanned: false });
    expect(await inspect(user.tokens.accessToken)).toMatchObject({ userId: user.id });
    expect(await kinds(user)).toEqual([]);
    expect(await refusalOf(unban(newUser().login))).toBe("NOT_FOUND");
    expect(await refusalOf(unban(user.login, user.tokens.accessToken))).toBe("FORBIDDEN");
  });
});

describe("auth.admin.delete-user", () => {
  test("the account is gone, its sessions are over, its login is kept for a while", async () => {
    const user = await confirmed(fleet);
    expect(await erase(user.login)).toEqual({ userId: user.id });
    expect(await refusalOf(inspect(user.tokens.accessToken))).toBe("SESSION_REVOKED");
    expect(await refusalOf(refresh(user.tokens.refreshToken))).toBe("SESSION_REVOKED");
    expect(await refusalOf(loggedIn(fleet, user))).toBe("INVALID_CREDENTIALS");
    expect(await refusalOf(erase(`id:${user.id}`))).toBe("NOT_FOUND");
    const { login, username, email, password } = user;
    expect(await refusalOf(registered(fleet, { login, username, email, password }))).toBe("LOGIN_TAKEN");
    const next = await registered(fleet, { ...newUser(), email });
    expect(next.id).not.toBe(user.id);
    expect(await events(user)).toEqual([{ kind: "UserDeleted", actor: "operator:tester", reason }]);
  });

  test("asked again with its key it is answered again, though there is nobody any more", async () => {
    const user = await confirmed(fleet);
    const idempotencyKey = `delete-of-${user.login}-again`;
    for (let time = 0; time < 2; time += 1)
      expect(await erase(user.login, { idempotencyKey })).toEqual({ userId: user.id });
    expect(await kinds(user)).toEqual(["UserDeleted"]);
  });

  test("refuses an unknown target and who may not", async () => {
    const user = await confirmed(fleet);
    expect(await refusalOf(erase(newUser().login))).toBe("NOT_FOUND");
    expect(await refusalOf(erase(user.login, { actorToken: user.tokens.accessToken }))).toBe("FORBIDDEN");
    expect(await inspect(user.tokens.accessToken)).toMatchObject({ userId: user.id });
  });
});
