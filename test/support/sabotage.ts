// Loaded before a process's own code: `node --import file:///…/sabotage.ts?early-commit src/main.ts worker` runs the
// worker with that fault of faults.ts in it. All lines are looked for at once, so a process whose fault does not fit
// any more never comes up.
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Fault } from "./fault.ts";
import { type FaultName, faults } from "./faults.ts";

const src = join(import.meta.dirname, "..", "..", "src");
const planted = new Map<string, Fault[]>();
for (const name of new URL(import.meta.url).search.slice(1).split(",")) {
  const fault: Fault | undefined = faults[name as FaultName];
  if (fault === undefined) throw new Error(`there is no fault ${name}`);
  const url = pathToFileURL(join(src, fault.module)).href;
  const found = readFileSync(new URL(url), "utf8").split(fault.line).length - 1;
  if (found !== 1) throw new Error(`fault ${name}: its line is ${found} times in src/${fault.module}`);
  planted.set(url, [...(planted.get(url) ?? []), fault]);
}

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const wanted = planted.get(url);
    if (wanted === undefined) return loaded;
    const text =
      typeof loaded.source === "string" ? loaded.source : Buffer.from(loaded.source as Uint8Array).toString();
    return {
      ...loaded,
      source: wanted.reduce((source, { line, instead }) => source.replace(line, () => instead), text),
    };
  },
});
