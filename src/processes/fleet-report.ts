// Sends each process's reports to the fleet feed (bus/fleet-feed.ts).

import { hostname } from "node:os";
import { announce, startReporting } from "../bus/fleet-feed.ts";
import { type FleetReport, type FleetState, noStats } from "../bus/fleet-report.ts";
import { KafkaFault } from "../kafka/faults.ts";
import type { KafkaPort } from "../kafka/kafka.ts";
import { systemClock } from "../lib/clock.ts";
import { randomId } from "../lib/random-id.ts";
import { busNames } from "../protocol/bus-names.ts";
import { untilAnswered } from "../runtime/lifecycle.ts";
import { packageVersion } from "../runtime/package-root.ts";
import type { ProcessContext } from "./parts.ts";

/** What changes from report to report. */
export interface ProcessStatus {
  state: FleetState;
  partitions?: Record<string, number[]>;
  stats?: Partial<FleetReport["stats"]>;
}

export interface FleetMember {
  /** As the process calls itself. */
  readonly id: string;
  /** Waits for Kafka. */
  announce(): Promise<void>;
  /** Sends reports until the process stops. */
  start(status: () => ProcessStatus): void;
}

export function fleetMember(
  { config, log, lifecycle, clock = systemClock }: ProcessContext,
  { kafka, processName, commands = [] }: { kafka: KafkaPort; processName: string; commands?: string[] },
): FleetMember {
  const ping = {
    id: `${processName}.${randomId()}`,
    process: processName,
    version: packageVersion(),
    startedAt: clock.now(),
  };
  const group = commands.length > 0 ? { group: config.AUTH_GROUP } : {};
  const info = { host: hostname(), pid: process.pid, ...group, commands };
  const report = ({ state, partitions = {}, stats }: ProcessStatus): FleetReport => ({
    ping: { ...ping, state },
    info: { ...info, partitions },
    stats: { ...noStats, ...stats },
  });
  const feed = { kafka, names: busNames, log };
  return {
    id: ping.id,
    async announce() {
      const isTransient = (error: unknown) => error instanceof KafkaFault && error.kind === "unavailable";
      const patience = { what: "Kafka", isTransient, log, signal: lifecycle.stopping };
      await untilAnswered(() => announce(feed, report({ state: "starting" })), patience);
    },
    start(status) {
      const reporter = startReporting(feed, () => report(status()));
      lifecycle.onStop(() => reporter.stop(1000));
    },
  };
}
