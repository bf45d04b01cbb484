// Login, refresh, inspect and logout through Kafka: every ok reply and every refusal.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import argon2 from "argon2";
import { decodeJwt, decodeProtectedHeader, SignJWT, UnsecuredJWT } from "jose";
import type { SessionTokens } from "../../src/accounts/sessions.ts";
import { newOpaque } from "../../src/crypto/opaque.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { signedAnew } from "../support/tokens.ts";
import { type Confirmed, confirmed, loggedIn, newUser, refusalOf, refused } from "../support/users.ts";

let fleet: TestFleet;
let user: Confirmed;
beforeAll(async () => {
  fleet = await testFleet();
  user = await confirmed(fleet);
}, 60_000);
afterAll(() => fleet.close());

const inspect = (accessToken: string) => fleet.client.request("auth.session.inspect", { accessToken });
const refresh = (refreshToken: string) => fleet.client.request("auth.session.refresh", { refreshToken });
const logout = (accessToken: string, everywhere = false) =>
  fleet.client.request("auth.session.logout", { accessToken, everywhere });
const ban = (id: number) => fleet.sql.query("UPDATE users SET banned_at = now() WHERE id = $1", [id]);
const unban = (id: number) => fleet.sql.query("UPDATE users SET banned_at = NULL WHERE id = $1", [id]);

describe("auth.session.login", () => {
  test("gives tokens, whatever the case of the login, and the first session goes on", async () => {
    const tokens = await loggedIn(fleet, { ...user, login: user.login.toUpperCase() });
    expect(tokens).toMatchObject({ userId: user.id, sessionId: expect.any(String), accessToken: expect.any(String) });
    expect(await inspect(tokens.accessToken)).toMatchObject({ sessionId: tokens.sessionId });
    expect(await inspect(user.tokens.accessToken)).toMatchObject({ sessionId: user.tokens.sessionId });
  });

  /** ASVS 7.2.4. */
  test("gives tokens that nobody had before, and a session of their own, each time", async () => {
    const all = [user.tokens, await loggedIn(fleet, user), await loggedIn(fleet, user)];
    for (const part of ["sessionId", "accessToken", "refreshToken"] as const)
      expect(new Set(all.map((tokens) => tokens[part])).size).toBe(all.length);
    const ids = all.map(({ accessToken }) => decodeJwt(accessToken).jti);
    expect(new Set(ids).size).toBe(all.length);
  });

  test("signs an RFC 9068 access token that lives 15 minutes", async () => {
    const { accessToken, accessExpiresAt, sessionId } = await loggedIn(fleet, user);
    expect(decodeProtectedHeader(accessToken)).toMatchObject({ alg: "ES256", typ: "at+jwt", kid: expect.any(String) });
    const claims = decodeJwt(accessToken);
    expect(claims).toMatchObject({
      iss: "auth",
      aud: "platform",
      sub: String(user.id),
      client_id: "platform",
      jti: expect.any(String),
      sid: sessionId,
      roles: [],
      gen: 0,
      amr: ["pwd"],
    });
    expect(claims.exp! - claims.iat!).toBe(900);
    expect(claims.exp! * 1000).toBe(accessExpiresAt);
    expect(claims["login"]).toBe(user.login);
  });

  test("refuses a wrong password and an unknown login with the same words", async () => {
    const wrong = await refused(loggedIn(fleet, { ...user, password: "not the one" }));
    const unknown = await refused(loggedIn(fleet, newUser()));
    expect([wrong.code, wrong.message, wrong.details]).toEqual([unknown.code, unknown.message, unknown.details]);
    expect(wrong.code).toBe("INVALID_CREDENTIALS");
  });

  test("tells BANNED only to who knows the password", async () => {
    const banned = await confirmed(fleet);
    await ban(banned.id);
    expect(await refusalOf(loggedIn(fleet, banned))).toBe("BANNED");
    expect(await refusalOf(loggedIn(fleet, { ...banned, password: "not the one" }))).toBe("INVALID_CREDENTIALS");
  });

  test.each([
    ["an empty login", { login: "" }],
    ["an absurd login", { login: "x".repeat(33) }],
    ["an empty password", { password: "" }],
    ["an absurd password", { password: "x".repeat(1025) }],
  ])("refuses %s", async (_what, bad) => {
    expect(await refusalOf(loggedIn(fleet, { ...user, ...bad }))).toBe("INVALID_INPUT");
  });

  test("never applies the password policy: a short one is simply wrong", async () => {
    expect(await refusalOf(loggedIn(fleet, { ...user, password: "short" }))).toBe("INVALID_CREDENTIALS");
  });

  test("reads the old service's hashes (64 MiB, 3 passes, 4 lanes) and makes them anew at the current cost", async () => {
    const old = await confirmed(fleet);
    const hash = await argon2.hash(old.password, {
      type: argon2.argon2id,
      memoryCost: 65_536,
      timeCost: 3,
      parallelism: 4,
    });
    await fleet.sql.query("UPDATE credentials SET hash = $2 WHERE user_id = $1", [old.id, hash]);
    expect(await loggedIn(fleet, old)).toMatchObject({ userId: old.id });
    const { rows } = await fleet.sql.query<{ hash: string }>("SELECT hash FROM credentials WHERE user_id = $1", [
      old.id,
    ]);
    expect(rows[0]?.hash).toMatch(/^\$argon2id\$v=19\$m=7168,t=1,p=1\$/);
    expect(await loggedIn(fleet, old)).toMatchObject({ userId: old.id });
  });

  test("asked again with its key, it opens no second session", async () => {
    const one = await confirmed(fleet);
    const { login, password } = one;
    const options = { idempotencyKey: `login-of-${login}-again` };
    const first = await fleet.client.request("auth.session.login", { login, password }, options);
    const again = await fleet.client.request("auth.session.login", { login, password }, options);
    expect(again).toEqual(first);
    const { rows } = await fleet.sql.query("SELECT count(*)::int AS sessions FROM sessions WHERE user_id = $1", [
      one.id,
    ]);
    expect(rows).toEqual([{ sessions: 2 }]); // the one from confirming, and this one
  });

  test("counts a refused attempt once per key, and another password with that key is a conflict", async () => {
    const { login } = user;
    const options = { idempotencyKey: `login-of-${login}-wrong` };
    const attempt = (password: string) =>
      refusalOf(fleet.client.request("auth.session.login", { login, password }, options));
    expect([await attempt("not the one"), await attempt("not the one"), await attempt("another")]).toEqual([
      "INVALID_CREDENTIALS",
      "INVALID_CREDENTIALS",
      "IDEMPOTENCY_CONFLICT",
    ]);
  });
});

describe("auth.session.refresh", () => {
  test("in a rotating session gives another refresh token, and the same one again within the grace time", async () => {
    const first = await loggedIn(fleet, user);
    const second = await refresh(first.refreshToken);
    expect(second.refreshToken).not.toBe(first.refreshToken);
    const again = await refresh(first.refreshToken);
    expect(again.refreshToken).toBe(second.refreshToken);
    expect(await inspect(again.accessToken)).toMatchObject({ sessionId: first.sessionId });
    expect(await refresh(second.refreshToken)).toMatchObject({ sessionId: first.sessionId });
  });

  test("fifty at once get one successor, and nobody is logged out", async () => {
    const { refreshToken, sessionId } = await loggedIn(fleet, user);
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(refreshToken)));
    expect(new Set(answers.map((each) => each.refreshToken)).size).toBe(1);
    expect(await refresh(answers[0]!.refreshToken)).toMatchObject({ sessionId });
  });

  test("in a session that does not rotate gives the presented token back, as often as it is asked", async () => {
    const tokens = await loggedIn(fleet, user, false);
    for (let time = 0; time < 3; time += 1) {
      const next = await refresh(tokens.refreshToken);
      expect(next.refreshToken).toBe(tokens.refreshToken);
      expect(next.accessToken).not.toBe(tokens.accessToken);
    }
  });

  test("an older token ends its session, and no other", async () => {
    const other = await loggedIn(fleet, user);
    const first = await loggedIn(fleet, user);
    const second = await refresh(first.refreshToken);
    const third = await refresh(second.refreshToken);
    expect(await refusalOf(refresh(first.refreshToken))).toBe("REFRESH_REUSED");
    expect(await refusalOf(refresh(third.refreshToken))).toBe("SESSION_REVOKED");
    expect(await refusalOf(inspect(third.accessToken))).toBe("SESSION_REVOKED");
    expect(await inspect(other.accessToken)).toMatchObject({ sessionId: other.sessionId });
    const event = await fleet.mails.last(
      "auth.event",
      (record) => String(record.headers["ce_type"]) === "auth.event.RefreshReused",
    );
    expect(String(event.key)).toBe(String(user.id));
  });

  test("the parent after the grace time ends the session", async () => {
    const first = await loggedIn(fleet, user);
    await refresh(first.refreshToken);
    await fleet.sql.query("UPDATE sessions SET rotated_at = now() - interval '11 seconds' WHERE id = $1", [
      first.sessionId,
    ]);
    expect(await refusalOf(refresh(first.refreshToken))).toBe("REFRESH_REUSED");
  });

  test("a forged token is refused and ends nothing", async () => {
    const tokens = await loggedIn(fleet, user);
    const second = await refresh(tokens.refreshToken);
    expect(await refusalOf(refresh(newOpaque(tokens.sessionId).token))).toBe("TOKEN_INVALID");
    expect(await refresh(second.refreshToken)).toMatchObject({ sessionId: tokens.sessionId });
  });

  test.each([
    ["nothing", () => "", "INVALID_INPUT"],
    ["garbage", () => "garbage", "TOKEN_INVALID"],
    ["a token of no session", () => newOpaque("0197e0a0-0000-7000-8000-000000000000").token, "TOKEN_INVALID"],
    ["an access token", () => user.tokens.accessToken, "TOKEN_INVALID"],
    ["a confirmation token", () => user.confirmationToken, "TOKEN_INVALID"],
  ])("refuses %s", async (_what, token, code) => {
    expect(await refusalOf(refresh(token()))).toBe(code);
  });

  test("refuses a session that is over by time, and one that was idle too long", async () => {
    const absolute = await loggedIn(fleet, user);
    await fleet.sql.query("UPDATE sessions SET expires_at = now() WHERE id = $1", [absolute.sessionId]);
    expect(await refusalOf(refresh(absolute.refreshToken))).toBe("TOKEN_EXPIRED");
    const idle = await loggedIn(fleet, user);
    await fleet.sql.query("UPDATE sessions SET last_used_at = now() - interval '8 days' WHERE id = $1", [
      idle.sessionId,
    ]);
    expect(await refusalOf(refresh(idle.refreshToken))).toBe("TOKEN_EXPIRED");
  });

  /** ASVS 10.4.8: idle time begins anew with each use, the absolute end does not move. */
  test("moves the end for lack of use, and never the absolute one", async () => {
    const hour = 3_600_000;
    const first = await loggedIn(fleet, user);
    const endsAt = await endOf(first.sessionId, `now() + interval '1 hour'`);
    let { refreshToken } = first;
    for (let time = 0; time < 3; time += 1) {
      const next = await refresh(refreshToken);
      expect(next.refreshExpiresAt).toBe(endsAt); // the idle end, in 7 days, would be later
      expect(next.refreshExpiresAt).toBeLessThan(Date.now() + hour);
      refreshToken = next.refreshToken;
    }
    expect(await endOf(first.sessionId)).toBe(endsAt);
    expect(first.refreshExpiresAt).toBeGreaterThan(endsAt); // the control
  });

  test("asked again with its key after two more rotations, it gives its first answer and ends nothing", async () => {
    const first = await loggedIn(fleet, user);
    const options = { idempotencyKey: `refresh-of-${first.sessionId}` };
    const second = await fleet.client.request("auth.session.refresh", { refreshToken: first.refreshToken }, options);
    const third = await refresh(second.refreshToken);
    const fourth = await refresh(third.refreshToken);
    expect(await fleet.client.request("auth.session.refresh", { refreshToken: first.refreshToken }, options)).toEqual(
      second,
    );
    expect(await refresh(fourth.refreshToken)).toMatchObject({ sessionId: first.sessionId });
  });
});

/** When the session ends absolutely, Unix ms. @param set an SQL expression: ends it then */
async function endOf(sessionId: string, set = "expires_at"): Promise<number> {
  const { rows } = await fleet.sql.query<{ ends: Date }>(
    `UPDATE sessions SET expires_at = date_trunc('milliseconds', ${set}) WHERE id = $1 RETURNING expires_at AS ends`,
    [sessionId],
  );
  return rows[0]!.ends.getTime();
}

describe("auth.session.inspect", () => {
  test("tells whose token it is", async () => {
    const tokens = await loggedIn(fleet, user);
    expect(await inspect(tokens.accessToken)).toEqual({
      userId: user.id,
      login: user.login,
      isActive: true,
      isVerified: true,
      roles: [],
      sessionId: tokens.sessionId,
      expiresAt: tokens.accessExpiresAt,
    });
  });

  test.each([
    ["nothing", () => "", "INVALID_INPUT"],
    ["garbage", () => "garbage", "TOKEN_INVALID"],
    ["a refresh token", () => user.tokens.refreshToken, "TOKEN_INVALID"],
    ["a confirmation token", () => user.confirmationToken, "TOKEN_INVALID"],
    [
      "a token signed with nothing",
      () => new UnsecuredJWT(decodeJwt(user.tokens.accessToken)).encode(),
      "TOKEN_INVALID",
    ],
    ["a token signed by somebody else", () => forged({}), "TOKEN_INVALID"],
    ["a token without exp, signed by somebody else", () => forged({ exp: undefined }), "TOKEN_INVALID"],
  ])("refuses %s", async (_what, token, code) => {
    expect(await refusalOf(inspect(await token()))).toBe(code);
  });
});

/** The user's own claims, signed with HMAC: the classic confusion of algorithms. */
function forged(changes: Record<string, unknown>): Promise<string> {
  const claims = { ...decodeJwt(user.tokens.accessToken), ...changes };
  const { kid } = decodeProtectedHeader(user.tokens.accessToken);
  return new SignJWT(claims).setProtectedHeader({ alg: "HS256", typ: "at+jwt", kid: kid! }).sign(Buffer.alloc(32, 1));
}

describe("auth.session.logout", () => {
  test("ends its session and no other", async () => {
    const ended = await loggedIn(fleet, user);
    const other = await loggedIn(fleet, user);
    expect(await logout(ended.accessToken)).toEqual({});
    expect(await refusalOf(inspect(ended.accessToken))).toBe("SESSION_REVOKED");
    expect(await refusalOf(refresh(ended.refreshToken))).toBe("SESSION_REVOKED");
    expect(await inspect(other.accessToken)).toMatchObject({ sessionId: other.sessionId });
  });

  test("everywhere ends all sessions of the user, and nobody else's", async () => {
    const one = await confirmed(fleet);
    const sessions: SessionTokens[] = [one.tokens, await loggedIn(fleet, one), await loggedIn(fleet, one, false)];
    expect(await logout(sessions[1]!.accessToken, true)).toEqual({});
    for (const session of sessions) {
      expect(await refusalOf(inspect(session.accessToken))).toBe("SESSION_REVOKED");
      expect(await refusalOf(refresh(session.refreshToken))).toBe("SESSION_REVOKED");
    }
    expect(await inspect(user.tokens.accessToken)).toMatchObject({ userId: user.id });
    expect(await loggedIn(fleet, one)).toMatchObject({ userId: one.id });
  });

  test("a second time is ok, and says nothing again; everywhere it needs a token that is still good", async () => {
    const { accessToken, sessionId } = await loggedIn(fleet, user);
    for (let time = 0; time < 3; time += 1) expect(await logout(accessToken)).toEqual({});
    const { rows } = await fleet.sql.query(
      `SELECT count(*) FILTER (WHERE kind = 'LoggedOut' AND body->>'sessionId' = $1)::int AS events,
        count(*) FILTER (WHERE topic = 'auth.revocation' AND key = 's:' || $1)::int AS revocations FROM outbox`,
      [sessionId],
    );
    expect(rows).toEqual([{ events: 1, revocations: 1 }]);
    expect(await refusalOf(logout(accessToken, true))).toBe("SESSION_REVOKED");
  });

  test("with a token that has expired ends its session; everywhere it is refused", async () => {
    const { accessToken, refreshToken, sessionId } = await loggedIn(fleet, user);
    const expired = await signedAnew(fleet, accessToken, { exp: Math.floor(Date.now() / 1000) - 60 });
    expect(await refusalOf(logout(expired, true))).toBe("TOKEN_EXPIRED");
    expect(await inspect(accessToken)).toMatchObject({ sessionId }); // so far it goes on
    expect(await logout(expired)).toEqual({});
    expect(await refusalOf(inspect(accessToken))).toBe("SESSION_REVOKED");
    expect(await refusalOf(refresh(refreshToken))).toBe("SESSION_REVOKED");
  });

  test("with a token from before a change of rights ends its session", async () => {
    const one = await confirmed(fleet);
    await fleet.sql.query("UPDATE users SET generation = generation + 1 WHERE id = $1", [one.id]);
    expect(await refusalOf(inspect(one.tokens.accessToken))).toBe("TOKEN_EXPIRED");
    expect(await logout(one.tokens.accessToken)).toEqual({});
    expect(await refusalOf(refresh(one.tokens.refreshToken))).toBe("SESSION_REVOKED");
  });

  test("is ok for a user who is banned or gone, and for a session whose row is swept up", async () => {
    const [banned, gone, swept] = [await confirmed(fleet), await confirmed(fleet), await loggedIn(fleet, user)];
    await ban(banned.id);
    await fleet.sql.query("DELETE FROM users WHERE id = $1", [gone.id]);
    await fleet.sql.query("DELETE FROM sessions WHERE id = $1", [swept.sessionId]);
    for (const { accessToken } of [banned.tokens, gone.tokens, swept]) expect(await logout(accessToken)).toEqual({});
    const { rows } = await fleet.sql.query("SELECT end_reason FROM sessions WHERE id = ANY($1)", [
      [banned.tokens.sessionId, gone.tokens.sessionId],
    ]);
    expect(rows).toEqual([{ end_reason: "logout" }, { end_reason: "logout" }]);
  });

  test("twenty times at once is ok each time, and ends the session once", async () => {
    const { accessToken, sessionId } = await loggedIn(fleet, user);
    expect(await Promise.all(Array.from({ length: 20 }, () => logout(accessToken)))).toEqual(
      Array.from({ length: 20 }, () => ({})),
    );
    const { rows } = await fleet.sql.query(
      "SELECT count(*)::int AS n FROM outbox WHERE kind = 'LoggedOut' AND body->>'sessionId' = $1",
      [sessionId],
    );
    expect(rows).toEqual([{ n: 1 }]);
  });

  test("asked again with its key, it is ok again", async () => {
    const { accessToken } = await loggedIn(fleet, user);
    const options = { idempotencyKey: `logout-of-${user.login}-again` };
    expect(await fleet.client.request("auth.session.logout", { accessToken }, options)).toEqual({});
    expect(await fleet.client.request("auth.session.logout", { accessToken }, options)).toEqual({});
  });

  test.each([
    ["nothing", () => "", "INVALID_INPUT"],
    ["garbage", () => "garbage", "TOKEN_INVALID"],
    ["a refresh token", () => user.tokens.refreshToken, "TOKEN_INVALID"],
  ])("refuses %s", async (_what, token, code) => {
    expect(await refusalOf(logout(token()))).toBe(code);
  });
});

test("a ban ends everything: no login, refresh or inspect, and lifting it brings no session back by itself", async () => {
  const one = await confirmed(fleet);
  await ban(one.id);
  expect(await refusalOf(inspect(one.tokens.accessToken))).toBe("SESSION_REVOKED");
  expect(await refusalOf(refresh(one.tokens.refreshToken))).toBe("SESSION_REVOKED");
  expect(await refusalOf(loggedIn(fleet, one))).toBe("BANNED");
  await unban(one.id);
  expect(await loggedIn(fleet, one)).toMatchObject({ userId: one.id });
});
