// Tables on a terminal: cells are as wide as the terminal shows them, whatever they hold.

import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "@jest/globals";
import stringWidth from "string-width";
import { aligned, cellWidth, fitted, table } from "../../../src/authctl/terminal/table.ts";
import { escaped } from "../../../src/lib/escaped.ts";

const names = ["ada", "山田太郎", "👩‍👩‍👧 family", "Zoë", "ﾊﾝｶｸ", "e\u0301clair", "🇳🇱", "a\u001b[2Jb", "김철수"];

/** Where the second column begins on a terminal. */
const begins = (line: string): number => stringWidth(escaped(line.slice(0, line.indexOf("|"))));

describe("a table", () => {
  test("has its columns below each other on a terminal", () => {
    const lines = table([["NAME", "|", "ROLE"], ...names.map((name) => [name, "|", "user"])]);
    expect(new Set(lines.map(begins)).size).toBe(1);
  });

  test("would not, by the length of its texts (the control)", () => {
    const longest = Math.max(...names.map((name) => name.length));
    expect(new Set(names.map((name) => begins(`${name.padEnd(longest)}  |`))).size).toBeGreaterThan(1);
  });

  test("has its values below each other where each has a name", () => {
    expect(new Set(aligned(names.map((name) => [name, "|"])).map(begins)).size).toBe(1);
  });
});

describe("a line that is too long for the terminal", () => {
  test.each([
    ["山田太郎", 5, "山田"],
    ["👩‍👩‍👧 family", 1, ""],
    ["e\u0301clair", 2, "e\u0301c"],
    ["ada", 10, "ada"],
    ["ada", -1, ""],
  ])("%j is cut to %i columns between characters: %j", (line, columns, cut) => {
    expect(fitted(line, columns)).toBe(cut);
  });

  test("keeps its colours whole, and the control: a cut by length would not", () => {
    const red = "\u001b[31mada\u001b[39m";
    expect(fitted(red, 2)).toBe("\u001b[31mad\u001b[39m");
    expect(red.slice(0, 2)).toBe("\u001b[");
  });
});

test.each([
  ["ada", 3],
  ["山田", 4],
  ["👩‍👩‍👧", 2],
  ["e\u0301", 1],
  ["\u001b[31m", "\\u001b[31m".length],
])("%j takes %i columns", (text, width) => {
  expect(cellWidth(text)).toBe(width);
  expect(stripVTControlCharacters(escaped(text))).toBe(escaped(text));
});
