// What could not be processed goes to a topic of its own as it came: key, value (still sealed), headers, and why and from where.
// The partition it came from moves on.
import type { InRecord, OutRecord } from "./records.ts";

export const deadLetterTopic = "auth.dead-letter";

/** Largest record of a request topic, bytes; the dead-letter topic takes twice as much. */
export const maxRequestBytes = 1_048_588;
export const maxDeadLetterBytes = 2 * maxRequestBytes;

/** Room for the key, our own headers and the record's overhead. */
const reserveBytes = 16_384;

export function deadLetter(record: InRecord, error: string, now: number): OutRecord {
  const headers: OutRecord["headers"] = {
    ...(record.headers as OutRecord["headers"]),
    "auth-dlq-topic": record.topic,
    "auth-dlq-partition": String(record.partition),
    "auth-dlq-offset": String(record.offset),
    "auth-dlq-error": error.slice(0, 1000),
    "auth-dlq-at": new Date(now).toISOString(),
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
    headers: { ...headers, "auth-dlq-cut": String(record.value.length) },
  };
}

function headerBytes(record: InRecord): number {
  return Object.entries(record.headers)
    .flatMap(([name, value]) => [value ?? []].flat().map((each) => name.length + each.length + 16))
    .reduce((sum, each) => sum + each, 0);
}
