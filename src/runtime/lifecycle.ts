// The life of a process: it starts, runs until it is told to stop, and stops in the reverse order of its start. Every
// resource registers its release with onStop; all are run, and the first error is kept. A permanent failure ends the
// process with exit code 1.
import { setTimeout as sleep } from "node:timers/promises";
import { asError } from "../lib/errors.ts";
import { retry } from "../lib/retry.ts";
import type { Logger } from "./log.ts";

export interface Lifecycle {
  /** Aborted when a stop is requested: pending starts must stop waiting. */
  readonly stopping: AbortSignal;
  /** Registers a release; the last registered one runs first. */
  onStop(undo: () => Promise<void> | void): void;
  /** A permanent failure: the process stops, and exits with 1. */
  fail(error: Error): void;
  /** Runs all releases, once; later calls wait for the same. @throws the first error */
  stop(): Promise<void>;
  /** Resolves when a stop was requested, with the failure if there was one. */
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

/** Ends early, without an error, at the signal. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

export interface Patience {
  what: string;
  isTransient(error: unknown): boolean;
  log: Logger;
  signal: AbortSignal;
}

/** Retries until it works: a process waits for what it needs at its start. @throws errors that are not transient */
export async function untilAnswered<T>(
  ask: () => Promise<T>,
  { what, isTransient, log, signal }: Patience,
): Promise<T> {
  const onRetry = (error: unknown, pauseMs: number): void =>
    log.warn({ err: asError(error), pause: pauseMs }, `${what} does not answer yet, tried again`);
  return retry(ask, { firstMs: 100, longestMs: 3000, isTransient, signal, onRetry });
}
