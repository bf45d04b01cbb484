// Traps of kafkajs 2.2.4 that no setting closes, closed at run time. test/bus/kafka-traps.test.ts pins the version: a new
// kafkajs must be looked at before this file is trusted with it.
import { createRequire } from "node:module";

interface RequestQueue {
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  pending: unknown[];
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

const checkPendingMs = 10;
let closed = false;

/**
 * Every connection re-arms a timer with a negative delay about 880 times a second, requests or not: Node 24 warns
 * (TimeoutNegativeWarning, kafkajs#1751) and an idle process burns 3 % of a core. Here the timer runs only while requests wait.
 */
export function closeTimerTrap(): void {
  if (closed) return;
  closed = true;
  const require = createRequire(import.meta.url);
  const queue = require("kafkajs/src/network/requestQueue") as { prototype: RequestQueue };
  queue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.throttleCheckTimeoutId !== null || this.pending.length === 0) return;
    const throttledFor = this.throttledUntil - Date.now();
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null;
        this.checkPendingRequests();
      },
      Math.max(throttledFor, checkPendingMs),
    );
  };
}
