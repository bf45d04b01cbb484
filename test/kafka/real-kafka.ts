// The port on the stack's Kafka for one test file: a topic prefix of its own, kafkajs itself beside it to see what the
// broker has, and consumers that keep what they read.
import { randomBytes } from "node:crypto";
import driver, { type Admin, type Kafka } from "kafkajs";
import { shared } from "../../src/kafka/assigner.ts";
import {
  type Consumption,
  connectKafka,
  type KafkaDriverName,
  type KafkaPort,
  type TopicSpec,
} from "../../src/kafka/kafka.ts";
import { openPatched } from "../../src/kafka/kafkajs/patches.ts";
import type { ConsumeOptions } from "../../src/kafka/port.ts";
import type { Assignment, InRecord, OutRecord } from "../../src/kafka/records.ts";
import { testDriver } from "../support/driver.ts";
import { quiet } from "../support/logger.ts";
import { testStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

/** What the port promises, it promises with each. */
export const everyDriver: KafkaDriverName[] = ["kafkajs", "platformatic"];

/** Of which this run looks whether it keeps that: the one that the fleet has, and with `npm run test:long` both. */
export const driversOfRun = process.env["AUTH_TEST_LONG"] ? everyDriver : [testDriver()];

export interface Reader {
  consumption: Consumption;
  records: InRecord[];
  assigned: Assignment[];
  values(): string[];
  /** Waits until so many records were read. */
  has(count: number): Promise<void>;
}

export interface RealKafka {
  kafka: KafkaPort;
  brokers: string[];
  prefix: string;
  /** kafkajs without the port. */
  raw: Kafka;
  admin: Admin;
  /** A consumer from the earliest record on, in a group of its own, unless the options say otherwise. */
  reader(topics: string[], options?: Partial<ConsumeOptions>): Reader;
  close(): Promise<void>;
}

export async function realKafka(name: string, driverName?: KafkaDriverName): Promise<RealKafka> {
  const prefix = `${name}-${randomBytes(4).toString("hex")}.`;
  const brokers = [testStack().kafka];
  const kafka = connectKafka({ driver: driverName, brokers, clientId: name, prefix }, quiet);
  const raw = openPatched({ clientId: "raw", brokers, logLevel: driver.logLevel.NOTHING });
  const admin = raw.admin();
  await admin.connect();
  return {
    kafka,
    brokers,
    prefix,
    raw,
    admin,
    reader: (topics, options) => makeReader(kafka, topics, options),
    async close() {
      await kafka.close();
      await admin.disconnect();
    },
  };
}

export function makeReader(kafka: KafkaPort, topics: string[], options: Partial<ConsumeOptions> = {}): Reader {
  const records: InRecord[] = [];
  const assigned: Assignment[] = [];
  const held = () => Object.fromEntries(assigned.at(-1) ?? []);
  const consumption = kafka.consume({
    group: `g-${randomBytes(4).toString("hex")}`,
    topics,
    from: "earliest",
    assign: shared(held),
    onAssigned: (assignment) => assigned.push(assignment),
    onRecords: (some) => records.push(...some),
    maxWaitMs: 50,
    ...options,
  });
  return {
    consumption,
    records,
    assigned,
    values: () => records.map((each) => String(each.value)),
    has: (count) => until(`${count} records of ${topics.join()}`, () => records.length >= count),
  };
}

export function spec(topic: string, partitions = 1, config: Record<string, string> = {}): TopicSpec {
  return { topic, partitions, replication: 0, config };
}

export function record(topic: string, value: string, more: Partial<OutRecord> = {}): OutRecord {
  return { topic, key: null, value: Buffer.from(value), headers: {}, ...more };
}
