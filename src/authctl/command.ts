// What a command of authctl is: the words that call it, what it takes, and a function from a call to an answer. A command neither parses
// arguments nor prints its answer nor chooses an exit code: index.ts does, the same for all. What cannot be answered is thrown: UsageFault (the
// caller's mistake), Unreachable (nobody to ask), Refusal (the fleet said no).
import type { Environment } from "../config/read.ts";
import type { withFleet } from "./connect/connect.ts";
import type { Terminal } from "./terminal/terminal.ts";

export const exitCodes = { ok: 0, refused: 1, usage: 2, unreachable: 3 } as const;

export interface Command {
  /** The words that call it, e.g. `users show`. */
  readonly name: string;
  /** What follows the name in the usage line. */
  readonly usage: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Paragraphs below the usage line. */
  readonly help: string;
  /** Names of the arguments it cannot do without, and of those it takes besides. */
  readonly needs: readonly string[];
  readonly takes?: readonly string[];
  /** The last of these arguments may be given several times. */
  readonly repeats?: boolean;
  /** Besides --json and --help, which every command has. */
  readonly options: Readonly<Record<string, { type: "string" | "boolean"; multiple?: boolean }>>;
  run(call: Call): Promise<Answer>;
}

export interface Call {
  readonly words: readonly string[];
  readonly options: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;
  readonly env: Environment;
  readonly terminal: Terminal;
  /** Connects to a fleet: withFleet, or a test's own connection, which it opens once for many commands. */
  readonly reach: typeof withFleet;
  /** A line for people while the command is under way; silent with --json. */
  say(line: string): void;
}

export interface Answer {
  /** With --json, the one document on standard output. */
  readonly document: object;
  /** For people. */
  readonly lines: readonly string[];
  /** It was carried out, but shows a failure: exit code 1. */
  readonly failed?: boolean;
}

/** Arguments or environment do not do: exit code 2. The message is a sentence. */
export class UsageFault extends Error {
  override readonly name = "UsageFault";
}

/** Kafka, the registry or the database does not answer, or there is no fleet: exit code 3. The message says what to do. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

export function textOption(call: Call, name: string): string | undefined {
  const value = call.options[name];
  return typeof value === "string" ? value : undefined;
}

/** `--name A=B` as often as it is said. @throws UsageFault */
export function pairsOption(call: Call, name: string): [string, string][] {
  const given = call.options[name];
  return (Array.isArray(given) ? given : []).map((text) => {
    const [before = "", ...after] = String(text).split("=");
    if (before === "" || after.length === 0) throw new UsageFault(`--${name} takes A=B, not ${text}.`);
    return [before, after.join("=")];
  });
}
