// authctl topics serving: which group serves which command, from the table in which workers claim their commands.
import { type ServingRow, servingRows } from "../../db/serving.ts";
import { commandSchemas } from "../../protocol/generated/schemas.ts";
import type { CommandResult, Invocation } from "../command.ts";
import { withDatabaseAtLength } from "../connect/database.ts";
import { findTarget } from "../connect/target.ts";
import { table } from "../terminal/table.ts";

export async function topicsServing(call: Invocation): Promise<CommandResult> {
  const rows = await withDatabaseAtLength(findTarget(call.env), "to see which group serves a command", servingRows);
  return servingResult(rows);
}

function servingResult(rows: readonly ServingRow[]): CommandResult {
  const commands = [...new Set([...Object.keys(commandSchemas), ...rows.map(({ command }) => command)])].sort();
  const serving = commands.flatMap((command) => groupsServing(command, rows));
  const shown = serving.map(({ command, group, processes, until }) => [
    command,
    group ?? "-",
    processes.join(", ") || "-",
    until ?? "-",
  ]);
  return { document: { serving }, lines: table([["COMMAND", "GROUP", "PROCESSES", "UNTIL"], ...shown]) };
}

interface Served {
  command: string;
  /** Null: nobody holds it. */
  group: string | null;
  processes: string[];
  /** When the last of the claims ends if it is not renewed; by the database's clock. */
  until: string | null;
}

function groupsServing(command: string, rows: readonly ServingRow[]): Served[] {
  const of = rows.filter((row) => row.command === command);
  if (of.length === 0) return [{ command, group: null, processes: [], until: null }];
  return [...new Set(of.map(({ group }) => group))].map((group) => {
    const claims = of.filter((row) => row.group === group);
    const until = new Date(Math.max(...claims.map((claim) => claim.until))).toISOString();
    return { command, group, processes: claims.map(({ process }) => process), until };
  });
}
