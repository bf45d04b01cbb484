// Waiting with a bound, in the two ways that are needed.
import { setTimeout as sleep } from "node:timers/promises";

/** The longest delay that Node's timers take. A longer one fires after 1 ms, with a warning. */
const longestTimerMs = 2 ** 31 - 1;

/** A delay that Node's timers take: what is longer waits 24.8 days, what is below 0, or no number, does not wait. */
export function timerMs(ms: number): number {
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(0, ms), longestTimerMs);
}

/** @throws what `late` makes where the work takes longer; what it does later is nobody's business */
export async function withTimeout<T>(work: Promise<T>, boundMs: number, late: () => Error): Promise<T> {
  const over = new AbortController();
  const bound = sleep(timerMs(boundMs), undefined, { signal: over.signal }).then(() => {
    throw late();
  });
  bound.catch(() => undefined); // told to stop: nobody waits any more
  try {
    return await Promise.race([work, bound]);
  } finally {
    over.abort();
  }
}

/** Runs what may hang or fail. @returns whether it was done in time, well or not */
export async function settledWithin(boundMs: number, run: () => Promise<unknown>): Promise<boolean> {
  const done = run().then(
    () => true,
    () => true,
  );
  return withTimeout(done, boundMs, () => new Error("late")).catch(() => false);
}
