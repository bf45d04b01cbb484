// schemas/released.json: what a release adds, and that no number of proto/ that was released means something else now.
// test/protocol/schemas.test.ts asks the registry whether every released schema is compatible with the one here.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { type ProtoDefinition, type ProtoNumbers, protoFaults, readProtos } from "../../tools/release/proto-numbers.ts";
import { addRelease, formatReleased, type Released, readCurrent, readReleased } from "../../tools/release/released.ts";
import { ownFolder } from "../support/stack.ts";

const root = join(import.meta.dirname, "..", "..");

/** Of a file with these lines in a message, in package `a.v1`. */
async function protoOf(name: string, ...lines: string[]): Promise<ProtoDefinition> {
  const folder = join(ownFolder("released"), name.replaceAll(" ", "-"));
  mkdirSync(folder, { recursive: true });
  const text = ['syntax = "proto3";', "package a.v1;", "message M {", ...lines, "}"];
  writeFileSync(join(folder, "a.proto"), text.join("\n"));
  return readProtos(folder);
}

const released: ProtoNumbers = { "a.v1.M": { 1: "login string", 2: "until int64" } };

describe("the numbers in proto/", () => {
  test("mean what they meant when they were released", async () => {
    const current = await readProtos(join(root, "proto"));
    expect(protoFaults(readReleased(root).proto, current)).toEqual([]);
    // The control: one of them, had it been released with another type.
    const { numbers } = current;
    const other = { ...numbers, "auth.Okey": { 1: "success string" } };
    expect(protoFaults(other, current)).toEqual([
      'proto: auth.Okey 1 was released as "success string" and is "success bool" now.',
    ]);
  });

  test.each([
    [
      "another name",
      ["string user = 1;", "int64 until = 2;"],
      '1 was released as "login string" and is "user string" now.',
    ],
    [
      "another type",
      ["string login = 1;", "string until = 2;"],
      '2 was released as "until int64" and is "until string" now.',
    ],
    [
      "a list",
      ["repeated string login = 1;", "int64 until = 2;"],
      '1 was released as "login string" and is "login repeated string" now.',
    ],
    ["the field gone", ["string login = 1;"], '2 was released as "until int64" and is gone: reserve it.'],
    [
      "another number",
      ["string login = 1;", "int64 until = 3;"],
      '2 was released as "until int64" and is gone: reserve it.',
    ],
    [
      "another number reserved",
      ["reserved 3 to 4;", "string login = 1;"],
      '2 was released as "until int64" and is gone: reserve it.',
    ],
  ])("may not have %s", async (name, lines, fault) => {
    expect(protoFaults(released, await protoOf(name, ...lines))).toEqual([`proto: a.v1.M ${fault}`]);
  });

  test.each([
    ["what was released", ["string login = 1;", "int64 until = 2;"]],
    ["a new field", ["string login = 1;", "int64 until = 2;", "M inner = 3;"]],
    ["a field gone and its number reserved", ["reserved 2;", "string login = 1;"]],
    ["both gone and a range reserved", ["reserved 1 to 2;"]],
  ])("may have %s", async (name, lines) => {
    expect(protoFaults(released, await protoOf(name, ...lines))).toEqual([]);
  });

  test("stay in a message that is there; methods keep their messages", async () => {
    const current = await protoOf("method", "}", "service S { rpc Go (M) returns (stream M);");
    expect(current.numbers).toEqual({ "a.v1.M": {}, "a.v1.S": { Go: "a.v1.M -> stream a.v1.M" } });
    expect(protoFaults({ "a.v1.Gone": {}, "a.v1.S": { Go: "a.v1.M -> a.v1.M" } }, current)).toEqual([
      "proto: a.v1.Gone was released and is gone.",
      'proto: a.v1.S Go was released as "a.v1.M -> a.v1.M" and is "a.v1.M -> stream a.v1.M" now.',
    ]);
  });
});

describe("a release", () => {
  const before: Released = { version: "1.0.0", schemas: { b: [{ name: "B1" }] }, proto: released };
  const proto: ProtoDefinition = {
    numbers: { "a.v1.M": { 1: "login string", 3: "new bool" } },
    isReserved: () => true,
  };

  test("adds schemas that changed and new numbers, and takes nothing out", () => {
    const subjects = [
      { subject: "b", schema: { name: "B2" } },
      { subject: "a", schema: { name: "A1" } },
    ];
    expect(addRelease(before, { version: "1.1.0", subjects, proto })).toEqual({
      version: "1.1.0",
      schemas: { a: [{ name: "A1" }], b: [{ name: "B1" }, { name: "B2" }] },
      proto: { "a.v1.M": { 1: "login string", 2: "until int64", 3: "new bool" } },
    });
    expect(addRelease(before, { version: "1.1.0", subjects: [], proto }).schemas).toEqual(before.schemas);
  });

  test("always changes the file, by its version; made again it changes nothing", async () => {
    const current = await readCurrent(root);
    const once = formatReleased(addRelease(readReleased(root), current));
    const again = addRelease(JSON.parse(once) as Released, current);
    expect(formatReleased(again)).toBe(once);
    expect(formatReleased(addRelease(again, { ...current, version: "99.0.0" }))).not.toBe(once);
    expect(Object.keys(again.schemas).length).toBeGreaterThan(50);
    expect(again.proto["auth.CookieRequest"]).toEqual({ 2: "refresh_token string" });
  });

  test("is refused where a released number means something else", () => {
    const changed = { ...proto, numbers: { "a.v1.M": { 1: "login bytes" } } };
    expect(() => addRelease(before, { version: "1.1.0", subjects: [], proto: changed })).toThrow(
      'proto: a.v1.M 1 was released as "login string" and is "login bytes" now.',
    );
  });
});
