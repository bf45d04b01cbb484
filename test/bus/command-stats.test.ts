// The stats: counts, rates and percentiles of what was done since it was last asked.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { makeCommandStats } from "../../src/bus/command-stats.ts";

test("counts each command's outcomes and its rate, and begins anew when it was asked", () => {
  let now = 0;
  const stats = makeCommandStats(() => now);
  for (let n = 0; n < 30; n += 1) stats.observe("a", n % 3 === 0 ? "ok" : "OVERLOADED", 5);
  stats.observe("b", "ok", 1);
  now = 2000;
  const taken = stats.take();
  expect(taken["a"]).toMatchObject({ perSecond: 15, outcomes: { ok: 10, OVERLOADED: 20 } });
  expect(taken["b"]).toMatchObject({ perSecond: 0.5, outcomes: { ok: 1 } });
  expect(stats.take()).toEqual({});
});

test("percentiles are right within a tenth, whatever the times", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0.2, max: 60_000, noNaN: true }), { minLength: 1 }), (times) => {
      const stats = makeCommandStats(() => 0);
      for (const ms of times) stats.observe("a", "ok", ms);
      const sorted = [...times].sort((a, b) => a - b);
      const exact = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1]!;
      const { p50Ms, p99Ms } = stats.take()["a"]!;
      for (const [got, wanted] of [
        [p50Ms, exact(0.5)],
        [p99Ms, exact(0.99)],
      ] as const) {
        expect(got).toBeGreaterThanOrEqual(wanted - 0.051); // shown with one decimal
        expect(got).toBeLessThanOrEqual(wanted * 1.1 + 0.051);
      }
    }),
  );
});
