// The fleet feed: every process says every two seconds who it is (PING), what it serves (INFO) and how it does (STATS), in one JSON record
// on auth.fleet. JSON, unlike everything else, so that an operator reads it with any console consumer and a process speaks it before it
// has a schema. One partition: its order decides who was there first.
// - startBeats: says it. A beat that cannot be sent is given up; the next one says all of it again.
// - makeFleetView: what a requester knows from it, counted in intervals in which the feed was seen to flow, so that a broker that is
//   away, or a requester that slept, never looks like a fleet that is gone.
// - announce: says "starting" and reads the feed up to that word, which shows who else serves the same commands in another group.
import { z } from "zod";
import { type Clock, systemClock } from "../clock.ts";
import { asError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { shared } from "./assigner.ts";
import type { Append } from "./broker-clock.ts";
import type { KafkaPort } from "./kafka.ts";
import { KafkaFault } from "./kafka-faults.ts";
import { randomId } from "./random-id.ts";
import type { InRecord } from "./records.ts";
import { orThrow, within } from "./within.ts";

export const fleetTopic = "auth.fleet";
export const beatEveryMs = 2000;
/** Intervals without a beat after which a process counts as gone. */
const patience = 3;

const count = z.number().nonnegative();

const beatForm = z.object({
  ping: z.object({
    id: z.string().min(1).max(200),
    role: z.string(),
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
    partitions: z.record(z.array(count)),
  }),
  stats: z.object({
    /** Requests taken and not finished; of a requester, calls that wait for their reply. */
    inFlight: count,
    mailboxes: count,
    lanes: z.record(z.object({ width: count, running: count, queued: count, costMs: count })),
    /** Since the last beat: requests by command, with their times in ms and their outcomes. */
    commands: z.record(z.object({ perSecond: count, p50Ms: count, p99Ms: count, outcomes: z.record(count) })),
    /** Not begun or not finished on the partitions owned, and how long the hash lane needs for its share. */
    lag: z.object({ records: count, hashSeconds: count }),
  }),
});

/** What a process says of itself. */
export type Beat = z.infer<typeof beatForm>;
export type FleetState = Beat["ping"]["state"];
export type FleetStats = Beat["stats"];

export const noStats: FleetStats = {
  inFlight: 0,
  mailboxes: 0,
  lanes: {},
  commands: {},
  lag: { records: 0, hashSeconds: 0 },
};

/** What a record of the feed says; undefined where it is not a beat that we understand. */
export function readBeat({ value }: Pick<InRecord, "value">): Beat | undefined {
  try {
    return beatForm.safeParse(JSON.parse(value?.toString("utf8") ?? "")).data;
  } catch {
    return undefined;
  }
}

const recordOf = (beat: Beat) => ({
  topic: fleetTopic,
  partition: 0,
  key: Buffer.from(beat.ping.id),
  value: Buffer.from(JSON.stringify(beat)),
  headers: {},
});

const leaving = (beat: Beat): Beat => ({ ...beat, ping: { ...beat.ping, state: "leaving" } });

export interface Beats {
  /** Says "leaving" and stops; waits no longer than so for the broker. */
  stop(waitMs: number): Promise<void>;
}

/** @param describe is asked for each beat */
export function startBeats(kafka: Pick<KafkaPort, "produce">, describe: () => Beat, log: Logger): Beats {
  let sending = false;
  const say = async (beat: Beat): Promise<void> => {
    sending = true;
    try {
      await kafka.produce([recordOf(beat)]);
    } catch (error) {
      log.debug({ err: asError(error) }, "the fleet could not be told");
    } finally {
      sending = false;
    }
  };
  const timer = setInterval(() => void (sending || say(describe())), beatEveryMs);
  void say(describe());
  return {
    async stop(waitMs) {
      clearInterval(timer);
      await within(waitMs, () => say(leaving(describe())));
    },
  };
}

export interface FleetView {
  take(records: InRecord[]): void;
  /** A request of the command was answered: somebody serves it, whatever the feed says or has lost. */
  answered(topic: string): void;
  /** Whether nobody was seen to serve the command for three intervals of a feed that flowed. */
  nobodyServes(topic: string): boolean;
  /** An interval has passed. @param reachable asked only where nothing came meanwhile: whether the broker answers and nothing is unread */
  tick(reachable: () => Promise<boolean>): Promise<void>;
}

/**
 * So long without a beat of anybody, and the feed was interrupted, however soon its broker answers after: who was held up by that has his
 * time again. (A restart of 3 s between two ticks made NO_WORKERS of workers whose next beat came 5.2 s after their last one.)
 */
const interruptedMs = 1.5 * beatEveryMs;

export function makeFleetView(monotonic: () => number = systemClock.monotonic): FleetView {
  const lastServed = new Map<string, number>(); // command -> the interval in which a beat last said that it is served
  let interval = 0;
  let since = 0; // the interval from which on the feed has flowed
  let came = false;
  let heardAt = Number.NEGATIVE_INFINITY;
  let asking = false;
  let slow = false; // the question was open when the next interval had passed
  return {
    take(records) {
      for (const record of records) {
        const beat = readBeat(record);
        if (beat === undefined) continue;
        came = true;
        const now = monotonic();
        if (now - heardAt > interruptedMs) since = interval;
        heardAt = now;
        // Who is away for a moment will be back and find the requests waiting: only who leaves, or falls silent, is no hope.
        if (beat.ping.state !== "leaving") for (const topic of beat.info.commands) lastServed.set(topic, interval);
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

export interface Rival {
  id: string;
  host: string;
  group: string;
  commands: string[];
}

/**
 * Says that a process is starting, and reads what the feed said before that; its own word also shows the broker's time.
 * @returns those of another group that serve one of its commands and were heard of within three intervals, by the broker's clock
 */
export async function announce(
  kafka: KafkaPort,
  beat: Beat,
  { log, clock, appended }: { log: Logger; clock: Pick<Clock, "now">; appended(append: Append): void },
): Promise<Rival[]> {
  const mine = randomId();
  const before = new Map<string, { beat: Beat; at: number }>();
  const heard = Promise.withResolvers<number>();
  const onRecords = (records: InRecord[]): void => {
    for (const record of records) {
      if (String(record.headers[announceHeader]) === mine) heard.resolve(record.timestamp);
      const other = readBeat(record);
      if (other !== undefined) before.set(other.ping.id, { beat: other, at: record.timestamp });
    }
  };
  if ((await kafka.partitionsOf(fleetTopic)) === undefined) {
    log.warn(`There is no topic ${fleetTopic}: run the role migrate. Nobody sees this process, and it sees nobody.`);
    return [];
  }
  const sentAt = clock.now();
  await kafka.produce([{ ...recordOf(beat), headers: { [announceHeader]: mine } }]);
  const ackedAt = clock.now();
  const reader = kafka.consume({
    group: `fleet.${mine}`,
    topics: [fleetTopic],
    from: "earliest",
    assign: shared(() => ({})),
    onAssigned: () => undefined,
    onRecords,
  });
  const late = `${fleetTopic} was not read within ${announceMs} ms`;
  const at = await orThrow(heard.promise, announceMs, () => new KafkaFault("unavailable", late));
  appended({ sentAt, ackedAt, at });
  await reader.close();
  const lately = [...before.values()].filter((each) => each.at > at - patience * beatEveryMs);
  const found = rivals(beat, lately);
  if (found.length > 0) await kafka.produce([recordOf(leaving(beat))]); // nobody may take it for one that is there
  return found;
}

const announceHeader = "auth-fleet-announce";
const announceMs = 10_000;

function rivals(beat: Beat, others: { beat: Beat }[]): Rival[] {
  const served = new Set(beat.info.commands);
  return others.flatMap(({ beat: { ping, info } }) => {
    const commands = info.commands.filter((command) => served.has(command));
    const here = ping.id !== beat.ping.id && ping.state !== "leaving";
    if (!here || info.group === undefined || info.group === beat.info.group || commands.length === 0) return [];
    return [{ id: ping.id, host: info.host, group: info.group, commands }];
  });
}
