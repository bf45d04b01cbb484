// The partitions a consumer is assigned, each with its offsets. A partition that stays across a rebalance keeps them,
// so that what the driver reads again from the last commit is recognized and skipped. A lost one is marked, and nothing
// of it is committed any more. Commits go out on a timer, one at a time, and nothing waits for them.
import { type Assignment, type CommittedOffset, partitionKey, type TopicPartition } from "../kafka/records.ts";
import { OffsetTracker } from "./offset-tracker.ts";

export interface AssignedPartition extends TopicPartition {
  offsets: OffsetTracker;
  /** What its unfinished records count in back pressure. */
  load: number;
  paused: boolean;
  lost: boolean;
  /** Records below this offset may have been handled by somebody before. */
  redeliveredBelow: bigint | undefined;
  /** The partition's end as of the last fetch. */
  end: bigint;
}

export interface AssignedPartitions {
  assign(assignment: Assignment): void;
  /**
   * The assigned partition that records of a fetch belong to; undefined where the partition is not ours (any more).
   * @param end the partition's end as of the fetch: where it lies before what was read, the partition was made anew or
   *   cut, its offsets start over, and what is known of them is given up as if the partition had been lost
   */
  receive(partition: TopicPartition, end: bigint): AssignedPartition | undefined;
  all(): Iterable<AssignedPartition>;
  readonly size: number;
  /** The partitions held, by topic: for the assigner, and for who wants to know. */
  byTopic(): Record<string, number[]>;
  /** Commits what moved. @throws KafkaFault */
  commit(): Promise<void>;
  /** Commits every so often until stopped; a failed commit is tried with the next. */
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

/** Records of the partition that are not finished, fetched or not, as of the last fetch. */
export function lagOf({ offsets, end }: AssignedPartition): number {
  return offsets.size + (offsets.next === undefined ? 0 : Math.max(0, Number(end - offsets.next)));
}
