// What a test run tells beside its verdict (bin/run-report.ts).
import { expect, test } from "@jest/globals";
import { faultyWarnings, leftOut, slowestFiles } from "../bin/run-report.ts";

const listeners =
  "MaxListenersExceededWarning: Possible EventEmitter memory leak detected. 11 error listeners added to [Socket].";
const at = (place: string): string =>
  `    at Socket.once (node:events:632:10)\n    at Connection.close (${place}:257:22)\n`;
const platformatic = "/repo/node_modules/@platformatic/kafka/dist/network/connection.js";

test("a warning that no dependency is known for is a failure, whatever files its stack names", () => {
  const known = `(node:1) ${listeners}\n${at(platformatic)}`;
  const experimental = "(node:2) ExperimentalWarning: VM Modules is an experimental feature\n";
  const timer = `(node:3) TimeoutNegativeWarning: -5 is a negative number.\n${at(platformatic)}`;
  const promise = `(node:4) UnhandledPromiseRejectionWarning: Error\n${at("/repo/node_modules/@platformatic/kafka/dist/clients/base.js")}`;
  const other = `(node:5) ${listeners}\n${at("/repo/src/bus/requester.ts")}`;
  expect(faultyWarnings(known + experimental)).toEqual([]);
  expect(faultyWarnings(known + timer + experimental + promise + other)).toEqual([timer, promise, other]);
});

test("the slowest files come first, no more than asked for", () => {
  const file = (name: string, ms: number) => ({ name: `/repo/test/${name}`, startTime: 1000, endTime: 1000 + ms });
  const results = { testResults: [file("a.test.ts", 500), file("db/b.test.ts", 12_340), file("c.test.ts", 900)] };
  expect(slowestFiles(results, 2).map((line) => line.trim())).toEqual([
    "12.3 s  test/db/b.test.ts",
    "0.9 s  test/c.test.ts",
  ]);
  expect(slowestFiles(undefined, 2)).toEqual([]);
});

test("a run says what it left out", () => {
  const all = { long: false, peers: false, crash: false, driver: "", patterns: [] };
  expect(leftOut(all)).toHaveLength(4);
  expect(leftOut({ ...all, long: true, driver: "platformatic" }).join()).not.toMatch(/test:long|second/);
  expect(leftOut({ ...all, patterns: ["login"] })).toEqual(["every file that does not match login"]);
});
