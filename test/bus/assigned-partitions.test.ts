// Assigned partitions: what stays across a rebalance keeps its offsets, what is lost is committed no more, and a
// partition that was made anew starts over instead of being skipped in silence.
import { afterEach, expect, test } from "@jest/globals";
import { type AssignedPartitions, makeAssignedPartitions } from "../../src/bus/assigned-partitions.ts";
import type { CommittedOffset } from "../../src/kafka/records.ts";

const p0 = { topic: "a", partition: 0 };
let holdings: AssignedPartitions;
afterEach(() => holdings.stop());

function make(): CommittedOffset[] {
  const committed: CommittedOffset[] = [];
  holdings = makeAssignedPartitions({
    commit: (offsets) => {
      committed.push(...offsets);
      return Promise.resolve();
    },
    everyMs: 60_000,
    failed: () => undefined,
  });
  return committed;
}

const both = new Map([["a", [0, 1]]]);

test("a partition that stays keeps its offsets, a lost one is marked and not committed", async () => {
  const committed = make();
  holdings.assign(both);
  const stays = holdings.receive(p0, 10n)!;
  const goes = holdings.receive({ topic: "a", partition: 1 }, 10n)!;
  for (const holding of [stays, goes]) {
    holding.offsets.add(5n);
    holding.offsets.finish(5n);
  }
  holdings.assign(new Map([["a", [0]]]));
  expect([holdings.receive(p0, 10n), goes.lost]).toEqual([stays, true]);
  await holdings.commit();
  expect(committed).toEqual([{ ...p0, offset: 6n }]);
});

test("a partition that comes back starts with nothing known", () => {
  make();
  holdings.assign(both);
  const before = holdings.receive(p0, 10n)!;
  before.offsets.add(5n);
  holdings.assign(new Map());
  holdings.assign(both);
  expect(holdings.receive(p0, 10n)!.offsets.add(5n)).toBe(true);
  // The control: without having been away it is known.
  expect(holdings.receive(p0, 10n)!.offsets.add(5n)).toBe(false);
});

test("a partition that ends before what was read of it starts over, and what runs of the old one finishes nothing of the new one", () => {
  make();
  holdings.assign(both);
  const old = holdings.receive(p0, 10n)!;
  old.offsets.add(0n);
  old.offsets.add(9n);
  const anew = holdings.receive(p0, 2n)!;
  expect([anew === old, old.lost, anew.offsets.add(0n)]).toEqual([false, true, true]);
  old.offsets.finish(0n);
  expect(anew.offsets.committable).toBeUndefined();
  anew.offsets.finish(0n);
  expect(anew.offsets.committable).toBe(1n);
});
