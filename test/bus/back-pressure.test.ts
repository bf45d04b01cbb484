// Back pressure: by a partition's own unfinished records, and by all of them together.
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import {
  type AssignedPartition,
  type AssignedPartitions,
  makeAssignedPartitions,
} from "../../src/bus/assigned-partitions.ts";
import { type BackPressure, makeBackPressure } from "../../src/bus/back-pressure.ts";

let holdings: AssignedPartitions;
let pressure: BackPressure;
const paused = new Set<number>();

beforeEach(() => {
  holdings = makeAssignedPartitions({ commit: () => Promise.resolve(), everyMs: 60_000, failed: () => undefined });
  paused.clear();
  const taps = {
    pause: ({ partition }: { partition: number }) => void paused.add(partition),
    resume: ({ partition }: { partition: number }) => void paused.delete(partition),
  };
  pressure = makeBackPressure({ assigned: () => holdings.all(), consumption: () => taps });
});
afterEach(() => holdings.stop());

function hold(partitions: number): void {
  holdings.assign(new Map([["a", Array.from({ length: partitions }, (_, partition) => partition)]]));
}

const of = (partition: number): AssignedPartition => holdings.receive({ topic: "a", partition }, 1_000_000n)!;

function take(partition: number, records: number): void {
  const holding = of(partition);
  for (let each = 0; each < records; each += 1) holding.offsets.add(holding.offsets.next ?? 0n);
  pressure.taken(holding, records);
}

/** The oldest records of the partition end. */
function finish(partition: number, records: number): void {
  const holding = of(partition);
  for (let each = 0; each < records; each += 1) {
    holding.offsets.finish(holding.offsets.next! - BigInt(holding.offsets.size));
    pressure.left(holding);
  }
}

const pausedNow = (): number[] => [...paused].sort((a, b) => a - b);

test("a partition is paused at 1,000 unfinished records and resumed at 250", () => {
  hold(2);
  take(0, 999);
  expect(pausedNow()).toEqual([]);
  take(0, 1);
  expect(pausedNow()).toEqual([0]);
  finish(0, 749);
  expect(pausedNow()).toEqual([0]);
  finish(0, 1);
  expect(pausedNow()).toEqual([]);
});

describe("a worker with 2,000 unfinished records", () => {
  test("holds back partitions with more than their share, reads quiet ones on, and all at 1,000", () => {
    hold(10);
    for (const partition of [0, 1, 2, 3]) take(partition, 450);
    take(4, 100);
    expect(pausedNow()).toEqual([]);
    take(5, 100);
    expect(pausedNow()).toEqual([0, 1, 2, 3]); // a share is 200
    take(6, 199);
    expect(pausedNow()).toEqual([0, 1, 2, 3]);
    take(6, 1);
    expect(pausedNow()).toEqual([0, 1, 2, 3, 6]);
    for (const partition of [0, 1]) finish(partition, 450);
    expect(pausedNow()).toEqual([0, 1, 2, 3, 6]); // none goes on while the others are in the way
    finish(2, 299);
    expect(pausedNow()).toEqual([0, 1, 2, 3, 6]);
    finish(2, 1);
    expect(pausedNow()).toEqual([3]); // which has 450 of its own
    finish(3, 200);
    expect(pausedNow()).toEqual([]);
  });

  test("leaves each partition a few, however many there are", () => {
    hold(1000);
    for (const partition of [0, 1, 2]) take(partition, 700);
    take(3, 15);
    expect(pausedNow()).toEqual([0, 1, 2]);
    take(4, 16);
    expect(pausedNow()).toEqual([0, 1, 2, 4]);
  });

  test("goes on when they are gone with their partitions", () => {
    hold(4);
    for (const partition of [0, 1, 2]) take(partition, 600);
    take(3, 500);
    expect(pausedNow()).toEqual([0, 1, 2, 3]);
    const lost = [0, 1, 2].map(of);
    finish(3, 500);
    expect(pausedNow()).toEqual([0, 1, 2, 3]);
    holdings.assign(new Map([["a", [3]]]));
    for (const each of lost) for (let left = 0; left < 600; left += 1) pressure.left(each);
    expect(paused.has(3)).toBe(false);
  });
});
