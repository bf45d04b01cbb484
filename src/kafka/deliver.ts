// From a fetched batch to whoever reads: its records lot by lot, as long as they are wanted, and what cannot be read
// passed over by name. Both drivers deliver by this; each says where it goes on from, and whether it still does.
import { Unreadable } from "./compression.ts";
import type { ConsumerInstance } from "./consumer-instance.ts";
import { type RecordBatch, readBatch } from "./record-batch.ts";
import type { TopicPartition } from "./records.ts";

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
  let next = from;
  const advance = (to: bigint): { highWatermark: bigint; next: bigint } => {
    next = to;
    delivery.reached(to);
    return { highWatermark, next: to };
  };
  const end = batch.lastOffset + 1n;
  if (end <= from) return true;
  if (batch.hidden) {
    if (!delivery.isWanted(next)) return false;
    instance.records([], partition, advance(end));
    return delivery.isWanted(next);
  }
  try {
    const isRead = await readBatch(batch, {
      partition,
      from,
      maxBytes,
      take(records) {
        if (!delivery.isWanted(next)) return false;
        instance.records(records, partition, advance(records.at(-1)!.offset + 1n));
        return delivery.isWanted(next);
      },
    });
    if (!isRead || !delivery.isWanted(next)) return false;
    if (next < end) instance.records([], partition, advance(end));
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    if (!delivery.isWanted(next)) return false;
    const { reason, message } = error;
    const rest = { first: next, last: batch.lastOffset };
    if (rest.first < batch.firstOffset) rest.first = batch.firstOffset;
    if (rest.first > rest.last) rest.first = rest.last; // it broke behind its last record
    const records = { ...partition, ...rest, timestamp: Number(batch.maxTimestamp), reason, message };
    instance.unreadable(records, advance(end));
  }
  return delivery.isWanted(next);
}
