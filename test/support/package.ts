// The client's package as others get it: packed by npm, unpacked outside the checkout, and run by the Node that a user
// has.
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { ownFolder } from "./stack.ts";

const client = join(import.meta.dirname, "..", "..", "clients", "typescript");

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/**
 * The PATH and the npm settings of a user's shell: `npm test` puts the project's own Node and its own settings before
 * them.
 */
function shellEnvironment(): NodeJS.ProcessEnv {
  const path = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => !folder.includes("node_modules"));
  const kept = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|AUTH_)/.test(name));
  return { ...Object.fromEntries(kept), PATH: path.join(delimiter) };
}

/** Runs a command as a user would type it in that folder. */
export async function run(folder: string, [file = "", ...args]: string[]): Promise<Ran> {
  try {
    const said = await promisify(execFile)(file, args, { cwd: folder, env: shellEnvironment() });
    return { code: 0, ...said };
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (typeof code !== "number" || stdout === undefined || stderr === undefined) throw error;
    return { code, stdout, stderr };
  }
}

/** As `run`, for what must succeed. @returns its standard output @throws Error with what it said */
export async function mustRun(folder: string, command: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(folder, command);
  if (code !== 0) throw new Error(`${command.join(" ")} failed (exit ${code}):\n${stdout}\n${stderr}`);
  return stdout;
}

/** `npm pack`, with the build that belongs to it. @returns a folder of the test's own, and the tarball in it */
export async function pack(name: string): Promise<{ folder: string; tarball: string }> {
  const folder = ownFolder(name);
  await mustRun(client, ["npm", "pack", "--pack-destination", folder]);
  const tarball = readdirSync(folder).find((each) => each.endsWith(".tgz"));
  if (tarball === undefined) throw new Error("npm pack left no tarball");
  return { folder, tarball: join(folder, tarball) };
}

/** @returns the unpacked package */
export async function unpack({ folder, tarball }: { folder: string; tarball: string }): Promise<string> {
  const home = join(folder, "unpacked");
  mkdirSync(home);
  await mustRun(folder, ["tar", "-xzf", tarball, "-C", home]);
  return join(home, "package");
}
