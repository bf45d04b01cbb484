// What each role says of itself on the fleet feed (bus/fleet.ts), and the refusal to start beside another group with the same commands.
import { hostname } from "node:os";
import type { Append } from "../bus/broker-clock.ts";
import { announce, type Beat, type FleetState, noStats, type Rival, startBeats } from "../bus/fleet.ts";
import type { KafkaPort } from "../bus/kafka.ts";
import { KafkaFault } from "../bus/kafka-faults.ts";
import { randomId } from "../bus/random-id.ts";
import { systemClock } from "../clock.ts";
import { untilAnswered } from "../lifecycle.ts";
import { packageVersion } from "../package-root.ts";
import type { Wiring } from "./parts.ts";

/** What changes from beat to beat. */
export interface Pulse {
  state: FleetState;
  partitions?: Record<string, number[]>;
  stats?: Partial<Beat["stats"]>;
}

export interface FleetMember {
  /** @throws Error where another group serves one of the commands; waits for Kafka */
  announce(): Promise<void>;
  /** Beats until the process stops. */
  start(pulse: () => Pulse): void;
}

export function fleetMember(
  { config, log, lifecycle, clock = systemClock }: Wiring,
  {
    kafka,
    role,
    commands = [],
    appended = () => undefined,
  }: { kafka: KafkaPort; role: string; commands?: string[]; appended?: (append: Append) => void },
): FleetMember {
  const ping = { id: `${role}.${randomId()}`, role, version: packageVersion(), startedAt: clock.now() };
  const group = commands.length > 0 ? { group: config.AUTH_GROUP } : {};
  const info = { host: hostname(), pid: process.pid, ...group, commands };
  const beat = ({ state, partitions = {}, stats }: Pulse): Beat => ({
    ping: { ...ping, state },
    info: { ...info, partitions },
    stats: { ...noStats, ...stats },
  });
  return {
    async announce() {
      const passing = (error: unknown) => error instanceof KafkaFault && error.kind === "unavailable";
      const patience = { what: "Kafka", passing, log, signal: lifecycle.stopping };
      const rivals = await untilAnswered(
        () => announce(kafka, beat({ state: "starting" }), { log, clock, appended }),
        patience,
      );
      if (rivals.length > 0) throw new Error(refusal(rivals, config.AUTH_GROUP));
    },
    start(pulse) {
      const beats = startBeats(kafka, () => beat(pulse()), log);
      lifecycle.onStop(() => beats.stop(1000));
    },
  };
}

/** Both groups would do each request, so the caller would have two answers and two effects. */
function refusal([rival]: Rival[], group: string): string {
  const { commands, group: other, host } = rival!;
  const named = `${commands.slice(0, 3).join(", ")}${commands.length > 3 ? ` and ${commands.length - 3} more` : ""}`;
  return `The group ${other} (on ${host}) serves ${named} already, and this worker is of the group ${group}: give both the same AUTH_GROUP, or let AUTH_TOPICS of one leave out what the other serves.`;
}
