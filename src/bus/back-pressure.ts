// Back pressure: pauses partitions, so that memory is bounded whatever the backlog.
// - A partition is paused at 1,000 unfinished records and resumed at 250.
// - All partitions of a worker together have a limit too. Above it, partitions with more than an equal share are
//   paused, so that a backlog, or a database that hangs, does not stop commands that are not affected by it.
// - A large record counts as several, so that memory is bounded also where every record has the largest size. A fetch
//   must not bring much more than these limits admit: what a driver decodes in vain is garbage that outlives young
//   generations. Measured with `npm run bench -- drain`, a worker's peak with a backlog of 200,000 records: 1,054 MiB
//   with limits by partition alone and fetches of 1 MiB each, 943 with the worker's limit as well, 522 with fetches of
//   128 KiB too.

import type { Consumption, FetchLimits } from "../kafka/kafka.ts";
import type { InRecord } from "../kafka/records.ts";
import type { AssignedPartition } from "./assigned-partitions.ts";

export interface BackPressure {
  /** Call after taking records of the partition. @param load of all of them (loadOf) */
  taken(partition: AssignedPartition, load: number): void;
  /** Call once for each record taken, when it is finished or dropped. @param load of that record */
  left(partition: AssignedPartition, load?: number): void;
}

export interface BackPressureDeps {
  /** All partitions that the consumer is assigned now. */
  assigned(): Iterable<AssignedPartition>;
  consumption(): Pick<Consumption, "pause" | "resume">;
}

/** Unfinished records at which a partition is paused, and at which it is resumed. */
const highWater = 1000;
const lowWater = 250;
/** Unfinished records of all partitions at which the worker is over its limit, and at which it no longer is. */
const totalHigh = 2000;
const totalLow = totalHigh / 2;
/** Fetch limits for a consumer with this back pressure. */
export const smallFetch: FetchLimits = { bytes: 1024 * 1024, partitionBytes: 128 * 1024 };
/** Each further 16 KiB counts as another record: 1,000 records hold at most 16 MiB. */
const bytesOfOne = 16 * 1024;
/** The minimum share of a partition in a worker over its limit, however many partitions it has. */
const leastShare = 16;

export function loadOf({ bytes = 0 }: Pick<InRecord, "bytes">): number {
  return 1 + Math.floor(bytes / bytesOfOne);
}

export function makeBackPressure({ assigned, consumption }: BackPressureDeps): BackPressure {
  let unfinished = 0;
  let overLimit = false;
  let share = highWater;

  const pause = (partition: AssignedPartition): void => {
    if (partition.paused || unfinishedIn(partition) < (overLimit ? share : highWater)) return;
    partition.paused = true;
    consumption().pause(partition);
  };
  const resume = (partition: AssignedPartition): void => {
    if (!partition.paused || partition.lost || unfinishedIn(partition) > lowWater) return;
    partition.paused = false;
    consumption().resume(partition);
  };

  return {
    taken(partition, load) {
      unfinished += load;
      partition.load += load;
      if (overLimit || unfinished < totalHigh) return pause(partition);
      const all = [...assigned()];
      overLimit = true;
      share = Math.max(leastShare, Math.floor(totalHigh / all.length));
      for (const each of all) pause(each);
    },
    left(partition, load = 1) {
      unfinished -= load;
      partition.load -= load;
      if (overLimit) {
        if (unfinished > totalLow) return;
        overLimit = false;
        for (const each of assigned()) resume(each);
      }
      resume(partition);
    },
  };
}

/** Includes finished records after an unfinished one: after a crash they would be read again. */
function unfinishedIn({ offsets, load }: AssignedPartition): number {
  return Math.max(offsets.size, load);
}
