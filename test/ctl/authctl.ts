// authctl for tests: as an operator runs it (bin/authctl.js, a process), and in this process with what it prints kept.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Environment } from "../../src/config.ts";
import { ctl } from "../../src/ctl/index.ts";
import type { Terminal } from "../../src/ctl/terminal.ts";

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

/** Some 50 ms instead of the second that two processes take to start. */
export function called(args: string[], env: Environment = {}, input = ""): Promise<Ran> {
  return inProcess(args, env, { input: async () => input });
}

/** In this process, with somebody at the terminal who gives this answer to every question. */
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
  return { ...(await inProcess(args, env, { ask })), questions };
}

/** In this process, with somebody at the terminal who gives these answers one after the other, unseen where that is asked. */
export async function typing(
  args: string[],
  env: Environment,
  answers: string[],
): Promise<Ran & { questions: string[] }> {
  const questions: string[] = [];
  const ask = async (question: string): Promise<string> => answers[questions.push(question) - 1] ?? "";
  return { ...(await inProcess(args, env, { ask, askUnseen: ask })), questions };
}

/** In this process, at a terminal that is looked at for so many pictures. */
export async function watching(args: string[], env: Environment, pictures: number): Promise<Ran & { seen: string[] }> {
  const seen: string[] = [];
  const live = async (draw: () => readonly string[]): Promise<void> => {
    for (let each = 0; each < pictures; each += 1) seen.push(draw().join("\n"));
  };
  return { ...(await inProcess(args, env, { live })), seen };
}

async function inProcess(args: string[], env: Environment, terminal: Partial<Terminal>): Promise<Ran> {
  const printed = { stdout: "", stderr: "" };
  const code = await ctl(args, env, {
    out: (line) => {
      printed.stdout += `${line}\n`;
    },
    err: (line) => {
      printed.stderr += `${line}\n`;
    },
    input: async () => "",
    paint: (_, shown) => shown,
    ...terminal,
  });
  return { code, ...printed };
}
