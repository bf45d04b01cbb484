// Delivers a fetched batch to its reader: records lot by lot, while they are wanted, and a report of what cannot be
// read. Both drivers use it; each keeps the position and decides whether it still reads.
import { Unreadable } from "./compression.ts";
import type { ConsumerInstance } from "./consumer-instance.ts";
import { type RecordBatch, readBatch } from "./record-batch.ts";
import type { InRecord, TopicPartition } from "./records.ts";

export interface Delivery {
  instance: ConsumerInstance;
  partition: TopicPartition;
  /** The offset that was asked for. */
  from: bigint;
  highWatermark: bigint;
  /** Of one batch, unpacked. */
  maxBytes: number;
  /** Whether the partition is still read from this offset. */
  isWanted(next: bigint): boolean;
  /** Everything below was delivered. Called before the delivery, which may pause the partition. */
  reached(next: bigint): void;
}

/** @returns whether the next batch is wanted too */
export async function deliver(batch: RecordBatch, delivery: Delivery): Promise<boolean> {
  const { instance, partition, from, highWatermark, maxBytes } = delivery;
  const end = batch.lastOffset + 1n;
  if (end <= from) return true;
  let next = from;
  const advance = (to: bigint, report: (ends: { highWatermark: bigint; next: bigint }) => void): boolean => {
    if (!delivery.isWanted(next)) return false;
    next = to;
    delivery.reached(to);
    report({ highWatermark, next: to });
    return delivery.isWanted(next);
  };
  const handOver = (records: InRecord[], to: bigint): boolean =>
    advance(to, (ends) => instance.records(records, partition, ends));
  const take = (records: InRecord[]): boolean => handOver(records, records.at(-1)!.offset + 1n);
  try {
    if (!batch.hidden && !(await readBatch(batch, { partition, from, maxBytes, take }))) return false;
    return next < end ? handOver([], end) : delivery.isWanted(next);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    const { reason, message } = error;
    const unread = { ...partition, ...restOf(batch, next), timestamp: Number(batch.maxTimestamp), reason, message };
    return advance(end, (ends) => instance.unreadable(unread, ends));
  }
}

/** The part of the batch that was not delivered; its last record if the fault comes after that. */
function restOf({ firstOffset, lastOffset }: RecordBatch, next: bigint): { first: bigint; last: bigint } {
  const first = next < firstOffset ? firstOffset : next;
  return { first: first > lastOffset ? lastOffset : first, last: lastOffset };
}
