// Python for the tests of this folder: a virtual environment with exactly what requirements.txt names, below
// node_modules/.cache. It is made once for each requirements.txt and each Python, with pip as this machine has it
// configured, and is then only used. Whoever comes while it is being made waits for that.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { isAlive, startTimeOf } from "../../stack/pid.ts";

const run = promisify(execFile);
const requirements = join(import.meta.dirname, "requirements.txt");
const cache = join(import.meta.dirname, "..", "..", "node_modules", ".cache");

export const needed =
  "test/interop needs Python 3.11 or newer with its modules venv and pip: install them (Debian: apt-get install python3 python3-venv).";

/** @returns the environment's Python. @throws Error that says what to install, or what pip said */
export async function pythonWithRequirements(python = "python3"): Promise<string> {
  const digest = createHash("sha256")
    .update(readFileSync(requirements))
    .update(await versionOf(python));
  const folder = join(cache, `interop-${digest.digest("hex").slice(0, 16)}`);
  while (!existsSync(folder)) {
    if (takes(`${folder}.maker`)) await make(python, folder).finally(() => rmSync(`${folder}.maker`, { force: true }));
    else await sleep(200);
  }
  return join(folder, "bin", "python");
}

/** Whether it is for us to make it: nobody does, or who did is gone. The note is there with its text or not at all. */
function takes(note: string): boolean {
  mkdirSync(cache, { recursive: true });
  const mine = `${note}.${process.pid}`;
  writeFileSync(mine, `${process.pid}-${startTimeOf(process.pid)}`);
  try {
    linkSync(mine, note);
    return true;
  } catch {
    const [pid, startTime] = read(note).split("-");
    if (startTime !== undefined && !isAlive(Number(pid), startTime)) rmSync(note, { force: true });
    return false;
  } finally {
    rmSync(mine, { force: true });
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // who had it is done
  }
}

/** Where it is counts too: an environment points to the Python that made it. */
async function versionOf(python: string): Promise<string> {
  const ask = "import sys, ensurepip, venv; assert sys.version_info >= (3, 11); print(sys.version, sys.base_prefix)";
  try {
    return (await run(python, ["-c", ask])).stdout;
  } catch (error) {
    throw new Error(needed, { cause: error });
  }
}

async function make(python: string, folder: string): Promise<void> {
  const unfinished = `${folder}.${process.pid}`;
  try {
    await run(python, ["-m", "venv", unfinished]);
    const install = ["-m", "pip", "install", "--no-deps", "--disable-pip-version-check", "-r", requirements];
    await run(join(unfinished, "bin", "python"), install, { maxBuffer: 64 * 1024 * 1024 });
    putInPlace(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

function putInPlace(made: string, folder: string): void {
  try {
    renameSync(made, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error; // else another run was first
  }
}
