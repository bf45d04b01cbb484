// Marks of auth.revocation: when they are due, what a relay knows of the broker's clock, and what they must not pass,
// on a real database with a stand-in for the broker. marks.test.ts has the relay and Kafka.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { readConfig } from "../../src/config/read.ts";
import { raiseTokenLife } from "../../src/db/token-life.ts";
import { topics } from "../../src/processes/topic-specs.ts";
import { makeAppendTimes, markEveryMs } from "../../src/relay/as-of.ts";
import { without } from "../support/faults.ts";
import { type HandlerHarness, handlerHarness } from "../support/handlers.ts";
import {
  aheadMs,
  holdable,
  type MarkScenario,
  type PlayedFeed,
  playedFeed,
  publishAll,
  scenarios,
} from "../support/marks.ts";
import { type MarkControls, markFaults } from "../support/marks-controls.ts";
import { until } from "../support/until.ts";

test("marks are due once a second at least, and never further apart than a quarter of the age that verifiers bear", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1000, max: 3_600_000 }), (maxAgeMs) => {
      expect(markEveryMs(maxAgeMs)).toBeLessThanOrEqual(Math.min(1000, maxAgeMs / 4));
      expect(markEveryMs(maxAgeMs)).toBeGreaterThan(100);
    }),
  );
});

test("the broker's time of the last append is known for each partition of auth.revocation, and how lately that was", () => {
  let now = 0;
  const appends = makeAppendTimes(() => now);
  const append = (topic: string, partition: number, at: number) =>
    appends.note({ sentAt: 0, ackedAt: 0, at, partitions: [{ topic, partition, at }] });
  append("auth.revocation", 0, 500);
  append("auth.event", 1, 900);
  appends.note({ sentAt: 0, ackedAt: 0, at: 900 }); // a driver that tells no partitions
  now = 1000;
  append("auth.revocation", 0, 700);
  now = 2500;
  expect([appends.lately(0, 1500), appends.lately(0, 1499), appends.lately(1, 9999)]).toEqual([
    700,
    undefined,
    undefined,
  ]);
});

test("every topic that migrate makes takes the broker's times", () => {
  const specs = topics(readConfig({ AUTH_LEGACY_TOPICS: "true" }, "dev"));
  expect(specs.length).toBeGreaterThan(50);
  expect(specs.filter(({ config }) => config["message.timestamp.type"] !== "LogAppendTime")).toEqual([]);
});

describe("marks", () => {
  const names = Object.keys(scenarios) as MarkScenario[];
  let harness: HandlerHarness;
  let feed: PlayedFeed;
  beforeAll(async () => {
    harness = await handlerHarness({ cheapHashes: true });
    await holdable(harness);
    feed = playedFeed(harness);
  });
  afterAll(async () => {
    await feed.stop();
    await harness.close();
  });

  test("rise in every partition, and are never ahead of their own records", async () => {
    expect(await aheadMs(harness, feed)).toBeLessThanOrEqual(0);
    for (const partition of [0, 1]) {
      const times = feed.marks.filter((mark) => mark.partition === partition).map(({ asOf }) => asOf);
      expect(times.length).toBeGreaterThan(2);
      expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
    }
  });

  test("tell the longest life that access tokens ever had", async () => {
    const told = async (lifeMs: number): Promise<number | undefined> => {
      await raiseTokenLife(harness.pool, lifeMs);
      const before = feed.marks.length;
      await until("marks from after that", () => feed.marks.length >= before + 4);
      return feed.marks.at(-1)!.tokenLifeMs;
    };
    expect(feed.marks.at(-1)!.tokenLifeMs).toBeUndefined(); // nobody has said one
    expect([await told(900_000), await told(86_400_000), await told(900_000)]).toEqual([
      900_000, 86_400_000, 86_400_000,
    ]);
  });

  test.each(names)("do not pass %s, and go on when it has ended", async (name) => {
    const { since, highest } = await scenarios[name](harness, feed);
    expect(highest).toBeLessThanOrEqual(since);
    expect(highest).toBeGreaterThan(0);
    await publishAll(harness);
    await feed.passes(since);
  });

  test("the controls: with each piece of what they stand on switched off they pass, or are ten minutes ahead", async () => {
    const script = join(import.meta.dirname, "..", "support", "marks-controls.ts");
    const { stdout } = await promisify(execFile)(process.execPath, [...without(...markFaults), script]);
    const { passed, ahead } = JSON.parse(stdout) as MarkControls;
    expect(Object.keys(passed)).toEqual(names);
    expect(Object.entries(passed).filter(([, { since, highest }]) => highest <= since)).toEqual([]);
    expect(ahead.byBoth).toBeLessThanOrEqual(0); // two clocks, the earlier of which counts
    expect(ahead.byDatabase).toBeGreaterThan(590_000);
  }, 60_000);
});
