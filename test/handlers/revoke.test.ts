// auth.session.revoke through Kafka: one session, all others, many others, every refusal.
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { type Confirmed, confirmed, loggedIn, refusalOf } from "../support/users.ts";

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
afterAll(() => fleet.close());

const inspect = (accessToken: string) => fleet.client.request("auth.session.inspect", { accessToken });
const refresh = (refreshToken: string) => fleet.client.request("auth.session.refresh", { refreshToken });
const revoke = (accessToken: string, which: { sessionId?: string; others?: boolean }, idempotencyKey?: string) =>
  fleet.client.request("auth.session.revoke", { accessToken, ...which }, { ...(idempotencyKey && { idempotencyKey }) });

async function events(user: Confirmed) {
  const { rows } = await fleet.sql.query<{ body: { sessionIds: string[]; kept: string | null } }>(
    "SELECT body FROM outbox WHERE user_id = $1 AND kind = 'SessionsRevoked' ORDER BY id",
    [user.id],
  );
  return rows.map(({ body: { sessionIds, kept } }) => ({ sessionIds, kept }));
}

describe("auth.session.revoke", () => {
  test("ends the named session and no other", async () => {
    const user = await confirmed(fleet);
    const [lost, other] = [await loggedIn(fleet, user), await loggedIn(fleet, user)];
    expect(await revoke(user.tokens.accessToken, { sessionId: lost.sessionId })).toEqual({});
    expect(await refusalOf(inspect(lost.accessToken))).toBe("SESSION_REVOKED");
    expect(await refusalOf(refresh(lost.refreshToken))).toBe("SESSION_REVOKED");
    for (const { accessToken } of [other, user.tokens]) expect(await inspect(accessToken)).toBeTruthy();
    expect(await events(user)).toEqual([{ sessionIds: [lost.sessionId], kept: null }]);
  });

  test("may end the session of its own token", async () => {
    const user = await confirmed(fleet);
    await revoke(user.tokens.accessToken, { sessionId: user.tokens.sessionId });
    expect(await refusalOf(inspect(user.tokens.accessToken))).toBe("SESSION_REVOKED");
  });

  test("ends all others, and the acting session goes on with the access token it has", async () => {
    const user = await confirmed(fleet);
    const others = [await loggedIn(fleet, user), await loggedIn(fleet, user)];
    await revoke(user.tokens.accessToken, { others: true });
    for (const { accessToken } of others) expect(await refusalOf(inspect(accessToken))).toBe("SESSION_REVOKED");
    expect(await inspect(user.tokens.accessToken)).toMatchObject({ sessionId: user.tokens.sessionId });
    const [event] = await events(user);
    expect(event).toEqual({
      sessionIds: expect.arrayContaining(others.map((each) => each.sessionId)),
      kept: user.tokens.sessionId,
    });
  });

  test("of more others than can be listed the user's generation ends the tokens: the acting session needs a refresh", async () => {
    const user = await confirmed(fleet);
    const other = await loggedIn(fleet, user);
    await fleet.sql.query(
      `INSERT INTO sessions (id, user_id, rotating, refresh_hash, refresh_key, expires_at, amr)
       SELECT gen_random_uuid(), user_id, rotating, refresh_hash, refresh_key, expires_at, amr
       FROM sessions, generate_series(1, 100) WHERE id = $1`,
      [other.sessionId],
    );
    await revoke(user.tokens.accessToken, { others: true });
    expect(await refusalOf(inspect(other.accessToken))).toBe("SESSION_REVOKED");
    expect(await refusalOf(inspect(user.tokens.accessToken))).toBe("TOKEN_EXPIRED");
    const { accessToken } = await refresh(user.tokens.refreshToken);
    expect(await inspect(accessToken)).toMatchObject({ sessionId: user.tokens.sessionId });
    expect(await events(user)).toEqual([{ sessionIds: [], kept: user.tokens.sessionId }]);
    const { rows } = await fleet.sql.query(
      "SELECT count(*)::int AS live FROM sessions WHERE user_id = $1 AND ended_at IS NULL",
      [user.id],
    );
    expect(rows).toEqual([{ live: 1 }]);
  });

  test("of no others changes nothing and says nothing", async () => {
    const user = await confirmed(fleet);
    expect(await revoke(user.tokens.accessToken, { others: true })).toEqual({});
    expect(await events(user)).toEqual([]);
  });

  test("asked again with its key it is answered again, and nothing happens twice", async () => {
    const user = await confirmed(fleet);
    const { sessionId } = await loggedIn(fleet, user);
    const key = `revoke-of-${user.login}-again`;
    for (let time = 0; time < 2; time += 1)
      expect(await revoke(user.tokens.accessToken, { sessionId }, key)).toEqual({});
    expect(await refusalOf(revoke(user.tokens.accessToken, { others: true }, key))).toBe("IDEMPOTENCY_CONFLICT");
    expect(await events(user)).toHaveLength(1);
  });

  test("refuses a session that is unknown, over, or somebody else's with the same words", async () => {
    const user = await confirmed(fleet);
    const stranger = await confirmed(fleet);
    const over = await loggedIn(fleet, user);
    await fleet.client.request("auth.session.logout", { accessToken: over.accessToken });
    for (const sessionId of [randomUUID(), over.sessionId, stranger.tokens.sessionId])
      expect(await refusalOf(revoke(user.tokens.accessToken, { sessionId }))).toBe("NOT_FOUND");
    expect(await inspect(stranger.tokens.accessToken)).toMatchObject({ userId: stranger.id });
  });

  test("refuses a request that names neither, both, or no session's id, and a token that is none", async () => {
    const { tokens } = await confirmed(fleet);
    const { accessToken, sessionId } = tokens;
    expect(await refusalOf(revoke(accessToken, {}))).toBe("INVALID_INPUT");
    expect(await refusalOf(revoke(accessToken, { sessionId, others: true }))).toBe("INVALID_INPUT");
    expect(await refusalOf(revoke(accessToken, { sessionId: "'; DROP TABLE" }))).toBe("INVALID_INPUT");
    expect(await refusalOf(revoke("", { others: true }))).toBe("INVALID_INPUT");
    expect(await refusalOf(revoke("garbage", { others: true }))).toBe("TOKEN_INVALID");
    expect(await inspect(accessToken)).toMatchObject({ sessionId });
  });
});
