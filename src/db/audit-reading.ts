// The audit as operators read it: rows in chain order, page by page, and what verifying them needs (audit/verify.ts).
import { type CommonQueryMethods, sql } from "slonik";
import { z } from "zod";
import type { ChainedRow } from "./audit.ts";
import type { Fragment } from "./statements.ts";

const bytes = z.instanceof(Buffer);

const chained = z.object({
  number: z.number(),
  chainedAt: z.number(),
  partition: z.string(),
  eventId: z.string(),
  at: z.number(),
  event: z.string(),
  actor: z.string(),
  userId: z.number().nullable(),
  outcome: z.string(),
  traceparent: z.string().nullable(),
  details: z.string(),
  personal: bytes.nullable(),
  chain: bytes,
});
export type ReadRow = ChainedRow & { partition: string };

const columns = sql.fragment`
  a.number, (extract(epoch FROM a.chained_at) * 1000000)::bigint AS "chainedAt", a.tableoid::regclass::text AS partition,
  a.event_id::text AS "eventId", (extract(epoch FROM a.at) * 1000000)::bigint AS at, a.event, a.actor, a.user_id AS "userId", a.outcome,
  a.traceparent, a.details::text AS details, a.personal, a.chain`;

/** A row's position. Two rows may have one number if somebody inserted one. */
export interface AuditPosition {
  number: number;
  chainedAt: number;
}

/** The rows after a position, in chain order. */
export async function rowsBehind(
  connection: CommonQueryMethods,
  { number, chainedAt }: AuditPosition,
  limit: number,
): Promise<readonly ReadRow[]> {
  return connection.any(sql.type(chained)`
    SELECT ${columns} FROM audit a
    WHERE (a.number, a.chained_at) > (${number}, timestamptz 'epoch' + ${chainedAt} * interval '1 microsecond')
    ORDER BY a.number, a.chained_at LIMIT ${limit}`);
}

const head = z.object({ number: z.number(), partition: z.string(), jws: z.string() });
export type StoredHead = z.infer<typeof head>;

/** The heads between two numbers, both included. */
export async function headsBetween(
  connection: CommonQueryMethods,
  first: number,
  last: number,
): Promise<readonly StoredHead[]> {
  return connection.any(sql.type(head)`
    SELECT number, partition, jws FROM audit_heads WHERE number BETWEEN ${first} AND ${last} ORDER BY number`);
}

/** The last head signed before that time, Unix ms. */
export async function headBefore(connection: CommonQueryMethods, time: number): Promise<StoredHead | null> {
  return connection.maybeOne(sql.type(head)`
    SELECT number, partition, jws FROM audit_heads WHERE signed_at <= to_timestamp(${time / 1000}::double precision)
    ORDER BY number DESC LIMIT 1`);
}

const key = z.object({ kid: z.string(), encrypted: bytes });

export async function headKeys(connection: CommonQueryMethods): Promise<readonly z.infer<typeof key>[]> {
  return connection.any(sql.type(key)`SELECT kid, encrypted FROM audit_keys`);
}

const extent = z.object({
  end: bytes.nullable(),
  lastHead: z.number().nullable(),
  lastRow: z.number().nullable(),
  waiting: z.number(),
});

/** How far rows and heads reach, the stored end of the chain, and how many rows wait, all in one snapshot. */
export async function auditExtent(connection: CommonQueryMethods): Promise<z.infer<typeof extent>> {
  return connection.one(sql.type(extent)`
    SELECT (SELECT encrypted FROM audit_state) AS end, (SELECT max(number) FROM audit_heads) AS "lastHead",
      (SELECT number FROM audit ORDER BY number DESC, chained_at DESC LIMIT 1) AS "lastRow",
      (SELECT count(*) FROM audit_intake) AS waiting`);
}

export interface AuditFilter {
  userId?: number;
  actor?: string;
  /** Unix ms. */
  since?: number;
  limit: number;
}

const shown = chained.extend({ encryptedUserKey: bytes.nullable() });
export type ShownRow = z.infer<typeof shown>;

/** The newest matching rows, newest first, each with its user's key if that still exists. */
export async function newestRows(connection: CommonQueryMethods, wanted: AuditFilter): Promise<readonly ShownRow[]> {
  const { userId, actor, since, limit } = wanted;
  const conditions: Fragment[] = [
    ...(userId === undefined ? [] : [sql.fragment`a.user_id = ${userId}`]),
    ...(actor === undefined ? [] : [sql.fragment`a.actor = ${actor}`]),
    ...(since === undefined ? [] : [sql.fragment`a.chained_at >= to_timestamp(${since / 1000}::double precision)`]),
  ];
  const fitting = conditions.length === 0 ? sql.fragment`true` : sql.join(conditions, sql.fragment` AND `);
  return connection.any(sql.type(shown)`
    SELECT ${columns}, k.encrypted AS "encryptedUserKey" FROM audit a LEFT JOIN user_keys k ON k.user_id = a.user_id
    WHERE ${fitting} ORDER BY a.number DESC LIMIT ${limit}`);
}
