// Stolen passwords, from files that the operator provides: a folder of "Have I Been Pwned" ranges (k-anonymity). A file
// is named after the first five hex digits of a SHA-1, with or without .txt, and has one line per hash with that
// prefix: the other 35 digits, a colon, how often it was seen. Each check reads one small file on libuv's threads
// within 300 ms. A file that cannot be read in that time counts as empty, because a slow disk must not stop
// registrations; each kind of problem is logged once. Nothing leaves the machine.
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A range has some 2,000 lines, 80 KB, and grows slowly; a larger file is not a range. */
const largestFile = 1_048_576;
const budgetMs = 300;

/** @param report called once per kind of problem */
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
    // The ranges are made of SHA-1; it protects nothing here.
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

/** A count of 0 is padding that hides a range's true length. */
function has(range: Buffer, suffix: string): boolean {
  const count = new RegExp(`^${suffix}:(\\d+)`, "im").exec(range.toString("latin1"))?.[1];
  return count !== undefined && Number(count) > 0;
}
