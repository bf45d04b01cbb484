// The rows that are more than two sides in turns: what happens past the peak, beside other work, with a backlog, with
// more workers, and while workers come and go. Each repeat plays the whole scenario, so its parts are compared within
// one repeat; a figure is the spread of all.
import { availableParallelism } from "node:os";
import { decodeJwt } from "jose";
import { without } from "../test/support/faults.ts";
import type { Child } from "./child.ts";
import type { Command } from "./engine.ts";
import { openHistory } from "./history.ts";
import { type Run, type Spread, spread } from "./measure.ts";
import type { Latencies, OpenRun } from "./open-loop.ts";
import type { Clients, Effort } from "./rows.ts";
import type { BenchTarget } from "./target.ts";
import { between, cpuByName, peakMemory } from "./where.ts";

export interface ScenarioResult {
  row: string;
  /** By what is said, unit included. */
  figures: Record<string, Spread>;
}

interface ScenarioRunner {
  clients: Clients;
  target: BenchTarget;
  effort: Effort;
  note(name: string, value: number): void;
}

export interface Scenario {
  name: string;
  /** Whether it stops and starts workers. */
  changesWorkers: boolean;
  /** One repeat. */
  play(runner: ScenarioRunner): Promise<void>;
}

export async function playScenario(
  scenario: Scenario,
  { clients, target }: Pick<ScenarioRunner, "clients" | "target">,
  effort: Effort,
): Promise<ScenarioResult> {
  const values: Record<string, number[]> = {};
  const note = (name: string, value: number): void => {
    values[name] = [...(values[name] ?? []), value];
  };
  try {
    for (let repeat = 0; repeat < effort.repeats; repeat += 1) await scenario.play({ clients, target, effort, note });
  } finally {
    if (scenario.changesWorkers) await target.workers?.replace({});
  }
  const figures = Object.entries(values).map(([name, all]) => [name, spread(all)] as const);
  return { row: scenario.name, figures: Object.fromEntries(figures) };
}

const full = (effort: Effort): boolean => effort.ms >= 2000;

const closed = (child: Child, command: Command, width: number, ms: number): Promise<Run> =>
  child.call<Run>("run", { command, width, ms });
const open = (child: Child, command: Command, perSecond: number, ms: number): Promise<OpenRun> =>
  child.call<OpenRun>("open", { command, perSecond, ms });

const refusedIn = ({ refused }: OpenRun, ...but: string[]): number =>
  Object.entries(refused).reduce((sum, [code, { perSecond }]) => (but.includes(code) ? sum : sum + perSecond), 0);

/** Of all that were sent, those that were carried out. */
const answered = (run: OpenRun): number => run.ok.perSecond / (run.ok.perSecond + refusedIn(run));

export const scenarios: Scenario[] = [
  {
    name: "revocations-in-memory",
    changesWorkers: false,
    async play({ clients, note }) {
      const bytes = await (await clients.verifying()).call<number>("memory");
      note("heap of 100,000 revoked sessions, MB", bytes / 1e6);
    },
  },
  {
    name: "open-loop",
    changesWorkers: false,
    async play({ clients, effort: { ms }, note }) {
      const { child } = await clients.engine(0);
      const peak = (await closed(child, "list", 512, ms)).perSecond;
      note("peak, requests/s", peak);
      for (const share of [20, 50, 80]) {
        const run = await open(child, "list", (peak * share) / 100, ms);
        note(`at ${share} % of the peak: p50 ms`, run.ok.p50);
        note(`at ${share} % of the peak: p99 ms`, run.ok.p99);
        note(`at ${share} % of the peak: refused/s`, refusedIn(run));
      }
    },
  },
  {
    name: "overload",
    changesWorkers: false,
    async play({ clients, target, effort: { ms }, note }) {
      const { child } = await clients.engine(clients.most); // so many that no mailbox is what holds a login up
      const peak = (await closed(child, "login", 2 * target.hashThreads, ms)).perSecond;
      const calm = await open(child, "login", 0.8 * peak, ms);
      const pids = { ...target.pids(), ...clients.pids() };
      const before = cpuByName(pids);
      const flood = await open(child, "login", 10 * peak, ms);
      const cores = Object.entries(between(before, cpuByName(pids))).map(
        ([name, s]) => [name, (s * 1000) / ms] as const,
      );
      const overloaded: Latencies | undefined = flood.refused["OVERLOADED"];
      note("peak, logins/s", peak);
      note("accepted at 10 times the peak, of the peak", flood.ok.perSecond / peak);
      note("p99 ms of accepted at 0.8 of the peak", calm.ok.p99);
      note("p99 ms of accepted at 10 times the peak", flood.ok.p99);
      note("p99 of accepted at 10 times, of that at 0.8", flood.ok.p99 / calm.ok.p99);
      if (overloaded !== undefined) {
        note("OVERLOADED: p50 ms", overloaded.p50);
        note("OVERLOADED: p99 ms", overloaded.p99);
      }
      note("other refusals/s", refusedIn(flood, "OVERLOADED"));
      for (const [name, used] of cores) if (used >= 0.02) note(`cores at work in the flood: ${name}`, used);
    },
  },
  {
    name: "device-flood",
    changesWorkers: true,
    async play({ clients, target, effort: { ms }, note }) {
      const { child } = await clients.engine(clients.most);
      const peak = (await closed(child, "login", 2 * target.hashThreads, ms)).perSecond;
      const own = peak / 2;
      note("peak, logins/s", peak);
      note("their own rate, logins/s", own);
      const flooded = async (what: string, command: "device" | "login"): Promise<void> => {
        const flood = open(child, "stranger", 10 * peak, ms);
        const run = await open(child, command, own, ms);
        note(`in a flood of 10 times the peak, ${what}: of their own rate`, answered(run));
        note(`in a flood of 10 times the peak, ${what}: p99 ms`, run.ok.p99);
        const strangers: Latencies | undefined = (await flood).refused["INVALID_CREDENTIALS"];
        if (strangers !== undefined)
          note(`in a flood of 10 times the peak, ${what}: strangers judged/s`, strangers.perSecond);
      };
      note("without a flood: of their own rate", answered(await open(child, "device", own, ms)));
      await flooded("with a device token", "device");
      await flooded("without one", "login");
      for (const [what, command] of [
        ["with a device token", "besieged-device"],
        ["without one", "besieged"],
      ] as const) {
        const { requests, failed } = await closed(child, command, 1, ms);
        const refused = Object.values(failed).reduce((sum, count) => sum + count, 0);
        note(`behind 100 guesses at the same login, ${what}: let in`, requests / (requests + refused));
      }
      if (target.workers === undefined) return;
      await target.workers.replace({ NODE_OPTIONS: without("no-kept-places").join(" ") });
      await closed(child, "login", 2 * target.hashThreads, ms); // a worker that has just started is slower
      await flooded("with a device token that no queue keeps a place for", "device");
      await target.workers.replace({});
      await closed(child, "login", 2 * target.hashThreads, ms);
    },
  },
  {
    name: "cheap-beside-hash",
    changesWorkers: true,
    async play({ clients, target, effort: { ms }, note }) {
      const threads = Math.max(1, availableParallelism() - 1);
      await target.workers?.replace({ AUTH_HASH_THREADS: String(threads) });
      const { child } = await clients.engine(2 * threads);
      await closed(child, "list", 8, ms);
      const idle = await closed(child, "list", 8, ms);
      const hashing = closed(child, "login", 2 * threads, ms * 1.5);
      const beside = await closed(child, "list", 8, ms);
      note("logins/s beside", (await hashing).perSecond);
      note("p99 ms, hash lane idle", idle.p99);
      note("p99 ms, hash lane saturated", beside.p99);
      note("p99 saturated, of idle", beside.p99 / idle.p99);
    },
  },
  {
    name: "drain",
    changesWorkers: true,
    async play({ clients, target, effort, note }) {
      const { child } = await clients.engine(0);
      await child.call("shape");
      const [some, many] = full(effort) ? [20_000, 200_000] : [500, 1000];
      const peaks: number[] = [];
      for (const count of [some, many]) {
        await target.workers?.count(0);
        const before = await child.call<number>("pile", count);
        const done = child.call<number>("drained", { before, count });
        await target.workers?.count(1);
        note(`drained of ${count}, requests/s`, await done);
        peaks.push(peakMemory(target.pids()["worker-1"]));
        note(`worker's peak memory with ${count}, MiB`, peaks.at(-1)!);
      }
      note(`peak memory with ${many}, of that with ${some}`, peaks[1]! / peaks[0]!);
    },
  },
  {
    name: "scale",
    changesWorkers: true,
    async play({ clients, target, effort: { ms }, note }) {
      const width = Math.min(64, clients.most);
      const { child } = await clients.engine(width);
      for (const count of [1, 2, 4]) {
        await target.workers?.count(count);
        for (const command of ["list", "refresh"] as const) {
          await closed(child, command, width, ms / 2);
          note(`${command}, ${count} workers, requests/s`, (await closed(child, command, width, ms)).perSecond);
        }
      }
    },
  },
  {
    name: "rebalance",
    changesWorkers: true,
    async play({ clients, target: { workers }, note }) {
      const { child } = await clients.engine(0);
      if (workers === undefined) return;
      const during = async (what: string, ms: number, act: () => Promise<void>): Promise<void> => {
        const running = open(child, "list", 100, ms);
        await new Promise((resolve) => setTimeout(resolve, 1000));
        await act();
        const run = await running;
        note(`a worker ${what}: longest wait ms`, run.ok.longest);
        note(`a worker ${what}: p99 ms`, run.ok.p99);
        note(`a worker ${what}: refused`, (refusedIn(run) * ms) / 1000);
      };
      await workers.count(1);
      await during("joins", 8000, () => workers.count(2));
      await during("leaves", 5000, () => workers.count(1));
      await workers.count(2);
      await during("is killed", 15_000, () => workers.killLast());
    },
  },
  {
    name: "history", // the last one: it leaves its rows where they are
    changesWorkers: true,
    async play({ clients, target, effort, note }) {
      await target.workers?.replace(cheap); // a usual hash would hide the statements
      const width = Math.min(8, clients.most);
      const { child, tokens } = await clients.engine(width);
      const users = tokens.slice(0, width).map((token) => Number(decodeJwt(token).sub));
      const history = await openHistory({
        database: target.addresses.database,
        users,
        ours: target.workers !== undefined,
      });
      const warmed = async (command: Lasting): Promise<Lasted> => {
        await closed(child, command, width, 3 * effort.ms); // a worker that has just started is slower
        const before = cpuByName(target.pids());
        const run = await closed(child, command, width, effort.ms);
        const { postgres: seconds = 0 } = between(before, cpuByName(target.pids()));
        return { ...run, postgresMs: (seconds * 1000) / run.requests };
      };
      try {
        await history.clear();
        const measured = async (when: string): Promise<Record<Lasting, Lasted>> => {
          const runs = { refresh: await warmed("refresh"), login: await warmed("login") };
          for (const [command, run] of Object.entries(runs)) {
            note(`${command}, ${when}: requests/s`, run.perSecond);
            note(`${command}, ${when}: p50 ms`, run.p50);
            note(`${command}, ${when}: ms of PostgreSQL's CPU`, run.postgresMs);
            note(`${command}, ${when}: failed`, failures(run));
          }
          return runs;
        };
        const before = await measured("before");
        const events = full(effort) ? 10_000_000 : effort.ms >= 500 ? 1_000_000 : 2000;
        note(`rows of ${events} events`, await history.write(events));
        note("size of the database, MB", (await history.size()) / 1e6);
        const after = await measured("with them");
        for (const command of ["refresh", "login"] as const) {
          note(`${command} with them, of before: rate`, after[command].perSecond / before[command].perSecond);
          note(`${command} with them, of before: p50`, after[command].p50 / before[command].p50);
          // Minutes lie between the two: on a machine that others use this one says most.
          note(
            `${command} with them, of before: PostgreSQL's CPU`,
            after[command].postgresMs / before[command].postgresMs,
          );
        }
      } finally {
        await history.close();
      }
    },
  },
];

type Lasting = "refresh" | "login";

interface Lasted extends Run {
  /** 0 where PostgreSQL is not ours. */
  postgresMs: number;
}

const failures = ({ failed }: Run): number => Object.values(failed).reduce((sum, count) => sum + count, 0);

const cheap = {
  AUTH_ARGON2_MEMORY: "7168",
  AUTH_ARGON2_TIME: "1",
  AUTH_ARGON2_PARALLELISM: "1",
  AUTH_SESSIONS_MAX: "10000", // the sessions that are refreshed must not end because others begin
};
