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
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(`npm run bench [-- ROW...] [--quick] [--repeats N] [--profile]

Starts a stack of its own, measures, and prints a table; JSON goes to bench/out. ROW is the beginning of a row's name:
${[...rows, ...scenarios].map(({ name }) => `  ${name}`).join("\n")}

  --quick      short runs, to see that it works; not for comparing
  --repeats N  runs of each row (5)
  --profile    also CPU profiles of the worker and of the clients`);
  process.exit(0);
}
const isChosen = ({ name }: { name: string }): boolean =>
  positionals.length === 0 || positionals.some((start) => name.startsWith(start));
const [chosen, chosenScenarios] = [rows.filter(isChosen), scenarios.filter(isChosen)];
if (chosen.length + chosenScenarios.length === 0)
  throw new Error(`There is no such row: ${[...rows, ...scenarios].map(({ name }) => name).join(", ")}`);
const effort: Effort = values.quick ? { repeats: 3, ms: 600 } : { repeats: 5, ms: 4000 };
if (values.repeats !== undefined) effort.repeats = Number(values.repeats);

const out = join(import.meta.dirname, "out");
const stamp = new Date().toISOString().replace(/[:.]/g, "-");
const profiles = values.profile ? join(out, `${stamp}-profiles`) : undefined;
mkdirSync(profiles ?? out, { recursive: true });

const report = (line: string): void => console.error(line);
const target = await openBenchTarget(report, profiles);
const clients = makeClients(target);
const results: RowResult[] = [];
const played: ScenarioResult[] = [];
try {
  // Kafka's JIT: a login cost a cold broker 13.6 ms of CPU and one that had seen traffic 5.8.
  if (!values.quick) await (await clients.engine(0)).child.call("run", { command: "list", width: 64, ms: 8000 });
  for (const row of chosen) {
    report(`${row.name} ...`);
    results.push(await measure(row, { clients, target }, effort));
  }
  for (const scenario of chosenScenarios) {
    report(`${scenario.name} ...`);
    played.push(await playScenario(scenario, { clients, target }, effort));
  }
} finally {
  await clients.end();
  await target.close();
}
const where = machine();
const said = `${where.cores} cores, ${where.memoryGiB} GiB, ${where.processor}, Node ${where.node}`;
const { memoryCost, timeCost, parallelism } = target.argon2;
console.log(`${said}; Argon2id ${memoryCost} KiB, ${timeCost}, ${parallelism}, ${target.hashThreads} at a time`);
console.log(`${effort.repeats} runs of ${effort.ms / 1000} s each, min/median/max`);
if (results.length > 0) console.log(`\n${table(results)}`);
if (played.length > 0) console.log(`\n${scenarioLines(played).join("\n")}`);
writeFileSync(
  join(out, `${stamp}.json`),
  `${JSON.stringify({ machine: where, argon2: target.argon2, effort, results, scenarios: played }, null, 2)}\n`,
);
if (profiles !== undefined) console.log(`\n${summarize(profiles)}`);
process.exit(0);
