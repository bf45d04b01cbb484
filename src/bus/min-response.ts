// Answers no sooner than a set time after the work was begun, whatever was done and whether it went well: for commands
// whose time must not tell what they found. The timer starts before the work, so no part of the work's own time is in
// the moment at which it fires. Does not hide work that takes longer than that: such commands still have to do the same
// for everybody.
import { setTimeout as sleep } from "node:timers/promises";

/** @param minResponseMs undefined: as soon as it is done */
export async function delayUntil<T>(minResponseMs: number | undefined, work: () => Promise<T>): Promise<T> {
  if (minResponseMs === undefined) return work();
  const time = sleep(minResponseMs);
  try {
    return await work();
  } finally {
    await time;
  }
}
