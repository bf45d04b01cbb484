// A lock between processes: a folder that holds one file named after its owner's pid and start time.
// It is moved into place whole, and a move onto a folder that is not empty fails: so a lock never lacks its owner, and
// of two that take over from a dead owner only one succeeds (each removes only the dead one's file, by its name).
// Nothing is left to clean after kill -9: the next one sees that the owner is gone. It does not work across machines.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { codeOf } from "./failure.ts";
import { isAlive, startTimeOf } from "./pid.ts";

const POLL_MS = 100;
const ENDING = "ending";

export interface Lock {
  /** Tells those who wait that the owner is about to let go. */
  announceEnd(): void;
  release(): void;
}

export interface Owner {
  readonly pid: number;
  readonly ending: boolean;
}

/** Takes the lock, or returns the live owner that holds it. */
export function tryLock(folder: string): Lock | Owner {
  const name = `${process.pid}-${startTimeOf(process.pid)}`;
  const mine = `${folder}.${process.pid}`;
  mkdirSync(mine, { recursive: true });
  writeFileSync(join(mine, name), "");
  for (;;) {
    if (moved(mine, folder)) return held(folder, name);
    const owner = liveOwner(folder);
    if (owner === undefined) continue;
    rmSync(mine, { recursive: true, force: true });
    return owner;
  }
}

/**
 * Waits for the lock as long as `patience` says about the present owner (ms since the wait began are given to it).
 * @returns the lock, or the owner that outlasted the patience
 */
export async function waitForLock(
  folder: string,
  patience: (owner: Owner, waitedMs: number) => boolean,
): Promise<Lock | Owner> {
  const began = performance.now();
  for (;;) {
    const outcome = tryLock(folder);
    if (!("pid" in outcome) || !patience(outcome, performance.now() - began)) return outcome;
    await pause(POLL_MS);
  }
}

function moved(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOTEMPTY" || codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Removes the notes of dead owners on the way. */
function liveOwner(folder: string): Owner | undefined {
  for (const name of entries(folder)) {
    const [pid, startTime] = name.split("-");
    if (isAlive(Number(pid), startTime)) return { pid: Number(pid), ending: read(join(folder, name)) === ENDING };
    rmSync(join(folder, name), { force: true });
  }
  return undefined;
}

function held(folder: string, name: string): Lock {
  return {
    announceEnd: () => writeFileSync(join(folder, name), ENDING),
    release: () => {
      rmSync(join(folder, name), { force: true });
      try {
        rmdirSync(folder);
      } catch {
        // The next owner may have moved its own folder here already.
      }
    },
  };
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
