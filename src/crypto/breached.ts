// Stolen passwords, from files that a deployer supplies: a folder of "Have I Been Pwned" ranges (k-anonymity). A file
// is named by the first five hex digits of a SHA-1, with or without .txt, and has one line for each hash that begins
// so: the other 35 digits, a colon, how often it was seen. Promises: one small file is read for each question, on
// libuv's threads, within 300 ms; whatever cannot be read in that time is not stolen (fail-open: a slow disk must not
// stop people from registering), and the log says so once. Nothing leaves the machine.
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A range has some 2,000 lines, 80 KB, and grows slowly; larger than this is something else. */
const largestFile = 1_048_576;
const budgetMs = 300;

/** @param report told once of each kind of problem */
export function breachedFiles(
  folder: string,
  report: (problem: string) => void,
): (password: string) => Promise<boolean> {
  const reported = new Set<string>();
  const once = (problem: string, example: string): false => {
    if (!reported.has(problem)) report(`breached passwords (AUTH_BREACHED_PASSWORDS): ${problem}, e.g. ${example}`);
    reported.add(problem);
    return false;
  };
  return async (password) => {
    // SHA-1 is what the ranges are made of; it protects nothing here.
    const digest = createHash("sha1").update(password.normalize("NFKC")).digest("hex").toUpperCase();
    const prefix = digest.slice(0, 5);
    const late = new AbortController();
    const tooLate = sleep(budgetMs, "late" as const, { signal: late.signal, ref: false }).catch(() => "late" as const);
    try {
      const found = await Promise.race([rangeOf(folder, prefix), tooLate]);
      if (found === "late") return once(`a file took over ${budgetMs} ms and counts as empty`, prefix);
      if (found === undefined) return once("a file is not there and counts as empty", prefix);
      if (found === "large") return once(`a file is over ${largestFile} bytes and counts as empty`, prefix);
      return has(found, digest.slice(5));
    } catch (error) {
      return once(`a file cannot be read (${(error as NodeJS.ErrnoException).code ?? "fault"})`, prefix);
    } finally {
      late.abort();
    }
  };
}

async function rangeOf(folder: string, prefix: string): Promise<Buffer | "large" | undefined> {
  for (const name of [prefix, `${prefix}.txt`]) {
    const file = await open(join(folder, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (file === undefined) continue;
    try {
      return (await file.stat()).size > largestFile ? "large" : await file.readFile();
    } finally {
      await file.close();
    }
  }
  return undefined;
}

/** A count of 0 is padding, by which the service hides a range's true length. */
function has(range: Buffer, suffix: string): boolean {
  const count = new RegExp(`^${suffix}:(\\d+)`, "im").exec(range.toString("latin1"))?.[1];
  return count !== undefined && Number(count) > 0;
}
