// What a requester concludes from the fleet feed (fleet-feed.ts): which commands nobody serves. It counts intervals in
// which the feed was seen to flow, so that a broker that is away, or a requester that slept, never looks like a fleet
// that is gone. Reports that it reads late, behind a flood of others, say nothing about those it has not read yet.
import type { KafkaPort } from "../kafka/kafka.ts";
import type { InRecord } from "../kafka/records.ts";
import { systemClock } from "../lib/clock.ts";
import { reportEveryMs } from "./fleet-feed.ts";
import { type FleetReport, readReport } from "./fleet-report.ts";

/** Intervals without a report after which a command counts as served by nobody. */
const patience = 3;

/**
 * After so long without any report the feed counts as interrupted, however soon its broker answers afterwards: workers
 * get the lost time again. (After a restart of 3 s between two ticks, workers whose next report came 5.2 s after their
 * last one were taken for gone.)
 */
const interruptedMs = 1.5 * reportEveryMs;

/** Used to find out whether a silent feed is due to the fleet or to the broker. */
export interface FeedSource {
  kafka: Pick<KafkaPort, "endOffsets">;
  sender: { readonly pending: number; readonly acknowledged: number };
  topic: string;
}

export class FleetView {
  readonly #topics: ReadonlySet<string>;
  readonly #monotonic: () => number;
  readonly #lagOf: (appendedAt: number) => number;
  /** Command -> the interval in which a report last said that it is served. */
  readonly #lastServed = new Map<string, number>();
  #interval = 0;
  /** The interval from which on the feed has flowed. */
  #since = 0;
  #came = false as boolean;
  #heardAt = Number.NEGATIVE_INFINITY;
  /** The feed's offset that comes next. */
  #nextOffset: bigint | undefined;
  #asking = false as boolean;
  /** The question was open when the next interval had passed. */
  #slow = false as boolean;
  #ticker: NodeJS.Timeout | undefined;

  /** @param topics of these commands it is known who serves them: nothing is kept of whatever else a record names */
  constructor(topics: ReadonlySet<string>, monotonic = systemClock.monotonic) {
    this.#topics = topics;
    this.#monotonic = monotonic;
    this.#lagOf = makeLag(monotonic);
  }

  take(records: InRecord[]): void {
    for (const record of records) {
      const report = readReport(record);
      // Read late, behind a flood of records: what is missing may be in what was not read yet.
      if (this.#lagOf(record.timestamp) > interruptedMs) this.#since = this.#interval;
      if (report !== undefined) this.#hear(report);
      this.#nextOffset = record.offset + 1n;
    }
  }

  /** A request of the command was answered: somebody serves it, whatever the feed says or has lost. */
  answered(topic: string): void {
    this.#lastServed.set(topic, this.#interval);
  }

  /** Whether nobody was seen to serve the command for three intervals of a feed that flowed. */
  nobodyServes(topic: string): boolean {
    return this.#interval - Math.max(this.#lastServed.get(topic) ?? 0, this.#since) >= patience;
  }

  /** Counts intervals from now on. */
  start(source: FeedSource): void {
    let before = source.sender.acknowledged;
    const tick = (): void => {
      const acknowledgedBefore = before;
      before = source.sender.acknowledged;
      void this.tick(() => this.#isQuiet(source, acknowledgedBefore));
    };
    this.#ticker = setInterval(tick, reportEveryMs).unref();
  }

  stop(): void {
    clearInterval(this.#ticker);
  }

  /**
   * An interval has passed.
   * @param reachable asked only where nothing came meanwhile: whether the broker answers and nothing is unread
   */
  async tick(reachable: () => Promise<boolean>): Promise<void> {
    if (this.#asking) {
      this.#slow = true;
      return;
    }
    this.#asking = true;
    const flowed = this.#came || (await reachable().catch(() => false));
    this.#interval += 1;
    // An answer that took several intervals says nothing of them: the broker was away meanwhile.
    if (!flowed || this.#slow) this.#since = this.#interval;
    this.#asking = this.#slow = this.#came = false;
  }

  #hear({ ping, info }: FleetReport): void {
    this.#came = true;
    const now = this.#monotonic();
    if (now - this.#heardAt > interruptedMs) this.#since = this.#interval;
    this.#heardAt = now;
    // A worker that is away for a moment comes back and finds the requests waiting; one that leaves, or falls
    // silent, will not serve them.
    if (ping.state === "leaving") return;
    for (const topic of info.commands) if (this.#topics.has(topic)) this.#lastServed.set(topic, this.#interval);
  }

  /**
   * Whether the feed's broker answers and has nothing that we have not read: then its silence is the fleet's. Not where
   * our own records wait too: brokers that lack a replica answer questions and take nothing, from nobody.
   */
  async #isQuiet({ kafka, sender, topic }: FeedSource, acknowledgedBefore: number): Promise<boolean> {
    if (sender.pending > 0 && sender.acknowledged === acknowledgedBefore) return false;
    const end = (await kafka.endOffsets(topic)).get(0);
    this.#nextOffset ??= end;
    return end !== undefined && end === this.#nextOffset;
  }
}

/** Clocks drift apart by less than this. */
const driftPerMs = 0.001;

/**
 * How long after its append a record is read, ms, compared with the one that was read soonest: the two clocks are
 * different ones, so only the difference of their differences says anything.
 */
function makeLag(monotonic: () => number): (appendedAt: number) => number {
  let soonest = Number.NEGATIVE_INFINITY;
  let at = 0;
  return (appendedAt) => {
    const now = monotonic();
    const ahead = appendedAt - now;
    soonest = Math.max(soonest - (now - at) * driftPerMs, ahead);
    at = now;
    return soonest - ahead;
  };
}
