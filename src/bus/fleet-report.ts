// The form of a process's report on the fleet feed (fleet-feed.ts), which readers check and docs/asyncapi.yaml
// describes. Fields may be added; readers ignore unknown ones.
import { z } from "zod";
import type { InRecord, OutRecord } from "../kafka/records.ts";

/** Readers and topic reject longer records; a worker with all commands and 500 partitions needs some 20 KB. */
export const maxReportBytes = 256 * 1024;

const count = z.number().nonnegative();
const named = <T extends z.ZodType>(value: T, description: string) => z.record(z.string(), value).describe(description);

export const reportSchema = z.object({
  ping: z.object({
    id: z.string().min(1).max(200).describe("Of the process: its kind and a random part. Also the record's key."),
    process: z.string().describe("worker, relay, bridge, mailer."),
    version: z.string().describe("Of the package."),
    state: z
      .enum(["starting", "serving", "away", "leaving"])
      .describe("away: it runs, but is no member of its group at the moment."),
    startedAt: count.describe("Unix ms, by its own clock."),
  }),
  info: z.object({
    host: z.string().describe("The machine's name."),
    pid: count.describe("Of the operating system."),
    group: z.string().optional().describe("Of workers: their consumer group."),
    commands: z.array(z.string()).describe("The topics it serves."),
    partitions: named(z.array(count), "The partitions it owns, by topic."),
  }),
  stats: z.object({
    inFlight: count.describe("Requests taken and not finished; of a requester, calls that wait for their reply."),
    mailboxes: count.describe("Keys with a request that runs or waits."),
    lanes: named(
      z.object({
        width: count.describe("Tasks that may run at a time."),
        running: count.describe("Tasks that run."),
        queued: count.describe("Tasks that wait."),
        costMs: count.describe("How long one takes, smoothed."),
      }),
      "By lane, e.g. hash.",
    ),
    commands: named(
      z.object({
        perSecond: count.describe("Requests finished since the last report, by second."),
        p50Ms: count.describe("Median time of one."),
        p99Ms: count.describe("99th percentile."),
        outcomes: named(count, "Number of each outcome: `ok` or a code."),
      }),
      "By command, since the last report.",
    ),
    lag: z.object({
      records: count.describe("Not finished on the partitions owned."),
      hashSeconds: count.describe("How long the hash lane needs for its share of them."),
    }),
  }),
});

/** A process's report about itself. */
export type FleetReport = z.infer<typeof reportSchema>;
export type FleetState = FleetReport["ping"]["state"];
export type FleetStats = FleetReport["stats"];

export const noStats: FleetStats = {
  inFlight: 0,
  mailboxes: 0,
  lanes: {},
  commands: {},
  lag: { records: 0, hashSeconds: 0 },
};

/** The report in a record of the feed; undefined where it has none. */
export function readReport({ value }: Pick<InRecord, "value">): FleetReport | undefined {
  if (value === null || value.length > maxReportBytes) return undefined;
  try {
    return reportSchema.safeParse(JSON.parse(value.toString("utf8"))).data;
  } catch {
    return undefined;
  }
}

/** The record of a report. */
export function recordOf(report: FleetReport, topic: string): OutRecord {
  const { info } = report;
  const whole = Buffer.from(JSON.stringify(report));
  // With tens of thousands of partitions the list of those it owns is left out, so that the report of what it serves
  // fits.
  const value =
    whole.length <= maxReportBytes
      ? whole
      : Buffer.from(JSON.stringify({ ...report, info: { ...info, partitions: {} } }));
  return { topic, partition: 0, key: Buffer.from(report.ping.id), value, headers: {} };
}
