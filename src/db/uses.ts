// Uses under limits across accounts: how often a network, or the whole fleet, may do what is costly or a guess. The
// database function count_use counts (newest form: migrations/0026_names.sql), exactly for any number of parallel
// workers. Networks are keyed hashes here (command/uses.ts).
//
// A use is counted within the handler's own read, like a reservation of an attempt (attempts.ts), so it costs no round
// trip. Medians of 900 on two cores beside a load of 17: the read of a login 1.78 ms without a limit, 1.94 with a
// network's, 2.22 with a /56 and a /48; its commit 1.82, 1.93 and 2.12 with the refund.
import { type CommonQueryMethods, type DatabasePool, sql } from "slonik";
import { z } from "zod";
import type { Reservation } from "./inbox.ts";
import { callFunction, type Fragment, type Write } from "./statements.ts";

export interface UseLimit {
  /** The limit's name in refusals. */
  name: "network" | "fleet";
  limiterKey: Buffer;
  /** How many uses at once, and how many are forgotten per second. */
  burst: number;
  perSecond: number;
  /** Whether it also limits devices that the account knows. */
  known: boolean;
}

/** `limit` names the one that refuses. */
const countedUse = z.object({ waitMs: z.number(), limit: z.enum(["network", "fleet"]).optional() });
export type CountedUse = z.infer<typeof countedUse>;

/** In locking order: from the narrow network to the fleet. */
export function limitArray(limits: readonly UseLimit[]): Fragment {
  const rows = limits.map(
    ({ name, limiterKey, burst, perSecond, known }) =>
      sql.fragment`ROW(${name}, ${sql.binary(limiterKey)}::bytea, ${burst}::float8, ${perSecond}::float8, ${known})::use_limit`,
  );
  return sql.fragment`ARRAY[${rows.length === 0 ? sql.fragment`` : sql.join(rows, sql.fragment`, `)}]::use_limit[]`;
}

export const keyArray = (keys: readonly Buffer[]): Fragment => sql.fragment`${sql.array([...keys], "bytea")}`;

/** Counts a use; where it must wait, nothing is written. */
export function useCount(limits: readonly UseLimit[]): Reservation<CountedUse> {
  return { expression: sql.fragment`count_use(${limitArray(limits)})`, given: countedUse };
}

/** Counts a use without a handler's read. */
export async function countUse(pool: CommonQueryMethods, limits: readonly UseLimit[]): Promise<CountedUse> {
  const row = await pool.one(
    sql.type(z.object({ counted: countedUse }))`SELECT ${useCount(limits).expression} AS counted`,
  );
  return row.counted;
}

/**
 * Takes back a use whose secret was right. Must come after whatever the commit does to attempts: that is the locking
 * order.
 */
export function refundUse(keys: readonly Buffer[]): Write {
  return callFunction("refund_use", sql.fragment`refund_use(${keyArray(keys)})`);
}

/** Releases a use that was not carried out. */
export async function releaseUse(pool: DatabasePool, keys: readonly Buffer[]): Promise<void> {
  if (keys.length > 0) await pool.query(sql.unsafe`SELECT refund_use(${keyArray(keys)})`);
}

/** Deletes up to `limit` rows that were last used before yesterday: they have decayed to zero. @returns how many */
export async function reapUses(pool: DatabasePool, limit: number): Promise<number> {
  const { rowCount } = await pool.query(sql.unsafe`
    DELETE FROM network_uses WHERE limiter_key IN (SELECT limiter_key FROM network_uses WHERE day < current_date - 1 LIMIT ${limit})
      AND day < current_date - 1`);
  return rowCount;
}
