// The fleet feed: every process says every two seconds who it is (PING), what it serves (INFO) and how it does (STATS),
// in one JSON record on a topic of its own. JSON, unlike everything else, so that an operator reads it with any console
// consumer and a process speaks it before it has a schema. It is for people, and for requesters' NO_WORKERS: whoever
// may write here can keep no worker from starting (db/serving.ts decides that), and what one record or many can cost a
// reader is bounded.
// - startReporting: says it. A report that cannot be sent is given up; the next one says all of it again.
// - makeFleetView: what a requester knows from it, counted in intervals in which the feed was seen to flow, so that a
//   broker that is away, or a requester that slept, never looks like a fleet that is gone.
// - announce: says "starting", and waits for the acknowledgement.
import { z } from "zod";
import type { KafkaPort } from "../kafka/kafka.ts";
import type { InRecord } from "../kafka/records.ts";
import { systemClock } from "../lib/clock.ts";
import { asError } from "../lib/errors.ts";
import { settledWithin } from "../lib/timeout.ts";
import type { Logger } from "../runtime/log.ts";
import type { BusNames } from "./names.ts";

export const reportEveryMs = 2000;
/** Intervals without a beat after which a process counts as gone. */
const patience = 3;

/**
 * Longer records are not read, and the topic takes none: a worker with all commands and 500 partitions says some 20 KB.
 */
export const maxReportBytes = 256 * 1024;

const count = z.number().nonnegative();

const reportForm = z.object({
  ping: z.object({
    id: z.string().min(1).max(200),
    process: z.string(),
    version: z.string(),
    /** away: runs, but is no member of its group at the moment. */
    state: z.enum(["starting", "serving", "away", "leaving"]),
    /** Unix ms, by its own clock. */
    startedAt: count,
  }),
  info: z.object({
    host: z.string(),
    pid: count,
    /** Of workers: their consumer group, the commands they serve, the partitions they own. */
    group: z.string().optional(),
    commands: z.array(z.string()),
    partitions: z.record(z.string(), z.array(count)),
  }),
  stats: z.object({
    /** Requests taken and not finished; of a requester, calls that wait for their reply. */
    inFlight: count,
    mailboxes: count,
    lanes: z.record(z.string(), z.object({ width: count, running: count, queued: count, costMs: count })),
    /** Since the last beat: requests by command, with their times in ms and their outcomes. */
    commands: z.record(
      z.string(),
      z.object({ perSecond: count, p50Ms: count, p99Ms: count, outcomes: z.record(z.string(), count) }),
    ),
    /** Not begun or not finished on the partitions owned, and how long the hash lane needs for its share. */
    lag: z.object({ records: count, hashSeconds: count }),
  }),
});

/** What a process says of itself. */
export type FleetReport = z.infer<typeof reportForm>;
export type FleetState = FleetReport["ping"]["state"];
export type FleetStats = FleetReport["stats"];

export const noStats: FleetStats = {
  inFlight: 0,
  mailboxes: 0,
  lanes: {},
  commands: {},
  lag: { records: 0, hashSeconds: 0 },
};

/** What a record of the feed says; undefined where it is not a beat that we understand. */
export function readReport({ value }: Pick<InRecord, "value">): FleetReport | undefined {
  if (value === null || value.length > maxReportBytes) return undefined;
  try {
    return reportForm.safeParse(JSON.parse(value.toString("utf8"))).data;
  } catch {
    return undefined;
  }
}

function recordOf(beat: FleetReport, topic: string) {
  const { info } = beat;
  const whole = Buffer.from(JSON.stringify(beat));
  // Tens of thousands of partitions: which of them it owns is left out, since what it serves must be heard.
  const value =
    whole.length <= maxReportBytes
      ? whole
      : Buffer.from(JSON.stringify({ ...beat, info: { ...info, partitions: {} } }));
  return { topic, partition: 0, key: Buffer.from(beat.ping.id), value, headers: {} };
}

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
