// What a command of authctl is: how it is called (the definitions in <noun>/commands.ts, from which the parser, the
// help, the completion and docs/authctl.md are made), and a function from an invocation to a result, which is loaded
// only when the command runs. A command neither parses arguments nor prints its result nor chooses an exit code:
// index.ts does that for all of them. What fails is thrown: UsageFault (called wrongly), Unreachable (nobody answers),
// Refusal (the fleet refused).
import type { Environment } from "../config/read.ts";
import type { ReachFleet } from "./connect/fleet.ts";
import { UsageFault } from "./faults.ts";
import type { Terminal } from "./terminal/terminal.ts";

export interface Command {
  /** The words that call it, e.g. `users show`. */
  readonly name: string;
  /** What follows the name in the usage line. */
  readonly usage: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Paragraphs above arguments and options, wrapped to the width of the terminal. */
  readonly about: string;
  /** `<NAME>` must be given, `[NAME]` may be; the last one may be repeated: `<NAME...>`. With what each is. */
  readonly arguments?: readonly (readonly [syntax: string, text: string])[];
  /** What its argument may be, for the completion. */
  readonly choices?: readonly string[];
  /** By their long names. Every command has --json and --help besides. */
  readonly options?: Readonly<Record<string, OptionDefinition>>;
  /** Paragraphs below the options. A function where they take a module that nothing else at the start needs. */
  readonly notes?: string | (() => Promise<string>);
  load(): Promise<Run>;
}

export interface OptionDefinition {
  /** What its value is called; absent: it has none. */
  readonly value?: string;
  readonly text: string;
  /** For the help and the completion; what else is given, the command refuses. */
  readonly choices?: readonly string[];
  /** It may be given several times. */
  readonly repeats?: true;
}

export const flag = (text: string): OptionDefinition => ({ text });
export const valued = (value: string, text: string): OptionDefinition => ({ value, text });
export const oneOf = (value: string, choices: readonly string[], text: string): OptionDefinition => ({
  value,
  text,
  choices,
});
export const repeated = (value: string, text: string): OptionDefinition => ({ value, text, repeats: true });

export type Run = (call: Invocation) => Promise<CommandResult>;

export interface Invocation {
  readonly words: readonly string[];
  readonly options: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  /** All commands, for the completion. */
  readonly commands: readonly Command[];
  readonly env: Environment;
  readonly terminal: Terminal;
  /** Connects to a fleet, or gives a test's own connection, which it opens once for many commands. */
  readonly reach: ReachFleet;
  /** A line for people while the command is under way; silent with --json. */
  say(line: string): void;
}

export interface CommandResult {
  /** With --json, the one document on standard output. */
  readonly document: object;
  /** For people. */
  readonly lines: readonly string[];
  /** It was carried out, but shows a failure: exit code 1. */
  readonly failed?: boolean;
}

export function textOption(call: Invocation, name: string): string | undefined {
  const value = call.options[name];
  return typeof value === "string" ? value : undefined;
}

export function flagOption(call: Invocation, name: string): boolean {
  return call.options[name] === true;
}

export function listOption(call: Invocation, name: string): readonly string[] {
  const value = call.options[name];
  return Array.isArray(value) ? value : [];
}

/** `--name A=B`, each time it is given. @throws UsageFault */
export function pairsOption(call: Invocation, name: string): [string, string][] {
  return listOption(call, name).map((text) => {
    const [before = "", ...after] = text.split("=");
    if (before === "" || after.length === 0) throw new UsageFault(`--${name} takes A=B, not ${text}.`);
    return [before, after.join("=")];
  });
}
