// A worker whose machine's clock is ten minutes off. docs/protocol.md, Time: auth-timeout counts from the record's
// broker time, so clocks do not matter; a request in its time is served, one past its time is not begun
// (src/kafka/broker-clock.ts). What it signs goes by that time too, and what it revokes by the database's.
import { expect, test } from "@jest/globals";
import { decodeJwt } from "jose";
import { crashFixture } from "../support/crash.ts";
import { clockOff, without } from "../support/faults.ts";
import { type Feed, readFeed } from "../support/feed.ts";
import { skewsOf } from "../support/metrics.ts";
import { end } from "../support/processes.ts";
import { type Raw, rawRequests } from "../support/raw.ts";
import { loggedIn } from "../support/users.ts";

const fixture = crashFixture("clock", { workers: 1, users: 1 });
const tenMinutes = 600_000;
let raw: Raw | undefined;
let feed: Feed | undefined;
let workers = 1;

async function workerWithClockOff(ms: number, more: string[] = []): Promise<void> {
  workers += 1;
  await fixture.own.start("worker", `worker-${workers}`, {}, [...clockOff(ms), ...more]);
  await end(fixture.own.processes.get(`worker-${workers - 1}`)!);
}

/** @returns the outcome of a request that has so many ms from the broker's time on */
async function keysWithin(ms: number): Promise<string> {
  raw ??= await rawRequests(fixture.fleet);
  return (await raw.ask({ topic: "auth.key.list", headers: { "auth-timeout": String(ms) } })).outcome;
}

const outcomes = async (): Promise<string[]> => [await keysWithin(0), await keysWithin(10_000)];
const right = ["DEADLINE_EXCEEDED", "ok"];

test("a clock that is right: a request in its time is served, one past its time is not begun", async () => {
  expect(await outcomes()).toEqual(right);
}, 180_000);

test("a clock that is a second off: the same, and what that worker issues and sets is good elsewhere", async () => {
  await workerWithClockOff(1000);
  const { accessToken } = await loggedIn(fixture.fleet, fixture.users[0]!);
  expect(await outcomes()).toEqual(right);
  await workerWithClockOff(-1000);
  const { userId } = await fixture.fleet.client.request("auth.session.inspect", { accessToken });
  expect(userId).toBe(fixture.users[0]!.id);
}, 180_000);

/**
 * How far the times are off that such a worker writes, ms: when a token was issued and ends, when its session's end was
 * revoked.
 */
async function timesWritten(): Promise<{ issued: number; expires: number; revoked: number }> {
  feed ??= await readFeed(fixture.fleet.kafka);
  const { accessToken, sessionId } = await loggedIn(fixture.fleet, fixture.users[0]!);
  const { iat = 0, exp = 0 } = decodeJwt(accessToken);
  const now = Date.now();
  await fixture.fleet.client.request("auth.session.logout", { accessToken });
  const { body } = await feed.first(`s:${sessionId}`);
  const revoked = Number(body["at"]) - Date.now();
  return { issued: iat * 1000 - now, expires: exp * 1000 - now - lifeMs, revoked };
}

const lifeMs = 15 * 60_000;
const near = (ms: number) => Math.abs(ms) < 5000;
test.each([
  ["fast", tenMinutes],
  ["slow", -tenMinutes],
])(
  "a clock ten minutes %s: the same; tokens and revocations have the right times, and the metric says how far it is off",
  async (_how, ms) => {
    await workerWithClockOff(ms);
    expect(await outcomes()).toEqual(right);
    const written = await timesWritten();
    expect(Object.entries(written).filter(([, off]) => !near(off))).toEqual([]);
    const { machine } = await skewsOf(fixture.own.http[`worker-${workers}`]!);
    expect(near(machine! - ms)).toBe(true);
  },
  180_000,
);

test("the control: a worker that goes by its own clock refuses what is in time, or begins what is late", async () => {
  await workerWithClockOff(tenMinutes, without("own-clock"));
  expect(await outcomes()).toEqual(["DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"]);
  await workerWithClockOff(-tenMinutes, without("own-clock", "own-time"));
  expect(await outcomes()).toEqual(["ok", "ok"]);
  const { issued, expires, revoked } = await timesWritten();
  expect([near(issued + tenMinutes), near(expires + tenMinutes), near(revoked)]).toEqual([true, true, true]); // the last is the database's
}, 180_000);
