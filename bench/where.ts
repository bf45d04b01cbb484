// Where a request's CPU time goes: per process of the stack, the fleet and the asking side, read from /proc before and
// after a run. On a machine with few cores this is what a rate is made of: cores x 1,000,000 / (CPU us a request) is
// the most that can be had. "others" is what the machine did beside the bench; a run beside busy neighbours is not
// worth comparing. Linux only: elsewhere empty.
import { readdirSync, readFileSync } from "node:fs";

const ticksPerSecond = 100; // USER_HZ, the same on every Linux that Node runs on

/** CPU seconds by name. */
export type Cpu = Record<string, number>;

interface Stat {
  parent: number;
  seconds: number;
}

/** CPU seconds used so far by each named process and all that it has started; `machine` is all that all cores did. */
export function cpuByName(pids: Record<string, number>): Cpu {
  const stats = statsByPid();
  if (stats.size === 0) return {};
  const roots = new Map(Object.entries(pids).map(([name, pid]) => [pid, name]));
  const used: Cpu = { machine: machineSeconds() };
  for (const [pid, { seconds }] of stats) {
    const name = ownerOf(pid, roots, stats);
    if (name !== undefined) used[name] = (used[name] ?? 0) + seconds;
  }
  return used;
}

/** What was used between two looks, with `others` in place of `machine`. */
export function between(before: Cpu, after: Cpu): Cpu {
  const used = Object.entries(after).map(([name, seconds]) => [name, seconds - (before[name] ?? 0)] as const);
  const ours = used.reduce((sum, [name, seconds]) => (name === "machine" ? sum : sum + seconds), 0);
  return Object.fromEntries(
    used.map(([name, seconds]) => (name === "machine" ? ["others", Math.max(0, seconds - ours)] : [name, seconds])),
  );
}

/** CPU seconds a process has used so far, without what it started; undefined where /proc does not say. */
export function cpuSeconds(pid: number | undefined): number | undefined {
  return pid === undefined ? undefined : statOf(String(pid))?.seconds;
}

/** MiB a process has held at most since its start; 0 where /proc does not say. */
export function peakMemory(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

function ownerOf(pid: number, roots: Map<number, string>, stats: Map<number, Stat>): string | undefined {
  for (let at: number | undefined = pid; at !== undefined && at > 1; at = stats.get(at)?.parent) {
    const name = roots.get(at);
    if (name !== undefined) return name;
  }
  return undefined;
}

function statsByPid(): Map<number, Stat> {
  const found = new Map<number, Stat>();
  for (const name of folders("/proc")) {
    const stat = /^\d+$/.test(name) ? statOf(name) : undefined;
    if (stat !== undefined) found.set(Number(name), stat);
  }
  return found;
}

function folders(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function statOf(pid: string): Stat | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { parent: Number(fields[1]), seconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond };
  } catch {
    return undefined; // it has ended meanwhile
  }
}

/** user, nice, system, irq and softirq of the first line; not idle, iowait and what a host has stolen. */
function machineSeconds(): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = readFileSync("/proc/stat", "utf8")
    .split("\n", 1)[0]!
    .split(/\s+/)
    .map(Number);
  return (user + nice + system + irq + softirq) / ticksPerSecond;
}
