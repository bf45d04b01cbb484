// The records that pass through the port, without any driver's types.
import type { UnreadableReason } from "./compression.ts";

export interface InRecord {
  topic: string;
  partition: number;
  offset: bigint;
  /** The broker's append time, ms since 1970: our topics have message.timestamp.type=LogAppendTime. */
  timestamp: number;
  /** The topic takes its producers' times (CreateTime): the timestamp is what whoever wrote the record says. */
  producersTime?: true;
  key: Buffer | null;
  value: Buffer | null;
  /** A header given twice has its values in a list. */
  headers: Record<string, Buffer | Buffer[] | undefined>;
  /** It had more headers than are read (record-batch.ts). */
  headersLeftOut?: true;
  /** As it was in its batch, all together. */
  bytes?: number;
}

/** Records that cannot be read: a batch, or the rest of one. They are passed over. */
export interface UnreadableRecords extends TopicPartition {
  first: bigint;
  last: bigint;
  /** The batch's broker time, Unix ms. */
  timestamp: number;
  reason: UnreadableReason;
  message: string;
}

export interface OutRecord {
  topic: string;
  /** Absent: by the key's hash (murmur2), or any partition where there is no key. */
  partition?: number;
  key: Buffer | null;
  value: Buffer | null;
  headers: Record<string, Buffer | string | Buffer[]>;
}

export interface TopicPartition {
  topic: string;
  partition: number;
}

export interface CommittedOffset extends TopicPartition {
  /** The next offset to read. */
  offset: bigint;
}

export type Assignment = Map<string, number[]>;

/** What a partition is kept under in maps: `topic/partition`. */
export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
