// A Python program of this folder as a process of the test: lines of JSON go in and out.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { noteProcess } from "../../stack/processes.ts";
import { runFolder } from "../support/stack.ts";

export interface PythonProgram {
  /** See venv.ts. */
  python: string;
  /** Below this folder. */
  script: string;
  args?: string[];
  /** Of the fleet it speaks to: two of one program may run at once. */
  name: string;
}

/** @returns the process, and a folder of its own */
export function startPython({ python, script, args = [], name }: PythonProgram): {
  child: ChildProcessWithoutNullStreams;
  folder: string;
} {
  const folder = join(runFolder(), `interop-${basename(script, ".py")}-${name}`);
  mkdirSync(folder, { recursive: true });
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: "1" };
  const file = join(import.meta.dirname, script);
  const child = spawn(python, [file, ...args.map((arg) => arg.replace("{folder}", folder))], { env, stdio: "pipe" });
  if (child.pid !== undefined) noteProcess(folder, script, child.pid);
  return { child, folder };
}
