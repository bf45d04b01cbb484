// Where the program lies: its sources in a checkout, its compiled code in the image.
// Says nothing about data folders; see src/processes/dev/folder.ts.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the nearest package.json: the same from stack/ and from dist/stack/. */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}
