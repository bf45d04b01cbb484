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

interface Connection {
  socket: object | undefined;
  disconnect(): Promise<boolean>;
}

const checkPendingMs = 10;
let closed = false;

/** In this process, from now on. */
export function closeTraps(): void {
  if (closed) return;
  closed = true;
  closeTimerTrap();
  closeDisconnectTrap();
}

/**
 * Every connection re-arms a timer with a negative delay about 880 times a second, requests or not: Node 24 warns
 * (TimeoutNegativeWarning, kafkajs#1751) and an idle process burns 3 % of a core. Here the timer runs only while requests wait.
 */
function closeTimerTrap(): void {
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

/**
 * Each request that fails with its connection disconnects it, also where a socket is connecting again already: with eleven of them under way Node
 * warned of a leak (MaxListenersExceededWarning, from the `unref` of a socket that has no handle yet). A socket is ended once.
 */
function closeDisconnectTrap(): void {
  const require = createRequire(import.meta.url);
  const { prototype } = require("kafkajs/src/network/connection") as { prototype: Connection };
  const disconnect = prototype.disconnect;
  const ended = new WeakMap<object, Promise<boolean>>();
  prototype.disconnect = function (this: Connection): Promise<boolean> {
    const { socket } = this;
    if (socket === undefined || socket === null) return disconnect.call(this);
    const done = ended.get(socket) ?? disconnect.call(this);
    ended.set(socket, done);
    return done;
  };
}
