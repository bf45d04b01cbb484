// Retries after transient faults, with doubling pauses, until it works, fails permanently, or is told to stop.
import { setTimeout as sleep } from "node:timers/promises";

export interface RetryOptions {
  /** Before the second attempt; each later pause is twice as long, up to `longestMs`. */
  firstMs: number;
  longestMs: number;
  isTransient(error: unknown): boolean;
  /** How often it is run at most. Default: until it works. */
  tries?: number;
  /** Stops the retries. */
  signal?: AbortSignal;
  /** Called before each pause. */
  onRetry?(error: unknown, pauseMs: number): void;
}

/** @throws errors that are not transient; the last error, where there are no more tries or it is told to stop */
export async function retry<T>(
  run: () => Promise<T>,
  { firstMs, longestMs, isTransient, tries = Number.POSITIVE_INFINITY, signal, onRetry }: RetryOptions,
): Promise<T> {
  let pauseMs = firstMs;
  for (let count = 1; ; count += 1) {
    try {
      return await run();
    } catch (error) {
      if (!isTransient(error) || count >= tries || signal?.aborted) throw error;
      onRetry?.(error, pauseMs);
      await sleep(pauseMs, undefined, { ...(signal && { signal }) }).catch(() => undefined);
      if (signal?.aborted) throw error;
      pauseMs = Math.min(pauseMs * 2, longestMs);
    }
  }
}
