// Sessions: the rows behind refresh tokens and the claim sid of access tokens. Only hashes of secrets are stored.
import { type DatabasePool, sql } from "slonik";
import { z } from "zod";
import { callFunction, type Fragment, type Read, type Write } from "./statements.ts";

/** A role that requires a second factor does not count in a session `s` without one. */
const userColumns = sql.fragment`
  u.login, COALESCE(u.confirmed_at IS NOT NULL, false) AS confirmed, is_banned(u.banned_at, u.banned_until) AS banned,
  u.generation, ARRAY(
    SELECT r.name FROM user_roles ur JOIN roles r ON r.id = ur.role_id
    WHERE ur.user_id = u.id AND (NOT r.requires_mfa OR 'mfa' = ANY(s.amr)) ORDER BY r.name) AS roles`;

const owner = {
  /** Null once the user is deleted. */
  userId: z.number().nullable(),
  login: z.string().nullable(),
  confirmed: z.boolean(),
  banned: z.boolean(),
  generation: z.number().nullable(),
  roles: z.array(z.string()),
  ended: z.boolean(),
  expiresAt: z.number(),
};

const sessionForAccess = z.object(owner);

/** The session of an access token, and its user as they are now. */
export function sessionById(id: string): Read<z.infer<typeof sessionForAccess>> {
  const select = sql.fragment`
    SELECT s.user_id AS "userId", s.ended_at IS NOT NULL AS ended, s.expires_at AS "expiresAt", ${userColumns}
    FROM sessions s LEFT JOIN users u ON u.id = s.user_id WHERE s.id = ${id}::uuid`;
  return { select, row: sessionForAccess };
}

const sessionClient = z.object({
  ip: z.string().nullable(),
  userAgent: z.string().nullable(),
  device: z.string().nullable(),
});

const sessionForToken = z.object({ ...owner, keyKnown: z.boolean(), client: sessionClient.nullable() });

/**
 * The same, provided the key that signed the token still exists: a revoked key is missing here before every process
 * knows.
 */
export function sessionOfToken({
  sessionId,
  keyId,
}: {
  sessionId: string;
  keyId: string;
}): Read<z.infer<typeof sessionForToken>> {
  const select = sql.fragment`
    SELECT s.user_id AS "userId", s.ended_at IS NOT NULL AS ended, s.expires_at AS "expiresAt", ${userColumns},
      EXISTS (SELECT FROM fleet_keys WHERE kid = ${keyId}) AS "keyKnown", s.client
    FROM sessions s LEFT JOIN users u ON u.id = s.user_id WHERE s.id = ${sessionId}::uuid`;
  return { select, row: sessionForToken };
}

const sessionForRefresh = z.object({
  ...owner,
  rotating: z.boolean(),
  currentHash: z.instanceof(Buffer),
  previousHash: z.instanceof(Buffer).nullable(),
  refreshKey: z.number(),
  rotations: z.number(),
  rotatedAt: z.number().nullable(),
  createdAt: z.number(),
  lastUsedAt: z.number(),
  amr: z.array(z.string()),
  /** The record key and epoch of the user's device tokens; null once the user is deleted. */
  deviceKey: z.string().nullable(),
  deviceEpoch: z.number().nullable(),
});
export type SessionForRefresh = z.infer<typeof sessionForRefresh>;

export function sessionToRefresh(id: string): Read<SessionForRefresh> {
  const select = sql.fragment`
    SELECT s.user_id AS "userId", s.ended_at IS NOT NULL AS ended, s.expires_at AS "expiresAt", ${userColumns},
      s.rotating, s.refresh_hash AS "currentHash", s.previous_hash AS "previousHash", s.refresh_key AS "refreshKey", s.rotations,
      s.rotated_at AS "rotatedAt", s.created_at AS "createdAt", s.last_used_at AS "lastUsedAt", s.amr,
      CASE WHEN s.by_address THEN u.email_key ELSE u.login_key END AS "deviceKey", u.device_epoch AS "deviceEpoch"
    FROM sessions s LEFT JOIN users u ON u.id = s.user_id WHERE s.id = ${id}::uuid`;
  return { select, row: sessionForRefresh };
}

export interface NewSession {
  id: string;
  userId: number;
  rotating: boolean;
  refreshHash: Buffer;
  refreshKey: number;
  /** Unix ms. */
  now: number;
  expiresAt: number;
  amr: string[];
  client: unknown;
  /** Whether the user logged in with the e-mail address. */
  byAddress: boolean;
}

function time(ms: number): Fragment {
  return sql.fragment`to_timestamp(${ms / 1000}::double precision)`;
}

/** The most sessions of a user, and the event for those that are ended because of it. */
export interface SessionLimit {
  most: number;
  /** A session unused for this long is over and does not count. */
  idleMs: number;
  shard: number;
  said: EndedSessionsEvent;
  /** The event's audit row, encrypted. */
  audited: Buffer;
}

/** The event SessionsRevoked before its sessions are known: its body is without their ids. */
interface EndedSessionsEvent {
  eventId: string;
  traceparent: string | null;
  event: object;
}

/** Opens a session; the same commit ends the user's oldest ones beyond the limit. */
export function insertSession(session: NewSession, { most, idleMs, shard, said, audited }: SessionLimit): Write {
  const client =
    session.client === null ? sql.fragment`NULL::jsonb` : sql.fragment`${sql.jsonb(session.client as never)}`;
  return {
    name: "insert_session",
    changes: 1,
    statement: (gate) => sql.fragment`
      INSERT INTO sessions (id, user_id, rotating, refresh_hash, refresh_key, created_at, last_used_at, expires_at, amr, client, by_address)
      SELECT ${session.id}::uuid, ${session.userId}, ${session.rotating}, ${sql.binary(session.refreshHash)}::bytea, ${session.refreshKey},
        ${time(session.now)}, ${time(session.now)}, ${time(session.expiresAt)}, ${sql.array(session.amr, "text")}, ${client},
        ${session.byAddress}
      WHERE ${gate} RETURNING 1`,
    last: {
      name: "limit_sessions",
      changes: 1,
      statement: (gate) => sql.fragment`
        SELECT end_oldest_sessions(${session.userId}, ${session.id}::uuid, ${most}, ${idleMs} * interval '1 millisecond', ${shard},
          ${sql.jsonb(said as never)}, ${sql.binary(audited)}::bytea) WHERE ${gate}`,
    },
  };
}

/** The presented secret must still be the current one; it becomes the previous one. */
export function rotateSession(id: string, change: { current: Buffer; successor: Buffer; now: number }): Write {
  return {
    name: "rotate_session",
    changes: 1,
    statement: (gate) => sql.fragment`
      UPDATE sessions SET previous_hash = refresh_hash, refresh_hash = ${sql.binary(change.successor)}, rotations = rotations + 1,
        rotated_at = ${time(change.now)}, last_used_at = ${time(change.now)}
      WHERE id = ${id}::uuid AND refresh_hash = ${sql.binary(change.current)} AND ended_at IS NULL AND ${gate} RETURNING 1`,
  };
}

/** Adds factors that were shown in the session after its login (RFC 8176). */
export function addAmr(id: string, amr: string[]): Write {
  return {
    name: "add_amr",
    changes: 1,
    statement: (gate) => sql.fragment`
      UPDATE sessions SET amr = amr || ARRAY(SELECT each FROM unnest(${sql.array(amr, "text")}) AS each WHERE each <> ALL(amr))
      WHERE id = ${id}::uuid AND ended_at IS NULL AND ${gate} RETURNING 1`,
  };
}

/** Records a use that does not change the secret. */
export function touchSession(id: string, now: number): Write {
  return {
    name: "touch_session",
    changes: 1,
    statement: (gate) => sql.fragment`
      UPDATE sessions SET last_used_at = ${time(now)} WHERE id = ${id}::uuid AND ended_at IS NULL AND ${gate} RETURNING 1`,
  };
}

export function endSession(id: string, reason: string): Write {
  return {
    name: "end_session",
    changes: 1,
    statement: (gate) => sql.fragment`
      UPDATE sessions SET ended_at = now(), end_reason = ${reason} WHERE id = ${id}::uuid AND ended_at IS NULL AND ${gate} RETURNING 1`,
  };
}

/** Ends all sessions that exist when the commit holds the user's row. @param spared this one stays open */
export function endSessionsOf(userId: number, reason: string, spared: string | null = null): Write {
  return callFunction("end_sessions", sql.fragment`end_sessions(${userId}, ${spared}::uuid, ${reason})`);
}

const listedSession = z.object({
  sessionId: z.string(),
  createdAt: z.number(),
  lastUsedAt: z.number(),
  expiresAt: z.number(),
  client: sessionClient.nullable(),
});

/** Not ended, not expired and not idle for too long. */
function isLive(idleMs: number): Fragment {
  return sql.fragment`ended_at IS NULL AND expires_at > now() AND last_used_at > now() - ${idleMs} * interval '1 millisecond'`;
}

/** Open sessions, newest first, after the given one; `known`: whether that one is or was a session of the user. */
export function sessionPageOf(
  userId: number,
  { idleMs, after, most }: { idleMs: number; after: string | null; most: number },
): Read<{ known: boolean; sessions: z.infer<typeof listedSession>[] }> {
  const named = sql.fragment`FROM sessions WHERE id = ${after}::uuid AND user_id = ${userId}`;
  const select = sql.fragment`
    SELECT ${after}::uuid IS NULL OR EXISTS (SELECT ${named}) AS known, COALESCE(jsonb_agg(jsonb_build_object(
        'sessionId', id, 'createdAt', ${milliseconds(sql.fragment`created_at`)}, 'lastUsedAt', ${milliseconds(sql.fragment`last_used_at`)},
        'expiresAt', ${milliseconds(sql.fragment`LEAST(expires_at, last_used_at + ${idleMs} * interval '1 millisecond')`)}, 'client', client)
      ORDER BY created_at DESC, id DESC), '[]') AS sessions
    FROM (
      SELECT * FROM sessions
      WHERE user_id = ${userId} AND ${isLive(idleMs)}
        AND (${after}::uuid IS NULL OR (created_at, id) < (SELECT created_at, id ${named}))
      ORDER BY created_at DESC, id DESC LIMIT ${most}) AS page`;
  return { select, row: z.object({ known: z.boolean(), sessions: z.array(listedSession) }) };
}

function milliseconds(time: Fragment): Fragment {
  return sql.fragment`round(extract(epoch FROM ${time}) * 1000)`;
}

/** How many open sessions the user has. */
export function countSessions(userId: number, idleMs: number): Read<{ sessions: number }> {
  const select = sql.fragment`SELECT count(*) AS sessions FROM sessions WHERE user_id = ${userId} AND ${isLive(idleMs)}`;
  return { select, row: z.object({ sessions: z.number() }) };
}

/** The user's open sessions other than this one, up to `most`. */
export function otherSessions(userId: number, except: string, most: number): Read<{ ids: string[] }> {
  const select = sql.fragment`
    SELECT ARRAY(
      SELECT id::text FROM sessions
      WHERE user_id = ${userId} AND ended_at IS NULL AND expires_at > now() AND id <> ${except}::uuid LIMIT ${most}) AS ids`;
  return { select, row: z.object({ ids: z.array(z.string()) }) };
}

export interface OtherSessions {
  /** The session that stays open. */
  spared: string;
  /** Sessions that the commit's own event names. */
  readBefore: string[];
  reason: string;
  shard: number;
  /** The event for sessions opened since they were read. */
  said: EndedSessionsEvent;
  audited: Buffer;
}

/** Ends all but one, and pending logins; adds an event for sessions that were opened since the others were read. */
export function endOtherSessions(userId: number, others: OtherSessions): Write {
  const { spared, readBefore, reason, shard, said, audited } = others;
  const call = sql.fragment`end_other_sessions(${userId}, ${spared}::uuid, ${sql.array(readBefore, "uuid")}, ${reason}, ${shard},
    ${sql.jsonb(said as never)}, ${sql.binary(audited)}::bytea)`;
  const { name, statement } = callFunction("end_other_sessions", call);
  return {
    ...callFunction("void_login_challenges", sql.fragment`void_login_challenges(${userId})`),
    last: { name, statement, changes: 1 },
  };
}

/** The acting session of a command, as it must still be at the commit. */
export interface ActiveSession {
  sessionId: string;
  userId: number;
  /** Its user's generation, unless this commit changes it; null: this commit deletes the user. */
  generation: number | null;
}

/** Demands that the session is open and its user's rights are as read, so that an ended session does nothing more. */
export function demandSession({ sessionId, userId, generation }: ActiveSession): Write {
  const call = sql.fragment`is_session_current(${sessionId}::uuid, ${userId}, ${generation}::int)`;
  return callFunction("is_session_current", call);
}

/**
 * Deletes sessions that were over `keepMs` ago: up to `limit` that were ended, and as many that have expired. An idle
 * session is kept until it expires. Rows locked by another sweeper are skipped.
 * @returns how many
 */
export async function reapSessions(pool: DatabasePool, keepMs: number, limit: number): Promise<number> {
  const before = sql.fragment`now() - ${keepMs} * interval '1 millisecond'`;
  const { rowCount } = await pool.query(sql.unsafe`
    WITH ended AS (
      SELECT id FROM sessions WHERE ended_at < ${before} ORDER BY ended_at LIMIT ${limit} FOR UPDATE SKIP LOCKED),
    expired AS (
      SELECT id FROM sessions WHERE ended_at IS NULL AND expires_at < ${before} ORDER BY expires_at LIMIT ${limit}
      FOR UPDATE SKIP LOCKED)
    DELETE FROM sessions WHERE id IN (SELECT id FROM ended UNION ALL SELECT id FROM expired)`);
  return rowCount;
}
