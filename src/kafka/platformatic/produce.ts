// Produces records: each is sent to its partition's leader, and unacknowledged ones are retried per partition. The
// library's own producer sends all of a broker's records to the first record's leader.

import { type Admin, type Broker, ProduceAcks, type produceV11 } from "@platformatic/kafka";
import { LruCache } from "../../lib/lru.ts";
import { retry } from "../../lib/retry.ts";
import type { PartitionAppend } from "../broker-clock.ts";
import { classify, KafkaFault } from "../faults.ts";
import { partitionOf } from "../partition-for-key.ts";
import { type OutRecord, partitionKey } from "../records.ts";
import { metadataFor } from "./metadata.ts";
import { openRequest } from "./requests.ts";

export interface ProduceDeps {
  writer: Admin;
  /** Prefix of each topic's name on the broker. */
  prefix: string;
  timeoutMs: number;
}

/**
 * Retries what was not acknowledged, per partition: a leader that has moved, a partition that is not known yet.
 * @returns the broker's time of each append, where the topic has it; topics with their names on the broker
 */
export async function produceRecords(
  { writer, prefix, timeoutMs }: ProduceDeps,
  records: OutRecord[],
): Promise<PartitionAppend[]> {
  let rest = records.map((record) => ({ ...record, topic: prefix + record.topic }));
  const appends: PartitionAppend[] = [];
  let isFirst = true;
  const send = async (): Promise<PartitionAppend[]> => {
    const placed = await place(writer, rest, !isFirst).finally(() => (isFirst = false));
    const answers = await Promise.all(
      [...placed].map(([node, some]) => sendTo({ writer, broker: node, timeoutMs }, some)),
    );
    appends.push(...answers.flatMap((answer) => answer.appends));
    const failed = answers.flatMap(({ fault, left }) => (fault === undefined ? [] : [{ fault, left }]));
    if (failed.length === 0) return appends;
    rest = failed.flatMap(({ left }) => left);
    throw (failed.find(({ fault }) => !isRetriable(fault)) ?? failed[0]!).fault;
  };
  return retry(send, { firstMs: 50, longestMs: 200, tries: 4, isTransient: isRetriable });
}

function isRetriable(fault: unknown): boolean {
  const kind = classify(fault);
  return kind === "unavailable" || kind === "unknown-topic";
}

/** Leader -> its records. @throws KafkaFault for a missing topic or partition */
async function place(writer: Admin, records: OutRecord[], fresh: boolean): Promise<Map<Broker, Placed[]>> {
  const metadata = await metadataFor(writer, [...new Set(records.map(({ topic }) => topic))], fresh);
  const placed = new Map<Broker, Placed[]>();
  for (const record of records) {
    const { partitionsCount: count, partitions } = metadata.topics.get(record.topic)!;
    const {
      topic,
      key,
      partition = key === null ? Math.floor(Math.random() * count) : partitionOf(key, count),
    } = record;
    if (partition >= count) {
      if (fresh) throw new KafkaFault("unknown-topic", `${topic} has ${count} partitions, not ${partition + 1}`);
      return place(writer, records, true);
    }
    const broker = metadata.brokers.get(partitions[partition]!.leader);
    if (broker === undefined) throw new KafkaFault("unavailable", `${topic}/${partition} has no leader at the moment`);
    const some = placed.get(broker);
    if (some) some.push({ ...record, partition });
    else placed.set(broker, [{ ...record, partition }]);
  }
  return placed;
}

type Placed = OutRecord & { partition: number };

interface Sent {
  appends: PartitionAppend[];
  fault: unknown;
  /** What the broker has not acknowledged. */
  left: OutRecord[];
}

/** Never rejects: what another broker has accepted must not be sent again. */
async function sendTo(
  { writer, broker, timeoutMs }: { writer: Admin; broker: Broker; timeoutMs: number },
  records: Placed[],
): Promise<Sent> {
  const messages = records.map(({ topic, partition, key, value, headers }) => {
    return { topic, partition, key: key as Buffer, value: value as Buffer, headers: headerMap(headers) };
  });
  const opening = openRequest<produceV11.ProduceRequest, produceV11.ProduceResponse>({
    client: writer,
    name: "Produce",
    broker,
  });
  const { answer, fault } = await opening.then(
    (produce) => produce.ask(ProduceAcks.ALL, timeoutMs, messages, {}),
    (fault: unknown) => ({ answer: undefined, fault }),
  );
  const taken = new Set<string>();
  const appends: PartitionAppend[] = [];
  for (const { name, partitionResponses } of answer?.responses ?? []) {
    for (const { index, errorCode, logAppendTimeMs } of partitionResponses) {
      if (errorCode !== 0) continue;
      if (fault !== undefined) taken.add(partitionKey({ topic: name, partition: index }));
      if (logAppendTimeMs > 0n) appends.push({ topic: name, partition: index, at: Number(logAppendTimeMs) });
    }
  }
  return { appends, fault, left: fault === undefined ? [] : records.filter((each) => !taken.has(partitionKey(each))) };
}

/** Names as bytes: the library accepts these, and would encode a text again each time. */
const headerNames = new LruCache<string, Buffer>(1000);

function bytesOf(name: string): Buffer {
  const known = headerNames.get(name);
  if (known !== undefined) return known;
  const bytes = Buffer.from(name);
  headerNames.set(name, bytes);
  return bytes;
}

/**
 * A header with several values gets a separate name buffer for each: the library keys headers by name, and two buffers
 * are two keys.
 */
function headerMap(headers: OutRecord["headers"]): Map<Buffer, Buffer> {
  const map = new Map<Buffer, Buffer>();
  for (const name in headers) {
    const given = headers[name]!;
    if (Array.isArray(given)) for (const value of given) map.set(Buffer.from(name), value);
    else map.set(bytesOf(name), typeof given === "string" ? Buffer.from(given) : given);
  }
  return map;
}
