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

/** What changes from beat to beat. */
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
  /** Beats until the process stops. */
  start(pulse: () => ProcessStatus): void;
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
  const beat = ({ state, partitions = {}, stats }: ProcessStatus): FleetReport => ({
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
      await untilAnswered(() => announce(feed, beat({ state: "starting" })), patience);
    },
    start(pulse) {
      const beats = startReporting(feed, () => beat(pulse()));
      lifecycle.onStop(() => beats.stop(1000));
    },
  };
}
