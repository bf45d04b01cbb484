// Processes that tests start: src/main.ts or a script below test, each with a log of its own and a note by which
// bin/run-jest.js finds what a test leaves running.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { noteProcess } from "../../stack/processes.ts";

const root = join(import.meta.dirname, "..", "..");

/** Stops a child as an operator would, and as the kernel would where that takes too long. */
export async function end(child: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exit = once(child, "exit");
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), 15_000);
  await exit;
  clearTimeout(timer);
  await logged.get(child);
  return child.exitCode;
}

export interface Launch {
  env: Record<string, string>;
  /** Of this process alone: its log, and the note by which the runner finds it should a test leave it behind. */
  folder: string;
  /** Arguments for Node itself. */
  node?: string[];
  /** What runs instead of src/main.ts: below test. */
  script?: string;
}

/** For each child: settled once all that it printed is in its log, which is after its exit. */
const logged = new WeakMap<ChildProcess, Promise<unknown>>();

const logOf = (folder: string): string => join(folder, "log");

export function launch(args: string[], { env, folder, node = [], script }: Launch): ChildProcess {
  mkdirSync(folder, { recursive: true });
  const file = script === undefined ? join(root, "src", "main.ts") : join(root, "test", script);
  const child = spawn(process.execPath, [...node, file, ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe", "ipc"], // the channel's end tells the child that this process is gone
  });
  if (child.pid !== undefined) noteProcess(folder, args.join(" "), child.pid);
  const sink = createWriteStream(logOf(folder), { flags: "a" });
  child.stdout?.pipe(sink, { end: false });
  child.stderr?.pipe(sink, { end: false });
  child.once("close", () => sink.end());
  logged.set(child, once(sink, "close"));
  return child;
}

/** Runs to the end. @throws Error with the log's last lines */
export async function run(args: string[], options: Launch): Promise<void> {
  const child = launch(args, options);
  await logged.get(child);
  const code = child.exitCode;
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${String(code)}:\n${tail(options.folder)}`);
}

function tail(folder: string): string {
  return readFileSync(logOf(folder), "utf8").split("\n").slice(-15).join("\n");
}

/** The line in which a process says where it is. */
export function upLine(child: ChildProcess, folder: string): Promise<{ http: string; address?: string }> {
  return new Promise((resolve, reject) => {
    let text = "";
    const gone = async (): Promise<void> => {
      await logged.get(child);
      reject(new Error(`the process ended before it was up:\n${tail(folder)}`));
    };
    child.once("exit", gone);
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const line = text.split("\n").find((each) => / is up"/.test(each));
      if (line === undefined) return;
      child.removeListener("exit", gone);
      resolve(JSON.parse(line) as { http: string; address?: string });
    });
  });
}
