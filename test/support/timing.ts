// Whether two things take the same time, on a machine that is busy with others. Both are done in pairs whose order is
// drawn, and only asked is which of a pair took longer: the paired sign test. It knows no distribution, one slow moment
// costs one pair, and what slows the machine down slows both.
//
// Told apart means: one took longer in more than 60 of 100 pairs, and by chance that would come with p < 3e-10
// (two-sided, |z| > 6.3). So a false alarm comes less than once in a million comparisons also where a real but useless
// difference decides 53 of 100 pairs (300 pairs: 5.2 sigma) or 54.5 (2,000 pairs: 4.9). And at 300 pairs, with the
// alarm from 68.2 on, a difference that decides 80 of 100 pairs is missed less than once in a million runs (5.1 sigma),
// at 2,000 pairs one that decides 66 (5.6), at 200 one that decides 85 (5.0): a hash that is not made decided 88 beside
// a load of 28.
export interface Comparison {
  pairs: number;
  /** Share of pairs in which the second took longer: 0.5 where nothing is to be told. */
  share: number;
  z: number;
  /** ms */
  medians: [number, number];
  apart: boolean;
}

const alarm = { z: 6.3, share: 0.1 };

/** @param first, second do one of each; `n` counts the pairs */
export async function compare(pairs: number, first: Side, second: Side): Promise<Comparison> {
  const sides = [first, second] as const;
  const times: [number[], number[]] = [[], []];
  for (let n = 0; n < pairs; n += 1) {
    const order = Math.random() < 0.5 ? ([0, 1] as const) : ([1, 0] as const);
    for (const side of order) {
      const began = performance.now();
      await sides[side](n);
      times[side].push(performance.now() - began);
    }
  }
  return judge(...times);
}

type Side = (n: number) => Promise<unknown>;

export function judge(first: readonly number[], second: readonly number[]): Comparison {
  const pairs = first.length;
  const longer = second.reduce((sum, ms, n) => sum + (ms > first[n]! ? 1 : ms === first[n]! ? 0.5 : 0), 0);
  const share = longer / pairs;
  const z = (share - 0.5) * 2 * Math.sqrt(pairs);
  return {
    pairs,
    share,
    z,
    medians: [median(first), median(second)],
    apart: Math.abs(z) > alarm.z && Math.abs(share - 0.5) > alarm.share,
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
