// Reads spans of a topic's partitions over the port, which can only consume in a group: a group of its own, and only the partitions asked for.
// Where much would be read in vain, the group's offsets are put at the beginning of the spans first (join, commit, leave); that costs a second
// join, and the group's name stays on the broker until its offsets expire (offsets.retention.minutes, 7 days by default).
// Promises: each record of a span is handed over once and in order per partition, none outside; a partition is read no further than its span.
// What the topic does not keep any more does not come, and the port cannot ask where a topic begins: a partition from which nothing
// comes for quietMs is given up, and named.
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { AssignPartitions } from "../../kafka/assigner.ts";
import type { Consumption, KafkaPort } from "../../kafka/kafka.ts";
import type { InRecord } from "../../kafka/records.ts";
import { withTimeout } from "../../lib/timeout.ts";
import { Unreachable } from "../command.ts";

export interface Span {
  readonly from: bigint;
  /** The offset behind the last one. */
  readonly to: bigint;
}

export interface ReadOptions {
  readonly topic: string;
  readonly spans: ReadonlyMap<number, Span>;
  onRecord(record: InRecord): void;
  /** As many records before the spans are read in vain sooner than joined for twice. */
  readonly skipWorth?: number;
  readonly quietMs?: number;
}

const joinMs = 20_000;
const leaveMs = 2000;
const defaultQuietMs = 5000;
/** Some 100 ms of reading small records; a join takes about as long, and up to 3 s where group.initial.rebalance.delay.ms has its default. */
const defaultSkipWorth = 5000;

/** @returns the partitions that ended before their spans did. @throws Unreachable, KafkaFault */
export async function readSpans(kafka: KafkaPort, options: ReadOptions): Promise<number[]> {
  const spans = new Map([...options.spans].filter(([, { from, to }]) => from < to));
  if (spans.size === 0) return [];
  const group = `authctl.${randomBytes(9).toString("base64url")}`;
  const reading = { ...options, kafka, group, spans };
  const before = [...spans.values()].reduce((sum, { from }) => sum + from, 0n);
  if (before >= BigInt(options.skipWorth ?? defaultSkipWorth)) await stand(reading);
  return follow(reading);
}

interface Reading extends ReadOptions {
  kafka: KafkaPort;
  group: string;
}

/** Puts the group's offsets where the spans begin. */
async function stand({ kafka, group, topic, spans }: Reading): Promise<void> {
  const consumption: Consumption = kafka.consume({
    group,
    topics: [topic],
    from: "earliest",
    assign: only(topic, [...spans.keys()]),
    onAssigned(assignment) {
      for (const partition of assignment.get(topic) ?? []) consumption.pause({ topic, partition });
    },
    onRecords: () => undefined,
  });
  try {
    await joined(consumption, topic);
    await consumption.commit([...spans].map(([partition, { from }]) => ({ topic, partition, offset: from })));
  } finally {
    await leave(consumption);
  }
}

async function follow({ kafka, group, topic, spans, onRecord, quietMs = defaultQuietMs }: Reading): Promise<number[]> {
  const left = new Map([...spans].map(([partition, { from, to }]) => [partition, { next: from, to }]));
  const done = Promise.withResolvers<void>();
  let quiet: NodeJS.Timeout | undefined;
  const take = (records: InRecord[], partition: number): void => {
    const span = left.get(partition);
    if (span === undefined) return;
    for (const record of records) {
      if (record.offset < span.next) continue; // before the span, or read again after the consumer was built again
      if (record.offset < span.to) onRecord(record);
      span.next = record.offset + 1n;
    }
    finishAt(partition, span.next);
  };
  const finishAt = (partition: number, next: bigint): void => {
    const span = left.get(partition);
    if (span === undefined) return;
    span.next = next;
    if (span.next < span.to) return;
    left.delete(partition);
    consumption.pause({ topic, partition });
    if (left.size === 0) done.resolve();
  };
  const consumption: Consumption = kafka.consume({
    group,
    topics: [topic],
    from: "earliest",
    assign: only(topic, [...spans.keys()]),
    onAssigned: () => undefined,
    onRecords(records, { partition }) {
      quiet?.refresh();
      take(records, partition);
    },
    onUnreadable({ partition, last }) {
      quiet?.refresh();
      if (last >= (left.get(partition)?.next ?? last)) finishAt(partition, last + 1n);
    },
  });
  try {
    await joined(consumption, topic);
    quiet = setTimeout(() => done.resolve(), quietMs);
    await done.promise;
  } finally {
    clearTimeout(quiet);
    await leave(consumption);
  }
  return [...left.keys()].sort((a, b) => a - b);
}

/** All of it to the one member that there is. */
function only(topic: string, partitions: number[]): AssignPartitions {
  return {
    userData: () => Buffer.alloc(0),
    assign: (members, _partitions, prefix) =>
      new Map(members.slice(0, 1).map(({ memberId }) => [memberId, new Map([[prefix + topic, partitions]])])),
  };
}

async function joined(consumption: Consumption, topic: string): Promise<void> {
  const late = `The topic ${topic} could not be read within ${joinMs / 1000} s.`;
  await withTimeout(consumption.joined, joinMs, () => new Unreachable(late));
}

async function leave(consumption: Consumption): Promise<void> {
  await Promise.race([consumption.close().catch(() => undefined), sleep(leaveMs, undefined, { ref: false })]);
}
