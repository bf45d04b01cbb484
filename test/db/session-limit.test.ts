// The most sessions of a user where commits truly meet: side by side, each in a connection of its own, as of several
// workers.
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { sql } from "slonik";
import { z } from "zod";
import { auditRow } from "../../src/command/audit-rows.ts";
import { variables } from "../../src/config/variables.ts";
import { commitOnce } from "../../src/db/commit.ts";
import { type DatabasePool, openPool } from "../../src/db/pool.ts";
import { insertSession, reapSessions, type SessionLimit } from "../../src/db/sessions.ts";
import { insertUser, lockUser } from "../../src/db/users.ts";
import { type FleetKeys, loadFleetKeys } from "../../src/keys/fleet-keys.ts";
import { sharedFleet } from "../support/fleet-addresses.ts";
import { quiet } from "../support/logger.ts";

let pool: DatabasePool;
let keys: FleetKeys;
beforeAll(async () => {
  const { env } = sharedFleet();
  pool = await openPool({ url: env["AUTH_DATABASE_URL"]!, size: 20, applicationName: "test limit" });
  keys = await loadFleetKeys(pool, variables.AUTH_MASTER_KEY.parse(env["AUTH_MASTER_KEY"]!), quiet);
});
afterAll(async () => {
  keys.stop();
  await pool.end();
});

const day = 86_400_000;
const nothing = { inbox: undefined, writes: [], outbox: [], audit: [] };

async function newUser(): Promise<number> {
  const id = await pool.oneFirst(sql.type(z.object({ id: z.number() }))`SELECT nextval('user_ids') AS id`);
  const name = `limit${id}-${randomUUID()}`;
  const user = { id, login: name, loginKey: name, username: name, email: name, emailKey: name };
  await commitOnce(pool, { ...nothing, lock: insertUser(user) });
  return id;
}

function limit(userId: number, most: number): SessionLimit {
  const [eventId, traceparent, at] = [randomUUID(), null, Date.now()];
  const said = { eventId, traceparent, event: { kept: null, at }, revocation: { at } };
  const event = { eventId, traceparent, kind: "SessionsRevoked", actor: `user:${userId}`, body: said.event };
  const audited = auditRow(event, { userId, outcome: "ok", dataKeys: keys.dataKeys() });
  return { most, idleMs: day, shard: 0, said, audited };
}

function opening(userId: number, most: number, now = Date.now()) {
  const id = randomUUID();
  const session = {
    ...{ id, userId, now, rotating: true, refreshKey: 1, amr: ["pwd"], client: null, byAddress: false },
    ...{ refreshHash: Buffer.alloc(32), expiresAt: now + day },
  };
  const write = insertSession(session, limit(userId, most));
  return { id, done: commitOnce(pool, { ...nothing, lock: lockUser(userId, {}), writes: [write] }) };
}

const ids = z.object({ ids: z.array(z.string()) });
const live = async (userId: number): Promise<readonly string[]> =>
  pool.oneFirst(
    sql.type(ids)`SELECT ARRAY(SELECT id::text FROM sessions WHERE user_id = ${userId} AND ended_at IS NULL) AS ids`,
  );

const kept = async (userId: number): Promise<readonly string[]> =>
  pool.oneFirst(sql.type(ids)`SELECT ARRAY(SELECT id::text FROM sessions WHERE user_id = ${userId}) AS ids`);

test("twenty commits at once leave exactly as many sessions as there may be, and one record for each that ended", async () => {
  const userId = await newUser();
  const openings = Array.from({ length: 20 }, (_, at) => opening(userId, 3, Date.now() + at));
  expect(await Promise.all(openings.map(({ done }) => done))).toEqual(openings.map(() => "done"));
  const left = await live(userId);
  expect(left).toHaveLength(3);
  const told = await pool.oneFirst(sql.type(ids)`
    SELECT ARRAY(SELECT key FROM outbox WHERE user_id = ${userId} AND topic = 'auth.revocation') AS ids`);
  const over = openings.map(({ id }) => id).filter((id) => !left.includes(id));
  expect([...told].sort()).toEqual(over.map((id) => `s:${id}`).sort());
});

test("a commit that takes itself back ends nothing", async () => {
  const userId = await newUser();
  const { id, done } = opening(userId, 1);
  await done;
  const session = insertSession(
    {
      ...{ id, userId, now: Date.now(), rotating: true, refreshKey: 1, amr: ["pwd"], client: null, byAddress: false }, // an id that is taken
      ...{ refreshHash: Buffer.alloc(32), expiresAt: Date.now() + day },
    },
    limit(userId, 1),
  );
  const again = commitOnce(pool, { ...nothing, lock: lockUser(userId, {}), writes: [session] });
  await expect(again).rejects.toThrow(/unique/i);
  expect(await live(userId)).toEqual([id]);
  await opening(userId, 1).done; // the control
  expect(await live(userId)).not.toContain(id);
});

test("maintenance deletes what has been over for long, and leaves what has not", async () => {
  const userId = await newUser();
  const made = Array.from({ length: 7 }, () => opening(userId, 100));
  await Promise.all(made.map(({ done }) => done));
  const [endedLong, endedLately, expiredLong, expiredLately, ...others] = made.map(({ id }) => id);
  const change = (id: string | undefined, column: string, days: number) =>
    pool.query(sql.unsafe`
      UPDATE sessions SET ${sql.identifier([column])} = now() - ${days} * interval '1 day' WHERE id = ${id!}::uuid`);
  await change(endedLong, "ended_at", 8);
  await change(endedLately, "ended_at", 6);
  await change(expiredLong, "expires_at", 8);
  await change(expiredLately, "expires_at", 6);
  await change(others[0], "last_used_at", 20); // idle: its row is needed to answer TOKEN_EXPIRED until its end
  await reapSessions(pool, 9 * day, 1000);
  expect(await kept(userId)).toHaveLength(7); // the control
  await reapSessions(pool, 7 * day, 1000);
  expect([...(await kept(userId))].sort()).toEqual([endedLately, expiredLately, ...others].sort());
});
