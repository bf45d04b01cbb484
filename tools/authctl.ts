// Writes docs/authctl.md, the reference of the operators' command line, from the definitions of its commands.
import type { Command } from "../src/authctl/command.ts";
import { commands } from "../src/authctl/commands.ts";
import { usageLine } from "../src/authctl/terminal/help.ts";

const head = `# authctl

The operators' command line: \`npx authctl COMMAND\` in a checkout or beside an installed package, \`authctl COMMAND\` in
the image. \`authctl help COMMAND\` prints what stands here. This page is generated from the definitions of the commands.

- Every command takes \`--json\` (one JSON document on standard output and nothing else) and \`--help\`.
- Exit code: 0 carried out, 1 refused or shown to be wrong, 2 called wrongly, 3 nobody answers.
- The fleet is the one that the AUTH_ environment names; without AUTH_KAFKA_BROKERS it is the one that \`npm start\` runs,
  found by its data directory (AUTH_DEV_DIR, default .data).
- \`authctl completion bash\` (or \`zsh\`, \`fish\`) prints a script with which the shell completes commands and options.
`;

export async function authctlPage(): Promise<string> {
  const list = commands.map(({ name, summary }) => `| [${name}](#${anchorOf(name)}) | ${cell(summary)} |`);
  const sections = await Promise.all(commands.map(sectionOf));
  return [head, "| command | does |", "|---|---|", ...list, "", ...sections].join("\n");
}

const anchorOf = (name: string): string => name.replaceAll(" ", "-");

async function sectionOf(command: Command): Promise<string> {
  const { name, about, arguments: taken = [], options = {}, notes } = command;
  const rows = [
    ...taken.map(([syntax, text]) => [syntax.replace(/[<>[\]]/g, ""), text]),
    ...Object.entries(options).map(([option, { value, text }]) => [`--${option}${value ? ` ${value}` : ""}`, text]),
  ].map(([term = "", text = ""]) => `| \`${cell(term)}\` | ${cell(text)} |`);
  const table = rows.length > 0 ? ["| | |", "|---|---|", ...rows, ""] : [];
  const text = typeof notes === "function" ? await notes() : notes;
  return [
    `## ${name}`,
    "",
    "```",
    usageLine(command).replace("Usage: ", ""),
    "```",
    "",
    ...paragraphs(about),
    ...table,
    ...(text === undefined ? [] : paragraphs(text)),
  ].join("\n");
}

/** Indented lines are shown as they are; lists of topics are in docs/protocol.md. */
function paragraphs(text: string): string[] {
  return text.split("\n\n").flatMap((paragraph) => {
    if (paragraph.startsWith("Topics:\n")) return ["The topics are those of [protocol.md](protocol.md).", ""];
    return /^ /m.test(paragraph) ? ["```", paragraph, "```", ""] : [...wrapped(paragraph), ""];
  });
}

const width = 120;

function wrapped(paragraph: string): string[] {
  const lines: string[] = [];
  for (const word of paragraph.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

const cell = (text: string): string => text.replaceAll("|", "\\|");
