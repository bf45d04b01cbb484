// The audit as the relay writes it: waiting rows, the chain's end, users' keys and signed heads, all in the transaction
// that chains a batch. audit/chain.ts has the order, crypto/audit.ts the encrypted contents; audit-reading.ts reads
// chained rows.
import { type CommonQueryMethods, type DatabasePool, sql } from "slonik";
import { z } from "zod";
import type { ChainRow } from "../crypto/audit.ts";

const bytes = z.instanceof(Buffer);

/** Runs in the one transaction that may chain; not at all where another process is chaining. */
export async function asTheOnlyChainer<T>(
  pool: DatabasePool,
  run: (transaction: CommonQueryMethods) => Promise<T>,
): Promise<T | undefined> {
  return pool.transaction(async (transaction) => {
    const { free } = await transaction.one(
      sql.type(z.object({ free: z.boolean() }))`SELECT pg_try_advisory_xact_lock(hashtext('auth audit')) AS free`,
    );
    return free ? run(transaction) : undefined;
  });
}

const standing = z.object({
  /** Unix µs, rounded to ms, and the partition that it falls into. */
  now: z.number(),
  partition: z.string(),
  /** The chain's end, encrypted; null before the first row. */
  end: bytes.nullable(),
  /** The last signed head; null before the first. */
  headNumber: z.number().nullable(),
  /** Unix ms. */
  headAt: z.number().nullable(),
});
export type ChainStanding = z.infer<typeof standing>;

export async function chainStanding(transaction: CommonQueryMethods): Promise<ChainStanding> {
  return transaction.one(sql.type(standing)`
    SELECT floor(extract(epoch FROM now()) * 1000)::bigint * 1000 AS now,
      to_char(now() AT TIME ZONE 'UTC', '"audit_"YYYYMM') AS partition, (SELECT encrypted FROM audit_state) AS end,
      head.number AS "headNumber", head.signed_at AS "headAt"
    FROM (SELECT) AS one LEFT JOIN LATERAL (SELECT number, signed_at FROM audit_heads ORDER BY number DESC LIMIT 1) AS head ON true`);
}

/** For changes that are not made by a commit (db/commit.ts): writes the row in their transaction. */
export async function insertEntry(transaction: CommonQueryMethods, encrypted: Buffer): Promise<void> {
  await transaction.query(sql.unsafe`INSERT INTO audit_intake (encrypted) VALUES (${sql.binary(encrypted)})`);
}

const waiting = z.object({ id: z.number(), encrypted: bytes });
export type WaitingRow = z.infer<typeof waiting>;

export async function waitingRows(transaction: CommonQueryMethods, limit: number): Promise<readonly WaitingRow[]> {
  return transaction.any(sql.type(waiting)`SELECT id, encrypted FROM audit_intake ORDER BY id LIMIT ${limit}`);
}

export async function takeWaiting(transaction: CommonQueryMethods, ids: number[]): Promise<void> {
  await transaction.query(sql.unsafe`DELETE FROM audit_intake WHERE id = ANY(${sql.array(ids, "int8")})`);
}

const userKey = z.object({ userId: z.number(), encrypted: bytes });
export type UserKeyRow = z.infer<typeof userKey>;

export async function userKeys(connection: CommonQueryMethods, users: number[]): Promise<readonly UserKeyRow[]> {
  return connection.any(sql.type(userKey)`
    SELECT user_id AS "userId", encrypted FROM user_keys WHERE user_id = ANY(${sql.array(users, "int8")})`);
}

/** Locks those users that exist until the transaction ends, so that none is deleted before their key is written. */
export async function lockUsers(transaction: CommonQueryMethods, users: number[]): Promise<number[]> {
  const rows = await transaction.any(sql.type(z.object({ id: z.number() }))`
    SELECT id FROM users WHERE id = ANY(${sql.array(users, "int8")}) ORDER BY id FOR KEY SHARE`);
  return rows.map((row) => row.id);
}

export async function insertUserKeys(transaction: CommonQueryMethods, keys: UserKeyRow[]): Promise<void> {
  await transaction.query(sql.unsafe`
    INSERT INTO user_keys (user_id, encrypted)
    SELECT * FROM unnest(${sql.array(
      keys.map((key) => key.userId),
      "int8",
    )}, ${sql.array(
      keys.map((key) => key.encrypted),
      "bytea",
    )})`);
}

export interface ChainedRow extends ChainRow {
  chain: Buffer;
}

/** One statement for any number of rows. slonik's bytea arrays accept no null, so the personal part is sent as text. */
export async function insertChained(transaction: CommonQueryMethods, rows: ChainedRow[]): Promise<void> {
  const column = <T>(pick: (row: ChainedRow) => T, type: string) => sql.array(rows.map(pick) as string[], type);
  await transaction.query(sql.unsafe`
    INSERT INTO audit (number, chained_at, event_id, at, event, actor, user_id, outcome, traceparent, details, personal, chain)
    SELECT number, ${time("chained_at")}, event_id, ${time("at")}, event, actor, user_id, outcome, traceparent, details::json, decode(personal, 'hex'), chain
    FROM unnest(${column((row) => row.number, "int8")}, ${column((row) => row.chainedAt, "int8")},
      ${column((row) => row.eventId, "uuid")}, ${column((row) => row.at, "int8")}, ${column((row) => row.event, "text")},
      ${column((row) => row.actor, "text")}, ${column((row) => row.userId, "int8")}, ${column((row) => row.outcome, "text")},
      ${column((row) => row.traceparent, "text")}, ${column((row) => row.details, "text")},
      ${column((row) => row.personal?.toString("hex") ?? null, "text")}, ${column((row) => row.chain, "bytea")})
      AS row (number, chained_at, event_id, at, event, actor, user_id, outcome, traceparent, details, personal, chain)`);
}

/** Converts Unix µs to a timestamp exactly; a double would round them. */
function time(name: string) {
  const column = sql.identifier([name]);
  return sql.fragment`timestamptz 'epoch' + ${column} * interval '1 microsecond'`;
}

export async function saveEnd(transaction: CommonQueryMethods, encrypted: Buffer): Promise<void> {
  await transaction.query(sql.unsafe`
    INSERT INTO audit_state (encrypted) VALUES (${sql.binary(encrypted)}) ON CONFLICT (only_one) DO UPDATE SET encrypted = excluded.encrypted`);
}

export const auditTopic = "auth.audit";

export interface HeadRow {
  number: number;
  partition: string;
  /** Unix ms. */
  at: number;
  jws: string;
  kid: string;
  /** The public half of the key, encrypted. */
  encryptedKey: Buffer;
  eventId: string;
  /** The record for the topic auth.audit. */
  body: object;
}

/** Writes the head, its key if it is new, and its record for auth.audit. */
export async function insertHead(transaction: CommonQueryMethods, head: HeadRow): Promise<void> {
  const { number, partition, at, jws, kid, encryptedKey, eventId, body } = head;
  await transaction.query(sql.unsafe`
    WITH key AS (
      INSERT INTO audit_keys (kid, encrypted) VALUES (${kid}, ${sql.binary(encryptedKey)}) ON CONFLICT (kid) DO NOTHING),
    head AS (
      INSERT INTO audit_heads (number, partition, signed_at, jws)
      VALUES (${number}, ${partition}, to_timestamp(${at / 1000}::double precision), ${jws}))
    INSERT INTO outbox (shard, topic, key, kind, event_id, actor, body)
    VALUES (0, ${auditTopic}, ${partition}, 'json', ${eventId}, 'system:audit', ${sql.jsonb(body as never)})`);
}

/** Creates partitions ahead of time and drops those with only rows older than `keepMs`. @returns how many it dropped */
export async function maintainAuditPartitions(pool: DatabasePool, keepMs: number): Promise<number> {
  const row = await pool.one(sql.type(z.object({ dropped: z.number() }))`
    SELECT maintain_audit_partitions(2, ${keepMs} * interval '1 millisecond') AS dropped`);
  return row.dropped;
}
