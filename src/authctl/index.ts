// authctl: finds the command, parses its arguments by its own table, runs it, prints its answer and chooses the exit code.
// Exit codes: 0 carried out, 1 refused, 2 called wrongly, 3 nobody answers. With --json standard output holds one document, also for
// a refusal and for a fleet that does not answer; how a command is called goes to standard error alone.
import { parseArgs } from "node:util";
import { ConfigFault, type Environment } from "../config/read.ts";
import { asError } from "../lib/errors.ts";
import { Refusal } from "../protocol/errors.ts";
import { auditShow } from "./audit/show.ts";
import { auditVerify } from "./audit/verify.ts";
import { type Answer, type Call, type Command, exitCodes, Unreachable, UsageFault } from "./command.ts";
import { withFleet } from "./connect/connect.ts";
import { login, logout } from "./connect/login.ts";
import { demo } from "./demo/demo.ts";
import { dlqDrop } from "./dlq/drop.ts";
import { dlqList } from "./dlq/list.ts";
import { dlqReplay } from "./dlq/replay.ts";
import { dlqShow } from "./dlq/show.ts";
import { lag } from "./fleet/lag.ts";
import { schemasCheck, schemasRegister } from "./fleet/schemas.ts";
import { top } from "./fleet/top.ts";
import { topicsList } from "./fleet/topics.ts";
import { topicsAcl } from "./fleet/topics-acl.ts";
import { topicsServing } from "./fleet/topics-serving.ts";
import { importUsers } from "./import/import.ts";
import { keysList, keysRevoke, keysRewrap, keysRoot, keysRotate } from "./keys/keys.ts";
import { operatorsAdd, operatorsList, operatorsRemove } from "./operators/operators.ts";
import { request } from "./request.ts";
import { rolesRequireMfa } from "./roles/require-mfa.ts";
import { rolesCreate, rolesDelete, rolesGrant, rolesList, rolesRevoke } from "./roles/roles.ts";
import { helpOf, overview, usageLine } from "./terminal/help.ts";
import { documentText, safeTerminal } from "./terminal/safe-terminal.ts";
import { processTerminal, type Terminal } from "./terminal/terminal.ts";
import { usersBan } from "./users/ban.ts";
import { usersCreateAdmin } from "./users/create-admin.ts";
import { usersDelete } from "./users/delete.ts";
import { usersExport } from "./users/export.ts";
import { usersFind } from "./users/find.ts";
import { usersResetMfa } from "./users/reset-mfa.ts";
import { usersResetPassword } from "./users/reset-password.ts";
import { usersRevokeSessions } from "./users/revoke-sessions.ts";
import { sessionsList, sessionsRevoke } from "./users/sessions.ts";
import { usersSetRoles } from "./users/set-roles.ts";
import { usersShow } from "./users/show.ts";
import { usersUnban } from "./users/unban.ts";
import { usersUnlock } from "./users/unlock.ts";

/** In the order of `authctl help`. */
export const commands: readonly Command[] = [
  login,
  logout,
  demo,
  request,
  usersFind,
  usersShow,
  usersSetRoles,
  usersBan,
  usersUnban,
  usersUnlock,
  usersDelete,
  usersExport,
  usersResetPassword,
  usersRevokeSessions,
  usersResetMfa,
  usersCreateAdmin,
  sessionsList,
  sessionsRevoke,
  rolesList,
  rolesCreate,
  rolesGrant,
  rolesRevoke,
  rolesRequireMfa,
  rolesDelete,
  operatorsAdd,
  operatorsList,
  operatorsRemove,
  dlqList,
  dlqShow,
  dlqReplay,
  dlqDrop,
  keysList,
  keysRoot,
  keysRotate,
  keysRevoke,
  keysRewrap,
  auditVerify,
  auditShow,
  top,
  topicsList,
  topicsAcl,
  topicsServing,
  lag,
  schemasCheck,
  schemasRegister,
  importUsers,
];

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

interface DispatchDeps {
  env: Environment;
  terminal: Terminal;
  reach: Call["reach"];
  json: boolean;
}

const isFlag = (word: string): boolean => ["--json", "--help", "-h"].includes(word);

async function dispatch(args: string[], { env, terminal, reach, json }: DispatchDeps): Promise<Answer> {
  const first = args.findIndex((word) => !isFlag(word));
  const words = first < 0 ? [] : [...args.slice(first), ...args.slice(0, first)];
  if (words.length === 0) return overview(commands);
  if (words[0] === "help") return help(words.slice(1).filter((word) => !isFlag(word)));
  const command = find(words);
  if (command === undefined) {
    if (words.some((word) => word === "--help" || word === "-h")) return help(words.filter((word) => !isFlag(word)));
    throw unknown(words);
  }
  const { options, words: rest } = parse(command, words.slice(command.name.split(" ").length));
  if (options["help"] === true) return help(command.name.split(" "));
  checkCount(command, rest);
  const say = (line: string): void => (json ? undefined : terminal.out(line));
  return inUsage(command, () => command.run({ words: rest, options, env, terminal, reach, say }));
}

function startsWith(words: readonly string[], name: string): boolean {
  return name.split(" ").every((word, index) => words[index] === word);
}

function find(words: readonly string[]): Command | undefined {
  const found = commands.filter(({ name }) => startsWith(words, name));
  return found.find(({ name }) => found.every((other) => other.name.length <= name.length)); // topics, topics acl
}

function help(words: readonly string[]): Answer {
  if (words.length === 0) return overview(commands);
  const group = commands.filter(({ name }) => startsWith(name.split(" "), words.join(" ")));
  const command = find(words);
  if (group.length === 0 && command === undefined) throw unknown(words);
  return helpOf(group.length > 0 ? group : [command!]);
}

function unknown(words: readonly string[]): UsageFault {
  const [first = "", second = "-"] = words;
  const group = commands.filter(({ name }) => name.startsWith(`${first} `));
  const near = group.length > 0 ? group : commands;
  const complete = group.length === 0 || !second.startsWith("-");
  const sentence = complete
    ? `There is no command ${group.length > 0 ? `${first} ${second}` : first}.`
    : `Say which: ${near.map(({ name }) => name).join(" or ")}.`;
  return new UsageFault([sentence, ...near.map(usageLine)].join("\n"));
}

function parse(command: Command, args: string[]): Pick<Call, "options" | "words"> {
  const options = { ...command.options, json: { type: "boolean" }, help: { type: "boolean", short: "h" } } as const;
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    return { options: values as Call["options"], words: positionals };
  } catch (error) {
    const [sentence = ""] = asError(error).message.split(/\.\s/); // what follows is advice about `--`
    throw new UsageFault([`${sentence.replace(/\.$/, "")}.`, usageLine(command)].join("\n"));
  }
}

function checkCount(command: Command, words: readonly string[]): void {
  const { needs, takes = [], repeats = false } = command;
  const missing = needs.slice(words.length);
  const extra = repeats ? [] : words.slice(needs.length + takes.length);
  const sentence =
    missing.length > 0
      ? `${missing.join(" and ")} ${missing.length > 1 ? "are" : "is"} missing.`
      : extra.length > 0 && `What is ${extra.join(" ")} for?`;
  if (sentence) throw new UsageFault([sentence, usageLine(command)].join("\n"));
}

/** A command says what is wrong with its arguments; how it is called is added here. */
async function inUsage(command: Command, run: () => Promise<Answer>): Promise<Answer> {
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
  const { message } = error;
  // Of several lines: what is wrong, and how the command is called, or each fault of the configuration.
  if (error instanceof UsageFault || error instanceof ConfigFault) {
    for (const line of message.split("\n")) terminal.err(line);
    return exitCodes.usage;
  }
  if (error instanceof Unreachable) {
    if (json) json({ unreachable: { message } });
    else for (const line of message.split("\n")) terminal.err(line);
    return exitCodes.unreachable;
  }
  if (!(error instanceof Refusal)) throw error;
  if (json) json({ refused: refusedDocument(error) });
  else for (const line of refusedLines(error)) terminal.err(line);
  return exitCodes.refused;
}

function refusedDocument({ code, message, details, retryAfterMs }: Refusal): object {
  return { code, message, details, ...(retryAfterMs !== undefined && { retryAfterMs }) };
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
