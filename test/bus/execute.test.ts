// A record that was delivered again after its time was over, while the database is away for a moment.
import { expect, test } from "@jest/globals";
import type { BusCommand, Call } from "../../src/bus/command.ts";
import { makeExecute } from "../../src/bus/execute.ts";
import { makeLane } from "../../src/bus/lanes.ts";
import type { InRecord } from "../../src/bus/records.ts";
import { quiet } from "../support/fleet.ts";

const monotonic = () => performance.now();
const away = new Error("connection lost");

/** Executes a request whose time is over; the inbox fails so often before it says that there is an answer. */
function late(failures: number, redelivered: boolean) {
  let asked = 0;
  const lane = () => makeLane({ width: 1 }, monotonic);
  const execute = makeExecute({
    codec: {
      isWarm: true,
      warm: async () => {},
      encode: (_subject, value) => Buffer.from(JSON.stringify(value)),
      decode: async () => ({}),
    },
    lanes: { hash: lane(), db: lane(), cheap: lane() },
    log: quiet,
    now: () => 0,
    monotonic,
    openingKey: () => undefined,
    requireSealed: false,
    passing: (error) => error === away,
  });
  const command: BusCommand = {
    topic: "auth.test",
    lane: "cheap",
    once: true,
    leastMs: undefined,
    keyKind: "any",
    sealedFields: { request: [], reply: [] },
    requestDefaults: {},
    resultName: "auth.TestResult",
    keyOf: () => undefined,
    handle: async () => ({ first: "answer" }),
    answered: async () => {
      asked += 1;
      if (asked <= failures) throw away;
      return true;
    },
  };
  const record = { topic: "auth.test", partition: 0, offset: 0n, timestamp: 0, key: null, value: null, headers: {} };
  const envelope = { reply: { topic: "auth.reply.x" } } as Call["envelope"];
  const call: Call = { topic: "auth.test", envelope, deadline: monotonic() - 1000 };
  return execute(record satisfies InRecord, command, call, redelivered);
}

test("it gets its first answer when the database is back, and is no dead letter", async () => {
  const done = await late(2, true);
  expect([done.outcome, done.poison]).toEqual(["ok", undefined]);
  expect(String(done.reply.value)).toContain("answer");
});

test("while the database stays away it is UNAVAILABLE, and no dead letter", async () => {
  const done = await late(1000, true);
  expect([done.outcome, done.poison]).toEqual(["UNAVAILABLE", undefined]);
});

test("one that comes for the first time is not asked about", async () => {
  expect((await late(1000, false)).outcome).toBe("DEADLINE_EXCEEDED");
});
