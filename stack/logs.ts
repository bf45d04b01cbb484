// The log files of the child processes: DIR/logs/NAME.log, appended to over the runs, one former file kept when it has
// grown. Also the last lines of one, for the sentence that says why a child ended. It does not read what is written:
// children own the files.
import { closeSync, openSync, readFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";

const KEPT_BYTES = 10_000_000;

export function logFile(dir: string, name: string): string {
  return join(dir, "logs", `${name}.log`);
}

export function logSize(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** @returns a descriptor to give to a child; close() closes the parent's copy */
export function openLog(dir: string, name: string): { descriptor: number; close(): void } {
  const file = logFile(dir, name);
  if (logSize(file) > KEPT_BYTES) renameSync(file, `${file}.1`);
  const descriptor = openSync(file, "a", 0o600);
  return { descriptor, close: () => closeSync(descriptor) };
}

/** What was written since the file had `from` bytes. */
export function logSince(file: string, from: number): string {
  try {
    return readFileSync(file).subarray(from).toString("utf8");
  } catch {
    return "";
  }
}

/** The last lines with something in them, stack frames left out: they name the fault, frames do not. */
export function lastLines(text: string, count = 5): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !/^\s+at |^\s*\.\.\. \d+ more/.test(line));
  return lines.slice(-count).join("\n");
}
