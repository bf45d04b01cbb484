// Back pressure: which partitions are paused, so that memory stays flat whatever the backlog. A partition is held back
// by its own unfinished records, between two marks. All of a worker's together have marks too: at the upper one the
// worker is crowded, and until the lower one partitions with more than their share are held back, while quiet ones are
// read on - so a backlog, or a database that hangs, does not stop commands that need neither.
// A record counts by its bytes too, so that memory stays flat also where each is as large as a broker takes. A fetch
// must not bring much more than the marks let in: what a driver has decoded for nothing is garbage that outlives young
// generations. Measured, `npm run bench -- drain`, a worker's peak with a backlog of 200,000 records: 1,054 MiB with
// marks by partition alone and fetches of 1 MiB each, 943 with those of the worker beside them, 522 with fetches of 128
// KiB as well.

import type { Consumption, FetchLimits } from "../kafka/kafka.ts";
import type { InRecord } from "../kafka/records.ts";
import type { AssignedPartition } from "./assigned-partitions.ts";

export interface BackPressure {
  /** Call after records of the partition were taken. @param load of all of them (loadOf) */
  taken(assignedPartition: AssignedPartition, load: number): void;
  /** Call once for each record taken: it was finished, or given up. @param load of that record */
  left(assignedPartition: AssignedPartition, load?: number): void;
}

export interface BackPressureDeps {
  /** All that are held now. */
  assigned(): Iterable<AssignedPartition>;
  consumption(): Pick<Consumption, "pause" | "resume">;
}

/** Unfinished records at which a partition is paused, and at which it goes on. */
const highWater = 1000;
const lowWater = 250;
/** Unfinished records of all partitions at which the worker is crowded, and at which it is no longer. */
const totalHigh = 2000;
const totalLow = totalHigh / 2;
/** What one fetch may bring to whoever holds back like this. */
export const smallFetch: FetchLimits = { bytes: 1024 * 1024, partitionBytes: 128 * 1024 };
/** So many bytes more count as a record more: 1,000 records that are held hold no more than 16 MiB. */
const bytesOfOne = 16 * 1024;
/** What each partition may have in a crowded worker, however many it holds. */
const leastShare = 16;

export function loadOf({ bytes = 0 }: Pick<InRecord, "bytes">): number {
  return 1 + Math.floor(bytes / bytesOfOne);
}

export function makeBackPressure({ assigned: holdings, consumption: taps }: BackPressureDeps): BackPressure {
  let unfinished = 0;
  let overLimit = false;
  let share = highWater;

  const pause = (assignedPartition: AssignedPartition): void => {
    if (assignedPartition.paused || unfinishedIn(assignedPartition) < (overLimit ? share : highWater)) return;
    assignedPartition.paused = true;
    taps().pause(assignedPartition);
  };
  const resume = (assignedPartition: AssignedPartition): void => {
    if (!assignedPartition.paused || assignedPartition.lost || unfinishedIn(assignedPartition) > lowWater) return;
    assignedPartition.paused = false;
    taps().resume(assignedPartition);
  };

  return {
    taken(assignedPartition, load) {
      unfinished += load;
      assignedPartition.load += load;
      if (overLimit || unfinished < totalHigh) return pause(assignedPartition);
      const all = [...holdings()];
      overLimit = true;
      share = Math.max(leastShare, Math.floor(totalHigh / all.length));
      for (const each of all) pause(each);
    },
    left(assignedPartition, load = 1) {
      unfinished -= load;
      assignedPartition.load -= load;
      if (overLimit) {
        if (unfinished > totalLow) return;
        overLimit = false;
        for (const each of holdings()) resume(each);
      }
      resume(assignedPartition);
    },
  };
}

/** Those that are done and wait behind one that is not count as well: they would be read again. */
function unfinishedIn({ offsets: watermark, load }: AssignedPartition): number {
  return Math.max(watermark.size, load);
}
