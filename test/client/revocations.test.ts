// What a verifier remembers of auth.revocation: whatever order and repetition records come in, what was revoked stays
// so, and what no token can need any more is forgotten.
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Revocations } from "../../src/client/revocations.ts";
import type { InRecord } from "../../src/kafka/records.ts";

const hour = 3_600_000;
/** @param came the broker's time */
const record = (key: string, body: unknown, partition = 0, came = 0): InRecord => ({
  topic: "auth.revocation",
  partition,
  offset: 0n,
  timestamp: came,
  key: Buffer.from(key),
  value: body === null ? null : Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
  headers: {},
});
const token = { sessionId: "s1", userId: 7, generation: 3, keyId: "k1" };

describe("a token", () => {
  test.each([
    ["of a session that is over", "s:s1", { at: 1 }, "over"],
    ["of another session", "s:s2", { at: 1 }, "good"],
    ["below its user's minimum", "u:7", { at: 1, minGeneration: 4 }, "outdated"],
    ["below its user's minimum, all sessions ended", "u:7", { at: 1, minGeneration: 4, ended: true }, "over"],
    ["at its user's minimum", "u:7", { at: 1, minGeneration: 3, ended: true }, "good"],
    ["of another user", "u:8", { at: 1, minGeneration: 9 }, "good"],
    ["of a revoked key", "k:k1", { at: 1 }, "key"],
    ["beside what is no record of ours", "x:s1", { at: 1 }, "good"],
    ["beside what is no JSON", "s:s9", "{", "good"],
  ])("%s", (_name, key, body, judgement) => {
    const revocations = new Revocations(hour);
    revocations.take([record(key, body)]);
    expect(revocations.judge(token)).toBe(judgement);
  });
});

test("marks and minimums only rise, in whatever order and however often the records come", () => {
  const said = fc.record({
    minGeneration: fc.integer({ min: 1, max: 9 }),
    ended: fc.boolean(),
    asOf: fc.integer({ min: 1, max: 1000 }),
  });
  fc.assert(
    fc.property(fc.array(said, { minLength: 1, maxLength: 12 }), fc.array(fc.nat()), (all, order) => {
      const revocations = new Revocations(hour);
      revocations.assigned([0]);
      const records = all.flatMap(({ minGeneration, ended, asOf }) => [
        record("u:7", { at: 500, minGeneration, ...(ended && { ended }) }),
        record("asOf", { asOf }),
      ]);
      const mixed = [...records, ...order.map((at) => records[at % records.length]!)].reverse();
      revocations.take(mixed);
      const lowest = Math.max(...all.map(({ minGeneration }) => minGeneration));
      const over = Math.max(0, ...all.filter(({ ended }) => ended).map(({ minGeneration }) => minGeneration));
      for (let generation = 0; generation < 10; generation += 1) {
        const expected = generation >= lowest ? "good" : generation < over ? "over" : "outdated";
        expect(revocations.judge({ ...token, generation })).toBe(expected);
      }
      expect(revocations.asOf).toBe(Math.max(...all.map(({ asOf }) => asOf)));
    }),
  );
});

test("is as old as its oldest partition, and of no age before each has spoken", () => {
  const revocations = new Revocations(hour);
  expect(revocations.asOf).toBeUndefined();
  revocations.assigned([0, 1]);
  revocations.take([record("asOf", { asOf: 900 }, 0)]);
  expect(revocations.asOf).toBeUndefined();
  revocations.take([record("asOf", { asOf: 800 }, 1)]);
  expect(revocations.asOf).toBe(800);
  revocations.assigned([0, 1, 2]); // the topic has grown
  expect(revocations.asOf).toBeUndefined();
});

test("forgets what no living token can need, and not a moment earlier", () => {
  const revocations = new Revocations(hour);
  revocations.assigned([0]);
  revocations.take([
    record("s:s1", { at: 1000 }),
    record("u:7", { at: 1000, minGeneration: 9 }),
    record("k:k1", { at: 1000 }),
  ]);
  revocations.take([markOf(1000 + hour)]);
  expect(revocations.size).toBe(3);
  revocations.take([markOf(1001 + hour)]);
  expect([revocations.size, revocations.judge(token)]).toEqual([0, "good"]);
});

const markOf = (asOf: number, partition = 0): InRecord => record("asOf", { asOf }, partition, asOf);
const revoking = [
  ["a session", "s:s1", {}],
  ["a user", "u:7", { minGeneration: 9 }],
  ["a key", "k:k1", {}],
] as const;

describe.each(revoking)("a revocation of %s", (_name, key, body) => {
  const day = 24 * hour;
  /** Whether it is known at so many ms after its record came, an hour being what is kept. */
  const isKnown = (at: number, afterMs: number, more: readonly InRecord[] = []): boolean => {
    const revocations = new Revocations(hour);
    revocations.assigned([0]);
    revocations.take([record(key, { at, ...body }, 0, day), ...more, markOf(day + afterMs)]);
    return revocations.judge(token) !== "good";
  };

  test.each([
    ["as its record says", day],
    ["long ago", 1],
    ["before time began", -1e18],
    ["in the year 2100", Date.UTC(2100, 0, 1)],
    ["that is no time", Number.NaN],
  ])("with a time %s counts as long as tokens live, and not for ever", (_when, at) => {
    expect([isKnown(at, 0), isKnown(at, hour), isKnown(at, hour + 11 * 60_000)]).toEqual([true, true, false]);
  });

  test("is not shortened by an older record that comes late", () => {
    const older = record(key, { at: 1, ...body }, 0, day - hour);
    expect([isKnown(day, hour, [older]), isKnown(day, hour + 11 * 60_000, [older])]).toEqual([true, false]);
  });

  test("is lengthened by a newer one, wherever it stands in the order", () => {
    const newer = record(key, { at: day + hour, ...body }, 0, day + hour);
    expect([isKnown(day, 2 * hour, [newer]), isKnown(day, 2 * hour + 11 * 60_000, [newer])]).toEqual([true, false]);
  });

  test("is kept for the longest life that a mark tells, at most a day", () => {
    const told = (tokenLifeMs: number) => record("asOf", { asOf: 1, tokenLifeMs }, 0, 1);
    expect([isKnown(day, 3 * hour, [told(3 * hour)]), isKnown(day, 4 * hour, [told(3 * hour)])]).toEqual([true, false]);
    expect([isKnown(day, day, [told(1e15)]), isKnown(day, day + hour, [told(1e15)])]).toEqual([true, false]);
    expect(isKnown(day, 3 * hour, [told(3 * hour), told(1)])).toBe(true); // it only grows
  });
});

test("is not forgotten while another partition's mark is older: by that the time is told", () => {
  const revocations = new Revocations(hour);
  revocations.assigned([0, 1]);
  revocations.take([record("s:s1", { at: 0 }), markOf(1000, 1), markOf(2 * hour)]);
  expect(revocations.judge(token)).toBe("over");
  revocations.take([markOf(2 * hour, 1)]);
  expect(revocations.judge(token)).toBe("good"); // the control
});

test("a mark that is more than five seconds later than its record, or has its producer's time, is none", () => {
  const revocations = new Revocations(hour);
  revocations.assigned([0]);
  revocations.take([
    record("asOf", { asOf: 10_001 }, 0, 5000),
    { ...markOf(20_000), producersTime: true },
    record("clock", { clock: 30_000, database: 30_000 }, 0, 30_000),
  ]);
  expect(revocations.asOf).toBeUndefined();
  revocations.take([record("asOf", { asOf: 10_000 }, 0, 5000)]);
  expect(revocations.asOf).toBe(10_000);
});

test("a revocation with its producer's time counts from when it is read", () => {
  const revocations = new Revocations(hour, () => 5 * hour);
  revocations.assigned([0]);
  revocations.take([{ ...record("s:s1", { at: 1 }), producersTime: true }, markOf(6 * hour)]);
  expect(revocations.judge(token)).toBe("over");
  revocations.take([markOf(6 * hour + 11 * 60_000)]);
  expect(revocations.judge(token)).toBe("good");
});

test("what was ended here counts before the feed says so", () => {
  const revocations = new Revocations(hour);
  revocations.end("s1", 5);
  expect(revocations.judge(token)).toBe("over");
});
