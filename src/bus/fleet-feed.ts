// The fleet feed: every process says every two seconds who it is (PING), what it serves (INFO) and how it does (STATS),
// in one JSON record on a topic of its own. JSON, unlike everything else, so that an operator reads it with any console
// consumer and a process speaks it before it has a schema. It is for people, and for requesters' NO_WORKERS: whoever
// may write here can keep no worker from starting (db/serving.ts decides that), and what one record or many can cost a
// reader is bounded.
// - startReporting: says it. A report that cannot be sent is given up; the next one says all of it again.
// - makeFleetView: what a requester knows from it, counted in intervals in which the feed was seen to flow, so that a
//   broker that is away, or a requester that slept, never looks like a fleet that is gone.
// - announce: says "starting", and waits for the acknowledgement.
import type { KafkaPort } from "../kafka/kafka.ts";
import type { InRecord } from "../kafka/records.ts";
import { systemClock } from "../lib/clock.ts";
import { asError } from "../lib/errors.ts";
import { settledWithin } from "../lib/timeout.ts";
import type { Logger } from "../runtime/log.ts";
import { type FleetReport, readReport, recordOf } from "./fleet-report.ts";
import type { BusNames } from "./names.ts";

export const reportEveryMs = 2000;
/** Intervals without a beat after which a process counts as gone. */
const patience = 3;

const leavingReport = (beat: FleetReport): FleetReport => ({ ...beat, ping: { ...beat.ping, state: "leaving" } });

export interface FeedDeps {
  kafka: Pick<KafkaPort, "partitionsOf" | "produce">;
  names: BusNames;
  log: Logger;
}

export interface FleetReporter {
  /** Says "leaving" and stops; waits no longer than so for the broker. */
  stop(waitMs: number): Promise<void>;
}

/** @param describe is asked for each beat */
export function startReporting({ kafka, names, log }: FeedDeps, describe: () => FleetReport): FleetReporter {
  let sending = false;
  const say = async (beat: FleetReport): Promise<void> => {
    sending = true;
    try {
      await kafka.produce([recordOf(beat, names.fleetTopic)]);
    } catch (error) {
      log.debug({ err: asError(error) }, "the fleet could not be told");
    } finally {
      sending = false;
    }
  };
  const timer = setInterval(() => void (sending || say(describe())), reportEveryMs);
  void say(describe());
  return {
    async stop(waitMs) {
      clearInterval(timer);
      await settledWithin(waitMs, () => say(leavingReport(describe())));
    },
  };
}

export interface FleetView {
  take(records: InRecord[]): void;
  /** A request of the command was answered: somebody serves it, whatever the feed says or has lost. */
  answered(topic: string): void;
  /** Whether nobody was seen to serve the command for three intervals of a feed that flowed. */
  nobodyServes(topic: string): boolean;
  /**
   * An interval has passed.
   * @param reachable asked only where nothing came meanwhile: whether the broker answers and nothing is unread
   */
  tick(reachable: () => Promise<boolean>): Promise<void>;
}

/**
 * So long without a beat of anybody, and the feed was interrupted, however soon its broker answers after: who was held
 * up by that has that time again. (A restart of 3 s between two ticks made NO_WORKERS of workers whose next beat came
 * 5.2 s after their last one.)
 */
const interruptedMs = 1.5 * reportEveryMs;

export interface FleetViewOptions {
  /** Of these it is known who serves them: nothing is kept of whatever else a record names. */
  topics: ReadonlySet<string>;
  monotonic?: () => number;
}

export function makeFleetView({ topics, monotonic = systemClock.monotonic }: FleetViewOptions): FleetView {
  const lastServed = new Map<string, number>(); // command -> the interval in which a beat last said that it is served
  const lagOf = makeLag(monotonic);
  let interval = 0;
  let since = 0; // the interval from which on the feed has flowed
  let came = false;
  let heardAt = Number.NEGATIVE_INFINITY;
  let asking = false;
  let slow = false; // the question was open when the next interval had passed
  return {
    take(records) {
      for (const record of records) {
        const beat = readReport(record);
        // Read late, behind a flood of records: what is missing may be in what was not read yet.
        if (lagOf(record.timestamp) > interruptedMs) since = interval;
        if (beat === undefined) continue;
        came = true;
        const now = monotonic();
        if (now - heardAt > interruptedMs) since = interval;
        heardAt = now;
        // Who is away for a moment will be back and find the requests waiting: only who leaves, or falls silent, is no
        // hope.
        if (beat.ping.state === "leaving") continue;
        for (const topic of beat.info.commands) if (topics.has(topic)) lastServed.set(topic, interval);
      }
    },
    answered: (topic) => void lastServed.set(topic, interval),
    nobodyServes: (topic) => interval - Math.max(lastServed.get(topic) ?? 0, since) >= patience,
    async tick(reachable) {
      if (asking) {
        slow = true;
        return;
      }
      asking = true;
      const flowed = came || (await reachable().catch(() => false));
      interval += 1;
      // An answer that took several intervals says nothing of them: the broker was away meanwhile.
      if (!flowed || slow) since = interval;
      asking = slow = came = false;
    },
  };
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

/**
 * Says once that a process is there, and waits until the broker has it: the acknowledgement shows the broker's time
 * (broker-clock.ts), which a worker knows before it takes its first request. What others say here decides nothing.
 */
export async function announce({ kafka, names, log }: FeedDeps, report: FleetReport): Promise<void> {
  const { fleetTopic, setupCommand } = names;
  if ((await kafka.partitionsOf(fleetTopic)) === undefined) {
    log.warn(`There is no topic ${fleetTopic}: run ${setupCommand}. Nobody sees this process.`);
    return;
  }
  await kafka.produce([recordOf(report, fleetTopic)]);
}
