// The list of common passwords that ships with the package (lists/README.md has its origin and licence).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../runtime/package-root.ts";

/** 24,000 words in lower case; some 2 MB of memory. */
export function commonPasswords(): ReadonlySet<string> {
  const text = readFileSync(join(packageRoot, "lists", "common-passwords.txt"), "utf8");
  return new Set(text.split("\n").filter((word) => word !== ""));
}
