// Reads spans of offsets of a topic's partitions. The port can only consume in a group, so this uses a group of its own
// that takes only the partitions asked for. Where many records would be read in vain, the group's offsets are first set
// to the beginning of the spans (join, commit, leave). That costs a second join, and the group's name stays on the
// broker until its offsets expire (offsets.retention.minutes, 7 days by default).
// Promises: each record of a span is handed over once and in order per partition, and none outside; no partition is
// read beyond its span. Records that retention has deleted do not come, and the port cannot ask where a topic begins: a
// partition that gives nothing for quietMs is given up and named.
import { randomBytes } from "node:crypto";
import type { AssignPartitions } from "../../kafka/assigner.ts";
import type { Consumption, KafkaPort } from "../../kafka/kafka.ts";
import type { InRecord } from "../../kafka/records.ts";
import { settledWithin, withTimeout } from "../../lib/timeout.ts";
import { Unreachable } from "../faults.ts";

export interface Span {
  readonly from: bigint;
  /** The offset after the last one. */
  readonly to: bigint;
}

export interface ReadOptions {
  readonly topic: string;
  readonly spans: ReadonlyMap<number, Span>;
  onRecord(record: InRecord): void;
  /** Up to this many records before the spans are read in vain, because that is cheaper than a second join. */
  readonly skipWorth?: number;
  readonly quietMs?: number;
}

const joinMs = 20_000;
const leaveMs = 2000;
const defaultQuietMs = 5000;
/**
 * Some 100 ms of reading small records. A join takes about as long, and up to 3 s where
 * group.initial.rebalance.delay.ms has its default.
 */
const defaultSkipWorth = 5000;

/** @returns the partitions that ended before their spans did. @throws Unreachable, KafkaFault */
export async function readSpans(kafka: KafkaPort, options: ReadOptions): Promise<number[]> {
  const spans = new Map([...options.spans].filter(([, { from, to }]) => from < to));
  if (spans.size === 0) return [];
  const group = `authctl.${randomBytes(9).toString("base64url")}`;
  const reading = { ...options, kafka, group, spans };
  const before = [...spans.values()].reduce((sum, { from }) => sum + from, 0n);
  if (before >= BigInt(options.skipWorth ?? defaultSkipWorth)) await commitStarts(reading);
  return follow(reading);
}

interface Reading extends ReadOptions {
  kafka: KafkaPort;
  group: string;
}

/** Sets the group's offsets to the beginning of the spans. */
async function commitStarts({ kafka, group, topic, spans }: Reading): Promise<void> {
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

/** Assigns everything to the only member. */
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
  await settledWithin(leaveMs, () => consumption.close());
}
