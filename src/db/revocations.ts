// The relay's queries for the time up to which all revocations are published; relay/as-of.ts has the argument.
import { type CommonQueryMethods, type DatabasePool, sql } from "slonik";
import { z } from "zod";
import { longestTokenLife } from "./token-life.ts";

export const revocationTopic = "auth.revocation";

/** A moment that separates what was written before it from what is written later, and keeps doing so. */
export interface Moment {
  /** The database's clock, Unix ms. */
  at: number;
  /** Every transaction that had written anything by then has a lower number. */
  transaction: string;
  /** No row written by then has a higher id. */
  lastId: number;
  /** The longest lifetime that access tokens ever had, ms; null before it is known. */
  tokenLifeMs: number | null;
}

const moment = z.object({
  at: z.number(),
  transaction: z.string(),
  lastId: z.number(),
  tokenLifeMs: z.number().nullable(),
});

/**
 * The order matters: the time is taken on arrival of the statement, before its snapshot, before its number and before
 * the sequence is read. The number is taken, not looked up: pg_snapshot_xmax() is one past the highest number that has
 * ENDED, and older ones may still be running.
 */
export async function nextMoment(connection: CommonQueryMethods): Promise<Moment> {
  return connection.one(sql.type(moment)`
    SELECT floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint AS at, pg_current_xact_id()::text AS transaction,
      (SELECT last_value FROM outbox_ids) AS "lastId", ${longestTokenLife} AS "tokenLifeMs"`);
}

const standing = z.object({ ended: z.boolean(), published: z.boolean() });
export type Standing = z.infer<typeof standing>;

/**
 * Both from one snapshot, which contains everything that has ended: a row that is not in it was not written by a
 * transaction from before the moment.
 */
export async function standingOf({ transaction, lastId }: Moment, connection: CommonQueryMethods): Promise<Standing> {
  return connection.one(sql.type(standing)`
    SELECT pg_snapshot_xmin(pg_current_snapshot()) >= ${transaction}::xid8 AS ended,
      NOT EXISTS (
        SELECT FROM outbox WHERE published_at IS NULL AND topic = 'auth.revocation' AND id <= ${lastId}) AS published`);
}

const lock = sql.fragment`hashtext('auth asOf'), 0`;

/**
 * Runs `run` only if no other process does at the time. No transaction is open meanwhile, because it would keep locks
 * on the tables it has read. The lock ends with its connection (slonik closes one whose use has failed), and the
 * database closes the connection of a process that hangs.
 * @returns whether it ran
 */
export async function asTheOnlyOne(
  pool: DatabasePool,
  run: (connection: CommonQueryMethods) => Promise<void>,
): Promise<boolean> {
  return pool.connect(async (connection) => {
    const { free } = await connection.one(
      sql.type(z.object({ free: z.boolean() }))`SELECT pg_try_advisory_lock(${lock}) AS free`,
    );
    if (!free) return false;
    await connection.query(sql.unsafe`SET idle_session_timeout = '10s'`);
    await run(connection);
    await connection.query(sql.unsafe`RESET idle_session_timeout`);
    await connection.query(sql.unsafe`SELECT pg_advisory_unlock(${lock})`);
    return true;
  });
}
