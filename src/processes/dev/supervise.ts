// Restarts a process that died, and reports it: after 1 s, 2 s, 4 s ... 30 s, starting over after a minute of health. A
// process that dies three times before it was ever ready is not restarted: its fault is permanent. A stop ends the
// waiting. Why it died is in its log.
import { setTimeout as pause } from "node:timers/promises";
import type { Report } from "../../../stack/progress.ts";
import type { Service } from "../../../stack/service.ts";
import { systemClock } from "../../lib/clock.ts";

const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 30_000;
const HEALTHY_MS = 60_000;
const FIRST_TRIES = 3;

export interface Watch {
  readonly report: Report;
  /** Ends all waiting and starting. */
  readonly stopped: AbortSignal;
}

/** @returns when the process is ready for the first time @throws its last output */
export async function startSupervised(service: Service, watch: Watch): Promise<void> {
  for (let tries = 1; ; tries++) {
    watch.stopped.throwIfAborted();
    try {
      await service.start();
      break;
    } catch (error) {
      if (tries === FIRST_TRIES || watch.stopped.aborted) throw error;
      await announce(service, { how: "before it was ready", failures: tries }, watch);
    }
  }
  supervise(service, watch);
}

/** For a process that is ready already. */
export function supervise(service: Service, watch: Watch): void {
  let failures = 0;
  let readyAt = systemClock.monotonic();
  service.onCrash((how) => {
    if (systemClock.monotonic() - readyAt > HEALTHY_MS) failures = 0;
    void again(how);
  });

  async function again(how: string): Promise<void> {
    while (!watch.stopped.aborted) {
      failures++;
      await announce(service, { how, failures }, watch);
      if (watch.stopped.aborted) return;
      try {
        await service.start();
        readyAt = systemClock.monotonic();
        watch.report(`${service.name} is up again`);
        return;
      } catch {
        // The next turn reports it; the reason is in the log.
      }
    }
  }
}

async function announce(service: Service, death: { how: string; failures: number }, watch: Watch): Promise<void> {
  const delay = Math.min(FIRST_DELAY_MS * 2 ** (death.failures - 1), LONGEST_DELAY_MS);
  watch.report(`${service.name} died (${death.how}): started again in ${delay / 1000} s`);
  await pause(delay, undefined, { signal: watch.stopped }).catch(() => {});
}
