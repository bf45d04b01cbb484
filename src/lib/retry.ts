// Tries again what failed for a reason that passes: with pauses that double, until it works, fails for another reason,
// or is told to stop.
import { setTimeout as sleep } from "node:timers/promises";

export interface RetryOptions {
  /** Before the second try; each later one is twice the one before, up to `longestMs`. */
  firstMs: number;
  longestMs: number;
  isTransient(error: unknown): boolean;
  /** Ends the waiting. */
  signal: AbortSignal;
  /** Called before each pause. */
  onRetry(error: unknown, pauseMs: number): void;
}

/** @throws what is not transient; the last error, where it is told to stop */
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
