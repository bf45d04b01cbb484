// npm run bench [-- ROW...] [--quick] [--repeats N] [--profile]: figures of this machine, as a table here and as JSON
// in bench/out. ROW is the beginning of a row's name. --quick makes short runs, good to see that something works and
// not for comparing. --profile also writes CPU profiles of the worker and of all asking processes, and prints where
// their time went.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { summarize } from "./profile.ts";
import { type Effort, makeClients, measure, type RowResult, rows } from "./rows.ts";
import { playScenario, type ScenarioResult, scenarios } from "./scenarios.ts";
import { machine, scenarioLines, table } from "./table.ts";
import { openBenchTarget } from "./target.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    profile: { type: "boolean", default: false },
    repeats: { type: "string" },
  },
});
const isChosen = ({ name }: { name: string }): boolean =>
  positionals.length === 0 || positionals.some((start) => name.startsWith(start));
const [chosen, chosenScenes] = [rows.filter(isChosen), scenarios.filter(isChosen)];
if (chosen.length + chosenScenes.length === 0)
  throw new Error(`There is no such row: ${[...rows, ...scenarios].map(({ name }) => name).join(", ")}`);
const effort: Effort = values.quick ? { repeats: 3, ms: 600 } : { repeats: 5, ms: 4000 };
if (values.repeats !== undefined) effort.repeats = Number(values.repeats);

const out = join(import.meta.dirname, "out");
const stamp = new Date().toISOString().replace(/[:.]/g, "-");
const profiles = values.profile ? join(out, `${stamp}-profiles`) : undefined;
mkdirSync(profiles ?? out, { recursive: true });

const report = (line: string): void => console.error(line);
const site = await openBenchTarget(report, profiles);
const cast = makeClients(site);
const results: RowResult[] = [];
const played: ScenarioResult[] = [];
try {
  // Kafka's JIT: a login cost a cold broker 13.6 ms of CPU and one that had seen traffic 5.8.
  if (!values.quick) await (await cast.engine(0)).child.call("run", { command: "list", width: 64, ms: 8000 });
  for (const row of chosen) {
    report(`${row.name} ...`);
    results.push(await measure(row, { cast, site }, effort));
  }
  for (const scenario of chosenScenes) {
    report(`${scenario.name} ...`);
    played.push(await playScenario(scenario, { cast, site }, effort));
  }
} finally {
  await cast.end();
  await site.close();
}
const where = machine();
const said = `${where.cores} cores, ${where.memoryGiB} GiB, ${where.processor}, Node ${where.node}`;
const { memoryCost, timeCost, parallelism } = site.argon2;
console.log(`${said}; Argon2id ${memoryCost} KiB, ${timeCost}, ${parallelism}, ${site.hashThreads} at a time`);
console.log(`${effort.repeats} runs of ${effort.ms / 1000} s each, min/median/max`);
if (results.length > 0) console.log(`\n${table(results)}`);
if (played.length > 0) console.log(`\n${scenarioLines(played).join("\n")}`);
writeFileSync(
  join(out, `${stamp}.json`),
  `${JSON.stringify({ machine: where, argon2: site.argon2, effort, results, scenarios: played }, null, 2)}\n`,
);
if (profiles !== undefined) console.log(`\n${summarize(profiles)}`);
process.exit(0);
