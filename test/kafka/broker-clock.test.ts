// The broker's clock, as it is seen through acknowledgements: right within half a round trip, for any skew, and again
// after a clock was set. And the time that is written where other machines judge it.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { agreedClock, makeBrokerClock } from "../../src/kafka/broker-clock.ts";

const time = { ms: 1_000_000, mono: 0 };
const clock = { now: () => time.ms, monotonic: () => time.mono };

test("is our own clock before the first word", () => {
  expect(makeBrokerClock(clock).now()).toBe(time.ms);
});

test("is right within half of the shortest round trip, whatever the skew", () => {
  const trip = fc.record({ there: fc.integer({ min: 0, max: 500 }), back: fc.integer({ min: 0, max: 500 }) });
  fc.assert(
    fc.property(fc.integer({ min: -1e9, max: 1e9 }), fc.array(trip, { minLength: 1 }), (skew, trips) => {
      const broker = makeBrokerClock(clock);
      for (const { there, back } of trips) {
        const appended = 5_000_000; // by the broker's clock
        broker.sample({ sentAt: appended - there + skew, at: appended, ackedAt: appended + back + skew });
      }
      const shortest = Math.min(...trips.map(({ there, back }) => there + back));
      expect(Math.abs(broker.skew - skew)).toBeLessThanOrEqual(shortest / 2 + 5);
    }),
  );
});

test("follows a clock that is set, at once, and one that drifts, within a minute", () => {
  const broker = makeBrokerClock(clock);
  broker.sample({ sentAt: 100, at: 100, ackedAt: 101 });
  broker.sample({ sentAt: 600_100, at: 100, ackedAt: 600_140 }); // set ten minutes ahead
  expect(broker.skew).toBe(600_020);
  broker.sample({ sentAt: 600_080, at: 100, ackedAt: 600_180 }); // wider: says nothing more
  expect(broker.skew).toBe(600_020);
  time.mono += 61_000;
  broker.sample({ sentAt: 600_090, at: 100, ackedAt: 600_170 }); // wider, and the other is old
  expect(broker.skew).toBe(600_030);
});

test("the time that others judge is ours while our clock is right, and the broker's where it is off", () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e9, max: 1e9 }), (skew) => {
      const agreed = agreedClock(clock, { now: () => time.ms - skew, skew });
      expect(agreed.now()).toBe(Math.abs(skew) < 1000 ? time.ms : time.ms - skew);
      expect(Math.abs(agreed.now() - (time.ms - skew))).toBeLessThan(1000);
    }),
    { examples: [[0], [999], [-999], [1000], [-1000]] },
  );
});
