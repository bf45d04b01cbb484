// Bugs of kafkajs 2.2.4 that no setting avoids, fixed in each instance of a client (instances.ts).
// test/kafka/kafkajs/patches.test.ts pins the version: check a new kafkajs before using this file with it.
import type { Socket } from "node:net";
import type { Kafka, KafkaConfig } from "kafkajs";
import { type Broker, type Changes, type Connection, openClient, type RequestQueue } from "./instances.ts";

const checkPendingMs = 10;

export const patches: Changes = {
  connection(made) {
    patchTimer(made.requestQueue);
    patchDisconnect(made);
  },
  broker: patchVersions,
};

/** kafkajs with these bugs fixed and nothing else changed. */
export function openPatched(config: KafkaConfig): Kafka {
  return openClient(config, [patches]);
}

/**
 * Every connection re-arms a timer with a negative delay about 880 times a second, with or without requests: Node 24
 * warns (TimeoutNegativeWarning, kafkajs#1751) and an idle process uses 3 % of a core. Fixed: the timer runs only while
 * requests wait.
 */
export function patchTimer(queue: RequestQueue): void {
  queue.scheduleCheckPendingRequests = () => {
    if (queue.throttleCheckTimeoutId !== null || queue.pending.length === 0) return;
    const throttledFor = queue.throttledUntil - Date.now();
    queue.throttleCheckTimeoutId = setTimeout(
      () => {
        queue.throttleCheckTimeoutId = null;
        queue.checkPendingRequests();
      },
      Math.max(throttledFor, checkPendingMs),
    );
  };
}

/**
 * Each request that fails with its connection disconnects it, even if its socket is reconnecting, and each time its
 * `unref` adds a listener: with eleven of them Node warned of a leak (MaxListenersExceededWarning). Fixed: one listener
 * is enough. The rest of a disconnect must still run each time: a socket that connects after it was ended leaves its
 * connection marked as connected until it is disconnected again.
 */
export function patchDisconnect(connection: Pick<Connection, "socket" | "disconnect">): void {
  const disconnect = connection.disconnect.bind(connection);
  const seen = new WeakSet<Socket>();
  connection.disconnect = () => {
    const { socket } = connection;
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
    return disconnect();
  };
}

/**
 * A broker that accepts a connection and does not answer yet (stopped, starting) counts as connected, so its versions
 * are never requested again; without them every request fails with "Broker not connected", even after the broker
 * answers. Fixed: they are requested again.
 */
function patchVersions(broker: Broker): void {
  const isConnected = broker.isConnected.bind(broker);
  broker.isConnected = () => broker.versions !== null && isConnected();
}
