// authctl top: the fleet as it is now, from the feed auth.fleet alone: processes, lanes, commands with their rates and
// times, lag in records and in seconds of hash work. At a terminal it is redrawn every two seconds; elsewhere, with
// --once and with --json, it is printed once.
import { reportEveryMs } from "../../bus/fleet-feed.ts";
import type { FleetStats } from "../../bus/fleet-report.ts";
import { systemClock } from "../../lib/clock.ts";
import { type CommandResult, flagOption, type Invocation } from "../command.ts";
import { withKafka } from "../connect/reach.ts";
import { findTarget } from "../connect/target.ts";
import { table } from "../terminal/table.ts";
import { lasting } from "./topics.ts";
import { type SeenProcess, watchFleet } from "./watch.ts";

export async function top(call: Invocation): Promise<CommandResult> {
  const { live } = call.terminal;
  const once = live === undefined || flagOption(call, "once") || call.options["json"] === true;
  return withKafka(findTarget(call.env), async (kafka) => {
    const watch = await watchFleet(kafka);
    try {
      if (!once) await live(() => screenLines(watch.present()), reportEveryMs);
      const present = watch.present();
      return once ? { document: toDocument(present), lines: screenLines(present) } : { document: {}, lines: [] };
    } finally {
      await watch.close();
    }
  });
}

function toDocument(present: SeenProcess[]): CommandResult["document"] {
  return {
    at: new Date(systemClock.now()).toISOString(),
    processes: present.map(({ report: { ping, info, stats }, at }) => ({ ...ping, heardAt: at, ...info, stats })),
    commands: sumCommands(present),
    lag: sumLag(present),
  };
}

interface CommandNow {
  command: string;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Requests by outcome, of the last report of each process. */
  outcomes: Record<string, number>;
}

/** Percentiles of several processes cannot be added up: those of the slowest one count. */
function sumCommands(present: SeenProcess[]): CommandNow[] {
  const all = new Map<string, CommandNow>();
  for (const [command, said] of present.flatMap(({ report }) => Object.entries(report.stats.commands))) {
    const before = all.get(command) ?? { command, perSecond: 0, p50Ms: 0, p99Ms: 0, outcomes: {} };
    const outcomes = { ...before.outcomes };
    for (const [outcome, count] of Object.entries(said.outcomes)) outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
    all.set(command, {
      command,
      perSecond: Math.round((before.perSecond + said.perSecond) * 10) / 10,
      p50Ms: Math.max(before.p50Ms, said.p50Ms),
      p99Ms: Math.max(before.p99Ms, said.p99Ms),
      outcomes,
    });
  }
  return [...all.values()].sort((a, b) => b.perSecond - a.perSecond || a.command.localeCompare(b.command));
}

/** Workers hash side by side: the one with the most to do ends last. */
function sumLag(present: SeenProcess[]): FleetStats["lag"] {
  const lags = present.map(({ report }) => report.stats.lag);
  return {
    records: lags.reduce((sum, { records }) => sum + records, 0),
    hashSeconds: Math.max(0, ...lags.map(({ hashSeconds }) => hashSeconds)),
  };
}

function screenLines(present: SeenProcess[]): string[] {
  const commands = sumCommands(present);
  const { records, hashSeconds } = sumLag(present);
  const rate = commands.reduce((sum, { perSecond }) => sum + perSecond, 0);
  const heading = [
    new Date(systemClock.now()).toISOString().replace(/\.\d+/, ""),
    `${present.length} ${present.length === 1 ? "process" : "processes"}`,
    `${rate.toFixed(1)} requests/s`,
    `lag ${lagText({ records, hashSeconds })}`,
  ].join("   ");
  const processes = table([
    ["PROCESS", "STATE", "HOST", "UP", "PARTITIONS", "IN FLIGHT", "LAG", "LANES"],
    ...present.map(processRow),
  ]);
  const idle = ["No command was asked for in the last two seconds."];
  const head = ["COMMAND", "PER SECOND", "P50 MS", "P99 MS", "OUTCOMES"];
  return [
    heading,
    "",
    ...processes,
    "",
    ...(commands.length === 0 ? idle : table([head, ...commands.map(commandRow)])),
  ];
}

function processRow({ report: { ping, info, stats }, at }: SeenProcess): string[] {
  const partitions = Object.values(info.partitions).reduce((sum, each) => sum + each.length, 0);
  const worker = info.commands.length > 0;
  const lanes = Object.entries(stats.lanes).map(
    ([name, { running, width, queued }]) => `${name} ${running}/${width}${queued > 0 ? ` +${queued}` : ""}`,
  );
  return [
    worker && info.group !== undefined ? `${ping.id} (${info.group})` : ping.id,
    ping.state,
    info.host,
    upFor(at - ping.startedAt),
    worker ? String(partitions) : "-",
    String(stats.inFlight),
    worker ? lagText(stats.lag) : "-",
    lanes.join(", ") || "-",
  ];
}

function commandRow({ command, perSecond, p50Ms, p99Ms, outcomes }: CommandNow): string[] {
  const total = Object.values(outcomes).reduce((sum, count) => sum + count, 0);
  const shares = Object.entries(outcomes)
    .sort(([, a], [, b]) => b - a)
    .map(([outcome, count]) => `${outcome} ${Math.round((count / total) * 100)}%`);
  return [command, perSecond.toFixed(1), p50Ms.toFixed(1), p99Ms.toFixed(1), shares.join(", ")];
}

function lagText({ records, hashSeconds }: FleetStats["lag"]): string {
  return `${records} (${hashSeconds.toFixed(1)} s)`;
}

/** In whole minutes: the start is by the process's own clock. */
function upFor(ms: number): string {
  return ms < 60_000 ? "<1m" : lasting(ms < 7_200_000 ? ms - (ms % 60_000) : ms - (ms % 3_600_000));
}
