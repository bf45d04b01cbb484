// The inbox: the first answer to each request that changed or counted something, by topic, reply topic and idempotency
// key. A handler's first read asks for it in the same statement. The answer is encrypted; the fingerprint of the opened
// request tells a repeated request from a different one with the same key.
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

/** A stored answer, or the read's row (null: none) and the result of the reservation. */
export type Answer<T, R = null> = { kept: InboxRow } | { row: T | null; reserved: R };

/** An expression that counts something within the read's statement and returns an object with `waitMs`. */
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

/** Reads the inbox and `read` in one statement; with a stored answer, `read` is not executed. */
export function readWithInbox<T>(pool: DatabasePool, key: InboxKey, read: Read<T>): Promise<Answer<T>> {
  return readReserving(pool, key, read, nothingReserved);
}

/**
 * The same, and counts an attempt (command/attempts.ts) or a use (command/uses.ts) in that statement, unless there is a
 * stored answer. Where the attempt must wait, `read` is not executed either, so that the refusal costs the same for any
 * user (OFFSET 0 keeps the planner from merging the subqueries).
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

/** A read without the inbox. */
export async function readOnly<T>(pool: DatabasePool, read: Read<T>): Promise<T | null> {
  const row = await pool.maybeOne(sql.type(anyRow)`${read.select}`);
  return row === null ? null : read.row.parse(row);
}

export async function findAnswer(pool: DatabasePool, key: InboxKey): Promise<InboxRow | null> {
  return pool.maybeOne(sql.type(keptRow)`
    SELECT fingerprint, reply FROM inbox WHERE ${matches(key)}`);
}

/** From now on no request matches the stored answer, because its key is being used to guess its secret. */
export async function invalidateAnswer(pool: DatabasePool, key: InboxKey): Promise<void> {
  // Only the data key's id remains of the fingerprint.
  await pool.query(sql.unsafe`UPDATE inbox SET fingerprint = substring(fingerprint FOR 4) WHERE ${matches(key)}`);
}

/** Deletes up to `limit` expired rows. @returns how many */
export async function reapInbox(pool: DatabasePool, limit: number): Promise<number> {
  const { rowCount } = await pool.query(sql.unsafe`
    DELETE FROM inbox WHERE (topic, reply_topic, idempotency_key) IN (
      SELECT topic, reply_topic, idempotency_key FROM inbox WHERE expires_at <= now() LIMIT ${limit})`);
  return rowCount;
}
