// The fleet as its feed tells it (bus/fleet-feed.ts): who is there, and what each says of itself. It only listens. Times are the broker's, so no
// clock has to be right; a process of which nothing was heard for three intervals is gone.

import { randomBytes } from "node:crypto";
import { type FleetReport, readReport, reportEveryMs } from "../../bus/fleet-feed.ts";
import { shared } from "../../kafka/assigner.ts";
import type { KafkaPort } from "../../kafka/kafka.ts";
import type { InRecord } from "../../kafka/records.ts";
import { systemClock } from "../../lib/clock.ts";
import { withTimeout } from "../../lib/timeout.ts";
import { fleetTopic } from "../../protocol/bus-names.ts";
import { Unreachable } from "../command.ts";
import { readSpans } from "../dlq/read.ts";

export interface Heard {
  beat: FleetReport;
  /** Unix ms, by the broker's clock. */
  at: number;
}

export interface FleetWatch {
  /** Who is there now: those heard of within three intervals that are not leaving, in the order of their roles and starts. */
  present(): Heard[];
  close(): Promise<void>;
}

/** Of silence, until a process counts as gone: as bus/fleet-feed.ts has it for requesters. */
const usualPatienceMs = 3 * reportEveryMs;
const joinMs = 20_000;
/** So many processes are remembered: whoever may write to the feed can name any number. */
const mostProcesses = 2000;
/** Beats before the first that is heard live, in which those are found that have beaten last just before: six seconds of 300 processes. */
const before = 1000n;

/** @throws Unreachable where there is no feed, or nobody is heard on it */
export async function watchFleet(kafka: KafkaPort, patienceMs = usualPatienceMs): Promise<FleetWatch> {
  if ((await kafka.partitionsOf(fleetTopic)) === undefined)
    throw new Unreachable(
      `Kafka has no topic ${fleetTopic}: run authfleet migrate first, and check AUTH_TOPIC_PREFIX.`,
    );
  const book = makeBook(patienceMs);
  const live = Promise.withResolvers<void>();
  const consumption = kafka.consume({
    group: `authctl.${randomBytes(9).toString("base64url")}`,
    topics: [fleetTopic],
    from: "latest",
    assign: shared(() => ({})),
    onAssigned: () => undefined,
    onRecords(records) {
      if (records.filter(book.take).length > 0) live.resolve();
    },
  });
  try {
    await withTimeout(
      consumption.joined,
      joinMs,
      () => new Unreachable(`${fleetTopic} could not be read within 20 s.`),
    );
    await readBefore(kafka, book.take);
    const silence = `No process of the fleet was heard within ${patienceMs / 1000} s: does one run?`;
    await withTimeout(live.promise, patienceMs, () => new Unreachable(silence));
  } catch (error) {
    await consumption.close();
    throw error;
  }
  return { present: book.present, close: () => consumption.close() };
}

async function readBefore(kafka: KafkaPort, take: (record: InRecord) => boolean): Promise<void> {
  const to = (await kafka.endOffsets(fleetTopic)).get(0) ?? 0n;
  const spans = new Map([[0, { from: to > before ? to - before : 0n, to }]]);
  await readSpans(kafka, { topic: fleetTopic, spans, onRecord: take, quietMs: 1000 });
}

interface Book {
  /** @returns whether it was a beat */
  take(record: InRecord): boolean;
  present(): Heard[];
}

function makeBook(patienceMs: number): Book {
  const heard = new Map<string, Heard>();
  let newest = { at: 0, monotonic: 0 };
  return {
    take(record) {
      const beat = readReport(record);
      if (beat === undefined) return false;
      const at = record.timestamp;
      if (at > newest.at) newest = { at, monotonic: systemClock.monotonic() };
      if (heard.size >= mostProcesses && !heard.has(beat.ping.id)) return true;
      if (at >= (heard.get(beat.ping.id)?.at ?? 0)) heard.set(beat.ping.id, { beat, at });
      return true;
    },
    present() {
      const now = newest.at + systemClock.monotonic() - newest.monotonic;
      for (const [id, { at }] of heard) if (at <= now - patienceMs) heard.delete(id);
      return [...heard.values()].filter(({ beat }) => beat.ping.state !== "leaving").sort(byRole);
    },
  };
}

function byRole({ beat: a }: Heard, { beat: b }: Heard): number {
  return a.ping.process.localeCompare(b.ping.process) || a.ping.startedAt - b.ping.startedAt;
}
