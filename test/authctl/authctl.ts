// authctl for tests: as an operator runs it (bin/authctl.js, a process), and in this process with what it prints kept.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Invocation } from "../../src/authctl/command.ts";
import { ctl } from "../../src/authctl/index.ts";
import type { Terminal } from "../../src/authctl/terminal/terminal.ts";
import type { Environment } from "../../src/config/read.ts";
import type { TestFleet } from "../support/test-fleet.ts";

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

const bin = join(import.meta.dirname, "..", "..", "bin", "authctl.js");

/** @param input what stands on its standard input */
export async function authctl(args: string[], env: Record<string, string>, input = ""): Promise<Ran> {
  const child = spawn(process.execPath, [bin, ...args], { env, stdio: "pipe" });
  child.stdin.end(input);
  const code = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await code, stdout, stderr };
}

/** Saves the second that two processes take to start. */
export function called(args: string[], env: Environment = {}, input = ""): Promise<Ran> {
  return inProcess(args, env, { terminal: { input: async () => input } });
}

/** In this process, on a terminal of so many columns. */
export function calledAt(columns: number, args: string[]): Promise<Ran> {
  return inProcess(args, {}, { terminal: { columns } });
}

/** In this process, at a terminal where every question gets this answer. */
export async function answering(
  args: string[],
  env: Environment,
  answer: string,
): Promise<Ran & { questions: string[] }> {
  const questions: string[] = [];
  const ask = async (question: string): Promise<string> => {
    questions.push(question);
    return answer;
  };
  return { ...(await inProcess(args, env, { terminal: { ask } })), questions };
}

/** Commands over the test's own connection: some 50 ms instead of half a second and more for connecting. */
export function over({ client, kafka }: TestFleet) {
  const reach: Invocation["reach"] = ({ config }, use) => use({ client, kafka, config });
  return {
    called: (args: string[], env: Environment, input: string): Promise<Ran> =>
      inProcess(args, env, { terminal: { input: async () => input }, reach }),
    /** At a terminal where the questions get these answers one after the other, also those that show nothing. */
    async typing(args: string[], env: Environment, answers: string[]): Promise<Ran & { questions: string[] }> {
      const questions: string[] = [];
      const ask = async (question: string): Promise<string> => answers[questions.push(question) - 1] ?? "";
      return { ...(await inProcess(args, env, { terminal: { ask, askUnseen: ask }, reach })), questions };
    },
  };
}

/** In this process, at a terminal that is looked at for so many pictures. */
export async function watching(args: string[], env: Environment, pictures: number): Promise<Ran & { seen: string[] }> {
  const seen: string[] = [];
  const live = async (draw: () => readonly string[]): Promise<void> => {
    for (let each = 0; each < pictures; each += 1) seen.push(draw().join("\n"));
  };
  return { ...(await inProcess(args, env, { terminal: { live } })), seen };
}

interface Around {
  terminal: Partial<Terminal>;
  reach?: Invocation["reach"];
}

async function inProcess(args: string[], env: Environment, { terminal, ...around }: Around): Promise<Ran> {
  const printed = { stdout: "", stderr: "" };
  const kept: Terminal = {
    out: (line) => {
      printed.stdout += `${line}\n`;
    },
    err: (line) => {
      printed.stderr += `${line}\n`;
    },
    input: async () => "",
    paint: (_, shown) => shown,
    ...terminal,
  };
  const code = await ctl(args, env, { terminal: kept, ...around });
  return { code, ...printed };
}
