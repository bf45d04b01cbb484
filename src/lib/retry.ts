// Retries after transient faults, with doubling pauses, until it works, fails permanently, or is told to stop.
import { setTimeout as sleep } from "node:timers/promises";

export interface RetryOptions {
  /** Before the second attempt; each later pause is twice as long, up to `longestMs`. */
  firstMs: number;
  longestMs: number;
  isTransient(error: unknown): boolean;
  /** Stops the retries. */
  signal: AbortSignal;
  /** Called before each pause. */
  onRetry(error: unknown, pauseMs: number): void;
}

/** @throws errors that are not transient; the last error, where it is told to stop */
export async function retry<T>(
  run: () => Promise<T>,
  { firstMs, longestMs, isTransient, signal, onRetry }: RetryOptions,
): Promise<T> {
  for (let pauseMs = firstMs; ; pauseMs = Math.min(pauseMs * 2, longestMs)) {
    try {
      return await run();
    } catch (error) {
      if (!isTransient(error) || signal.aborted) throw error;
      onRetry(error, pauseMs);
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) throw error;
    }
  }
}
