// The fleet by its reports (bus/fleet-feed.ts): which processes run, and what each reports. It only reads. Times are
// the broker's, so no clock has to be right. A process that has not reported for three intervals is gone.
import { randomBytes } from "node:crypto";
import { reportEveryMs } from "../../bus/fleet-feed.ts";
import { type FleetReport, readReport } from "../../bus/fleet-report.ts";
import { shared } from "../../kafka/assigner.ts";
import type { KafkaPort } from "../../kafka/kafka.ts";
import type { InRecord } from "../../kafka/records.ts";
import { systemClock } from "../../lib/clock.ts";
import { withTimeout } from "../../lib/timeout.ts";
import { fleetTopic } from "../../protocol/bus-names.ts";
import { readSpans } from "../dlq/read.ts";
import { Unreachable } from "../faults.ts";

export interface SeenProcess {
  report: FleetReport;
  /** Unix ms, by the broker's clock. */
  at: number;
}

export interface FleetWatch {
  /** The processes that reported within three intervals and are not leaving, by process name and start. */
  present(): SeenProcess[];
  close(): Promise<void>;
}

/** Silence after which a process counts as gone: as bus/fleet-feed.ts has it for requesters. */
const usualPatienceMs = 3 * reportEveryMs;
const joinMs = 20_000;
/** Processes that are remembered: anybody with write access to the feed can name any number. */
const mostProcesses = 2000;
/** Reports read from before the start, to find processes that reported just before: six seconds of 300 processes. */
const before = 1000n;

/** @throws Unreachable where there is no feed, or no process reports */
export async function watchFleet(kafka: KafkaPort, patienceMs = usualPatienceMs): Promise<FleetWatch> {
  if ((await kafka.partitionsOf(fleetTopic)) === undefined)
    throw new Unreachable(
      `Kafka has no topic ${fleetTopic}: run authfleet migrate first, and check AUTH_TOPIC_PREFIX.`,
    );
  const reports = collectReports(patienceMs);
  const live = Promise.withResolvers<void>();
  const consumption = kafka.consume({
    group: `authctl.${randomBytes(9).toString("base64url")}`,
    topics: [fleetTopic],
    from: "latest",
    assign: shared(() => ({})),
    onAssigned: () => undefined,
    onRecords(records) {
      if (records.filter(reports.take).length > 0) live.resolve();
    },
  });
  try {
    await withTimeout(
      consumption.joined,
      joinMs,
      () => new Unreachable(`${fleetTopic} could not be read within 20 s.`),
    );
    await readBefore(kafka, reports.take);
    const silence = `No process of the fleet was heard within ${patienceMs / 1000} s: does one run?`;
    await withTimeout(live.promise, patienceMs, () => new Unreachable(silence));
  } catch (error) {
    await consumption.close();
    throw error;
  }
  return { present: reports.present, close: () => consumption.close() };
}

async function readBefore(kafka: KafkaPort, take: (record: InRecord) => boolean): Promise<void> {
  const to = (await kafka.endOffsets(fleetTopic)).get(0) ?? 0n;
  const spans = new Map([[0, { from: to > before ? to - before : 0n, to }]]);
  await readSpans(kafka, { topic: fleetTopic, spans, onRecord: take, quietMs: 1000 });
}

interface Reports {
  /** @returns whether it was a report */
  take(record: InRecord): boolean;
  present(): SeenProcess[];
}

function collectReports(patienceMs: number): Reports {
  const heard = new Map<string, SeenProcess>();
  let newest = { at: 0, monotonic: 0 };
  return {
    take(record) {
      const report = readReport(record);
      if (report === undefined) return false;
      const at = record.timestamp;
      if (at > newest.at) newest = { at, monotonic: systemClock.monotonic() };
      if (heard.size >= mostProcesses && !heard.has(report.ping.id)) return true;
      if (at >= (heard.get(report.ping.id)?.at ?? 0)) heard.set(report.ping.id, { report, at });
      return true;
    },
    present() {
      const now = newest.at + systemClock.monotonic() - newest.monotonic;
      for (const [id, { at }] of heard) if (at <= now - patienceMs) heard.delete(id);
      return [...heard.values()].filter(({ report }) => report.ping.state !== "leaving").sort(byProcess);
    },
  };
}

function byProcess({ report: a }: SeenProcess, { report: b }: SeenProcess): number {
  return a.ping.process.localeCompare(b.ping.process) || a.ping.startedAt - b.ping.startedAt;
}
