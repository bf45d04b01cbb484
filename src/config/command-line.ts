// Parses the arguments of `authfleet` with commander: the process to run, or what to print instead.
import { Command, CommanderError } from "commander";
import { packageVersion } from "../runtime/package-root.ts";
import { helpText, processes, processHelp } from "./help.ts";
import type { HelpedProcess } from "./readers.ts";

export type CommandLine =
  | { process: HelpedProcess }
  /** Arguments for authctl, unchanged. */
  | { ctl: string[] }
  /** Text with its exit code: 0 prints to standard output, 2 to standard error. */
  | { print: string; code: 0 | 2 };

export function readCommandLine(args: readonly string[]): CommandLine {
  const [first, ...rest] = args;
  if (first === "ctl") return { ctl: rest };
  if (first === undefined || (first === "help" && rest.length === 0)) return { print: helpText(), code: 0 };
  let found: CommandLine = { print: helpText(), code: 0 };
  const program = makeProgram((name) => {
    found = { process: name };
  });
  try {
    program.parse(first === "help" ? [...rest, "--help"] : [...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return printed(error, args);
  }
  return found;
}

function makeProgram(asked: (name: HelpedProcess) => void): Command {
  const program = new Command("authfleet").version(packageVersion(), "--version").helpCommand(false);
  for (const name of Object.keys(processes) as HelpedProcess[]) program.command(name).action(() => asked(name));
  program.command("ctl").allowUnknownOption();
  program.command("help");
  for (const each of [program, ...program.commands])
    each.exitOverride().configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
  return program;
}

function printed({ code, message }: CommanderError, args: readonly string[]): CommandLine {
  if (code === "commander.version") return { print: `${packageVersion()}\n`, code: 0 };
  const words = args.filter((word) => !word.startsWith("-") && word !== "help");
  const [name] = words;
  const known = Object.keys(processes).find((each): each is HelpedProcess => each === name);
  if (code === "commander.helpDisplayed" && name === undefined) return { print: helpText(), code: 0 };
  if (code === "commander.helpDisplayed" && known !== undefined) return { print: processHelp(known), code: 0 };
  const suggestion = suggestionFor(name, message);
  const told =
    known === undefined && name !== undefined
      ? `There is no process ${name}: use ${[...Object.keys(processes), "ctl", "help"].join(", ")}.${suggestion}`
      : `${sentence(message.replace(/^error: /, "").split("\n")[0] ?? "")}${suggestion}`;
  return { print: `${told}\n`, code: 2 };
}

/** Commander's second line: `(Did you mean worker?)`. With --help there is none, so it is parsed again without. */
function suggestionFor(name: string | undefined, message: string): string {
  const said = /\((Did you mean [^)]*)\)/.exec(message)?.[1];
  if (said !== undefined) return ` ${said}`;
  if (name === undefined || Object.hasOwn(processes, name)) return "";
  try {
    makeProgram(() => undefined).parse([name], { from: "user" });
  } catch (error) {
    const again = /\((Did you mean [^)]*)\)/.exec((error as Error).message)?.[1];
    if (again !== undefined) return ` ${again}`;
  }
  return "";
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;
}
