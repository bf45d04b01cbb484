// The program's folder, which contains migrations/, proto/ and schemas/, in a checkout and in the image; and its
// version.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

function find(from: string): string {
  if (existsSync(join(from, "package.json"))) return from;
  return find(dirname(from));
}

export const packageRoot = find(import.meta.dirname);

/** Read when asked: nothing runs at import. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { version: string };
  return version;
}
