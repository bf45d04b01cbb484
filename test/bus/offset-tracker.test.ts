// Watermarks against their meaning: everything below the offset to commit is finished, and nothing finished in a row is
// left above it.
import fc from "fast-check";
import { OffsetTracker } from "../../src/bus/offset-tracker.ts";

/**
 * Ascending offsets with gaps, as compaction and transaction markers leave them, and an order in which they are
 * finished.
 */
const history = fc
  .tuple(fc.bigInt({ min: 0n, max: 1_000_000n }), fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 30 }))
  .map(([start, gaps]) => {
    let offset = start;
    return gaps.map((gap) => (offset += BigInt(gap)));
  })
  .chain((offsets) => fc.tuple(fc.constant(offsets), fc.shuffledSubarray(offsets, { minLength: 0 })));

test("what is committed is all that is finished below the first unfinished record, in any finishing order and with gaps", () => {
  fc.assert(
    fc.property(history, ([offsets, order]) => {
      const tracker = new OffsetTracker();
      for (const offset of offsets) expect(tracker.add(offset)).toBe(true);
      const finished = new Set<bigint>();
      for (const offset of order) {
        tracker.finish(offset);
        finished.add(offset);
        const first = offsets.findIndex((each) => !finished.has(each));
        const done = first < 0 ? offsets : offsets.slice(0, first);
        expect(tracker.committable).toBe(done.length === 0 ? undefined : done.at(-1)! + 1n);
        expect(tracker.size).toBe(offsets.length - done.length);
      }
    }),
  );
});

test("records that come while others finish change nothing about it", () => {
  fc.assert(
    fc.property(history, fc.array(fc.boolean()), ([offsets, order], turns) => {
      const tracker = new OffsetTracker();
      const toAdd = [...offsets];
      const toFinish = [...order];
      for (const turn of [...turns, ...offsets.map(() => true), ...order.map(() => false)]) {
        if (turn && toAdd.length > 0) tracker.add(toAdd.shift()!);
        else if (toFinish.length > 0 && !toAdd.includes(toFinish[0]!)) tracker.finish(toFinish.shift()!);
      }
      const left = offsets.filter((each) => !order.includes(each));
      const done = offsets.filter((each) => left.length === 0 || each < left[0]!);
      expect(tracker.committable).toBe(done.length === 0 ? undefined : done.at(-1)! + 1n);
    }),
  );
});

test("an offset that was handed over before is refused, finished or not; a new one is taken", () => {
  const tracker = new OffsetTracker();
  for (const offset of [5n, 6n, 9n]) tracker.add(offset);
  tracker.finish(5n);
  expect([5n, 6n, 7n, 9n, 10n].map((offset) => tracker.add(offset))).toEqual([false, false, false, false, true]);
});

test("there is something to commit only after it moved since the last commit", () => {
  const tracker = new OffsetTracker();
  expect(tracker.committable).toBeUndefined();
  for (const offset of [0n, 1n, 2n]) tracker.add(offset);
  tracker.finish(1n);
  expect(tracker.committable).toBeUndefined();
  tracker.finish(0n);
  expect(tracker.committable).toBe(2n);
  tracker.committed(2n);
  expect(tracker.committable).toBeUndefined();
  tracker.finish(2n);
  expect(tracker.committable).toBe(3n);
});

test("what finishes while a commit is on its way is still to be committed after it", () => {
  const tracker = new OffsetTracker();
  for (const offset of [0n, 1n]) tracker.add(offset);
  tracker.finish(0n);
  const onItsWay = tracker.committable!;
  tracker.finish(1n);
  tracker.committed(onItsWay);
  expect(tracker.committable).toBe(2n);
});

test("an offset that was never handed over, or finishes twice, moves nothing", () => {
  const tracker = new OffsetTracker();
  tracker.finish(3n);
  tracker.add(4n);
  tracker.finish(4n);
  tracker.finish(4n);
  tracker.finish(3n);
  expect(tracker.committable).toBe(5n);
});
