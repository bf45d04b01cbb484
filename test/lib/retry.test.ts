// Trying again: what passes is tried until it works, with pauses that double up to a bound; nothing else is.
import { expect, test } from "@jest/globals";
import { type RetryOptions, retry } from "../../src/lib/retry.ts";

const passing = new Error("not yet");

/** Fails so often with `error`, then gives how often it was tried. */
function failing(times: number, error: Error = passing): () => Promise<number> {
  let tries = 0;
  return () => {
    tries += 1;
    return tries > times ? Promise.resolve(tries) : Promise.reject(error);
  };
}

function options(changed: Partial<RetryOptions> = {}): RetryOptions & { pauses: number[] } {
  const pauses: number[] = [];
  return {
    firstMs: 1,
    longestMs: 4,
    isTransient: (error) => error === passing,
    signal: new AbortController().signal,
    onRetry: (_error, pauseMs) => pauses.push(pauseMs),
    pauses,
    ...changed,
  };
}

test("what passes is tried until it works, with pauses that double up to the longest", async () => {
  const how = options();
  expect(await retry(failing(5), how)).toBe(6);
  expect(how.pauses).toEqual([1, 2, 4, 4, 4]);
});

test("what works, and what does not pass, is tried once", async () => {
  const how = options();
  expect(await retry(failing(0), how)).toBe(1);
  await expect(retry(failing(1, new Error("broken")), how)).rejects.toThrow("broken");
  expect(how.pauses).toEqual([]);
});

test("told to stop it ends its pause and throws the last error", async () => {
  const stopping = new AbortController();
  const how = options({ firstMs: 60_000, longestMs: 60_000, signal: stopping.signal });
  const trying = retry(failing(1), { ...how, onRetry: () => setImmediate(() => stopping.abort()) });
  await expect(trying).rejects.toBe(passing);
  await expect(retry(failing(1), how)).rejects.toBe(passing); // stopped before: no pause at all
  expect(how.pauses).toEqual([]);
});
