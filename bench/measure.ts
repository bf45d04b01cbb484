// A closed loop: so many requests in flight for so long, each slot asking again as soon as it is answered; and what several runs of it say.
// Throughput and latency come from the same run, so a latency belongs to the width it was measured at. Failures are counted, never hidden.
import { readFileSync } from "node:fs";

export interface Width {
  /** Requests in flight. */
  width: number;
  ms: number;
}

export interface Run {
  perSecond: number;
  p50: number;
  p99: number;
  /** By what was thrown. */
  failed: Record<string, number>;
  /** CPU time of the asking process per request, µs. */
  cpu: number;
}

export async function closedLoop({ width, ms }: Width, ask: (slot: number) => Promise<unknown>): Promise<Run> {
  const times: number[] = [];
  const failed: Record<string, number> = {};
  const cpuBefore = process.cpuUsage();
  const began = performance.now();
  const slot = async (number: number): Promise<void> => {
    while (performance.now() - began < ms) {
      const sent = performance.now();
      try {
        await ask(number);
        times.push(performance.now() - sent);
      } catch (error) {
        const name = (error as { code?: string }).code ?? String(error);
        failed[name] = (failed[name] ?? 0) + 1;
      }
    }
  };
  await Promise.all(Array.from({ length: width }, (_, number) => slot(number)));
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
  return {
    perSecond: times.length / seconds,
    p50: at(0.5),
    p99: at(0.99),
    failed,
    cpu: (user + system) / times.length,
  };
}

export interface Spread {
  min: number;
  median: number;
  max: number;
}

export function spread(values: number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { min: sorted[0]!, median, max: sorted.at(-1)! };
}

const ticksPerSecond = 100; // USER_HZ, the same on every Linux that Node runs on

/** CPU seconds a process has used so far; undefined where /proc does not say. */
export function cpuSeconds(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  } catch {
    return undefined;
  }
}
