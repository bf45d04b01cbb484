// Which group of workers serves which command: rows that expire by the database's clock (migrations/0021_serving.sql).
// A worker that cannot claim its commands does not start; one that cannot renew its claims keeps serving.
import { type CommonQueryMethods, sql } from "slonik";
import { z } from "zod";

/** How long a worker's rows are in force after it wrote them. */
const servingMs = 30_000;

const servingRow = z.object({
  command: z.string(),
  group: z.string(),
  process: z.string(),
  /** Unix ms. */
  until: z.number(),
});
export type ServingRow = z.infer<typeof servingRow>;

export interface Claim {
  commands: readonly string[];
  group: string;
  /** The process's name on auth.fleet. */
  process: string;
}

const lasting = sql.fragment`${servingMs} * interval '1 millisecond'`;
const untilMs = sql.fragment`(extract(epoch FROM until) * 1000)::bigint AS until`;

/** @returns the rows in force of other groups; if there are none, the process has claimed the commands */
export async function claimCommands(
  db: CommonQueryMethods,
  { commands, group, process }: Claim,
): Promise<readonly ServingRow[]> {
  return db.any(sql.type(servingRow)`
    SELECT command, "group", process, ${untilMs}
    FROM claim_commands(${sql.array([...commands], "text")}, ${group}, ${process}, ${lasting})`);
}

/**
 * Renews the claims and looks for conflicts.
 * @returns other groups with a row in force for one of the commands
 */
export async function renewCommands(
  db: CommonQueryMethods,
  { commands, group, process }: Claim,
): Promise<readonly string[]> {
  const names = sql.array([...commands], "text");
  const rows = await db.any(sql.type(z.object({ group: z.string() }))`
    WITH renewed AS (
      INSERT INTO serving (command, "group", process, until) SELECT name, ${group}, ${process}, now() + ${lasting} FROM unnest(${names}) AS name
      ON CONFLICT (command, process) DO UPDATE SET until = excluded.until)
    SELECT DISTINCT s."group" FROM serving s WHERE s.command = ANY(${names}) AND s."group" <> ${group} AND s.until > now()`);
  return rows.map((row) => row.group);
}

export async function releaseCommands(db: CommonQueryMethods, { commands, process }: Claim): Promise<void> {
  await db.query(sql.unsafe`
    DELETE FROM serving WHERE command = ANY(${sql.array([...commands], "text")}) AND process = ${process}`);
}

/** All rows in force, by command and group. */
export async function servingRows(db: CommonQueryMethods): Promise<readonly ServingRow[]> {
  return db.any(sql.type(servingRow)`
    SELECT command, "group", process, ${untilMs} FROM serving WHERE until > now() ORDER BY command, "group", process`);
}
