// One instance of a driver's consumer: what the supervisor calls on it, and what it reports.
import type { Assignment, CommittedOffset, InRecord, TopicPartition, UnreadableRecords } from "./records.ts";

/** A running consumer of a driver. */
export interface Consumer {
  commit(offsets: CommittedOffset[]): Promise<void>;
  pause(partition: TopicPartition): void;
  resume(partition: TopicPartition): void;
  /** Leaves the group and closes everything. May hang: the supervisor waits at most closeBoundMs. */
  close(): Promise<void>;
}

/** What a driver reports of the consumer that it built. Reports after the instance is over are ignored. */
export interface ConsumerInstance {
  /** Aborted when the instance is over. */
  readonly over: AbortSignal;
  /** The last member of the previous instance: it may block the group until its session times out. */
  readonly previousMemberId: string | undefined;
  joined(memberId: string, assignment: Assignment): void;
  /** A heartbeat, a fetch or a join was answered. */
  progress(): void;
  /** @param next the offset after everything fetched, including records that were not handed over */
  records(records: InRecord[], partition: TopicPartition, ends: { highWatermark: bigint; next: bigint }): void;
  /** Fetched records that cannot be read. */
  unreadable(records: UnreadableRecords, ends: { highWatermark: bigint; next: bigint }): void;
  /** Where a reader of new records continues; undefined where it has not read yet. */
  positionOf(partition: TopicPartition): bigint | undefined;
  fail(reason: unknown): void;
}
