// Kafka nodes of a test's own: three as one cluster, each broker and controller, for tests that kill one; or one alone,
// which may have other listeners than the shared one. Registry and PostgreSQL are those that all tests share.
// Whatever the three acknowledge is on two of them (min.insync.replicas), so one may go at any time.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { bringJars } from "../../stack/jars.ts";
import { findJava } from "../../stack/java.ts";
import { type Kafka, type KafkaNode, makeKafka } from "../../stack/kafka.ts";
import { openPorts, type Ports } from "../../stack/ports.ts";
import { makeProcesses } from "../../stack/processes.ts";
import { projectRoot } from "../../stack/root.ts";

export interface Cluster {
  /** By node id. */
  nodes: Map<number, Kafka>;
  /** All of them, as AUTH_KAFKA_BROKERS. */
  address: string;
  stop(): Promise<void>;
}

const ids = [1, 2, 3];
const small = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];
const replicated = {
  "min.insync.replicas": 2,
  "offsets.topic.replication.factor": ids.length,
  "transaction.state.log.replication.factor": ids.length,
  "share.coordinator.state.topic.replication.factor": ids.length,
};

async function placeFor(
  dir: string,
): Promise<{ host: Pick<KafkaNode, "java" | "jars" | "dir" | "processes" | "jvm">; ports: Ports }> {
  mkdirSync(join(dir, "logs"), { recursive: true });
  const report = (): void => undefined;
  const processes = makeProcesses(dir);
  const java = await findJava();
  const { kafka: jars } = await bringJars({ stack: join(projectRoot(), "stack"), dir, processes, report });
  return { host: { java, jars, dir, processes, jvm: small }, ports: openPorts(join(dir, "ports.json"), report) };
}

export async function startCluster(dir: string): Promise<Cluster> {
  const { host, ports } = await placeFor(dir);
  const places: { id: number; port: number; controllerPort: number }[] = [];
  for (const id of ids)
    places.push({
      id,
      port: await ports.choose(`Kafka ${id}`),
      controllerPort: await ports.choose(`Kafka ${id}'s controller`),
    });
  const quorum = places.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`);
  const nodes = new Map(
    places.map((place) => [place.id, makeKafka({ ...host, quorum, properties: replicated, ...place })]),
  );
  const stop = async (): Promise<void> => void (await Promise.all([...nodes.values()].map((node) => node.kill())));
  try {
    await Promise.all([...nodes.values()].map((node) => node.start()));
  } catch (error) {
    await stop();
    throw error;
  }
  return { nodes, address: [...nodes.values()].map((node) => node.address).join(), stop };
}

export interface Alone {
  /** Beside the plain listener at its address. Names are security protocols. */
  listeners?: string[];
  properties?: KafkaNode["properties"];
  format?: KafkaNode["format"];
}

/** @returns a started node, and the address of each listener that was asked for */
export async function startBroker(
  dir: string,
  { listeners = [], properties = {}, format = [] }: Alone = {},
): Promise<{ node: Kafka; addresses: Record<string, string> }> {
  const { host, ports } = await placeFor(dir);
  const [port, controllerPort] = [await ports.choose("Kafka"), await ports.choose("Kafka's controller")];
  const addresses: Record<string, string> = {};
  for (const name of listeners) addresses[name] = `127.0.0.1:${await ports.choose(name)}`;
  const all = [["PLAINTEXT", `127.0.0.1:${port}`], ...Object.entries(addresses)].map((each) => each.join("://"));
  const node = makeKafka({
    ...host,
    port,
    controllerPort,
    format,
    properties: {
      listeners: [...all, `CONTROLLER://127.0.0.1:${controllerPort}`].join(),
      "advertised.listeners": all.join(),
      "listener.security.protocol.map": ["CONTROLLER:PLAINTEXT", "PLAINTEXT:PLAINTEXT"]
        .concat(listeners.map((name) => `${name}:${name}`))
        .join(),
      ...properties,
    },
  });
  await node.start();
  return { node, addresses };
}
