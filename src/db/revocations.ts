// What the relay asks to know up to when every revocation is published. relay/as-of.ts says what follows from it.
import { type CommonQueryMethods, type DatabasePool, sql } from "slonik";
import { z } from "zod";
import { longestTokenLife } from "./token-life.ts";

export const revocationTopic = "auth.revocation";

/** A moment: what was written before it can be told from what comes later. It stays true for ever. */
export interface Moment {
  /** The database's clock, Unix ms. */
  at: number;
  /** Every transaction that had written anything by then has a lower number. */
  transaction: string;
  /** No row that had been written by then has a higher id. */
  lastId: number;
  /** The longest life that access tokens ever had, ms; null before anybody has said one. */
  tokenLifeMs: number | null;
}

const moment = z.object({
  at: z.number(),
  transaction: z.string(),
  lastId: z.number(),
  tokenLifeMs: z.number().nullable(),
});

/**
 * The order counts: the time is that of the statement's arrival, before its snapshot, before its number and before the
 * sequence is read. The number is taken, not looked up: pg_snapshot_xmax() is one past the highest number that has
 * ENDED, and older ones may be under way.
 */
export async function nextMoment(connection: CommonQueryMethods): Promise<Moment> {
  return connection.one(sql.type(moment)`
    SELECT floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint AS at, pg_current_xact_id()::text AS transaction,
      (SELECT last_value FROM outbox_ids) AS "lastId", ${longestTokenLife} AS "tokenLifeMs"`);
}

const standing = z.object({ ended: z.boolean(), published: z.boolean() });
export type Standing = z.infer<typeof standing>;

/**
 * Both of one snapshot: it sees whatever has ended, so a row it does not see was not written by a transaction before
 * the moment.
 */
export async function standingOf({ transaction, lastId }: Moment, connection: CommonQueryMethods): Promise<Standing> {
  return connection.one(sql.type(standing)`
    SELECT pg_snapshot_xmin(pg_current_snapshot()) >= ${transaction}::xid8 AS ended,
      NOT EXISTS (
        SELECT FROM outbox WHERE published_at IS NULL AND topic = 'auth.revocation' AND id <= ${lastId}) AS published`);
}

const lock = sql.fragment`hashtext('auth asOf'), 0`;

/**
 * Runs while no other process does, and not at all where another is at it. No transaction is open meanwhile, which
 * would hold on to the tables it has looked at. The lock goes with its connection (slonik closes one whose use has
 * failed), and the database takes both away from a process that hangs.
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
