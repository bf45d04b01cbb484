// JSON in records, as its readers take it and as nobody should write it.
import { expect, test } from "@jest/globals";
import { readJsonObject } from "../../src/lib/json-object.ts";

test("an object is read", () => {
  expect(readJsonObject(Buffer.from('{"a":1}'))).toEqual({ a: 1 });
});

test.each<[string, Buffer | null]>([
  ["no value", null],
  ["nothing", Buffer.alloc(0)],
  ["null", Buffer.from("null")],
  ["a list", Buffer.from("[]")],
  ["a text", Buffer.from('"a"')],
  ["what is cut off", Buffer.from("{")],
  ["what is nested by the hundred thousand", Buffer.from("[".repeat(100_000))],
])("none is %s", (_what, value) => {
  expect(readJsonObject(value)).toBeUndefined();
});

test("one of as much as a batch may unpack to is not even begun with, and one of a megabyte is read", () => {
  const long = (length: number): Buffer => Buffer.from(`{"a":1${" ".repeat(length)}}`);
  expect(readJsonObject(long(1024 * 1024 - 8))).toEqual({ a: 1 });
  const lists = Buffer.from(`{"a":[${"[],".repeat(10_000_000)}0]}`);
  const before = process.threadCpuUsage().user;
  expect(readJsonObject(lists)).toBeUndefined();
  expect((process.threadCpuUsage().user - before) / 1000).toBeLessThan(20);
  JSON.parse(lists.toString()); // the control
  expect((process.threadCpuUsage().user - before) / 1000).toBeGreaterThan(100);
});
