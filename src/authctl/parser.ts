// The arguments of authctl, read by commander: which command they call and with what, whether they ask for help, or
// what is wrong with them, as a sentence with a suggestion and with how the command is called.
// Commander neither prints nor exits here: index.ts does, the same for all that is printed.
import { Argument, type CommanderError, Option, Command as Parser } from "commander";
import { packageVersion } from "../runtime/package-root.ts";
import type { Command, CommandResult, Invocation, OptionDefinition } from "./command.ts";
import { commands } from "./commands.ts";
import { UsageFault } from "./faults.ts";
import { groups } from "./groups.ts";
import { commandHelp, helpSettings, overview, usageLine } from "./terminal/help.ts";

export interface ParsedCommand extends Pick<Invocation, "words" | "options"> {
  readonly command: Command;
}

interface Made {
  program: Parser;
  /** What was called, once it was parsed. */
  parsed: ParsedCommand | undefined;
  definitions: ReadonlyMap<Parser, Command>;
}

/** Thrown by commander's exit: what it says is translated with the parser at hand that says it. */
class ParserExit extends Error {
  readonly parser: Parser;
  readonly reason: CommanderError;

  constructor(parser: Parser, reason: CommanderError) {
    super(reason.message);
    this.parser = parser;
    this.reason = reason;
  }
}

/** @param columns of the terminal, to which help is wrapped. @throws UsageFault */
export async function parse(args: readonly string[], columns: number): Promise<ParsedCommand | CommandResult> {
  const asked = withoutHelpCommand(args);
  if (asked.every((word) => word === "help" || flags.includes(word))) return overview(commands, columns);
  const made = makeParser(columns);
  try {
    await made.program.parseAsync(asked, { from: "user" });
  } catch (error) {
    if (!(error instanceof ParserExit)) throw error;
    return resultOfExit(made, error, columns);
  }
  return made.parsed!;
}

const flags = ["--json", "--help", "-h"];

/** `help users show` is `users show --help`. */
function withoutHelpCommand(args: readonly string[]): string[] {
  const at = args.findIndex((word) => !flags.includes(word));
  return args[at] === "help" ? [...args.slice(0, at), ...args.slice(at + 1), "--help"] : [...args];
}

function makeParser(columns: number): Made {
  const definitions = new Map<Parser, Command>();
  const program = silent(new Parser("authctl"), columns)
    .option("--json", "print one JSON document and nothing else on standard output")
    .version(packageVersion(), "--version", "print the version");
  const made: Made = { program, parsed: undefined, definitions };
  for (const command of commands) {
    const parser = silent(new Parser(command.name.split(" ").at(-1)), columns);
    for (const [syntax, text] of command.arguments ?? []) parser.addArgument(new Argument(syntax, text));
    for (const [name, option] of Object.entries(command.options ?? {})) parser.addOption(makeOption(name, option));
    parser.usage(command.usage).summary(command.summary).description(command.about);
    parser.action(() => {
      made.parsed = { command, words: parser.args, options: optionValues(parser, command) };
    });
    parentFor(program, command, columns).addCommand(parser);
    definitions.set(parser, command);
  }
  return made;
}

function silent(parser: Parser, columns: number): Parser {
  return parser
    .helpCommand(false)
    .helpOption("-h, --help", "print how the command is called")
    .configureHelp(helpSettings)
    .configureOutput({ writeOut: () => undefined, writeErr: () => undefined, getOutHelpWidth: () => columns })
    .exitOverride((reason) => {
      throw new ParserExit(parser, reason);
    });
}

function parentFor(program: Parser, { name }: Command, columns: number): Parser {
  const [first = "", second] = name.split(" ");
  if (second === undefined) return program;
  const known = program.commands.find((each) => each.name() === first);
  if (known !== undefined) return known;
  const group = silent(new Parser(first), columns).usage("COMMAND");
  group.summary(groups[first] ?? "").description(sentence(groups[first] ?? ""));
  program.addCommand(group);
  return group;
}

function makeOption(name: string, { value, text, choices, repeats }: OptionDefinition): Option {
  const option = new Option(value === undefined ? `--${name}` : `--${name} <${value}>`, text);
  if (choices !== undefined) option.argChoices = [...choices]; // for completion; the command says what is wrong
  if (repeats) option.argParser((each: string, before: string[] | undefined) => [...(before ?? []), each]);
  return option;
}

/** By the names as they are typed. */
function optionValues(parser: Parser, { options = {} }: Command): Invocation["options"] {
  const values = parser.optsWithGlobals<Record<string, string | boolean | string[]>>();
  const named = parser.options.flatMap((option) => {
    const name = option.long?.slice(2) ?? "";
    return Object.hasOwn(options, name) ? [[name, values[option.attributeName()]] as const] : [];
  });
  return { ...Object.fromEntries(named), json: values["json"] === true };
}

/** @throws UsageFault */
async function resultOfExit(
  { definitions }: Made,
  exit: ParserExit,
  columns: number,
): Promise<ParsedCommand | CommandResult> {
  const { parser, reason } = exit;
  const command = definitions.get(parser);
  const members = groupMembers(parser);
  switch (reason.code) {
    case "commander.version":
      return { document: { version: packageVersion() }, lines: [packageVersion()] };
    case "commander.helpDisplayed": {
      const [unknown] = command === undefined ? operands(parser) : [];
      // Commander overlooks an unknown word beside --help; without --help it says that it is unknown.
      if (unknown !== undefined) return parse(parser.parent === null ? [unknown] : [parser.name(), unknown], columns);
      if (parser.parent === null) return overview(commands, columns);
      return commandHelp({ parser, members: command === undefined ? members : [command], columns });
    }
    case "commander.help":
      throw new UsageFault(
        [`Say which: ${members.map(({ name }) => name).join(" or ")}.`, ...members.map(usageLine)].join("\n"),
      );
    case "commander.unknownCommand":
      throw new UsageFault(unknownCommand(parser, reason));
    default:
      throw new UsageFault(
        [errorSentence(exit, command), command === undefined ? usageOfAll : usageLine(command)].join("\n"),
      );
  }
}

const usageOfAll = "Usage: authctl COMMAND [ARGUMENT ...]   (authctl help lists the commands)";

const groupMembers = (parser: Parser): Command[] =>
  commands.filter(({ name }) => parser.parent !== null && name.startsWith(`${parser.name()} `));

const operands = (parser: Parser): string[] => parser.args.filter((word) => !word.startsWith("-"));

function unknownCommand(parser: Parser, reason: CommanderError): string {
  const [unknown = ""] = operands(parser);
  const members = groupMembers(parser);
  const name = parser.parent === null ? unknown : `${parser.name()} ${unknown}`;
  const said = [`There is no command ${name}.`, suggestionIn(reason)].join(" ").trim();
  return [said, ...(members.length > 0 ? members.map(usageLine) : [usageOfAll])].join("\n");
}

/** Commander's second line: `(Did you mean show?)`. */
function suggestionIn({ message }: CommanderError): string {
  return /\((Did you mean [^)]*)\)/.exec(message)?.[1] ?? "";
}

function errorSentence({ parser, reason }: ParserExit, command: Command | undefined): string {
  const required = (command?.arguments ?? []).filter(([syntax]) => syntax.startsWith("<"));
  if (reason.code === "commander.missingArgument") {
    const missing = required.slice(parser.args.length).map(([syntax]) => syntax.replace(/^<|(\.\.\.)?>$/g, ""));
    return `${missing.join(" and ")} ${missing.length > 1 ? "are" : "is"} missing.`;
  }
  if (reason.code === "commander.excessArguments") {
    return `What is ${parser.args.slice(command?.arguments?.length ?? 0).join(" ")} for?`;
  }
  const [first = ""] = reason.message.replace(/^error: /, "").split("\n");
  return [sentence(first.replace(/\.$/, "")), suggestionIn(reason)].join(" ").trim();
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
