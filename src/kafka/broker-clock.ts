// The broker's time on this machine, whatever this machine's clock says: requests' times count from the time at which
// the broker took them (docs/protocol.md, Time). A record that was sent at S, acknowledged at R and appended at T says
// that our clock is ahead by something between S - T and R - T. The narrowest such span of the last minute counts: a
// clock drifts slowly. A span that does not fit the one before says that the clock was set meanwhile, and is believed
// at once.
// Before the first one our own clock is taken for right; a worker has one before it takes its first request (announce
// in bus/fleet-feed.ts).
import type { Clock } from "../lib/clock.ts";
import type { TopicPartition } from "./records.ts";

/** When the broker appended to a partition, Unix ms by its clock. */
export interface PartitionAppend extends TopicPartition {
  at: number;
}

export interface Append {
  /** Of our clock: before the record was sent, and when it was acknowledged. */
  sentAt: number;
  ackedAt: number;
  /** Of the broker's. */
  at: number;
  /** Each partition's own, where the driver tells them. */
  partitions?: readonly PartitionAppend[];
}

/**
 * What a produce says of the broker's clock.
 * @param appends topics are those on the broker, with the prefix
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
  /** How much our clock is ahead of it, ms. */
  readonly skew: number;
}

interface Span {
  low: number;
  high: number;
  /** Monotonic. */
  since: number;
}

/**
 * Below this a clock counts as right: well-kept clocks differ by less, and what is estimated moves with each round
 * trip.
 */
const rightMs = 1000;

/** Our clock, or the broker's where ours is off: for times that other processes judge. */
export function agreedClock(clock: Clock, broker: Pick<BrokerClock, "now" | "skew">): Clock {
  return { ...clock, now: () => (Math.abs(broker.skew) < rightMs ? clock.now() : Math.round(broker.now())) };
}

const freshMs = 60_000;
/** Clocks of ms, and a broker that stamps a batch a moment before or after it says so. */
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
