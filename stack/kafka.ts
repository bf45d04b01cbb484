// A Kafka node (KRaft, broker and controller in one process) as a service of the stack.
// Promises: formatted once, started again after any crash with its data, topics made only on purpose, the first
// consumer of a group is not kept waiting. Several nodes make one cluster when they are given the same quorum; one node
// is its own quorum. Not for production: small heap, compiled by C1 only, which starts in 2.9 s instead of 4.7 s and
// costs 3.6 s of CPU instead of 6.8 s.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { StackFailure } from "./failure.ts";
import { lastLines } from "./logs.ts";
import type { Launch, Processes } from "./processes.ts";
import { makeService, type Service } from "./service.ts";

const HEAP = "-Xmx400m";
const QUICK_START = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];
/** Any id does; one and the same for all clusters lets a node be added to a running one. */
const CLUSTER_ID = "YXV0aC1lbWJlZGRlZC1zdA";

export interface KafkaNode {
  readonly java: string;
  /** Class path of Kafka's jars. */
  readonly jars: string;
  readonly dir: string;
  readonly processes: Processes;
  readonly port: number;
  readonly controllerPort: number;
  /** Default 1; node n > 1 is the service `kafka-n` with its data in DIR/kafka-n. */
  readonly id?: number;
  /** `id@host:port` of every controller; default: this node alone. */
  readonly quorum?: readonly string[];
  /** Broker properties that win over ours. */
  readonly properties?: Readonly<Record<string, string | number>>;
  /** More arguments for formatting: `--add-scram` makes users who can log in from the first start. */
  readonly format?: readonly string[];
  /** Replaces our JVM options (benchmarks want C2 and a larger heap). */
  readonly jvm?: readonly string[];
}

export type Kafka = Service & { readonly address: string };

export function makeKafka(node: KafkaNode): Kafka {
  const name = (node.id ?? 1) === 1 ? "kafka" : `kafka-${node.id}`;
  const home = join(node.dir, name);
  const service = makeService(
    {
      name,
      prepare: () => prepare(node, home),
      ready: async (log) => log.includes("Kafka Server started"),
    },
    node,
  );
  return Object.assign(service, { address: `127.0.0.1:${node.port}` });
}

async function prepare(node: KafkaNode, home: string): Promise<Launch> {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const config = join(home, "server.properties");
  writeFileSync(config, lines({ ...properties(node, home), ...node.properties }));
  writeFileSync(join(home, "log4j2.properties"), lines(LOGGING));
  if (!existsSync(join(home, "data", "meta.properties"))) await format(node, home);
  return { file: node.java, args: [...jvm(node, home), "kafka.Kafka", config] };
}

function jvm({ jars, jvm: options = [HEAP, ...QUICK_START] }: KafkaNode, home: string): string[] {
  return [
    ...options,
    "-Djava.awt.headless=true",
    `-Dlog4j2.configurationFile=${join(home, "log4j2.properties")}`,
    "-cp",
    jars,
  ];
}

async function format(node: KafkaNode, home: string): Promise<void> {
  const args = [
    "kafka.tools.StorageTool",
    "format",
    "--cluster-id",
    CLUSTER_ID,
    "--config",
    join(home, "server.properties"),
    ...(node.format ?? []),
  ];
  try {
    await promisify(execFile)(node.java, [...jvm(node, home), ...args]);
  } catch (error) {
    const said =
      (error as { stderr?: string; stdout?: string }).stderr || (error as { stdout?: string }).stdout || String(error);
    throw new StackFailure(`Kafka's storage in ${home} could not be formatted:\n${lastLines(said)}`);
  }
}

function properties(node: KafkaNode, home: string): Record<string, string | number> {
  const id = node.id ?? 1;
  return {
    "process.roles": "broker,controller",
    "node.id": id,
    "controller.quorum.voters": (node.quorum ?? [`${id}@127.0.0.1:${node.controllerPort}`]).join(","),
    listeners: `PLAINTEXT://127.0.0.1:${node.port},CONTROLLER://127.0.0.1:${node.controllerPort}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${node.port}`,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "log.dirs": join(home, "data"),
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": 0,
    // A killed node cannot register again before its session has run out: with the default of 9 s its restart took 13.6
    // s.
    "broker.session.timeout.ms": 4000,
    "broker.heartbeat.interval.ms": 500,
    // The default of 50 partitions each costs a second of file creation at the first commit and buys one broker
    // nothing.
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 2,
    "share.coordinator.state.topic.num.partitions": 2,
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
  };
}

/** Warnings, and the one line that says it has started: at INFO a start writes 1,200 lines, mostly configuration. */
const LOGGING = {
  status: "error",
  "appender.out.type": "Console",
  "appender.out.name": "out",
  "appender.out.layout.type": "PatternLayout",
  "appender.out.layout.pattern": "%d{ISO8601} %p %m (%c)%n",
  "rootLogger.level": "warn",
  "rootLogger.appenderRef.out.ref": "out",
  "logger.start.name": "kafka.server.KafkaRaftServer",
  "logger.start.level": "info",
};

function lines(entries: Record<string, string | number>): string {
  // A backslash would be an escape in a properties file.
  const text = Object.entries(entries).map(([key, value]) => `${key}=${String(value).replaceAll("\\", "\\\\")}`);
  return `${text.join("\n")}\n`;
}
