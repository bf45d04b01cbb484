// The inbox: the first answer to each request that changed or counted something, by topic, reply topic and idempotency
// key. A handler's first read asks for it in the same statement. The answer is kept encrypted; the fingerprint of the
// opened request tells a repeated request from another one with the same key.
import { type DatabasePool, sql } from "slonik";
import { type ZodType, z } from "zod";
import type { Fragment, Read } from "./statements.ts";

export interface InboxKey {
  topic: string;
  replyTopic: string;
  idempotencyKey: Buffer;
}

export interface InboxRow {
  fingerprint: Buffer;
  reply: Buffer;
}

/** A kept answer, or the read's row (null: none), and what the reservation gave. */
export type Answer<T, R = null> = { kept: InboxRow } | { row: T | null; reserved: R };

/** An expression that counts something in the read's statement, and gives an object with `waitMs`. */
export interface Reservation<R> {
  expression: Fragment;
  given: ZodType<R>;
}

const bytes = z.instanceof(Buffer);
const keptRow = z.object({ fingerprint: bytes, reply: bytes });
const keptOrFound = z.looseObject({
  kept_fingerprint: bytes.nullable(),
  kept_reply: bytes.nullable(),
  reservation: z.unknown(),
  found: z.boolean().nullable(),
});
const anyRow = z.looseObject({});

function matches({ topic, replyTopic, idempotencyKey }: InboxKey): Fragment {
  return sql.fragment`topic = ${topic} AND reply_topic = ${replyTopic} AND idempotency_key = ${sql.binary(idempotencyKey)} AND expires_at > now()`;
}

const nothingReserved: Reservation<null> = { expression: sql.fragment`NULL::jsonb`, given: z.null() };

/** Asks inbox and read in one statement; where an answer is kept, the read is not even begun. */
export function readWithInbox<T>(pool: DatabasePool, key: InboxKey, read: Read<T>): Promise<Answer<T>> {
  return readReserving(pool, key, read, nothingReserved);
}

/**
 * The same, and counts an attempt (command/attempts.ts) or a use (command/uses.ts) in that statement; not where an
 * answer is kept. Where it has to wait, the read is not begun either, so that the refusal costs the same whomever it is
 * about (OFFSET 0 keeps the planner from merging them).
 */
export async function readReserving<T, R>(
  pool: DatabasePool,
  key: InboxKey,
  read: Read<T>,
  { expression, given }: Reservation<R>,
): Promise<Answer<T, R>> {
  const answer = await pool.one(sql.type(keptOrFound)`
    SELECT kept.fingerprint AS kept_fingerprint, kept.reply AS kept_reply, counted.reservation, asked.*
    FROM (SELECT) AS one
    LEFT JOIN LATERAL (SELECT fingerprint, reply FROM inbox WHERE ${matches(key)}) AS kept ON true
    LEFT JOIN LATERAL (SELECT CASE WHEN kept.reply IS NULL THEN ${expression} END AS reservation OFFSET 0) AS counted ON true
    LEFT JOIN LATERAL (
      SELECT true AS found, answer.* FROM (${read.select}) AS answer
      WHERE kept.reply IS NULL AND COALESCE((counted.reservation->>'waitMs')::bigint, 0) = 0 OFFSET 0) AS asked ON true`);
  const { kept_fingerprint: fingerprint, kept_reply: reply, reservation, found, ...rest } = answer;
  if (fingerprint !== null && reply !== null) return { kept: { fingerprint, reply } };
  return { row: found === true ? read.row.parse(rest) : null, reserved: given.parse(reservation) };
}

/** A read that has nothing to do with the inbox. */
export async function readOnly<T>(pool: DatabasePool, read: Read<T>): Promise<T | null> {
  const row = await pool.maybeOne(sql.type(anyRow)`${read.select}`);
  return row === null ? null : read.row.parse(row);
}

export async function findAnswer(pool: DatabasePool, key: InboxKey): Promise<InboxRow | null> {
  return pool.maybeOne(sql.type(keptRow)`
    SELECT fingerprint, reply FROM inbox WHERE ${matches(key)}`);
}

/** No request is taken for the one that has this answer any more: somebody is guessing at its secret by its key. */
export async function invalidateAnswer(pool: DatabasePool, key: InboxKey): Promise<void> {
  // Of a fingerprint its data key's id is left.
  await pool.query(sql.unsafe`UPDATE inbox SET fingerprint = substring(fingerprint FOR 4) WHERE ${matches(key)}`);
}

/** Deletes up to `limit` rows whose time is over. @returns how many */
export async function reapInbox(pool: DatabasePool, limit: number): Promise<number> {
  const { rowCount } = await pool.query(sql.unsafe`
    DELETE FROM inbox WHERE (topic, reply_topic, idempotency_key) IN (
      SELECT topic, reply_topic, idempotency_key FROM inbox WHERE expires_at <= now() LIMIT ${limit})`);
  return rowCount;
}
