// One instance of a driver's consumer, from both sides: what the supervisor asks of it, and what it reports.
import type { Assignment, CommittedOffset, InRecord, TopicPartition, UnreadableRecords } from "./records.ts";

/** What a driver's consumer can do while it lives. */
export interface Consumer {
  commit(offsets: CommittedOffset[]): Promise<void>;
  pause(partition: TopicPartition): void;
  resume(partition: TopicPartition): void;
  /** Leaves the group and ends all it has. May hang: it is not waited for longer than closeBoundMs. */
  close(): Promise<void>;
}

/** What a driver reports of the consumer it has built. After the end of that life nothing of it counts. */
export interface ConsumerInstance {
  /** Aborted when it is over. */
  readonly over: AbortSignal;
  /** The member that the life before was last: it may still hold the group up until its session ends. */
  readonly previousMemberId: string | undefined;
  joined(memberId: string, assignment: Assignment): void;
  /** A heartbeat, a fetch or a join was answered. */
  progress(): void;
  /** @param next the offset after all that was fetched, records that were not handed over included */
  records(records: InRecord[], partition: TopicPartition, ends: { highWatermark: bigint; next: bigint }): void;
  /** What was fetched and cannot be read. */
  unreadable(records: UnreadableRecords, ends: { highWatermark: bigint; next: bigint }): void;
  /** Where a reader of new records goes on; undefined where it has not read yet. */
  positionOf(partition: TopicPartition): bigint | undefined;
  fail(reason: unknown): void;
}
