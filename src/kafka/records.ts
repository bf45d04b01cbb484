// The records that pass through the port, independent of the driver.
import type { UnreadableReason } from "./compression.ts";

export interface InRecord {
  topic: string;
  partition: number;
  offset: bigint;
  /** The broker's append time in Unix ms: our topics have message.timestamp.type=LogAppendTime. */
  timestamp: number;
  /** The topic has CreateTime: the timestamp is whatever the producer wrote. */
  producersTime?: true;
  key: Buffer | null;
  value: Buffer | null;
  /** A repeated header has its values in a list. */
  headers: Record<string, Buffer | Buffer[] | undefined>;
  /** It had more headers than are read (record-batch.ts). */
  headersLeftOut?: true;
  /** Its size within its batch. */
  bytes?: number;
}

/** Records that cannot be read: a batch, or the rest of one. They are skipped. */
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
  /** Absent: by the key's hash (murmur2), or any partition without a key. */
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

/** The map key of a partition: `topic/partition`. */
export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
