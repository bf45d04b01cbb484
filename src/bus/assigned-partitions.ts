// The assigned partitions of a consumer, each with its offsets. A partition that stays assigned across a rebalance
// keeps them, so records that the driver reads again from the last commit are recognised and skipped. A lost partition
// is marked, and nothing of it is committed any more. Commits are sent on a timer, one at a time, and nothing waits for
// them.
import { type Assignment, type CommittedOffset, partitionKey, type TopicPartition } from "../kafka/records.ts";
import { OffsetTracker } from "./offset-tracker.ts";

export interface AssignedPartition extends TopicPartition {
  offsets: OffsetTracker;
  /** The weight of its unfinished records in back pressure. */
  load: number;
  paused: boolean;
  lost: boolean;
  /** Records below this offset may have been handled by another consumer. */
  redeliveredBelow: bigint | undefined;
  /** The partition's end as of the last fetch. */
  end: bigint;
}

export interface AssignedPartitions {
  assign(assignment: Assignment): void;
  /**
   * The assigned partition that records of a fetch belong to; undefined where it is not assigned (any more).
   * @param end the partition's end as of the fetch. If it is before what was read, the partition was recreated or
   *   truncated: its offsets start over, and its state is dropped as if the partition had been lost.
   */
  receive(partition: TopicPartition, end: bigint): AssignedPartition | undefined;
  all(): Iterable<AssignedPartition>;
  readonly size: number;
  /** The assigned partitions by topic. */
  byTopic(): Record<string, number[]>;
  /** Commits what has moved. @throws KafkaFault */
  commit(): Promise<void>;
  /** Starts the commit timer; a failed commit is retried with the next one. @returns a function that stops it */
  stop(): void;
}

export interface AssignedPartitionsDeps {
  commit(offsets: CommittedOffset[]): Promise<void>;
  everyMs: number;
  failed(error: unknown): void;
}

export function makeAssignedPartitions(parts: AssignedPartitionsDeps): AssignedPartitions {
  let held = new Map<string, AssignedPartition>();
  let committing = false;

  const commit = async (): Promise<void> => {
    const moved = [...held.values()].flatMap(({ topic, partition, offsets }) => {
      const offset = offsets.committable;
      return offset === undefined ? [] : [{ topic, partition, offset, offsets }];
    });
    if (moved.length === 0) return;
    await parts.commit(moved.map(({ topic, partition, offset }) => ({ topic, partition, offset })));
    for (const { offsets, offset } of moved) offsets.committed(offset);
  };

  const timer = setInterval(() => {
    if (committing) return;
    committing = true;
    commit()
      .catch(parts.failed)
      .finally(() => {
        committing = false;
      });
  }, parts.everyMs);

  return {
    assign(assignment) {
      const before = held;
      const pairs = [...assignment].flatMap(([topic, partitions]) =>
        partitions.map((partition) => ({ topic, partition })),
      );
      held = new Map(pairs.map((pair) => [partitionKey(pair), before.get(partitionKey(pair)) ?? fresh(pair)]));
      for (const [id, each] of before) if (!held.has(id)) each.lost = true;
    },
    receive({ topic, partition }, end) {
      let found = held.get(partitionKey({ topic, partition }));
      if (found?.offsets.next !== undefined && end < found.offsets.next) {
        found.lost = true;
        found = fresh({ topic, partition });
        held.set(partitionKey(found), found);
      }
      if (found !== undefined) found.end = end;
      return found;
    },
    all: () => held.values(),
    get size() {
      return held.size;
    },
    byTopic() {
      const topics: Record<string, number[]> = {};
      for (const { topic, partition } of held.values()) {
        topics[topic] ??= [];
        topics[topic].push(partition);
      }
      return topics;
    },
    commit,
    stop: () => clearInterval(timer),
  };
}

function fresh(partition: TopicPartition): AssignedPartition {
  return {
    ...partition,
    offsets: new OffsetTracker(),
    load: 0,
    paused: false,
    lost: false,
    redeliveredBelow: undefined,
    end: 0n,
  };
}

/** Unfinished records of the partition, fetched or not, as of the last fetch. */
export function lagOf({ offsets, end }: AssignedPartition): number {
  return offsets.size + (offsets.next === undefined ? 0 : Math.max(0, Number(end - offsets.next)));
}
