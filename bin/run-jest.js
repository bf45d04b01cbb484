// Runs Jest under the project's Node and gives its verdict: the last line is `N passed, N failed`.
// A run has a folder of its own (stack, logs, results); TEST_RUN_DIR tells the tests. Promises: processes that tests
// left running are ended and count as a failure; the folder is removed after a run without failures and named after one
// with some; what a killed run left behind, the next one removes.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isAlive, startTimeOf } from "../stack/pid.ts";
import { killLeftovers, noteProcess, signalGroup } from "../stack/processes.ts";
import { faultyWarnings, leftOut, slowestFiles } from "./run-report.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** From the results to the end: the teardown of the stack takes 2 s. */
const STUCK_MS = 30_000;
const ENDING_MS = 3000;
const JUST_MADE_MS = 60_000;
const SLOWEST = 20;
const prefix = join(tmpdir(), "auth-test-");

await sweepKilledRuns();
const folder = mkdtempSync(prefix);
writeFileSync(join(folder, "runner"), `${process.pid}-${startTimeOf(process.pid)}`);
const exitCode = await jest(process.argv.slice(2));
const left = await leftBehind(folder);
if (left.length > 0) console.log(`Left running by the tests, and ended now: ${left.join(", ")}`);
const { passed, failed } = verdict(exitCode, [...left, ...warnings()]);
report();
if (failed === 0) rmSync(folder, { recursive: true, force: true });
else console.log(`Logs of the stack are kept below ${folder}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

function jest(args) {
  const options = [
    "--trace-warnings",
    "--experimental-vm-modules",
    "--disable-warning=ExperimentalWarning",
    "--disable-warning=DEP0040",
  ];
  const file = join(root, "node_modules", "jest", "bin", "jest.js");
  const child = spawn(
    process.execPath,
    [...options, file, "--json", `--outputFile=${join(folder, "results.json")}`, ...args],
    {
      cwd: root,
      env: { ...process.env, TEST_RUN_DIR: folder, NODE_REDIRECT_WARNINGS: join(folder, "warnings") },
      stdio: "inherit",
    },
  );
  noteProcess(folder, "jest", child.pid);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  // Whoever started us is gone: nobody waits for the verdict, but the stack must not stay.
  process.once("disconnect", () => child.kill("SIGTERM"));
  process.channel?.unref();
  const bound = endWhenStuck(child);
  return new Promise((resolve) => child.once("exit", (code) => resolve(code ?? 1))).finally(() => clearInterval(bound));
}

/** After results and teardown Jest ends, unless a test left something open: then the run must fail, not hang. */
function endWhenStuck(child) {
  return setInterval(() => {
    const written = statSync(join(folder, "results.json"), { throwIfNoEntry: false })?.mtimeMs;
    if (written === undefined || performance.timeOrigin + performance.now() - written < STUCK_MS) return;
    console.log("Jest has its results but does not end: a test left a process, a connection or a timer open.");
    child.kill("SIGKILL");
  }, 1000);
}

/** A file that could not even be loaded counts as one failure, and so does a fault outside any test. */
function verdict(exitCode, faults) {
  const results = readJson(join(folder, "results.json"));
  const passed = results?.numPassedTests ?? 0;
  const failed = (results?.numFailedTests ?? 0) + (results?.numRuntimeErrorTestSuites ?? 0) + faults.length;
  return { passed, failed: exitCode !== 0 && failed === 0 ? 1 : failed };
}

/** Warnings of Node in any process of the run, with the place. Each is a failure: nobody reads logs for them. */
function warnings() {
  const faults = faultyWarnings(readText(join(folder, "warnings")) ?? "");
  for (const text of faults) console.log(`A process warned: ${text}`);
  return faults;
}

function report() {
  const results = readJson(join(folder, "results.json"));
  const slow = slowestFiles(results, SLOWEST);
  if (slow.length > 1) console.log(`The ${slow.length} slowest files:\n${slow.join("\n")}`);
  const { AUTH_TEST_LONG, AUTH_TEST_PEERS, AUTH_TEST_CRASH_SECONDS, AUTH_TEST_KAFKA_DRIVER = "" } = process.env;
  const missing = leftOut({
    long: AUTH_TEST_LONG !== undefined,
    peers: AUTH_TEST_PEERS !== undefined,
    crash: AUTH_TEST_CRASH_SECONDS !== undefined,
    driver: AUTH_TEST_KAFKA_DRIVER,
    patterns: process.argv.slice(2),
  });
  console.log(`Left out of this run:\n${missing.map((each) => `- ${each}`).join("\n")}`);
}

/** Ends every stack below the folder, then everything else that the run started. @returns names */
async function leftBehind(parent) {
  const names = await endStacks(parent);
  const began = performance.now();
  // What was told to end may need a moment to be gone.
  while (marked(parent).length > 0 && performance.now() - began < ENDING_MS) await pause(100);
  for (const { pid, name } of marked(parent)) {
    names.push(name);
    signalGroup(pid, "SIGKILL");
  }
  return names;
}

async function endStacks(parent) {
  const names = await killLeftovers(parent);
  for (const entry of readdirSync(parent, { withFileTypes: true })) {
    if (entry.isDirectory() && existsSync(join(parent, entry.name, "pids.json"))) {
      names.push(...(await endStacks(join(parent, entry.name))));
    }
  }
  return names;
}

/** Processes that inherited the run's name in their environment; only Linux shows another process's. */
function marked(parent) {
  const mark = `TEST_RUN_DIR=${parent}\0`;
  const pids = existsSync("/proc/self/environ") ? readdirSync("/proc").filter((entry) => /^\d+$/.test(entry)) : [];
  return pids
    .filter((pid) => Number(pid) !== process.pid && readText(`/proc/${pid}/environ`)?.includes(mark))
    .map((pid) => ({
      pid: Number(pid),
      name: (readText(`/proc/${pid}/cmdline`) ?? pid).replaceAll("\0", " ").slice(0, 120),
    }));
}

async function sweepKilledRuns() {
  for (const name of readdirSync(tmpdir()).filter((entry) => join(tmpdir(), entry).startsWith(prefix))) {
    const other = join(tmpdir(), name);
    try {
      if (runnerLives(other)) continue;
      const left = await leftBehind(other);
      if (left.length > 0) console.log(`Ended what a killed test run had left running: ${left.join(", ")}`);
      rmSync(other, { recursive: true, force: true });
    } catch (error) {
      if (error.code !== "ENOENT") throw error; // another run sweeps too, and was faster
    }
  }
}

/** A folder kept for its logs has no live runner either: the next run removes it. A new one may lack the note yet. */
function runnerLives(other) {
  try {
    const [pid, startTime] = readFileSync(join(other, "runner"), "utf8").split("-");
    return isAlive(Number(pid), startTime);
  } catch {
    return performance.timeOrigin - statSync(other).mtimeMs < JUST_MADE_MS;
  }
}

function readJson(file) {
  try {
    return JSON.parse(readText(file));
  } catch {
    return undefined;
  }
}

function readText(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
