// From a fetched batch to whoever reads: its records lot by lot, as long as they are wanted, and what cannot be read
// passed over by name. Both drivers deliver by this; each says where it goes on from, and whether it still does.
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
  /** Whether the partition is still read, and from this offset on. */
  isWanted(next: bigint): boolean;
  /** All below was delivered. Comes before the delivery, which may hold the partition back. */
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

/** What of the batch was not delivered; its last record where it broke behind that. */
function restOf({ firstOffset, lastOffset }: RecordBatch, next: bigint): { first: bigint; last: bigint } {
  const first = next < firstOffset ? firstOffset : next;
  return { first: first > lastOffset ? lastOffset : first, last: lastOffset };
}
