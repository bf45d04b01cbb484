// What kafkajs does wrong and we put right at run time, each beside the same without our change.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { type AddressInfo, connect, createServer, Socket } from "node:net";
import { join } from "node:path";
import driver, { type Kafka, type KafkaConfig } from "kafkajs";
import { openClient, type RequestQueue } from "../../../src/kafka/kafkajs/instances.ts";
import { openPatched, patchDisconnect, patchTimer } from "../../../src/kafka/kafkajs/patches.ts";
import { testStack } from "../../support/stack.ts";
import { until } from "../../support/until.ts";

const require = createRequire(import.meta.url);
const root = join(import.meta.dirname, "..", "..", "..");

interface Queue extends RequestQueue {
  push(request: object): void;
  fulfillRequest(response: object): void;
  destroy(): void;
}
const DriverQueue = require("kafkajs/src/network/requestQueue") as new (options: object) => Queue;
const Connection = require("kafkajs/src/network/connection") as { prototype: { disconnect(): Promise<boolean> } };
/** A connection's queue that counts how often its timer fires. */
function queue(patch: (made: Queue) => void) {
  const made = new DriverQueue({
    maxInFlightRequests: 1,
    requestTimeout: 1000,
    clientId: "test",
    broker: "test",
    logger: { debug: () => undefined, warn: () => undefined },
  });
  patch(made);
  let fired = 0;
  const check = made.checkPendingRequests.bind(made);
  made.checkPendingRequests = () => {
    fired += 1;
    check();
  };
  const sent: number[] = [];
  const push = (correlationId: number): void =>
    made.push({
      entry: { correlationId, resolve: () => undefined, reject: () => undefined },
      expectResponse: true,
      sendRequest: () => sent.push(correlationId),
    });
  return { queue: made, fired: () => fired, sent, push };
}

test("kafkajs is 2.2.4: read src/kafka/kafkajs/patches.ts against another version's source before it may run", () => {
  expect((require("kafkajs/package.json") as { version: string }).version).toBe("2.2.4");
});

test("the timer of an idle connection does not fire; unpatched it does without end", async () => {
  const [patched, unpatched] = [queue(patchTimer), queue(() => undefined)];
  // Its delay is positive instead of negative here, which changes nothing but that Node does not warn: a warning fails
  // the run.
  Object.defineProperty(unpatched.queue, "throttledUntil", { get: () => Date.now() + 10 });
  patched.queue.checkPendingRequests();
  unpatched.queue.checkPendingRequests();
  await until("the unpatched timer has fired", () => unpatched.fired() > 10);
  expect([patched.fired(), patched.queue.throttleCheckTimeoutId]).toEqual([1, null]);
  unpatched.queue.destroy();
});

test("a connection that is told often to disconnect is disconnected each time, and listens to its socket once; unpatched each time", async () => {
  /** A connection whose socket is connecting: what waits for that. */
  const listeners = async (
    patch: (made: { socket: Socket; disconnect(): Promise<boolean> }) => void,
  ): Promise<number> => {
    const socket = new Socket().setMaxListeners(20);
    const requestQueue = { waitForPendingRequests: () => Promise.resolve(), destroy: () => undefined };
    const { disconnect } = Connection.prototype;
    const connection = { socket, requestQueue, logDebug: () => undefined, connectionStatus: "", disconnect };
    patch(connection);
    await connection.disconnect();
    connection.connectionStatus = "connected"; // so a socket says that connects after it was ended
    const done = await Promise.all(Array.from({ length: 12 }, () => connection.disconnect()));
    expect(done).toEqual(done.map(() => true));
    expect(connection.connectionStatus).toBe("disconnected");
    const count = socket.listenerCount("connect");
    socket.destroy();
    return count;
  };
  expect(await listeners(patchDisconnect)).toBeLessThan(3);
  expect(await listeners(() => undefined)).toBeGreaterThan(10);
});

/** Before a real broker: takes connections and what comes over them, and passes it on only from `open` on. */
async function makeGate() {
  const { hostname, port } = new URL(`kafka://${testStack().kafka}`);
  const sockets: Socket[] = [];
  let isOpen = false;
  const server = createServer((socket) => {
    const broker = connect(Number(port), hostname);
    sockets.push(socket, broker);
    for (const each of [socket, broker]) each.on("error", () => each.destroy());
    socket.on("data", (bytes) => isOpen && broker.write(bytes));
    broker.on("data", (bytes) => socket.write(bytes));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    open: () => {
      isOpen = true;
    },
    close: () => {
      for (const each of sockets) each.destroy();
      server.close();
    },
  };
}

test("a broker that took a connection and said nothing at first is asked again; unpatched it stays useless", async () => {
  const timer = { connection: ({ requestQueue }: { requestQueue: RequestQueue }) => patchTimer(requestQueue) }; // else Node warns
  const ask = async (open: (config: KafkaConfig) => Kafka): Promise<string> => {
    const gate = await makeGate();
    const retry = { retries: 1, initialRetryTime: 10 };
    const kafka = open({
      brokers: [gate.address],
      requestTimeout: 500,
      retry,
      logLevel: driver.logLevel.NOTHING,
    });
    const admin = kafka.admin();
    const answer = () =>
      admin
        .connect()
        .then(() => admin.describeCluster())
        .then(({ clusterId }) => clusterId, String);
    const first = await answer();
    gate.open();
    const second = await answer();
    await admin.disconnect();
    gate.close();
    expect(first).toMatch(/timed out|not connected/);
    return second;
  };
  expect(await ask(openPatched)).toMatch(/^[\w-]{22}$/);
  expect(await ask((config) => openClient(config, [timer]))).toMatch(/not connected/);
});

test("requests that wait are sent all the same: for an answer, and for the end of a throttle", async () => {
  const { queue: made, sent, push } = queue(patchTimer);
  push(1);
  push(2);
  expect(sent).toEqual([1]);
  made.fulfillRequest({ correlationId: 1, payload: null, size: 0 });
  expect(sent).toEqual([1, 2]);
  made.fulfillRequest({ correlationId: 2, payload: null, size: 0 });
  made.throttledUntil = Date.now() + 50;
  push(3);
  expect(sent).toEqual([1, 2]);
  await until("the throttle is over", () => sent.length === 3);
  made.fulfillRequest({ correlationId: 3, payload: null, size: 0 });
  await until("the timer rests", () => made.throttleCheckTimeoutId === null);
  made.destroy();
});

/** What a process that connects, asks and ends writes to its standard error. */
function errorsOf(script: string): Promise<string> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    cwd: root,
    env: { PATH: process.env["PATH"] ?? "", BROKER: testStack().kafka },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let text = "";
  child.stderr.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  return new Promise((resolve) => child.once("close", (code) => resolve(`${text}exit ${code}`)));
}

test("connecting warns of nothing; kafkajs alone warns of a negative timeout", async () => {
  const port = `
    import { connectKafka } from "./src/kafka/kafka.ts";
    import { makeLogger } from "./src/runtime/log.ts";
    const kafka = connectKafka({ brokers: [process.env.BROKER], clientId: "t", prefix: "t." }, makeLogger("silent", {}));
    await kafka.ping();
    await kafka.close();`;
  const alone = `
    import driver from "kafkajs";
    const admin = new driver.Kafka({ brokers: [process.env.BROKER], clientId: "t", logLevel: 0 }).admin();
    await admin.connect();
    await admin.describeCluster();
    await admin.disconnect();`;
  const [ours, theirs] = await Promise.all([errorsOf(port), errorsOf(alone)]);
  expect(ours).toBe("exit 0");
  expect(theirs).toContain("TimeoutNegativeWarning");
});
