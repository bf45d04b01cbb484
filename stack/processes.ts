// The child processes of one data folder: started in their own process groups, logged to DIR/logs, noted in
// DIR/pids.json. Promises: Ctrl-C in the terminal reaches none of them, only their parent, which ends them in order;
// what a killed parent left running is ended by the next start, and only if pid and start time both match
// (killLeftovers).
// A process that leaves its group by itself (PostgreSQL's backends) is not followed: those end with their postmaster.
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { openLog } from "./logs.ts";
import { isAlive, startTimeOf } from "./pid.ts";

const LEFTOVER_PATIENCE_MS = 8000;
const POLL_MS = 50;

export interface Launch {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Opens an IPC channel: its end tells the child that its parent is gone. */
  readonly ipc?: boolean;
  /** What ends it in order; default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
}

interface Note {
  readonly name: string;
  readonly pid: number;
  readonly startTime: string;
  readonly stopSignal: NodeJS.Signals;
}

export interface Processes {
  spawn(name: string, launch: Launch): ChildProcess;
  /** SIGKILL to every child, now. */
  killAll(): void;
  pids(): Record<string, number>;
}

/** @param dir the data folder; its `logs` folder exists */
export function makeProcesses(dir: string): Processes {
  const notes = new Map<number, Note>();
  const write = () => writeNotes(join(dir, "pids.json"), [...notes.values()]);
  return {
    spawn(name, launch) {
      const child = start(launch, openLog(dir, name));
      const { pid } = child;
      if (pid === undefined) return child;
      notes.set(pid, { name, pid, startTime: startTimeOf(pid) ?? "", stopSignal: launch.stopSignal ?? "SIGTERM" });
      write();
      child.once("exit", () => {
        notes.delete(pid);
        write();
      });
      return child;
    },
    killAll: () => {
      for (const note of notes.values()) signalGroup(note.pid, "SIGKILL");
    },
    pids: () => Object.fromEntries([...notes.values()].map((note) => [note.name, note.pid])),
  };
}

/** The log is the child's own descriptor, so nothing is lost when the parent dies before the child. */
function start(launch: Launch, log: { descriptor: number; close(): void }): ChildProcess {
  const { file, args, env = process.env, cwd, uid, gid, ipc } = launch;
  const output = log.descriptor;
  const child = spawn(file, args, {
    detached: true,
    stdio: ipc ? ["ignore", output, output, "ipc"] : ["ignore", output, output],
    env,
    ...(cwd === undefined ? {} : { cwd }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  });
  log.close();
  return child;
}

/** Notes one process that was started by other means, for killLeftovers of a folder that has no other. */
export function noteProcess(dir: string, name: string, pid: number): void {
  writeNotes(join(dir, "pids.json"), [{ name, pid, startTime: startTimeOf(pid) ?? "", stopSignal: "SIGKILL" }]);
}

/** Ends what a former run left running. Last started is ended first. @returns the names of what was still there */
export async function killLeftovers(dir: string): Promise<string[]> {
  const file = join(dir, "pids.json");
  const alive = () => readNotes(file).filter((note) => isAlive(note.pid, note.startTime));
  const found = alive().reverse();
  for (const note of found) signalGroup(note.pid, note.stopSignal);
  const began = performance.now();
  while (alive().length > 0) {
    if (performance.now() - began > LEFTOVER_PATIENCE_MS) for (const note of alive()) signalGroup(note.pid, "SIGKILL");
    await pause(POLL_MS);
  }
  if (readNotes(file).length > 0) writeNotes(file, []);
  return found.map((note) => note.name);
}

/** The whole group, and the process itself where the group is not its own (yet). */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, signal);
      return;
    } catch {
      // Gone already, or no group leader: then the process itself is tried.
    }
  }
}

function writeNotes(file: string, notes: readonly Note[]): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(notes, null, 2)}\n`);
  renameSync(`${file}.new`, file);
}

function readNotes(file: string): Note[] {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Note[];
  } catch {
    return [];
  }
}
