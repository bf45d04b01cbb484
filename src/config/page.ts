// docs/configuration.md: the variables by section, each with the processes that read it.
import type { Variable } from "./kinds.ts";
import { variablesOf } from "./readers.ts";
import { defaultOf, sections, variables } from "./variables.ts";

/** The variables that a deployment must set first. */
const firstVariables: readonly (keyof typeof variables)[] = [
  ...(["AUTH_KAFKA_BROKERS", "AUTH_REGISTRY_URL", "AUTH_DATABASE_URL", "AUTH_MASTER_KEY", "AUTH_FLEET_ID"] as const),
  ...(["AUTH_SMTP_URL", "AUTH_MAIL_FROM", "AUTH_MAIL_LINK_URL"] as const),
];

/** The processes in the order shown, with the variables that each reads. */
const read = (["worker", "relay", "bridge", "mailer", "migrate", "dev"] as const).map((process) => ({
  process,
  names: new Set<string>(variablesOf(process)),
}));

function readersOf(name: string): string {
  const readers = read.filter(({ names }) => names.has(name)).map(({ process }) => process);
  return readers.length === 0 ? "authctl" : readers.join(", ");
}

function rowOf(name: string, variable: Variable<unknown>): string {
  const shown = defaultOf(variable);
  const notes = [
    variable.secret ? `A secret, or \`${name}_FILE\`.` : "",
    variable.needed ? `Needed by ${variable.needed.join(", ")}.` : "",
  ];
  const cells = [
    `\`${name}\``,
    [variable.meaning, ...notes].filter(Boolean).join(" "),
    variable.range,
    shown && `\`${shown}\``,
    readersOf(name),
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function tableOf(rows: readonly (readonly [string, Variable<unknown>])[]): string[] {
  return [
    "| variable | meaning | range | default | read by |",
    "|---|---|---|---|---|",
    ...rows.map(([name, each]) => rowOf(name, each)),
  ];
}

/** docs/configuration.md */
export function configurationPage(): string {
  const first = firstVariables.map((name) => [name, variables[name] as Variable<unknown>] as const);
  return [
    "# Configuration",
    "",
    "By environment variables only. All faults are reported at once; an unknown `AUTH_` name is a fault. Every text may",
    "also be given as a file: `NAME_FILE` holds its path. Durations are written `500ms`, `10s`, `15m`, `24h`, `30d`.",
    "This page is generated; `npx authfleet PROCESS --help` prints what one process reads (in the image: the",
    "arguments `PROCESS --help`).",
    "",
    "## The eight to set first",
    "",
    "All others have a default that is fit for production, or stay unset.",
    "",
    ...tableOf(first),
    ...sections.flatMap(({ title, about, variables: own }) => [
      ...["", `## ${title}`, "", about, ""],
      ...tableOf(Object.entries<Variable<unknown>>(own)),
    ]),
    "",
  ].join("\n");
}
