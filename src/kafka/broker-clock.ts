// The broker's time, estimated on this machine, whatever its clock says: a request's deadline counts from the broker
// time of its record (docs/protocol.md, Time). A record sent at S, acknowledged at R and appended at T shows that our
// clock is ahead by between S - T and R - T. The narrowest such span of the last minute is used, because clocks drift
// slowly. A span that contradicts the one before means that a clock was set, and replaces it at once.
//
// Until the first span our own clock is taken as right; a worker gets one before it takes its first request (`announce`
// in bus/fleet-feed.ts).
import type { Clock } from "../lib/clock.ts";
import type { TopicPartition } from "./records.ts";

/** The broker's append time for a partition, Unix ms by its clock. */
export interface PartitionAppend extends TopicPartition {
  at: number;
}

export interface Append {
  /** By our clock: before the record was sent, and when it was acknowledged. */
  sentAt: number;
  ackedAt: number;
  /** By the broker's clock. */
  at: number;
  /** Each partition's own, where the driver reports them. */
  partitions?: readonly PartitionAppend[];
}

/**
 * What a produce reveals about the broker's clock.
 * @param appends topics with their names on the broker, including the prefix
 * @returns undefined: nothing
 */
export function appendOf(
  times: Pick<Append, "sentAt" | "ackedAt">,
  appends: readonly PartitionAppend[],
  prefix: string,
): Append | undefined {
  if (appends.length === 0) return undefined;
  const partitions = appends.map((append) => ({ ...append, topic: append.topic.slice(prefix.length) }));
  return { ...times, at: Math.max(...appends.map(({ at }) => at)), partitions };
}

export interface BrokerClock {
  sample(append: Append): void;
  /** Unix ms by the broker's clock. */
  now(): number;
  /** How far our clock is ahead of it, ms. */
  readonly skew: number;
}

interface Span {
  low: number;
  high: number;
  /** Monotonic. */
  since: number;
}

/**
 * Below this our clock counts as right: synchronised clocks differ by less, and the estimate varies with each round
 * trip.
 */
const rightMs = 1000;

/** Our clock, or the broker's where ours is off: for times that other processes judge. */
export function agreedClock(clock: Clock, broker: Pick<BrokerClock, "now" | "skew">): Clock {
  return { ...clock, now: () => (Math.abs(broker.skew) < rightMs ? clock.now() : Math.round(broker.now())) };
}

const freshMs = 60_000;
/** Tolerance for clocks with a resolution of ms, and for a broker that stamps a batch slightly early or late. */
const slackMs = 5;

export function makeBrokerClock(clock: Clock): BrokerClock {
  let best: Span | undefined;
  const skew = (): number => (best === undefined ? 0 : (best.low + best.high) / 2);
  return {
    sample({ sentAt, ackedAt, at }) {
      const span = { low: sentAt - at, high: ackedAt - at, since: clock.monotonic() };
      const width = ({ low, high }: Span): number => high - low;
      const old = best === undefined || span.since - best.since > freshMs;
      const apart = best !== undefined && (span.low > best.high + slackMs || span.high < best.low - slackMs);
      if (old || apart || width(span) <= width(best!)) best = span;
    },
    now: () => clock.now() - skew(),
    get skew() {
      return skew();
    },
  };
}
