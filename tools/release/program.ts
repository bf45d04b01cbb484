// Runs the programs that a release is made with: git, npm, tar, docker.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

export interface RunOptions {
  cwd: string;
  env?: NodeJS.ProcessEnv | undefined;
}

/** @returns its standard output @throws Error in a sentence, with the last lines that it printed */
export async function run(program: string, args: readonly string[], { cwd, env }: RunOptions): Promise<string> {
  const options = { cwd, env: env ?? process.env, maxBuffer: 256 * 2 ** 20 };
  try {
    return (await promisify(execFile)(program, args, options)).stdout;
  } catch (error) {
    const { code, stdout = "", stderr = "" } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (code === "ENOENT") throw new Error(`There is no program ${program}.`);
    const said = (stderr || stdout).trim().split("\n").slice(-10).join("\n");
    throw new Error(`${program} ${args.join(" ")} ended with ${String(code)}:\n${said}`);
  }
}

/** For npm in another folder than the one where `npm run` was typed: npm tells its scripts which project that is. */
export function npmEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^npm_(package|lifecycle|config_local_prefix|config_prefix)/.test(name)),
  );
}
