// To be run before the commit of a release: `npm run release-schemas` adds to schemas/released.json what the version in
// package.json has (tools/release/released.ts). Running it again changes nothing.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { addRelease, formatReleased, readCurrent, readReleased, releasedFile } from "./release/released.ts";

const root = join(import.meta.dirname, "..");

const before = readReleased(root);
const current = await readCurrent(root);
try {
  const after = addRelease(before, current);
  const changed = Object.keys(after.schemas).filter(
    (subject) => after.schemas[subject]!.length !== before.schemas[subject]?.length,
  );
  for (const subject of changed) console.log(`released ${subject} (version ${after.schemas[subject]!.length})`);
  writeFileSync(join(root, releasedFile), formatReleased(after));
  console.log(`${releasedFile} is of ${current.version}: ${changed.length} new versions of schemas.`);
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
