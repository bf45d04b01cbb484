// How a process lives: it starts, runs until it is told to stop, and stops in the reverse order of its start. Every
// resource leaves its undo with onStop; all are undone, and the first error is kept. A part that fails for good ends
// the process with exit code 1.
import { setTimeout as sleep } from "node:timers/promises";
import { asError } from "../lib/errors.ts";
import { retry } from "../lib/retry.ts";
import type { Logger } from "./log.ts";

export interface Lifecycle {
  /** Aborted when a stop is asked for: what still waits to start must not go on waiting. */
  readonly stopping: AbortSignal;
  /** Registers what undoes a start; the last registered is undone first. */
  onStop(undo: () => Promise<void> | void): void;
  /** Something cannot go on: the process stops, and ends with 1. */
  fail(error: Error): void;
  /** Undoes everything once; later calls wait for the same. @throws the first error */
  stop(): Promise<void>;
  /** Resolves when a stop was asked for, with the failure if there was one. */
  readonly asked: Promise<Error | undefined>;
  ask(): void;
}

export function makeLifecycle(log: Logger): Lifecycle {
  const stopping = new AbortController();
  const undos: (() => Promise<void> | void)[] = [];
  const asked = Promise.withResolvers<Error | undefined>();
  let stopped: Promise<void> | undefined;

  const ask = (failure: Error | undefined): void => {
    asked.resolve(failure);
    stopping.abort();
  };

  const undoAll = async (): Promise<void> => {
    stopping.abort();
    let first: Error | undefined;
    for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) {
      try {
        await undo();
      } catch (error) {
        log.warn({ err: asError(error) }, "a part did not stop cleanly");
        first ??= asError(error);
      }
    }
    if (first !== undefined) throw first;
  };

  return {
    stopping: stopping.signal,
    onStop: (undo) => void undos.push(undo),
    fail(error) {
      log.error({ err: error }, "cannot go on");
      ask(error);
    },
    stop() {
      stopped ??= undoAll();
      return stopped;
    },
    asked: asked.promise,
    ask: () => ask(undefined),
  };
}

/** Ends early, and without a word, at the signal. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

export interface Patience {
  what: string;
  isTransient(error: unknown): boolean;
  log: Logger;
  signal: AbortSignal;
}

/** Tries until it works: a process that starts before what it needs waits for it. @throws what is not transient */
export async function untilAnswered<T>(
  ask: () => Promise<T>,
  { what, isTransient, log, signal }: Patience,
): Promise<T> {
  const onRetry = (error: unknown, pauseMs: number): void =>
    log.warn({ err: asError(error), pause: pauseMs }, `${what} does not answer yet, tried again`);
  return retry(ask, { firstMs: 100, longestMs: 3000, isTransient, signal, onRetry });
}
