// Programs that the tests here need and npm does not bring. One that is missing fails its tests with a sentence that
// names it.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

interface RunOptions {
  env?: NodeJS.ProcessEnv;
  /** What stands on its standard input. */
  input?: string;
  /** It is ended then. Default: 1 min. */
  boundMs?: number;
}

const root = join(import.meta.dirname, "..", "..");

/**
 * Runs a program to its end, in the folder of the repository.
 * @throws Error in one sentence where there is no such program
 */
export async function run(program: string, args: string[], options: RunOptions = {}): Promise<Ran> {
  const { env = process.env, input = "", boundMs = 60_000 } = options;
  const child = spawn(program, args, { cwd: root, env, stdio: "pipe", timeout: boundMs });
  const code = new Promise<number | null>((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "ENOENT" ? new Error(`There is no program ${program}: see CONTRIBUTING.md.`) : error),
    );
    child.once("close", resolve);
  });
  child.stdin.on("error", () => undefined); // it has ended before it read all: its code tells
  child.stdin.end(input);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), code]);
  return { code: await code, stdout, stderr };
}

/** The end of what it said, for a message. */
export const lastLines = ({ stdout, stderr }: Ran): string =>
  (stderr || stdout).trim().split("\n").slice(-15).join("\n");
