// A worker whose machine's clock is ten minutes off. The contract: auth-timeout counts from the record's broker time, so clocks do not
// matter; a request in its time is served, one past its time is not begun (src/bus/broker-clock.ts).
import { expect, test } from "@jest/globals";
import { siteOf } from "../support/crash.ts";
import { clockOff, without } from "../support/faults.ts";
import { end } from "../support/fleet.ts";
import { loggedIn } from "../support/people.ts";
import { type Raw, rawRequests } from "../support/raw.ts";

const site = siteOf("clock", { workers: 1, people: 1 });
const tenMinutes = 600_000;
let raw: Raw | undefined;
let workers = 1;

async function workerWithClockOff(ms: number, more: string[] = []): Promise<void> {
  workers += 1;
  await site.own.start("worker", `worker-${workers}`, {}, [...clockOff(ms), ...more]);
  await end(site.own.processes.get(`worker-${workers - 1}`)!);
}

/** @returns the outcome of a request that has so many ms from the broker's time on */
async function keysWithin(ms: number): Promise<string> {
  raw ??= await rawRequests(site.fleet);
  return (await raw.ask({ topic: "auth.key.list", headers: { "auth-timeout": String(ms) } })).outcome;
}

const outcomes = async (): Promise<string[]> => [await keysWithin(0), await keysWithin(10_000)];
const right = ["DEADLINE_EXCEEDED", "ok"];

test("a clock that is right: a request in its time is served, one past its time is not begun", async () => {
  expect(await outcomes()).toEqual(right);
}, 180_000);

test("a clock that is a second off: the same, and what that worker issues and sets is good elsewhere", async () => {
  await workerWithClockOff(1000);
  const { accessToken } = await loggedIn(site.fleet, site.crowd[0]!);
  expect(await outcomes()).toEqual(right);
  await workerWithClockOff(-1000);
  const { userId } = await site.fleet.client.request("auth.session.inspect", { accessToken });
  expect(userId).toBe(site.crowd[0]!.id);
}, 180_000);

test("a clock ten minutes fast: the same", async () => {
  await workerWithClockOff(tenMinutes);
  expect(await outcomes()).toEqual(right);
}, 180_000);

test("a clock ten minutes slow: the same", async () => {
  await workerWithClockOff(-tenMinutes);
  expect(await outcomes()).toEqual(right);
}, 180_000);

test("the control: a worker that goes by its own clock refuses what is in time, or begins what is late", async () => {
  await workerWithClockOff(tenMinutes, without("own-clock"));
  expect(await outcomes()).toEqual(["DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"]);
  await workerWithClockOff(-tenMinutes, without("own-clock"));
  expect(await outcomes()).toEqual(["ok", "ok"]);
}, 180_000);
