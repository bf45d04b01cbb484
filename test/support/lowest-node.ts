// The lowest Node under which the library for services promises to run, as npm has it for this machine: installed once
// below node_modules/.cache, without install scripts.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

export const lowestNodeVersion = "22.15.1";

const cache = join(import.meta.dirname, "..", "..", "node_modules", ".cache");

/** @returns its binary */
export async function lowestNode(): Promise<string> {
  const name = `node-${process.platform}-${process.arch}`;
  const folder = join(cache, `${name}-${lowestNodeVersion}`);
  const binary = join(folder, "node_modules", name, "bin", "node");
  if (existsSync(binary)) return binary;
  const unfinished = `${folder}.${process.pid}`;
  try {
    mkdirSync(unfinished, { recursive: true });
    const options = [
      "--prefix",
      unfinished,
      "--no-save",
      "--no-package-lock",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
    ];
    await promisify(execFile)("npm", ["install", ...options, `${name}@${lowestNodeVersion}`], { cwd: unfinished });
    renameSync(unfinished, folder);
  } catch (error) {
    if (!existsSync(binary)) throw error; // else another run was first
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return binary;
}
