// An open loop: requests leave at a given rate, whatever becomes of those before, as those of many independent callers
// do. A latency counts from the moment its request was due, so that a stall is seen by all that it held up and not only
// by the one it hit.
import { at } from "./measure.ts";

export interface Rate {
  perSecond: number;
  ms: number;
}

export interface Latencies {
  perSecond: number;
  p50: number;
  p99: number;
  longest: number;
}

export interface OpenRun {
  ok: Latencies;
  /** By code of the refusal. */
  refused: Record<string, Latencies>;
}

const tickMs = 5;

export async function openLoop({ perSecond, ms }: Rate, ask: (number: number) => Promise<unknown>): Promise<OpenRun> {
  const times = new Map<string, number[]>();
  const under = new Set<Promise<void>>();
  const began = performance.now();
  const send = async (number: number): Promise<void> => {
    const due = began + (number / perSecond) * 1000;
    const code = await ask(number).then(
      () => "ok",
      (error: { code?: string }) => error.code ?? String(error),
    );
    const same = times.get(code);
    if (same) same.push(performance.now() - due);
    else times.set(code, [performance.now() - due]);
  };
  for (let sent = 0; performance.now() - began < ms; ) {
    const due = Math.floor(((performance.now() - began) / 1000) * perSecond);
    for (; sent <= due; sent += 1) {
      const one: Promise<void> = send(sent).finally(() => under.delete(one));
      under.add(one);
    }
    await new Promise((resolve) => setTimeout(resolve, tickMs));
  }
  await Promise.all(under);
  const { ok = [], ...refused } = Object.fromEntries(times);
  return {
    ok: latencies(ok, ms),
    refused: Object.fromEntries(Object.entries(refused).map(([code, all]) => [code, latencies(all, ms)])),
  };
}

function latencies(all: number[], ms: number): Latencies {
  const sorted = all.sort((a, b) => a - b);
  return {
    perSecond: sorted.length / (ms / 1000),
    p50: at(sorted, 0.5),
    p99: at(sorted, 0.99),
    longest: sorted.at(-1) ?? Number.NaN,
  };
}
