// Says what a start is waiting for, at once and then every few seconds, so that nobody takes a slow first start for a
// hang. It writes nothing itself: lines go to the report function its caller was given.

/** Takes one line of progress for the user who waits. */
export type Report = (line: string) => void;

const EVERY_MS = 5000;

/** Seconds since it was made, as text with one decimal. */
export function stopwatch(): () => string {
  const began = performance.now();
  return () => `${((performance.now() - began) / 1000).toFixed(1)} s`;
}

/**
 * Reports a wait until the work is done.
 * @param detail what to add to the repeated line (files fetched so far)
 */
export async function whileSaying<T>(
  { what, report, detail = () => "" }: { what: string; report: Report; detail?: () => string },
  work: () => Promise<T>,
): Promise<T> {
  const elapsed = stopwatch();
  report(`${what} ...`);
  const timer = setInterval(() => report(`${what} ... ${elapsed()}${detail()}`), EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
