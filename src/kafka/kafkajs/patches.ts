// Traps of kafkajs 2.2.4 that no setting closes, closed at run time. test/kafka/kafkajs/patches.test.ts pins the
// version: a new kafkajs must be looked at before this file is trusted with it.
import { createRequire } from "node:module";
import type { Socket } from "node:net";

interface RequestQueue {
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  pending: unknown[];
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

interface Broker {
  versions: object | null;
  isConnected(): boolean;
}

interface Connection {
  socket: Socket | null | undefined;
  disconnect(): Promise<boolean>;
}

const checkPendingMs = 10;
let closed = false;

/** In this process, from now on. */
export function applyPatches(): void {
  if (closed) return;
  closed = true;
  closeTimerTrap();
  closeDisconnectTrap();
  closeVersionsTrap();
}

/**
 * Every connection re-arms a timer with a negative delay about 880 times a second, requests or not: Node 24 warns
 * (TimeoutNegativeWarning, kafkajs#1751) and an idle process burns 3 % of a core. Here the timer runs only while
 * requests wait.
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
 * Each request that fails with its connection disconnects it, also where a socket is connecting again already, and each
 * time its `unref` waits for that: with eleven of them Node warned of a leak (MaxListenersExceededWarning). Once is
 * enough, and all else of a disconnect must go on each time: a socket that connects after it was ended leaves its
 * connection as connected for good, unless somebody disconnects it once more.
 */
function closeDisconnectTrap(): void {
  const require = createRequire(import.meta.url);
  const { prototype } = require("kafkajs/src/network/connection") as { prototype: Connection };
  const disconnect = prototype.disconnect;
  const seen = new WeakSet<Socket>();
  prototype.disconnect = function (this: Connection): Promise<boolean> {
    const { socket } = this;
    if (socket && !seen.has(socket)) {
      seen.add(socket);
      const unref = socket.unref.bind(socket);
      let isDone = false;
      socket.unref = () => {
        if (!isDone) unref();
        isDone = true;
        return socket;
      };
    }
    return disconnect.call(this);
  };
}

/**
 * A broker that takes a connection and answers nothing yet (stopped, starting) counts as connected, so nobody asks it
 * for its versions again, and without them every request fails with "Broker not connected", also when it answers long
 * since.
 */
function closeVersionsTrap(): void {
  const require = createRequire(import.meta.url);
  const { prototype } = require("kafkajs/src/broker") as { prototype: Broker };
  const isConnected = prototype.isConnected;
  prototype.isConnected = function (this: Broker): boolean {
    return this.versions !== null && isConnected.call(this);
  };
}
