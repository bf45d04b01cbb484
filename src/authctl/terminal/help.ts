// What `authctl help` prints, from the definitions of the commands: the list of all, a group, or one command. Laid out
// by commander and wrapped to the width of the terminal at blanks only, so that no word is broken.
import { Help, type Command as Parser } from "commander";
import type { Command, CommandResult } from "../command.ts";
import { exitCodes } from "../faults.ts";
import { cellWidth } from "./table.ts";

export const helpSettings: Partial<Help> = {
  displayWidth: cellWidth,
  minWidthToWrap: 20,
  showGlobalOptions: true,
  subcommandTerm: (parser) => parser.name(),
};

const everywhere = [
  ["--json", 'one JSON document on standard output and nothing else; a refusal is {"refused":{code,message,details}}'],
  ["--help", "how a command is called"],
  ["--version", "the version of authctl"],
] as const;

const closing = `The fleet is the one that the AUTH_ environment names (AUTH_KAFKA_BROKERS, AUTH_REGISTRY_URL, ...); without AUTH_KAFKA_BROKERS it is the one that \`npm start\` runs, found by its data directory (AUTH_DEV_DIR, default .data).

Exit code: ${exitCodes.ok} carried out, ${exitCodes.refused} refused, ${exitCodes.usage} called wrongly, ${exitCodes.unreachable} nobody answers.`;

export function usageLine({ name, usage }: Command): string {
  return `Usage: authctl ${name} ${usage}`.trimEnd();
}

export function overview(commands: readonly Command[], columns: number): CommandResult {
  const list = commands.map(({ name, summary }) => [name, summary] as const);
  const lines = [
    "authctl: the operators' command line of an authfleet.",
    "",
    "Usage: authctl COMMAND [ARGUMENT ...] [--json]",
    "",
    ...items([...list, ["help [COMMAND]", "this list, or how a command is called"]], columns),
    "",
    ...items(everywhere, columns),
    "",
    ...wrapped(closing, columns),
  ];
  return { document: helpDocument(commands), lines };
}

interface HelpRequest {
  parser: Parser;
  /** Of a group all, else the command itself. */
  members: readonly Command[];
  columns: number;
}

export async function commandHelp({ parser, members, columns }: HelpRequest): Promise<CommandResult> {
  const [{ notes } = {}] = members.length === 1 ? members : [];
  const text = typeof notes === "function" ? await notes() : notes;
  const lines = parser.helpInformation().trimEnd().split("\n");
  return {
    document: helpDocument(members),
    lines: text === undefined ? lines : [...lines, "", ...wrapped(text, columns)],
  };
}

function helpAt(columns: number): Help {
  const help = Object.assign(new Help(), helpSettings);
  help.prepareContext({ helpWidth: columns });
  return help;
}

function items(rows: readonly (readonly [string, string])[], columns: number): string[] {
  const help = helpAt(columns);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.flatMap(([name, text]) => help.formatItem(name, width, text, help).split("\n"));
}

function wrapped(text: string, columns: number): string[] {
  return helpAt(columns).boxWrap(text, columns).split("\n");
}

function helpDocument(commands: readonly Command[]): object {
  return {
    commands: commands.map(({ name, usage, summary }) => ({
      name,
      usage: `authctl ${name} ${usage}`.trimEnd(),
      summary,
    })),
  };
}
