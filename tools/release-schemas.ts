// To be run at a release: appends to schemas/released.json every schema that changed since the last one. Nothing is
// ever taken out: records of a released version must stay readable.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { subjects } from "../src/processes/topic-specs.ts";

const path = join(import.meta.dirname, "..", "schemas", "released.json");

function read(): Record<string, object[]> {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Record<string, object[]>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw error;
  }
}

const released = read();
for (const { subject, schema } of subjects()) {
  released[subject] ??= [];
  const versions = released[subject];
  if (JSON.stringify(versions.at(-1)) !== JSON.stringify(schema)) {
    versions.push(schema);
    console.log(`released ${subject} (version ${versions.length})`);
  }
}
const sorted = Object.fromEntries(Object.entries(released).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(path, `${JSON.stringify(sorted, null, 1)}\n`);
