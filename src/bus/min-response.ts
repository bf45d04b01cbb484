// Delays a reply to a set time after the work began, whether it succeeded or not, for commands whose duration must not
// reveal what they found (whether an address has an account). The timer starts before the work, so it does not depend
// on the work. It does not hide work that takes longer: such commands must also run the same statements in every case.
import { setTimeout as sleep } from "node:timers/promises";

/** @param minResponseMs undefined: no delay */
export async function delayUntil<T>(minResponseMs: number | undefined, work: () => Promise<T>): Promise<T> {
  if (minResponseMs === undefined) return work();
  const time = sleep(minResponseMs);
  try {
    return await work();
  } finally {
    await time;
  }
}
