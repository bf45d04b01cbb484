// Retries: after a transient fault until it works or there are no more tries, with pauses that double up to a bound;
// after no other fault.
import { expect, test } from "@jest/globals";
import { type RetryOptions, retry } from "../../src/lib/retry.ts";

const transient = new Error("not yet");

/** Fails as often as told with `error`, then returns how often it was run. */
function failing(times: number, error: Error = transient): () => Promise<number> {
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
    isTransient: (error) => error === transient,
    signal: new AbortController().signal,
    onRetry: (_error, pauseMs) => pauses.push(pauseMs),
    pauses,
    ...changed,
  };
}

test("it is retried after a transient fault until it works, with pauses that double up to the longest", async () => {
  const how = options();
  expect(await retry(failing(5), how)).toBe(6);
  expect(how.pauses).toEqual([1, 2, 4, 4, 4]);
});

test("it is run once where it works, or fails with another fault", async () => {
  const how = options();
  expect(await retry(failing(0), how)).toBe(1);
  await expect(retry(failing(1, new Error("broken")), how)).rejects.toThrow("broken");
  expect(how.pauses).toEqual([]);
});

test("there are at most so many tries, and the last error is thrown", async () => {
  const how = options({ tries: 3 });
  await expect(retry(failing(3), how)).rejects.toBe(transient);
  expect(how.pauses).toEqual([1, 2]);
  expect(await retry(failing(2), options({ tries: 3 }))).toBe(3); // the control
});

test("told to stop it ends its pause and throws the last error", async () => {
  const stopping = new AbortController();
  const how = options({ firstMs: 60_000, longestMs: 60_000, signal: stopping.signal });
  const trying = retry(failing(1), { ...how, onRetry: () => setImmediate(() => stopping.abort()) });
  await expect(trying).rejects.toBe(transient);
  await expect(retry(failing(1), how)).rejects.toBe(transient); // stopped before: no pause at all
  expect(how.pauses).toEqual([]);
});
