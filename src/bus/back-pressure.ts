// Back pressure: which partitions are paused, so that memory stays flat whatever the backlog. A partition is held back by its own
// unfinished records, between two marks. All of a worker's together have marks too: at the upper one the worker is crowded, and until the
// lower one partitions with more than their share are held back, while quiet ones are read on - so a backlog, or a database that hangs,
// does not stop commands that need neither.
// A record counts by its bytes too, so that memory stays flat also where each is as large as a broker takes.
// A fetch must not bring much more than the marks let in: what a driver has decoded for nothing is garbage that outlives young generations.
// Measured, `npm run bench -- drain`, a worker's peak with a backlog of 200,000 records: 1,054 MiB with marks by partition alone and fetches of
// 1 MiB each, 943 with those of the worker beside them, 522 with fetches of 128 KiB as well.

import type { Consumption, FetchLimits } from "../kafka/kafka.ts";
import type { InRecord } from "../kafka/records.ts";
import type { Holding } from "./assigned-partitions.ts";

export interface BackPressure {
  /** Call after records of the partition were taken. @param load of all of them (loadOf) */
  taken(holding: Holding, load: number): void;
  /** Call once for each record taken: it was finished, or given up. @param load of that record */
  left(holding: Holding, load?: number): void;
}

export interface BackPressureParts {
  /** All that are held now. */
  holdings(): Iterable<Holding>;
  taps(): Pick<Consumption, "pause" | "resume">;
}

/** Unfinished records at which a partition is paused, and at which it goes on. */
const highWater = 1000;
const lowWater = 250;
/** Unfinished records of all partitions at which the worker is crowded, and at which it is no longer. */
const crowdHigh = 2000;
const crowdLow = crowdHigh / 2;
/** What one fetch may bring to whoever holds back like this. */
export const smallFetch: FetchLimits = { bytes: 1024 * 1024, partitionBytes: 128 * 1024 };
/** So many bytes more count as a record more: 1,000 records that are held hold no more than 16 MiB. */
const bytesOfOne = 16 * 1024;
/** What each partition may have in a crowded worker, however many it holds. */
const leastShare = 16;

export function loadOf({ bytes = 0 }: Pick<InRecord, "bytes">): number {
  return 1 + Math.floor(bytes / bytesOfOne);
}

export function makeBackPressure({ holdings, taps }: BackPressureParts): BackPressure {
  let unfinished = 0;
  let crowded = false;
  let share = highWater;

  const holdBack = (holding: Holding): void => {
    if (holding.paused || heldBy(holding) < (crowded ? share : highWater)) return;
    holding.paused = true;
    taps().pause(holding);
  };
  const letOn = (holding: Holding): void => {
    if (!holding.paused || holding.lost || heldBy(holding) > lowWater) return;
    holding.paused = false;
    taps().resume(holding);
  };

  return {
    taken(holding, load) {
      unfinished += load;
      holding.load += load;
      if (crowded || unfinished < crowdHigh) return holdBack(holding);
      const all = [...holdings()];
      crowded = true;
      share = Math.max(leastShare, Math.floor(crowdHigh / all.length));
      for (const each of all) holdBack(each);
    },
    left(holding, load = 1) {
      unfinished -= load;
      holding.load -= load;
      if (crowded) {
        if (unfinished > crowdLow) return;
        crowded = false;
        for (const each of holdings()) letOn(each);
      }
      letOn(holding);
    },
  };
}

/** Those that are done and wait behind one that is not count as well: they would be read again. */
function heldBy({ watermark, load }: Holding): number {
  return Math.max(watermark.size, load);
}
