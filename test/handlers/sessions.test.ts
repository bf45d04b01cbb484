// A user's sessions through Kafka: how many there may be, listing them, by their owner and by an administrator, and an
// administrator's end of them.
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import type { Session } from "../../src/protocol/generated/schemas.ts";
import { auditOf } from "../support/audited.ts";
import { type Feed, readFeed } from "../support/feed.ts";
import { operatorToken } from "../support/operator.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { until } from "../support/until.ts";
import { type Confirmed, confirmed, loggedIn, newUser, refusalOf } from "../support/users.ts";

let fleet: TestFleet;
let operator: string;
let feed: Feed;
beforeAll(async () => {
  fleet = await testFleet();
  feed = await readFeed(fleet.kafka);
}, 60_000);
beforeEach(async () => {
  operator = await operatorToken(fleet); // it is good for a minute
});
afterAll(async () => {
  await feed.close();
  await fleet.close();
});

/** AUTH_SESSIONS_MAX of the tests' fleet. */
const most = 100;

const inspect = (accessToken: string) => fleet.client.request("auth.session.inspect", { accessToken });
const refresh = (refreshToken: string) => fleet.client.request("auth.session.refresh", { refreshToken });
const page = (accessToken: string, cursor: string | null = null) =>
  fleet.client.request("auth.session.list", { accessToken, cursor });

/** More sessions of a user, opened one second after the other, the last one a minute before now. */
async function moreSessions({ id }: Confirmed, count: number): Promise<string[]> {
  const { rows } = await fleet.sql.query<{ id: string }>(
    `INSERT INTO sessions (id, user_id, rotating, refresh_hash, refresh_key, created_at, expires_at, amr)
     SELECT gen_random_uuid(), user_id, rotating, refresh_hash, refresh_key, now() - (($2::int + 60 - i) * interval '1 second'), expires_at, amr
     FROM (SELECT * FROM sessions WHERE user_id = $1 LIMIT 1) AS one, generate_series(1, $2::int) AS i ORDER BY i RETURNING id`,
    [id, count],
  );
  return rows.map((row) => row.id);
}

async function liveSessions({ id }: Confirmed): Promise<string[]> {
  const { rows } = await fleet.sql.query<{ id: string }>(
    "SELECT id FROM sessions WHERE user_id = $1 AND ended_at IS NULL ORDER BY created_at, id",
    [id],
  );
  return rows.map((row) => row.id);
}

async function saidOf({ id }: Confirmed) {
  const { rows } = await fleet.sql.query<{ event_id: string; actor: string; body: Record<string, unknown> }>(
    "SELECT event_id, actor, body FROM outbox WHERE user_id = $1 AND kind = 'SessionsRevoked' ORDER BY id",
    [id],
  );
  return rows;
}

describe("the most sessions a user may have", () => {
  test("are kept by twenty logins at once: exactly the oldest end, each is told to verifiers, and the events have no gap", async () => {
    const user = await confirmed(fleet); // the oldest: the session of confirming
    const old = await moreSessions(user, most - 5);
    await fleet.sql.query("UPDATE sessions SET created_at = now() - interval '1 day' WHERE id = $1", [
      user.tokens.sessionId,
    ]);
    const opened = await Promise.all(Array.from({ length: 20 }, () => loggedIn(fleet, user)));
    const over = [user.tokens.sessionId, ...old.slice(0, 15)];
    expect(new Set(await liveSessions(user))).toEqual(
      new Set([...old.slice(15), ...opened.map((tokens) => tokens.sessionId)]),
    );
    for (const id of over) expect((await feed.first(`s:${id}`)).body).toEqual({ at: expect.any(Number) });
    for (const id of old.slice(15)) expect(feed.of(`s:${id}`)).toEqual([]);
    const said = await saidOf(user);
    expect(said.flatMap(({ body }) => body["sessionIds"]).sort()).toEqual([...over].sort());
    expect(said.map(({ actor, body: { cause, kept } }) => ({ actor, cause, kept }))).toEqual(
      said.map(() => ({ actor: `user:${user.id}`, cause: "limit", kept: null })),
    );
    await until("each of these events is audited", async () => {
      const { rows: audited } = await fleet.sql.query<{ count: number }>(
        `SELECT count(*)::int FROM audit
         WHERE user_id = $1 AND event = 'SessionsRevoked' AND details->>'cause' = 'limit' AND event_id = ANY($2)`,
        [user.id, said.map(({ event_id: id }) => id)],
      );
      return audited[0]!.count === said.length;
    });
    const { rows } = await fleet.sql.query(
      `SELECT array_agg(sequence ORDER BY id) = ARRAY(SELECT generate_series(1, max(sequence))) AS gapless
       FROM outbox WHERE user_id = $1 AND sequence IS NOT NULL`,
      [user.id],
    );
    expect(rows).toEqual([{ gapless: true }]);
    expect(await refusalOf(inspect(user.tokens.accessToken))).toBe("SESSION_REVOKED");
    expect(await refusalOf(refresh(user.tokens.refreshToken))).toBe("SESSION_REVOKED");
    for (const { accessToken } of opened.slice(0, 2))
      expect(await inspect(accessToken)).toMatchObject({ userId: user.id });
  });

  test("end the event on auth.event with what it says", async () => {
    const user = await confirmed(fleet);
    const [oldest] = await moreSessions(user, most - 1);
    await loggedIn(fleet, user);
    const event = await fleet.mails.last("auth.event", ({ headers, key }) =>
      [String(headers["ce_type"]), String(key)].join().includes(`SessionsRevoked,${user.id}`),
    );
    expect(event.value?.includes(oldest!)).toBe(true);
  });

  test("are not counted among with what is over by time or unused for too long", async () => {
    const user = await confirmed(fleet);
    const [expired, idle, ...others] = await moreSessions(user, most);
    await fleet.sql.query("UPDATE sessions SET expires_at = now() - interval '1 second' WHERE id = $1", [expired]);
    await fleet.sql.query("UPDATE sessions SET last_used_at = now() - interval '8 days' WHERE id = $1", [idle]);
    await loggedIn(fleet, user); // the hundredth that goes on
    expect(await saidOf(user)).toEqual([]);
    await loggedIn(fleet, user); // the control
    expect((await saidOf(user)).map(({ body }) => body["sessionIds"])).toEqual([[others[0]]]);
  });
});

describe("auth.session.list", () => {
  test("shows each session that goes on with its device, the newest first, and which one asks", async () => {
    const user = await confirmed(fleet);
    const client = { ip: "192.0.2.7", userAgent: "Firefox", device: "laptop" };
    const { login, password } = user;
    const { tokens } = await fleet.client.request("auth.session.login", { login, password, client });
    const before = Date.now() - 60_000;
    const { sessions, cursor } = await page(user.tokens.accessToken);
    expect(cursor).toBeNull();
    expect(sessions).toEqual([
      { sessionId: tokens!.sessionId, client, current: false, ...times(sessions[0]!) },
      { sessionId: user.tokens.sessionId, client: null, current: true, ...times(sessions[1]!) },
    ]);
    for (const each of sessions) {
      expect(each.createdAt).toBeGreaterThan(before);
      expect(each.lastUsedAt).toBe(each.createdAt);
      expect(each.expiresAt - each.lastUsedAt).toBe(7 * 86_400_000); // AUTH_REFRESH_IDLE
    }
    await refresh(tokens!.refreshToken);
    const [used] = (await page(user.tokens.accessToken)).sessions;
    expect(used!.lastUsedAt).toBeGreaterThan(used!.createdAt);
  });

  test("leaves out what has ended, is past its end or was unused too long, and other users's", async () => {
    const user = await confirmed(fleet);
    await confirmed(fleet);
    const ended = await loggedIn(fleet, user);
    await fleet.client.request("auth.session.logout", { accessToken: ended.accessToken });
    const [expired, idle] = await moreSessions(user, 2);
    await fleet.sql.query("UPDATE sessions SET expires_at = now() WHERE id = $1", [expired]);
    await fleet.sql.query("UPDATE sessions SET last_used_at = now() - interval '8 days' WHERE id = $1", [idle]);
    const { sessions } = await page(user.tokens.accessToken);
    expect(sessions.map((each) => each.sessionId)).toEqual([user.tokens.sessionId]);
  });

  test("gives pages that are together all of them, once, though one is opened meanwhile", async () => {
    const user = await confirmed(fleet);
    const more = await moreSessions(user, 70);
    const first = await page(user.tokens.accessToken);
    await loggedIn(fleet, user);
    const second = await page(user.tokens.accessToken, first.cursor);
    const ids = [...first.sessions, ...second.sessions].map((each) => each.sessionId);
    expect([first.sessions.length, second.sessions.length, second.cursor]).toEqual([50, 21, null]);
    expect(ids).toEqual([user.tokens.sessionId, ...more.reverse()]);
  });

  test("refuses a cursor that no page gave, and a token that is none", async () => {
    const { tokens } = await confirmed(fleet);
    const stranger = await confirmed(fleet);
    for (const cursor of ["", "x", randomUUID(), stranger.tokens.sessionId])
      expect(await refusalOf(page(tokens.accessToken, cursor))).toBe("INVALID_INPUT");
    expect(await refusalOf(page("garbage"))).toBe("TOKEN_INVALID");
    expect(await refusalOf(page(""))).toBe("INVALID_INPUT");
  });
});

const times = ({ createdAt, lastUsedAt, expiresAt }: Session) => ({ createdAt, lastUsedAt, expiresAt });

describe("an administrator", () => {
  const revoke = (target: string, sessionId: string | null = null, actorToken = operator) =>
    fleet.client.request("auth.admin.revoke-sessions", { actorToken, target, sessionId, reason: "lost phone" });
  const list = (target: string, actorToken = operator) =>
    fleet.client.request("auth.admin.list-sessions", { actorToken, target });

  test("sees the sessions of a user", async () => {
    const user = await confirmed(fleet);
    const own = (await page(user.tokens.accessToken)).sessions.map((each) => ({ ...each, current: false }));
    expect(await list(user.login)).toEqual({ userId: user.id, sessions: own, cursor: null });
    expect(await refusalOf(list(user.login, user.tokens.accessToken))).toBe("FORBIDDEN");
    expect(await refusalOf(list(newUser().login))).toBe("NOT_FOUND");
  });

  test("ends all sessions of a user, who may log in again; the event says who and why", async () => {
    const user = await confirmed(fleet);
    const other = await loggedIn(fleet, user);
    expect(await revoke(user.login)).toEqual({ userId: user.id, ended: 2 });
    for (const { accessToken, refreshToken } of [user.tokens, other]) {
      expect(await refusalOf(inspect(accessToken))).toBe("SESSION_REVOKED");
      expect(await refusalOf(refresh(refreshToken))).toBe("SESSION_REVOKED");
    }
    expect((await feed.first(`u:${user.id}`)).body).toMatchObject({ minGeneration: 1, ended: true });
    expect((await auditOf(fleet, user.id)).at(-1)).toMatchObject({
      event: "SessionsRevoked",
      actor: "operator:tester",
      details: { cause: "admin" },
      personal: { reason: "lost phone", sessionIds: [] },
    });
    expect(await inspect((await loggedIn(fleet, user)).accessToken)).toMatchObject({ userId: user.id });
  });

  test("ends one session of a user and no other", async () => {
    const user = await confirmed(fleet);
    const lost = await loggedIn(fleet, user);
    expect(await revoke(user.login, lost.sessionId)).toEqual({ userId: user.id, ended: 1 });
    expect(await refusalOf(inspect(lost.accessToken))).toBe("SESSION_REVOKED");
    expect(await inspect(user.tokens.accessToken)).toMatchObject({ userId: user.id });
    const stranger = await confirmed(fleet);
    for (const id of [lost.sessionId, stranger.tokens.sessionId, randomUUID()])
      expect(await refusalOf(revoke(user.login, id))).toBe("NOT_FOUND");
    expect(await refusalOf(revoke(user.login, "x"))).toBe("INVALID_INPUT");
  });

  test("must have the permission", async () => {
    const user = await confirmed(fleet);
    expect(await refusalOf(revoke(user.login, null, user.tokens.accessToken))).toBe("FORBIDDEN");
    expect(await inspect(user.tokens.accessToken)).toMatchObject({ userId: user.id });
  });
});
