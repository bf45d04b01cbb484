// The broker's time on this machine, whatever this machine's clock says: requests' times count from the time at which the broker took
// them (contract, section 3). A record that was sent at S, acknowledged at R and appended at T says that our clock is ahead by something
// between S - T and R - T. The narrowest such span of the last minute counts: a clock drifts slowly. A span that does not fit the one
// before says that the clock was set meanwhile, and is believed at once.
// Before the first one our own clock is taken for right; a worker has one before it takes its first request (announce in bus/fleet.ts).
import type { Clock } from "../clock.ts";

export interface Append {
  /** Of our clock: before the record was sent, and when it was acknowledged. */
  sentAt: number;
  ackedAt: number;
  /** Of the broker's. */
  at: number;
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
