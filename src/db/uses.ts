// Uses under limits across accounts: how often a network, or the whole fleet, may do what costs something or is a
// guess. The count stands in the database's function count_use (migrations/0023_networks.sql), exact however many
// workers ask at once. Nothing here knows an address: subjects are keyed hashes (command/uses.ts).
//
// A use rides on the handler's own read, as a reservation of an attempt does (attempts.ts), so it costs no round trip.
// Medians of 900 on two cores beside a load of 17: the read of a login 1.78 ms without a limit, 1.94 with a network's,
// 2.22 with a /56 and a /48; its commit 1.82, 1.93 and 2.12 with what is taken back.
import { type CommonQueryMethods, type DatabasePool, sql } from "slonik";
import { z } from "zod";
import type { Reservation } from "./inbox.ts";
import { callFunction, type Fragment, type Write } from "./statements.ts";

export interface UseLimit {
  /** What a refusal says of it. */
  name: "network" | "fleet";
  subject: Buffer;
  /** Uses at once, and how many of them are forgotten in a second. */
  burst: number;
  perSecond: number;
  /** Whether devices that the account knows are held by it, too. */
  known: boolean;
}

/** `limit` says which one allows no further use now. */
const countedUse = z.object({ waitMs: z.number(), limit: z.enum(["network", "fleet"]).optional() });
export type CountedUse = z.infer<typeof countedUse>;

/** In the order in which their rows are locked: from the narrow network to the fleet. */
export function limitArray(limits: readonly UseLimit[]): Fragment {
  const rows = limits.map(
    ({ name, subject, burst, perSecond, known }) =>
      sql.fragment`ROW(${name}, ${sql.binary(subject)}::bytea, ${burst}::float8, ${perSecond}::float8, ${known})::use_limit`,
  );
  return sql.fragment`ARRAY[${rows.length === 0 ? sql.fragment`` : sql.join(rows, sql.fragment`, `)}]::use_limit[]`;
}

export const subjectArray = (subjects: readonly Buffer[]): Fragment =>
  sql.fragment`${sql.array([...subjects], "bytea")}`;

/** Counts a use; where it has to wait, nothing is written. */
export function useCount(limits: readonly UseLimit[]): Reservation<CountedUse> {
  return { expression: sql.fragment`count_use(${limitArray(limits)})`, given: countedUse };
}

/** Counts a use by itself, without a handler's read. */
export async function countUse(pool: CommonQueryMethods, limits: readonly UseLimit[]): Promise<CountedUse> {
  const row = await pool.one(
    sql.type(z.object({ counted: countedUse }))`SELECT ${useCount(limits).expression} AS counted`,
  );
  return row.counted;
}

/**
 * The use was a right one, which does not count. Stands behind whatever the commit does to attempts: that is the order
 * of the locks.
 */
export function takeBackUse(subjects: readonly Buffer[]): Write {
  return callFunction("take_back_use", sql.fragment`take_back_use(${subjectArray(subjects)})`);
}

/** The use was not carried out after all. */
export async function releaseUse(pool: DatabasePool, subjects: readonly Buffer[]): Promise<void> {
  if (subjects.length > 0) await pool.query(sql.unsafe`SELECT take_back_use(${subjectArray(subjects)})`);
}

/** Deletes up to `limit` rows whose last use was before yesterday: nothing of them is left. @returns how many */
export async function reapUses(pool: DatabasePool, limit: number): Promise<number> {
  const { rowCount } = await pool.query(sql.unsafe`
    DELETE FROM network_uses WHERE subject IN (SELECT subject FROM network_uses WHERE day < current_date - 1 LIMIT ${limit})
      AND day < current_date - 1`);
  return rowCount;
}
