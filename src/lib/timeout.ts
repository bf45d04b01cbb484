// Waiting with a bound, in the two ways that are needed.
import { setTimeout as sleep } from "node:timers/promises";

/** The longest delay that Node's timers support. A longer one fires after 1 ms, with a warning. */
const longestTimerMs = 2 ** 31 - 1;

/** A delay for Node's timers: longer ones become 24.8 days, negative ones and NaN become 0. */
export function timerMs(ms: number): number {
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(0, ms), longestTimerMs);
}

/** @throws the result of `late` where the work takes longer; the work's later result is ignored */
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

/** Runs work that may hang or fail. @returns whether it ended in time, successfully or not */
export async function settledWithin(boundMs: number, run: () => Promise<unknown>): Promise<boolean> {
  const done = run().then(
    () => true,
    () => true,
  );
  return withTimeout(done, boundMs, () => new Error("late")).catch(() => false);
}
