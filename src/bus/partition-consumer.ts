// Consumes topics in a group, for requests (responder.ts) and for records without replies (follow). It keeps track of
// which records are finished, and commits; what is done with a record, and in which order, is for its owner to decide.
// - Each record is processed at least once: an offset only moves past finished work. A record that fails is left, and
//   read again by the partition's next owner. A new group reads everything that the topic retains.
// - Records are handed over and nothing waits for their work, so that it delays neither fetches nor heartbeats.
//   Partitions with too much unfinished work are paused (back-pressure.ts).
// - A partition is assigned -> (running <-> paused) -> lost. Queued work of a lost partition is dropped, running work
//   ends.

import { shared } from "../kafka/assigner.ts";
import type { Consumption, KafkaPort } from "../kafka/kafka.ts";
import {
  type Assignment,
  type InRecord,
  partitionKey,
  type TopicPartition,
  type UnreadableRecords,
} from "../kafka/records.ts";
import { asError } from "../lib/errors.ts";
import { InFlight } from "../lib/in-flight.ts";
import { settledWithin } from "../lib/timeout.ts";
import type { Logger } from "../runtime/log.ts";
import { type AssignedPartition, type AssignedPartitions, makeAssignedPartitions } from "./assigned-partitions.ts";
import { type BackPressure, loadOf, makeBackPressure, smallFetch } from "./back-pressure.ts";
import { makeMailboxes } from "./mailbox.ts";

export interface PartitionConsumerDeps {
  kafka: KafkaPort;
  group: string;
  topics: string[];
  commitEveryMs: number;
  /** Whether close() also waits for queued work; it always waits for running work. */
  drainsQueued: boolean;
  /** Called once per record while its partition is assigned; it must lead to settle() for the record, now or later. */
  onRecord(record: InRecord, owner: AssignedPartition): void;
  /** The same for records that cannot be read. */
  onUnreadable(records: UnreadableRecords, owner: AssignedPartition): void;
  log: Logger;
}

export class PartitionConsumer {
  readonly assigned: AssignedPartitions;
  readonly #deps: PartitionConsumerDeps;
  readonly #pressure: BackPressure;
  readonly #consumption: Consumption;
  /** Records taken and not settled yet. */
  readonly #unsettled = new InFlight();
  readonly #stop = new AbortController();
  /** Aborted when close() stops waiting: unfinished work is left to the partition's next owner. */
  readonly stopping: AbortSignal = this.#stop.signal;
  #closing = false as boolean;

  constructor(deps: PartitionConsumerDeps) {
    this.#deps = deps;
    this.assigned = makeAssignedPartitions({
      commit: (offsets) => this.#consumption.commit(offsets),
      everyMs: deps.commitEveryMs,
      failed: (error) => deps.log.debug({ err: asError(error) }, "commit failed, tried again with the next"),
    });
    this.#pressure = makeBackPressure({
      assigned: () => this.assigned.all(),
      consumption: () => this.#consumption,
    });
    this.#consumption = deps.kafka.consume({
      group: deps.group,
      topics: deps.topics,
      from: "earliest",
      fetch: smallFetch,
      assign: shared(() => this.assigned.byTopic()),
      onAssigned: (assignment) => this.#onAssigned(assignment),
      onRecords: (records, partition, end) => this.#onRecords(records, partition, end),
      onUnreadable: (records, end) => this.#onUnreadable(records, end),
    });
  }

  /** Resolves at the first assignment. */
  get joined(): Promise<void> {
    return this.#consumption.joined;
  }

  get healthy(): boolean {
    return this.#consumption.healthy;
  }

  #onAssigned(assignment: Assignment): void {
    this.assigned.assign(assignment);
    for (const each of this.assigned.all()) if (each.paused || this.#closing) this.#consumption.pause(each);
  }

  #onRecords(records: InRecord[], partition: TopicPartition, end: bigint): void {
    const owner = this.assigned.receive(partition, end);
    if (owner === undefined || this.#closing) return;
    owner.redeliveredBelow ??= end;
    let load = 0;
    for (const record of records) {
      if (!owner.offsets.add(record.offset)) continue;
      load += loadOf(record);
      this.#unsettled.begin();
      this.#deps.onRecord(record, owner);
    }
    this.#pressure.taken(owner, load);
  }

  #onUnreadable(records: UnreadableRecords, end: bigint): void {
    const owner = this.assigned.receive(records, end);
    if (owner === undefined || this.#closing || !owner.offsets.add(records.last)) return;
    this.#unsettled.begin();
    this.#deps.onUnreadable(records, owner);
    this.#pressure.taken(owner, 1);
  }

  /** Runs the work unless the partition is lost or being closed, then finishes the offset. Never rejects. */
  async settle(
    record: Pick<InRecord, "offset" | "bytes">,
    owner: AssignedPartition,
    work: () => Promise<void>,
  ): Promise<void> {
    try {
      if (owner.lost || this.stopping.aborted || (this.#closing && !this.#deps.drainsQueued)) return;
      await work();
      owner.offsets.finish(record.offset);
    } catch (error) {
      // A stop, or a bug: work handles all other faults itself. It may be incomplete, so the record stays unfinished.
      const where = { topic: owner.topic, offset: String(record.offset) };
      this.#deps.log.warn({ err: asError(error), ...where }, "a record is left for the next owner");
    } finally {
      if (!this.#closing) this.#pressure.left(owner, loadOf(record)); // closing resumes nothing
      this.#unsettled.end();
    }
  }

  /** Stops taking records, waits up to drainMs for those taken, commits, and leaves the group. */
  async close(drainMs = 0): Promise<void> {
    this.#closing = true;
    for (const each of this.assigned.all()) this.#consumption.pause(each);
    // Without draining, everything after the first unfinished record would be read again.
    if (drainMs > 0) await settledWithin(drainMs, () => this.#unsettled.idle());
    this.#stop.abort();
    this.assigned.stop();
    await this.assigned
      .commit()
      .catch((error: unknown) => this.#deps.log.warn({ err: asError(error) }, "last commit failed"));
    await this.#consumption.close();
  }
}

export interface FollowDeps extends Pick<PartitionConsumerDeps, "kafka" | "group" | "topics" | "log"> {
  /** Records of one key keep their order. */
  keyOf(record: InRecord): string;
  /** Rejects only when it was told to stop: it must retry other faults itself, or send dead letters. */
  work(record: InRecord, stopping: AbortSignal): Promise<void>;
  /** Handles records that cannot be read before they count as finished; default: nothing. Rejects as `work` does. */
  passOver?(records: UnreadableRecords, stopping: AbortSignal): Promise<void>;
}

export type Following = Pick<PartitionConsumer, "joined" | "healthy" | "close">;

/**
 * Processes records in order per key and in parallel across keys: for the platform's JSON topics, and a service's own
 * reading of events.
 */
export function follow({ keyOf, work, passOver, ...deps }: FollowDeps): Following {
  const mailboxes = makeMailboxes(Number.POSITIVE_INFINITY);
  const consumer: PartitionConsumer = new PartitionConsumer({
    ...deps,
    commitEveryMs: 250,
    drainsQueued: true,
    onRecord(record, owner) {
      const task = () => consumer.settle(record, owner, () => work(record, consumer.stopping));
      mailboxes.push(keyOf(record), task);
    },
    onUnreadable(records, owner) {
      const passed = async () => passOver?.(records, consumer.stopping);
      const task = () => consumer.settle({ offset: records.last }, owner, passed);
      mailboxes.push(`unreadable:${partitionKey(records)}`, task);
    },
  });
  return consumer;
}
