// What a process did since it was last asked: requests by command, their times as percentiles, and their outcomes.
// Times are counted in buckets that grow by a tenth, so a percentile is exact within 10 % at a fixed cost.
import type { FleetStats } from "./fleet-report.ts";

const growth = Math.log(1.1);
const smallestMs = 0.1;

interface Count {
  requests: number;
  outcomes: Map<string, number>;
  /** bucket -> requests */
  buckets: Map<number, number>;
}

export interface CommandStats {
  observe(topic: string, outcome: string, ms: number): void;
  /** The counts since the last call. */
  take(): FleetStats["commands"];
}

export function makeCommandStats(monotonic: () => number): CommandStats {
  let counts = new Map<string, Count>();
  let since = monotonic();
  return {
    observe(topic, outcome, ms) {
      let count = counts.get(topic);
      if (count === undefined) {
        count = { requests: 0, outcomes: new Map(), buckets: new Map() };
        counts.set(topic, count);
      }
      count.requests += 1;
      count.outcomes.set(outcome, (count.outcomes.get(outcome) ?? 0) + 1);
      const bucket = ms <= smallestMs ? 0 : Math.ceil(Math.log(ms / smallestMs) / growth);
      count.buckets.set(bucket, (count.buckets.get(bucket) ?? 0) + 1);
    },
    take() {
      const taken = counts;
      const seconds = Math.max(monotonic() - since, 1) / 1000;
      counts = new Map();
      since = monotonic();
      return Object.fromEntries(
        [...taken].map(([topic, count]) => [
          topic,
          {
            perSecond: rounded(count.requests / seconds),
            p50Ms: percentile(count, 0.5),
            p99Ms: percentile(count, 0.99),
            outcomes: Object.fromEntries(count.outcomes),
          },
        ]),
      );
    },
  };
}

/** The upper end of the percentile's bucket. */
function percentile({ requests, buckets }: Count, share: number): number {
  let left = Math.ceil(requests * share);
  for (const [bucket, size] of [...buckets].sort(([a], [b]) => a - b)) {
    left -= size;
    if (left <= 0) return rounded(smallestMs * Math.exp(bucket * growth));
  }
  return 0;
}

const rounded = (value: number): number => Math.round(value * 10) / 10;
