// What could not be processed goes to a topic of its own as it came: key, value (still sealed), headers, and why and from where.
// The partition it came from moves on. Names that begin with auth-dlq- are ours: what a record brings of them is left out, so that nobody
// can write a dead letter's history for us. One is kept, because it is the record's identity: auth-dlq-replayed-from.
//
// A replayed record is its original again, in another place: it carries the original's partition, offset and broker time, and whoever
// knows a record by these (headers.ts, recordKey) takes them from there. So a record that has no key of its own, and a legacy record, take effect
// once, however often they are replayed.
import type { InRecord, OutRecord } from "./records.ts";

export const deadLetterTopic = "auth.dead-letter";

/** Largest record of a request topic, bytes; the dead-letter topic takes twice as much. */
export const maxRequestBytes = 1_048_588;
export const maxDeadLetterBytes = 2 * maxRequestBytes;

export const deadLetterPrefix = "auth-dlq-";
export const deadLetterHeaders = {
  topic: "auth-dlq-topic",
  partition: "auth-dlq-partition",
  offset: "auth-dlq-offset",
  /** The original record's broker time, Unix ms. */
  timestamp: "auth-dlq-timestamp",
  error: "auth-dlq-error",
  at: "auth-dlq-at",
  cut: "auth-dlq-cut",
  replayedFrom: "auth-dlq-replayed-from",
} as const;

/** Room for the key, our own headers and the record's overhead. */
const reserveBytes = 16_384;

export function deadLetter(record: InRecord, error: string, now: number): OutRecord {
  const names = deadLetterHeaders;
  const replayedFrom = record.headers[names.replayedFrom];
  const headers: OutRecord["headers"] = {
    ...foreignHeaders(record),
    ...(replayedFrom !== undefined && { [names.replayedFrom]: replayedFrom }),
    [names.topic]: record.topic,
    [names.partition]: String(record.partition),
    [names.offset]: String(record.offset),
    [names.timestamp]: String(record.timestamp),
    [names.error]: error.slice(0, 1000),
    [names.at]: new Date(now).toISOString(),
  };
  const room = maxDeadLetterBytes - reserveBytes - headerBytes(record) - (record.key?.length ?? 0);
  if (record.value === null || record.value.length <= room) {
    return { topic: deadLetterTopic, key: record.key, value: record.value, headers };
  }
  const value = record.value.subarray(0, Math.max(room, 0));
  return {
    topic: deadLetterTopic,
    key: record.key,
    value,
    headers: { ...headers, [names.cut]: String(record.value.length) },
  };
}

/** What the record brought itself. */
export function foreignHeaders({ headers }: Pick<InRecord, "headers">): OutRecord["headers"] {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || name.startsWith(deadLetterPrefix) ? [] : [[name, value]],
    ),
  );
}

/** A record by its place and time: the same however often it is delivered, another after its topic was made anew. */
export interface RecordIdentity {
  partition: number;
  offset: bigint;
  /** Broker time, Unix ms. */
  timestamp: number;
}

/** The value of auth-dlq-replayed-from. */
export function identityText({ partition, offset, timestamp }: RecordIdentity): string {
  return `${partition}:${offset}:${timestamp}`;
}

/**
 * The record itself, or the one that it is a replay of. One that was to come later than the record is not believed: nobody can take
 * the identity of a record that is still to be written.
 */
export function identityOf(record: RecordIdentity & Pick<InRecord, "headers">): RecordIdentity {
  const given = record.headers[deadLetterHeaders.replayedFrom];
  const found = Array.isArray(given) ? null : /^(\d{1,9}):(\d{1,18}):(\d{1,15})$/.exec(given?.toString("latin1") ?? "");
  if (!found || Number(found[3]) > record.timestamp) return record;
  return { partition: Number(found[1]), offset: BigInt(found[2]!), timestamp: Number(found[3]) };
}

function headerBytes(record: InRecord): number {
  return Object.entries(record.headers)
    .flatMap(([name, value]) => [value ?? []].flat().map((each) => name.length + each.length + 16))
    .reduce((sum, each) => sum + each, 0);
}
