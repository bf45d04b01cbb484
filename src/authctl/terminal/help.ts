// What `authctl help` prints, from the table of commands: the list of all, and one command at length.
import { type Answer, type Command, exitCodes } from "../command.ts";
import { aligned } from "./terminal.ts";

const everywhere = aligned(
  [
    [
      "--json",
      'one JSON document on standard output and nothing else; a refusal is {"refused":{code,message,details}}',
    ],
    ["--help", "how a command is called"],
  ],
  "  ",
);

export function usageLine({ name, usage }: Command): string {
  return `Usage: authctl ${name} ${usage}`.trimEnd();
}

export function overview(commands: readonly Command[]): Answer {
  const list = commands.map(({ name, summary }) => [name, summary] as const);
  const lines = [
    "authctl: the operators' command line of the auth fleet.",
    "",
    "Usage: authctl COMMAND [ARGUMENT ...] [--json]",
    "",
    ...aligned([...list, ["help [COMMAND]", "this list, or how a command is called"]], "  "),
    "",
    ...everywhere,
    "",
    "The fleet is the one that the AUTH_ environment names (AUTH_KAFKA_BROKERS, AUTH_REGISTRY_URL, ...); without AUTH_KAFKA_BROKERS",
    "it is the one that `npm start` runs, found by its data folder (AUTH_DEV_DIR, default .data).",
    `Exit code: ${exitCodes.ok} carried out, ${exitCodes.refused} refused, ${exitCodes.usage} called wrongly, ${exitCodes.unreachable} nobody answers.`,
  ];
  return { document: documentOf(commands), lines };
}

export function helpOf(commands: readonly Command[]): Answer {
  const pages = commands.map((command) => [usageLine(command), "", command.help].join("\n"));
  return { document: documentOf(commands), lines: [...pages.join("\n\n").split("\n"), "", ...everywhere] };
}

function documentOf(commands: readonly Command[]): object {
  return {
    commands: commands.map(({ name, usage, summary }) => ({
      name,
      usage: `authctl ${name} ${usage}`.trimEnd(),
      summary,
    })),
  };
}
