// The walk before avsc reads: it takes what avsc writes, in any of Avro's forms, and what it takes avsc reads at once.
import { describe, expect, test } from "@jest/globals";
import avsc from "avsc";
import fc from "fast-check";
import { type AvroType, makeAvroWalk } from "../../../src/bus/avro/walk.ts";
import { commandSchemas, eventSchemas, mailSchema } from "../../../src/protocol/generated/schemas.ts";

const walkOf = (type: avsc.Type) => makeAvroWalk(type as unknown as AvroType);
const typeOf = (schema: unknown): avsc.Type => avsc.Type.forSchema(schema as avsc.Schema);
const long = (value: number | bigint): Buffer => {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
  for (; left >= 0x80n; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(left)]);
};
const joined = (...parts: (number | Buffer)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === "number" ? Buffer.of(part) : part)));

const ours = [
  ...Object.values(commandSchemas).flatMap(({ request, reply }) => [request, reply]),
  ...Object.values(eventSchemas),
  mailSchema,
];
const everyKind = {
  type: "record",
  name: "Every",
  fields: [
    { name: "nothing", type: "null" },
    { name: "flag", type: "boolean" },
    { name: "small", type: "int" },
    { name: "large", type: "long" },
    { name: "half", type: "float" },
    { name: "whole", type: "double" },
    { name: "raw", type: "bytes" },
    { name: "text", type: "string" },
    { name: "tag", type: { type: "fixed", name: "Tag", size: 3 } },
    { name: "mood", type: { type: "enum", name: "Mood", symbols: ["CALM", "WILD"] } },
    { name: "list", type: { type: "array", items: ["null", "string"] } },
    { name: "map", type: { type: "map", values: { type: "array", items: "int" } } },
    { name: "next", type: ["null", "Every"], default: null },
  ],
};

test.each([...ours.map((schema) => [schema.name, schema] as const), ["every kind of type", everyKind] as const])(
  "what avsc writes is walked through to its end: %s",
  (_name, schema) => {
    const type = typeOf(schema);
    const walk = walkOf(type);
    for (let time = 0; time < 20; time += 1) {
      const bytes = type.toBuffer(type.random());
      expect(() => walk(bytes)).not.toThrow();
      if (bytes.length > 0) expect(() => walk(bytes.subarray(0, -1))).toThrow(RangeError);
      expect(() => walk(joined(bytes, 0))).toThrow(RangeError);
    }
  },
);

test("whatever is changed in it, what the walk takes avsc reads or refuses, and what avsc reads the walk takes", () => {
  const type = typeOf(everyKind);
  const walk = walkOf(type);
  const change = fc.record({ at: fc.nat(), to: fc.nat(255) });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      const bytes = type.toBuffer(type.random());
      for (const { at, to } of changes) bytes[at % bytes.length] = to;
      let taken = true;
      try {
        walk(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
        taken = false;
      }
      if (!taken) return; // avsc is not asked: it may not end
      try {
        type.fromBuffer(bytes);
      } catch (error) {
        expect((error as Error).message).toMatch(/precision loss|invalid|trailing|truncated/);
      }
    }),
    { numRuns: 3000 },
  );
});

describe("blocks", () => {
  const strings = typeOf({ type: "array", items: "string" });
  const walk = walkOf(strings);
  const item = joined(2, 0x61);

  test("come after a count, or after a count and a size, several of them", () => {
    const bytes = joined(long(1), item, long(-2), long(4), item, item, long(0));
    walk(bytes);
    expect(strings.fromBuffer(bytes)).toEqual(["a", "a", "a"]);
  });

  const nulls = { type: "array", items: "null" };
  /** Ten to so many nulls in no bytes. */
  const nested = (levels: number): object => {
    const fields = (type: unknown) => Array.from({ length: 10 }, (_, at) => ({ name: `f${at}`, type }));
    let record: { name: string; fields: object[] } & object = Object.assign(
      { type: "record" },
      { name: "R0", fields: fields("null") },
    );
    for (let level = 1; level < levels; level += 1) {
      const all = [{ name: "f0", type: record }, ...fields(record.name).slice(1)];
      record = Object.assign({ type: "record" }, { name: `R${level}`, fields: all });
    }
    return record;
  };
  test.each<[string, unknown, Buffer]>([
    ["a billion nulls", nulls, joined(long(1e9), 0)],
    ["2^53 nulls", nulls, joined(long(2n ** 53n), 0)],
    ["-2^63 nulls", nulls, joined(long(-(2n ** 63n)), long(0), 0)],
    ["nulls in many blocks", nulls, joined(...Array<Buffer>(1000).fill(long(1001)), 0)],
    ["a billion strings", { type: "array", items: "string" }, joined(long(1e9), 0)],
    ["a billion entries", { type: "map", values: "null" }, joined(long(1e9), 0)],
    [
      "a billion records without a field",
      { type: "array", items: { type: "record", name: "E", fields: [] } },
      joined(long(1e9), 0),
    ],
    ["a billion of no bytes", { type: "array", items: { type: "fixed", name: "F", size: 0 } }, joined(long(1e9), 0)],
    ["ten thousand million nulls in records in one another", nested(10), Buffer.alloc(0)],
    ["a million nulls for each of a list's items", { type: "array", items: nested(6) }, joined(long(9), 0)],
    ["lists in lists", { type: "array", items: nulls }, joined(long(2), long(1e9), 0, long(1e9), 0, 0)],
    ["a block of another size", { type: "array", items: "string" }, joined(long(-1), long(1), item, 0)],
    ["a block of negative size", { type: "array", items: "string" }, joined(long(-1), long(-2), item, 0)],
    ["a block beyond the end", { type: "array", items: "string" }, joined(long(-1), long(1e9), item, 0)],
    ["a string beyond the end", "string", joined(long(1e9), 0)],
    ["a string of negative length", "string", joined(long(-1))],
    ["bytes of 2^62", "bytes", joined(long(2n ** 62n))],
    ["a branch that there is not", ["null", "int"], joined(long(2), 0)],
    ["a negative branch", ["null", "int"], joined(long(-1), 0)],
    ["a symbol that there is not", { type: "enum", name: "M", symbols: ["A"] }, joined(long(1))],
    ["a number of eleven bytes", "long", joined(Buffer.alloc(10, 0x80), 0)],
  ])("that lie are found at once: %s", (_what, schema, bytes) => {
    const began = performance.now();
    expect(() => walkOf(typeOf(schema))(bytes)).toThrow(RangeError);
    expect(performance.now() - began).toBeLessThan(100);
  });

  test("the control: some of these avsc counts through", () => {
    const read = (schema: unknown, bytes: Buffer) => () => typeOf(schema).fromBuffer(bytes);
    expect(read(nulls, joined(long(100_000), 0))()).toHaveLength(100_000);
    expect(read(nested(5), Buffer.alloc(0))).not.toThrow(); // a hundred thousand
  });
});

test("records within one another are followed so far and no further", () => {
  const type = typeOf({ type: "record", name: "Node", fields: [{ name: "next", type: ["null", "Node"] }] });
  const walk = walkOf(type);
  const deep = (levels: number): Buffer => joined(Buffer.alloc(levels, 2), 0);
  expect(() => walk(deep(60))).not.toThrow();
  expect(() => walk(deep(100_000))).toThrow("more than 64 records");
});
