// authctl: finds the command, runs it, prints its result and chooses the exit code.
// Exit codes: 0 carried out, 1 refused, 2 called wrongly, 3 nobody answers. With --json standard output holds one
// document, also for a refusal and for a fleet that does not answer; how a command is called goes to standard error
// alone. Nothing is loaded here but what parses arguments: a command loads the rest (DESIGN.md has the figures).
import { ConfigFault, type Environment } from "../config/read.ts";
import { asError } from "../lib/errors.ts";
import { Refusal } from "../protocol/errors.ts";
import type { Command, CommandResult, Invocation } from "./command.ts";
import { commands } from "./commands.ts";
import { exitCodes, Unreachable, UsageFault } from "./faults.ts";
import { parse } from "./parser.ts";
import { usageLine } from "./terminal/help.ts";
import { documentText, safeTerminal } from "./terminal/safe-terminal.ts";
import { processTerminal, type Terminal } from "./terminal/terminal.ts";

interface DispatchDeps {
  env: Environment;
  terminal: Terminal;
  reach: Invocation["reach"];
  json: boolean;
}

/** Width of what no terminal shows: a file, a pipe. */
const usualColumns = 100;

const withFleet: Invocation["reach"] = async (target, use) =>
  (await import("./connect/connect.ts")).withFleet(target, use);

/** @returns the exit code */
export async function ctl(
  args: string[],
  env: Environment,
  { terminal: given = processTerminal(env), reach = withFleet }: Partial<Pick<DispatchDeps, "terminal" | "reach">> = {},
): Promise<number> {
  const json = args.includes("--json");
  const terminal = safeTerminal(given);
  try {
    const { document, lines, failed } = await dispatch(args, { env, terminal, reach, json });
    if (json) given.out(documentText(document));
    else for (const line of lines) terminal.out(line);
    return failed === true ? exitCodes.refused : exitCodes.ok;
  } catch (error) {
    return explain(asError(error), {
      terminal,
      json: json ? (document) => given.out(documentText(document)) : undefined,
    });
  }
}

async function dispatch(args: readonly string[], { env, terminal, reach, json }: DispatchDeps): Promise<CommandResult> {
  const parsed = await parse(args, terminal.columns ?? usualColumns);
  if (!("command" in parsed)) return parsed;
  const { command, words, options } = parsed;
  const say = (line: string): void => (json ? undefined : terminal.out(line));
  return withUsage(command, async () =>
    (await command.load())({ words, options, commands, env, terminal, reach, say }),
  );
}

/** A command says what is wrong with its arguments; how it is called is added here. */
async function withUsage(command: Command, run: () => Promise<CommandResult>): Promise<CommandResult> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof UsageFault) throw new UsageFault([error.message, usageLine(command)].join("\n"));
    throw error;
  }
}

interface Explaining {
  terminal: Terminal;
  /** With --json. */
  json: ((document: object) => void) | undefined;
}

/** @returns the exit code. @throws what is a fault of ours */
function explain(error: Error, { terminal, json }: Explaining): number {
  const inLines = (lines: readonly string[]): void => {
    for (const line of lines) terminal.err(line);
  };
  // Of several lines: what is wrong, and how the command is called, or each fault of the configuration.
  if (error instanceof UsageFault || error instanceof ConfigFault) {
    inLines(error.message.split("\n"));
    return exitCodes.usage;
  }
  const document = errorDocument(error);
  if (document === undefined) throw error;
  if (json) json(document);
  else inLines(error instanceof Refusal ? refusedLines(error) : error.message.split("\n"));
  return error instanceof Refusal ? exitCodes.refused : exitCodes.unreachable;
}

/** With --json; undefined: a fault of ours. */
function errorDocument(error: Error): object | undefined {
  if (error instanceof Unreachable) return { unreachable: { message: error.message } };
  if (!(error instanceof Refusal)) return undefined;
  const { code, message, details, retryAfterMs } = error;
  return { refused: { code, message, details, ...(retryAfterMs !== undefined && { retryAfterMs }) } };
}

function refusedLines({ code, message, details, retryAfterMs }: Refusal): string[] {
  return [
    `Refused with ${code}: ${message}`,
    ...Object.entries(details).map(([name, value]) => `  ${name}: ${value}`),
    ...(retryAfterMs === undefined ? [] : [`  Ask again in ${retryAfterMs} ms.`]),
    ...(code === "DEADLINE_EXCEEDED"
      ? ["  No answer came in time: does a worker run? The command may have been carried out."]
      : []),
  ];
}
