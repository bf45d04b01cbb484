// Consumes topics in a group: each record is processed at least once, in order per key and in parallel across keys.
// Offsets only move past finished work; a record that fails is left and read again by the partition's next owner. A new
// group starts at the earliest record. For work without replies: the platform's JSON topics, a service's own reading of
// events.

import { shared } from "../kafka/assigner.ts";
import type { Consumption, KafkaPort } from "../kafka/kafka.ts";
import type { InRecord, UnreadableRecords } from "../kafka/records.ts";
import { asError } from "../lib/errors.ts";
import { settledWithin } from "../lib/timeout.ts";
import type { Logger } from "../runtime/log.ts";
import { type AssignedPartition, makeAssignedPartitions } from "./assigned-partitions.ts";
import { loadOf, makeBackPressure, smallFetch } from "./back-pressure.ts";
import { makeMailboxes } from "./mailbox.ts";

export interface FollowDeps {
  kafka: KafkaPort;
  group: string;
  topics: string[];
  /** Records of one key are processed in order. */
  keyOf(record: InRecord): string;
  /** Rejects only when it was told to stop: it must retry other faults itself, or send dead letters. */
  work(record: InRecord, stopping: AbortSignal): Promise<void>;
  /** Handles records that cannot be read before they count as finished; default: nothing. Rejects as `work` does. */
  passOver?(records: UnreadableRecords, stopping: AbortSignal): Promise<void>;
  log: Logger;
}

export interface Following {
  /** Resolves at the first assignment. */
  joined: Promise<void>;
  readonly healthy: boolean;
  /** Stops taking records, waits up to drainMs for those taken, commits, and leaves the group. */
  close(drainMs?: number): Promise<void>;
}

const commitEveryMs = 250;

export function follow(parts: FollowDeps): Following {
  const mailboxes = makeMailboxes(Number.POSITIVE_INFINITY);
  const stopping = new AbortController();
  let closing = false;
  const assigned = makeAssignedPartitions({
    commit: (offsets) => consumption.commit(offsets),
    everyMs: commitEveryMs,
    failed: (error) => parts.log.debug({ err: asError(error) }, "commit failed, tried again with the next"),
  });
  const pressure = makeBackPressure({ assigned: () => assigned.all(), consumption: () => consumption });

  const settle = async (offset: bigint, owner: AssignedPartition, work: () => Promise<void>): Promise<void> => {
    if (stopping.signal.aborted || owner.lost) return;
    try {
      await work();
      owner.offsets.finish(offset);
    } catch (error) {
      const { topic } = owner;
      parts.log.warn({ err: asError(error), topic, offset: String(offset) }, "a record is left for the next owner");
    }
  };

  const take = (record: InRecord, owner: AssignedPartition): void => {
    mailboxes.push(parts.keyOf(record), async () => {
      await settle(record.offset, owner, () => parts.work(record, stopping.signal));
      pressure.left(owner, loadOf(record));
    });
  };

  const consumption: Consumption = parts.kafka.consume({
    group: parts.group,
    topics: parts.topics,
    from: "earliest", // a new group reads everything that the topic retains
    fetch: smallFetch,
    assign: shared(() => assigned.byTopic()),
    onAssigned(assignment) {
      assigned.assign(assignment);
      for (const each of assigned.all()) if (each.paused) consumption.pause(each);
    },
    onRecords(records, partition, end) {
      const owner = assigned.receive(partition, end);
      if (owner === undefined || closing) return;
      const taken = records.filter(({ offset }) => owner.offsets.add(offset));
      for (const record of taken) take(record, owner);
      pressure.taken(
        owner,
        taken.reduce((load, record) => load + loadOf(record), 0),
      );
    },
    onUnreadable(records, end) {
      const owner = assigned.receive(records, end);
      if (owner === undefined || closing || !owner.offsets.add(records.last)) return;
      const work = async () => parts.passOver?.(records, stopping.signal);
      mailboxes.push(`unreadable:${records.topic}/${records.partition}`, () => settle(records.last, owner, work));
    },
  });

  return {
    joined: consumption.joined,
    get healthy() {
      return consumption.healthy;
    },
    async close(drainMs = 0) {
      closing = true;
      // Without draining, everything after the first unfinished record would be read again.
      if (drainMs > 0) await settledWithin(drainMs, () => mailboxes.idle());
      stopping.abort();
      assigned.stop();
      await assigned.commit().catch((error: unknown) => parts.log.debug({ err: asError(error) }, "last commit failed"));
      await consumption.close();
    },
  };
}
