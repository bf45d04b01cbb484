// Three Kafka nodes as one cluster, each broker and controller, for tests that kill one. Registry and PostgreSQL are those that all tests share.
// Whatever is acknowledged is on two of them (min.insync.replicas), so one may go at any time.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { bringJars } from "../../stack/jars.ts";
import { findJava } from "../../stack/java.ts";
import { type Kafka, makeKafka } from "../../stack/kafka.ts";
import { openPorts } from "../../stack/ports.ts";
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

export async function startCluster(dir: string): Promise<Cluster> {
  mkdirSync(join(dir, "logs"), { recursive: true });
  const report = (): void => undefined;
  const processes = makeProcesses(dir);
  const java = await findJava();
  const { kafka: jars } = await bringJars({ stack: join(projectRoot(), "stack"), dir, processes, report });
  const ports = openPorts(join(dir, "ports.json"), report);
  const places: { id: number; port: number; controllerPort: number }[] = [];
  for (const id of ids)
    places.push({
      id,
      port: await ports.choose(`Kafka ${id}`),
      controllerPort: await ports.choose(`Kafka ${id}'s controller`),
    });
  const quorum = places.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`);
  const host = { java, jars, dir, processes, quorum, properties: replicated, jvm: small };
  const nodes = new Map(places.map((place) => [place.id, makeKafka({ ...host, ...place })]));
  const stop = async (): Promise<void> => void (await Promise.all([...nodes.values()].map((node) => node.kill())));
  try {
    await Promise.all([...nodes.values()].map((node) => node.start()));
  } catch (error) {
    await stop();
    throw error;
  }
  return { nodes, address: [...nodes.values()].map((node) => node.address).join(), stop };
}
