// How every command of a checkout starts: check the Node at hand, install when needed, go on under the project's
// Node 24: in this process where it is that already and nothing else speaks against it, else in another.
// Promises: a signal reaches the program once, however often one keystroke sends it; the exit code is the program's; a
// program whose parent was killed sees its IPC channel close and can stop its own children.
// Runs on Node 20.20, so it uses nothing newer and no package.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ensureInstalled, Refusal } from "./install.js";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The major version of the package `node` in package.json: a Node of it that is at hand does as well. */
const PROJECT_MAJOR = 24;

/** npm passes Ctrl-C on to a child that already got it from the terminal: within this time it is the same keystroke. */
const SAME_KEYSTROKE_MS = 1000;
const PARENT_WATCH_MS = 500;

const programs = { main: "src/main.ts", "run-jest": "bin/run-jest.js", release: "tools/release.ts" };

/**
 * Runs a program of the checkout and ends this process with its exit code.
 * @param {object} task
 * @param {keyof typeof programs} task.program
 * @param {string[]} task.args
 * @param {string[]} [task.nodeOptions]
 * @param {boolean} [task.interactive]
 *   nodeOptions: of Node itself, for the program and the processes that it starts;
 *   interactive: keep the terminal (prompts).
 */
export async function launch(task) {
  try {
    refuseOldNode();
    await ensureInstalled(root);
    if (runsHere(task)) await runHere(task);
    else process.exitCode = await relaunch(task);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

function refuseOldNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (process.platform === "win32") throw new Refusal("Windows is not supported: run this inside WSL.");
  if (major > 20 || (major === 20 && minor >= 20)) return;
  throw new Refusal(`Node ${process.versions.node} is too old: install Node 20.20 or newer and run the command again.`);
}

/** Saves a process where nothing would be gained by another one: same Node, no options for it, same terminal. */
function runsHere({ interactive = false, nodeOptions = [] }) {
  const [major] = process.versions.node.split(".").map(Number);
  return interactive && nodeOptions.length === 0 && major === PROJECT_MAJOR;
}

/** The program sees its own arguments, and ends this process by itself. */
async function runHere({ program, args }) {
  const file = programFile(program);
  process.argv = [process.execPath, file, ...args];
  await import(pathToFileURL(file).href);
}

function projectNode() {
  const file = createRequire(import.meta.url).resolve("node/package.json");
  const binary = join(dirname(file), "bin", "node");
  if (existsSync(binary)) return binary;
  throw new Refusal("The project's own Node is missing because install scripts were off: run `npm rebuild node`.");
}

/** @param {keyof typeof programs} program */
const programFile = (program) => join(root, programs[program]);

/** A program that keeps its own process group gets no Ctrl-C from the terminal, only what is passed on here. */
function relaunch({ program, args, nodeOptions = [], interactive = false }) {
  const child = spawn(projectNode(), [...nodeOptions, programFile(program), ...args], {
    detached: !interactive,
    stdio: interactive ? "inherit" : ["inherit", "inherit", "inherit", "ipc"],
  });
  passSignals(child, interactive);
  if (!interactive) stopWithNpm(child);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? exitCodeOf(signal)));
  });
}

function passSignals(child, interactive) {
  const passedAt = new Map();
  const pass = (signal) => {
    const now = performance.now();
    if (!interactive && now - (passedAt.get(signal) ?? Number.NEGATIVE_INFINITY) < SAME_KEYSTROKE_MS) return;
    passedAt.set(signal, now);
    child.kill(signal);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => pass(signal));
}

/** A killed npm cannot stop its script. The system would go on running, and the next start find its folder in use. */
function stopWithNpm(child) {
  if (process.env.npm_lifecycle_event === undefined) return;
  const before = parents();
  const watch = setInterval(() => {
    if (parents() === before) return;
    clearInterval(watch);
    child.kill("SIGTERM");
  }, PARENT_WATCH_MS);
  child.once("exit", () => clearInterval(watch));
}

/** The parent, and where that is npm's shell, the parent of the shell. */
function parents() {
  try {
    const stat = readFileSync(`/proc/${process.ppid}/stat`, "utf8");
    const [, grandparent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return /\((sh|bash|dash)\)/.test(stat) ? `${process.ppid} ${grandparent}` : `${process.ppid}`;
  } catch {
    return `${process.ppid}`;
  }
}

const exitCodeOf = (signal) => 128 + ({ SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }[signal] ?? 0);
