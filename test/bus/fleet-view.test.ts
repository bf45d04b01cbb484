// What a requester concludes from the fleet feed: nobody is there only where the feed flowed and stayed silent about a
// command.
import { describe, expect, test } from "@jest/globals";
import { type FleetReport, maxReportBytes, noStats, readReport } from "../../src/bus/fleet-report.ts";
import { FleetView } from "../../src/bus/fleet-view.ts";
import type { InRecord } from "../../src/kafka/records.ts";

const topics = new Set(["a", "b"]);
const makeFleetView = (monotonic?: () => number) => new FleetView(topics, monotonic);

function report(commands: string[], state: FleetReport["ping"]["state"] = "serving", timestamp = 0): InRecord {
  const value: FleetReport = {
    ping: { id: "worker.1", process: "worker", version: "1.0.0", state, startedAt: 1 },
    info: { host: "h", pid: 1, group: "auth", commands, partitions: { a: [0, 1] } },
    stats: noStats,
  };
  const text = Buffer.from(JSON.stringify(value));
  return { topic: "auth.fleet", partition: 0, offset: 0n, timestamp, key: null, value: text, headers: {} };
}

const flows = () => Promise.resolve(true);
const silent = () => Promise.resolve(false);
const broken = () => Promise.reject(new Error("no broker"));

describe("nobody serves a command", () => {
  test("is concluded only after three intervals of silence, also at the start", async () => {
    const view = makeFleetView();
    for (const expected of [false, false, true]) {
      await view.tick(flows);
      expect(view.nobodyServes("a")).toBe(expected);
    }
  });

  test("is not concluded while a worker reports it, nor for two intervals after", async () => {
    const view = makeFleetView();
    for (let n = 0; n < 5; n += 1) {
      view.take([report(["a"])]);
      await view.tick(flows);
    }
    expect([view.nobodyServes("a"), view.nobodyServes("b")]).toEqual([false, true]);
    await view.tick(flows);
    expect(view.nobodyServes("a")).toBe(false);
    await view.tick(flows);
    await view.tick(flows);
    expect(view.nobodyServes("a")).toBe(true);
    view.take([report(["a"])]);
    expect(view.nobodyServes("a")).toBe(false);
  });

  test.each([
    ["leaving", true],
    ["away", false], // it will be back, and finds the request waiting
    ["starting", false],
  ] as const)("where only a worker in the state %s reports it: %s", async (state, nobody) => {
    const view = makeFleetView();
    for (let n = 0; n < 3; n += 1) {
      view.take([report(["a"], state)]);
      await view.tick(broken); // a report came, so nobody has to be asked whether the feed flows
    }
    expect(view.nobodyServes("a")).toBe(nobody);
  });

  test("is not concluded where a request of it was answered, though the feed is silent about it", async () => {
    const view = makeFleetView();
    for (let n = 0; n < 6; n += 1) {
      view.answered("a");
      await view.tick(flows);
    }
    expect([view.nobodyServes("a"), view.nobodyServes("b")]).toEqual([false, true]);
  });

  test("is not concluded from an answer that took several intervals, however many asked for it", async () => {
    const view = makeFleetView();
    const answer = Promise.withResolvers<boolean>();
    const ticks = Array.from({ length: 5 }, () => view.tick(() => answer.promise)); // the broker is away, and comes back
    answer.resolve(true);
    await Promise.all(ticks);
    for (const expected of [false, false, true]) {
      await view.tick(flows);
      expect(view.nobodyServes("a")).toBe(expected);
    }
  });

  test("is not concluded from an interruption that no tick has noticed, nor for three intervals after", async () => {
    let now = 0;
    const view = makeFleetView(() => now);
    const passes = async (...reports: InRecord[]): Promise<boolean> => {
      view.take(reports);
      await view.tick(flows);
      return view.nobodyServes("a");
    };
    expect(await passes(report(["a"]))).toBe(false);
    now += 2000;
    expect(await passes()).toBe(false); // the broker is away, and back before it is asked
    now += 2000;
    expect(await passes(report(["b"], "serving", now))).toBe(false);
    const after: boolean[] = [];
    for (let n = 0; n < 3; n += 1) {
      now += 2000;
      after.push(await passes(report(["b"], "serving", now)));
    }
    expect(after).toEqual([false, true, true]); // the control: it is concluded from a feed that flows
  });

  test.each([
    ["the broker does not answer", broken],
    ["the feed has what was not read yet", silent],
  ])("is not concluded while %s, nor for three intervals after", async (_why, reachable) => {
    const view = makeFleetView();
    for (let n = 0; n < 10; n += 1) {
      await view.tick(reachable);
      expect(view.nobodyServes("a")).toBe(false);
    }
    await view.tick(flows);
    await view.tick(flows);
    expect(view.nobodyServes("a")).toBe(false);
    await view.tick(flows);
    expect(view.nobodyServes("a")).toBe(true);
  });
});

describe("a flood of records", () => {
  test("that delays the feed is not taken for silence of the others", async () => {
    let now = 0;
    const view = makeFleetView(() => now);
    /** Each interval brings records that were appended a while ago. */
    const concluded = async (lateMs: number): Promise<boolean> => {
      const said: boolean[] = [];
      for (let n = 0; n < 5; n += 1) {
        now += 2000;
        view.take([report(["b"], "serving", now - lateMs)]);
        await view.tick(broken);
        said.push(view.nobodyServes("a"));
      }
      return said.some(Boolean);
    };
    view.take([report(["a"], "serving", 0)]);
    expect(await concluded(4000)).toBe(false);
    expect(await concluded(0)).toBe(true); // the control: read in time, the silence is one
  });

  test("is not remembered: neither names that are no commands nor records that are too long", async () => {
    const view = makeFleetView();
    for (let n = 0; n < 3; n += 1) {
      view.take([report(["a", "no.command"])]);
      await view.tick(broken);
    }
    expect([view.nobodyServes("no.command"), view.nobodyServes("a")]).toEqual([true, false]);
    expect(readReport(report(["a".repeat(maxReportBytes)]))).toBeUndefined();
    expect(readReport(report(["a".repeat(maxReportBytes / 2)]))).toBeDefined(); // the control
  });
});

test("a record that is not a report is ignored, and does not stop the reader", async () => {
  const view = makeFleetView();
  const bad = [
    null,
    "",
    "[]",
    "{}",
    '{"ping":1}',
    "\u0000",
    JSON.stringify({ ping: { id: "x" }, info: {}, stats: {} }),
  ];
  const records = bad.map((text) => ({ ...report([]), value: text === null ? null : Buffer.from(text) }));
  expect(records.map(readReport)).toEqual(bad.map(() => undefined));
  view.take([...records, report(["a"])]);
  await view.tick(broken);
  expect(view.nobodyServes("a")).toBe(false);
});

test("a report of a later version with more fields is read", () => {
  const value = JSON.parse(String(report(["a"]).value)) as Record<string, object>;
  const later = { ...value, more: 1, ping: { ...value["ping"], zone: "x" } };
  expect(readReport({ value: Buffer.from(JSON.stringify(later)) })?.info.commands).toEqual(["a"]);
});
