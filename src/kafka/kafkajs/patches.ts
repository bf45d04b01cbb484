// Faults of kafkajs 2.2.4 that no setting avoids, put right on each instance of a client (instances.ts).
// test/kafka/kafkajs/patches.test.ts pins the version: a new kafkajs must be looked at before this file is trusted with
// it.
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

/** kafkajs with nothing changed but its faults. */
export function openPatched(config: KafkaConfig): Kafka {
  return openClient(config, [patches]);
}

/**
 * Every connection re-arms a timer with a negative delay about 880 times a second, requests or not: Node 24 warns
 * (TimeoutNegativeWarning, kafkajs#1751) and an idle process burns 3 % of a core. Here the timer runs only while
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
 * Each request that fails with its connection disconnects it, also where a socket is connecting again already, and each
 * time its `unref` waits for that: with eleven of them Node warned of a leak (MaxListenersExceededWarning). Once is
 * enough, and all else of a disconnect must go on each time: a socket that connects after it was ended leaves its
 * connection as connected for good, unless somebody disconnects it once more.
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
 * A broker that takes a connection and answers nothing yet (stopped, starting) counts as connected, so nobody asks it
 * for its versions again, and without them every request fails with "Broker not connected", also when it answers long
 * since.
 */
function patchVersions(broker: Broker): void {
  const isConnected = broker.isConnected.bind(broker);
  broker.isConnected = () => broker.versions !== null && isConnected();
}
