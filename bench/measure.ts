// A closed loop: so many requests in flight for so long, each slot asking again as soon as it is answered; and what
// several runs of it say. Throughput and latency come from the same run, so a latency belongs to the width it was
// measured at. Failures are counted, never hidden.

export interface Width {
  /** Requests in flight. */
  width: number;
  ms: number;
}

export interface Run {
  /** Answered ones; the last of them after the run's time, while the clock of `perSecond` goes on. */
  requests: number;
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
  return {
    requests: times.length,
    perSecond: times.length / seconds,
    p50: at(times, 0.5),
    p99: at(times, 0.99),
    failed,
    cpu: (user + system) / times.length,
  };
}

/** The value below which that share of them lies. @param sorted ascending */
export function at(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
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
