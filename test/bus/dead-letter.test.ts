// Dead letters: as the record came, with why and from where.
import * as letters from "../../src/bus/dead-letter.ts";
import { identityKey as keyOf } from "../../src/bus/headers.ts";
import type { InRecord } from "../../src/kafka/records.ts";
import { busNames } from "../../src/protocol/bus-names.ts";

const { maxDeadLetterBytes, maxRequestBytes } = letters;
const { deadLetters } = busNames;
const deadLetter = (of: InRecord, error: string, at: number) => letters.deadLetter(of, { error, now: at, deadLetters });
const identityOf = (of: InRecord) => letters.identityOf(of, deadLetters);
const recordKey = (of: InRecord) => keyOf(of, busNames);

const now = Date.UTC(2030, 0, 2, 3, 4, 5, 6);
const record = (more: Partial<InRecord> = {}): InRecord => ({
  topic: "auth.session.login",
  partition: 3,
  offset: 9_007_199_254_740_993n,
  timestamp: now,
  key: Buffer.from("ada"),
  value: Buffer.from([0, 1, 2, 255]),
  headers: {},
  ...more,
});

/** Bytes that the broker counts, roughly: what is written, and a little for each header. */
function size(letter: ReturnType<typeof deadLetter>): number {
  const headers = Object.entries(letter.headers).flatMap(([name, value]) =>
    [value].flat().map((each) => Buffer.byteLength(name) + Buffer.byteLength(each) + 10),
  );
  return (letter.key?.length ?? 0) + (letter.value?.length ?? 0) + headers.reduce((sum, each) => sum + each, 0) + 100;
}

test("key and value stay byte for byte, and the headers tell why, from where and when", () => {
  const letter = deadLetter(record(), "the value does not decode", now);
  expect(letter).toEqual({
    topic: "auth.dead-letter",
    key: Buffer.from("ada"),
    value: Buffer.from([0, 1, 2, 255]),
    headers: {
      "auth-dlq-topic": "auth.session.login",
      "auth-dlq-partition": "3",
      "auth-dlq-offset": "9007199254740993",
      "auth-dlq-timestamp": String(now),
      "auth-dlq-error": "the value does not decode",
      "auth-dlq-at": "2030-01-02T03:04:05.006Z",
    },
  });
});

test("the record's own headers stay, given twice or not; ours win over forged ones", () => {
  const headers = {
    kafka_correlationId: Buffer.from([255, 0]),
    twice: [Buffer.from("a"), Buffer.from("b")],
    "auth-dlq-topic": Buffer.from("forged"),
  };
  const letter = deadLetter(record({ headers }), "x", now);
  expect(letter.headers).toMatchObject({ ...headers, "auth-dlq-topic": "auth.session.login" });
});

test("a record cannot write its own history as a dead letter; only whose replay it is stays with it", () => {
  const headers = {
    "auth-dlq-cut": Buffer.from("5"),
    "auth-dlq-dropped": Buffer.from("0/1"),
    "auth-dlq-replayed-from": Buffer.from("1:2:3"),
  };
  const letter = deadLetter(record({ headers }), "x", now);
  expect(letter.headers).not.toHaveProperty("auth-dlq-cut");
  expect(letter.headers).not.toHaveProperty("auth-dlq-dropped");
  expect(String(letter.headers["auth-dlq-replayed-from"])).toBe("1:2:3");
});

describe("a replayed record", () => {
  const replayed = (from: string | string[]) => {
    const values = [from].flat().map((each) => Buffer.from(each));
    return record({ headers: { "auth-dlq-replayed-from": values.length === 1 ? values[0]! : values } });
  };

  test("is known as its original", () => {
    const original = record({ partition: 1, offset: 7n, timestamp: now - 5 });
    const replay = replayed(`1:7:${now - 5}`);
    expect(identityOf(replay)).toEqual({ partition: 1, offset: 7n, timestamp: now - 5 });
    expect(recordKey(replay)).toEqual(recordKey(original));
    expect(recordKey(record())).not.toEqual(recordKey(original));
  });

  test.each([
    ["one that is still to come", `1:7:${now + 1}`],
    ["what is no identity", "1:7"],
    ["two identities", ["1:7:5", "1:8:5"]],
    ["nothing", ""],
  ])("is itself where it names %s", (_what, from) => {
    expect(recordKey(replayed(from))).toEqual(recordKey(record()));
  });
});

test("a record without key and value stays without", () => {
  expect(deadLetter(record({ key: null, value: null }), "x", now)).toMatchObject({ key: null, value: null });
});

test("a long reason is cut", () => {
  expect(deadLetter(record(), "x".repeat(5000), now).headers["auth-dlq-error"]).toHaveLength(1000);
});

test("the largest request a topic takes is not cut", () => {
  const value = Buffer.alloc(maxRequestBytes);
  const letter = deadLetter(record({ value }), "x", now);
  expect(letter.value === value).toBe(true);
  expect(letter.headers).not.toHaveProperty("auth-dlq-cut");
});

test.each([
  ["a value", { value: Buffer.alloc(3 * maxRequestBytes, 7) }],
  [
    "a value beside large headers",
    { value: Buffer.alloc(2 * maxRequestBytes, 7), headers: { x: Buffer.alloc(900_000) } },
  ],
  ["a value beside a large key", { value: Buffer.alloc(2 * maxRequestBytes, 7), key: Buffer.alloc(900_000) }],
  [
    "a value beside many headers",
    { value: Buffer.alloc(2 * maxRequestBytes, 7), headers: { ä: Array<Buffer>(9000).fill(Buffer.of(1)) } },
  ],
])("%s beyond the limit is cut to fit, and says how long it was", (_what, more) => {
  const letter = deadLetter(record(more), "ä".repeat(1000), now);
  expect(size(letter)).toBeLessThanOrEqual(maxDeadLetterBytes);
  expect(letter.value!.length).toBeGreaterThan(0);
  expect(more.value.subarray(0, letter.value!.length).equals(letter.value!)).toBe(true);
  expect(letter.headers["auth-dlq-cut"]).toBe(String(more.value.length));
});
