// How long a consumer lives and when its next life begins, over a driver that does what a test tells it: crash, fall
// silent, hang.
import { Writable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { pino } from "pino";
import type { Consumer, ConsumerInstance } from "../../src/kafka/consumer-instance.ts";
import { portOver } from "../../src/kafka/kafka.ts";
import type { ConsumeOptions, KafkaDriver } from "../../src/kafka/port.ts";
import type { Assignment, InRecord } from "../../src/kafka/records.ts";
import { type Bounds, Supervisor } from "../../src/kafka/supervisor.ts";
import { settledWithin } from "../../src/lib/timeout.ts";
import { makeLogger } from "../../src/runtime/log.ts";
import { quiet } from "../support/logger.ts";
import { until } from "../support/until.ts";

const place = { topic: "t", partition: 0 };
const held: Assignment = new Map([["t", [0]]]);
const hang = new Promise<never>(() => undefined);
const bounds: Bounds = { stallMs: 80, firstPauseMs: 20, longestPauseMs: 320, stableMs: 200, closeMs: 100 };

interface Scripted {
  lives: ConsumerInstance[];
  assigned: Assignment[];
  /** When each life began, ms. */
  began: number[];
  log: { msg: string; err?: unknown }[];
  /** Of the life that is told so: joins as this member. */
  join(member?: string): ConsumerInstance;
  start(more?: { from?: "latest"; close?: () => Promise<void>; reachable?: () => boolean }): void;
  readonly healthy: boolean;
}

let it: Scripted;
let stop: (() => Promise<void>) | undefined;
beforeEach(() => {
  it = scripted();
});
afterEach(() => stop?.());

function scripted(): Scripted {
  const lines: Scripted["log"] = [];
  let healthy = (): boolean => false;
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as Scripted["log"][number]);
      done();
    },
  });
  const self: Scripted = {
    lives: [],
    assigned: [],
    began: [],
    log: lines,
    join(member = "m") {
      const life = self.lives.at(-1)!;
      life.joined(member, held);
      return life;
    },
    start({ from, close = () => Promise.resolve(), reachable = () => true } = {}) {
      const consumer: Consumer = { commit: () => Promise.resolve(), pause: hush, resume: hush, close };
      const consumption = new Supervisor({
        options: optionsOf(self.assigned, from),
        log: pino({}, sink),
        monotonic: () => performance.now(),
        build(life) {
          self.lives.push(life);
          self.began.push(performance.now());
          return consumer;
        },
        reachable: () => Promise.resolve(reachable()),
        bounds,
      });
      healthy = () => consumption.healthy;
      stop = () => consumption.close();
    },
    get healthy() {
      return healthy();
    },
  };
  return self;
}

const hush = (): void => undefined;

function optionsOf(assigned: Assignment[], from: "earliest" | "latest" = "earliest"): ConsumeOptions {
  const assign = { userData: () => Buffer.alloc(0), assign: () => new Map() };
  return { group: "g", topics: ["t"], from, assign, onRecords: hush, onAssigned: (one) => assigned.push(one) };
}

const lives = (count: number): Promise<void> => until(`life ${count}`, () => it.lives.length >= count);

const read = (life: ConsumerInstance, offset: bigint): void =>
  life.records([{ ...place, offset } as InRecord], place, { highWatermark: offset + 1n, next: offset + 1n });

test("after a crash nothing is held until the next life has joined, and the dead one is not heard any more", async () => {
  it.start();
  const first = it.join("a");
  first.fail(new Error("crash"));
  expect(it.assigned.slice(1)).toEqual([new Map()]);
  await lives(2);
  expect(it.lives[1]!.previousMemberId).toBe("a");
  first.joined("a", held);
  read(first, 5n);
  expect(it.assigned).toHaveLength(2);
  it.join("b");
  expect(it.assigned.slice(2)).toEqual([new Map(), held]);
});

test("a driver that comes back as another member by itself has held nothing meanwhile; as the same member it has", () => {
  it.start();
  it.join("a");
  it.join("a");
  it.join("b");
  expect(it.assigned).toEqual([held, held, new Map(), held]);
});

test("the pause between lives grows, joining does not shorten it, records do", async () => {
  it.start();
  for (let life = 1; life <= 4; life += 1) {
    await lives(life);
    it.join().fail(new Error("again"));
  }
  await lives(5);
  const pauses = it.began.slice(1).map((began, at) => began - it.began[at]!);
  expect(pauses[3]).toBeGreaterThan(8 * bounds.firstPauseMs - 5);
  const failed = performance.now();
  const life = it.join();
  read(life, 0n);
  life.fail(new Error("again"));
  await lives(6);
  expect(it.began[5]! - failed).toBeLessThan(8 * bounds.firstPauseMs);
});

test("the pause is short again after a membership that has lasted", async () => {
  it.start();
  for (let life = 1; life <= 4; life += 1) {
    await lives(life);
    it.join().fail(new Error("again"));
  }
  await lives(5);
  const life = it.join();
  const ticks = setInterval(() => life.progress(), 10);
  await new Promise((resolve) => setTimeout(resolve, bounds.stableMs + 50)); // the time itself is what is tested
  clearInterval(ticks);
  const failed = performance.now();
  life.fail(new Error("again"));
  await lives(6);
  expect(it.began[5]! - failed).toBeLessThan(8 * bounds.firstPauseMs);
});

test("a consumer of which nothing is heard is built again; one that is heard of, or that nobody could hear, is not", async () => {
  let reachable = false;
  let asked = 0;
  it.start({
    reachable: () => {
      asked += 1;
      return reachable;
    },
  });
  const life = it.join();
  const ticks = setInterval(() => life.progress(), 10);
  await new Promise((resolve) => setTimeout(resolve, 2 * bounds.stallMs));
  expect([asked, it.lives.length]).toEqual([0, 1]);
  clearInterval(ticks);
  await until("it was asked whether a broker answers", () => asked >= 2);
  expect(it.lives).toHaveLength(1);
  reachable = true;
  await lives(2);
  expect(it.log.map(({ msg }) => msg)).toEqual(["consumer is built again"]);
});

test("a member that hears nothing while no broker answers is not healthy until it hears again", async () => {
  it.start({ reachable: () => false });
  const life = it.join();
  expect(it.healthy).toBe(true);
  await until("it is not healthy", () => !it.healthy);
  life.progress();
  expect([it.healthy, it.lives.length]).toEqual([true, 1]);
});

test("a reader of new records goes on after the last it has read, those that were no records for us included", async () => {
  it.start({ from: "latest" });
  const life = it.join();
  read(life, 7n);
  life.records([], place, { highWatermark: 20n, next: 12n });
  life.fail(new Error("crash"));
  await lives(2);
  expect(it.lives[1]!.positionOf(place)).toBe(12n);
});

test("the same complaint is made in full once, then counted", async () => {
  it.start();
  for (let life = 1; life <= 5; life += 1) {
    await lives(life);
    it.lives.at(-1)!.fail(new Error(life === 3 ? "another" : "the same"));
  }
  const said = it.log.map(({ msg, err }) => [msg, err !== undefined]);
  expect(said).toEqual([
    ["consumer is built again", true],
    ["consumer is built again, 2 times now", false],
    ["consumer is built again", true],
    ["consumer is built again, 4 times now", false],
  ]);
});

test("a life that does not end holds up neither the next one nor a close", async () => {
  it.start({ close: () => hang });
  it.join().fail(new Error("crash"));
  await lives(2);
  const began = performance.now();
  await stop!();
  expect(performance.now() - began).toBeLessThan(bounds.closeMs + 1000);
  expect(it.log.at(-1)!.msg).toBe("a consumer did not close in time");
});

test("a port closes within its bound whatever its driver does, and waits for one that does close", async () => {
  let closed = 0;
  const driver = (close: () => Promise<void>) => ({ close }) as Partial<KafkaDriver> as KafkaDriver;
  const slow = async (): Promise<void> => {
    await settledWithin(20, () => hang);
    closed += 1;
  };
  for (const close of [() => hang, slow]) {
    const port = portOver(() => Promise.resolve({ ...driver(close), ping: () => Promise.resolve() }), quiet, bounds);
    await port.ping();
    await port.close();
  }
  expect(closed).toBe(1);
  const never = portOver(() => hang, makeLogger("silent", {}), bounds);
  void never.ping();
  await never.close();
});
