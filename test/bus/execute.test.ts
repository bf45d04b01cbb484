// Where a request is refused before any work, and one that was delivered again after its time was over, while the
// database is away for a moment.

import { describe, expect, test } from "@jest/globals";
import { makeTextGate } from "../../src/bus/avro/text-gate.ts";
import type { BusCommand, Call, LaneName } from "../../src/bus/command.ts";
import { makeExecute } from "../../src/bus/execute.ts";
import { Lane } from "../../src/bus/lanes.ts";
import type { InRecord } from "../../src/kafka/records.ts";
import { busNames } from "../../src/protocol/bus-names.ts";
import { refuse } from "../../src/protocol/errors.ts";
import { quiet } from "../support/logger.ts";

const monotonic = () => performance.now();
const away = new Error("connection lost");

function setUp(given: Partial<BusCommand>) {
  let opened = 0;
  const demands: number[] = [];
  const lane = (demanded?: (ms: number) => void) =>
    new Lane({ width: 1, cost: 100, queueTarget: 1, ...(demanded && { demanded }) }, monotonic);
  const lanes = { hash: lane((ms) => demands.push(ms)), db: lane(), cheap: lane() };
  const execute = makeExecute({
    protocol: { names: busNames },
    codec: {
      encode: (_subject, value) => Buffer.from(JSON.stringify(value)),
      decode: async () => {
        opened += 1;
        return {};
      },
    },
    lanes,
    log: quiet,
    monotonic,
    openingKey: () => undefined,
    requireSealed: false,
    sealsEndBetween: () => [0, Number.POSITIVE_INFINITY],
    isTransient: (error) => error === away,
  });
  const command: BusCommand = {
    topic: "auth.test",
    lane: "cheap",
    storesAnswer: true,
    minResponseMs: undefined,
    keyKind: "any",
    sealedFields: { request: [], reply: [] },
    texts: makeTextGate({ fields: [] }),
    requestDefaults: {},
    resultName: "auth.TestResult",
    keyOf: () => undefined,
    handle: async () => ({ first: "answer" }),
    answered: async () => false,
    ...given,
  };
  const record = { topic: "auth.test", partition: 0, offset: 0n, timestamp: 0, key: null, value: null, headers: {} };
  const headers = { reply: { topic: "auth.reply.x" } } as Call["headers"];
  /** @param leftMs until its deadline */
  const ask = (leftMs: number, redelivered = false) =>
    execute(
      record satisfies InRecord,
      command,
      { topic: "auth.test", headers, recordedAt: 0, deadline: monotonic() + leftMs },
      redelivered,
    );
  return { ask, lanes, demands, opened: () => opened };
}

describe("a request for a hash", () => {
  test("is refused before it is opened where the lane is full, and opened where it is not", async () => {
    const { ask, lanes, opened } = setUp({ lane: "hash" });
    const places = [lanes.hash.admit(monotonic() + 1000), lanes.hash.admit(monotonic() + 1000)];
    expect((await ask(1000)).outcome).toBe("OVERLOADED");
    expect(opened()).toBe(0);
    for (const place of places) place.release();
    expect((await ask(1000)).outcome).toBe("ok");
    expect(opened()).toBe(1);
  });

  test("counts once as demand on the lane where the lane refuses it or hashes for it, and not where a limit refuses it before", async () => {
    const limited = setUp({ lane: "hash", handle: () => Promise.reject(refuse("THROTTLED", { retryAfterMs: 1000 })) });
    expect((await limited.ask(1000)).outcome).toBe("THROTTLED");
    expect(limited.demands).toEqual([]);
    const hashing: ReturnType<typeof setUp> = setUp({
      lane: "hash",
      handle: (_request, { deadline, permit: place }) =>
        hashing.lanes.hash.run(deadline, async () => ({}), { permit: place }),
    });
    expect((await hashing.ask(1000)).outcome).toBe("ok");
    expect(hashing.demands).toEqual([100]);
    for (let taken = 0; taken < 2; taken += 1) hashing.lanes.hash.admit(monotonic() + 1000);
    expect((await hashing.ask(1000)).outcome).toBe("OVERLOADED");
    expect(hashing.demands).toHaveLength(2);
  });

  test("releases its place in the lane when it is done, however it ended and however often it was tried", async () => {
    const ends: [string, BusCommand["handle"]][] = [
      ["ok", async () => ({})],
      ["INTERNAL", () => Promise.reject(new Error("a fault of ours"))],
      ["UNAVAILABLE", () => Promise.reject(away)],
    ];
    for (const [outcome, handle] of ends) {
      const { ask, lanes } = setUp({ lane: "hash", handle });
      for (let time = 0; time < 3; time += 1) expect((await ask(200)).outcome).toBe(outcome);
      lanes.hash.admit(monotonic() + 1000); // and the next one still gets the only place at once
      expect((await ask(1000)).outcome).not.toBe("OVERLOADED");
    }
  });
});

describe("a command of which some requests need a hash", () => {
  /** The hash lane has one piece that never ends, and all that may wait for it. */
  function besideFullLane(needsHash: boolean, lane: LaneName = "db") {
    const set = setUp({ lane, laneOf: () => (needsHash ? "hash" : "db") });
    void set.lanes.hash.run(monotonic() + 10_000, () => new Promise(() => undefined));
    set.lanes.hash.admit(monotonic() + 10_000);
    return set;
  }

  test("does not wait for hashes where it needs none, and is refused where it does, once it was opened", async () => {
    const without = besideFullLane(false);
    expect((await without.ask(1000)).outcome).toBe("ok");
    const withOne = besideFullLane(true);
    expect((await withOne.ask(1000)).outcome).toBe("OVERLOADED");
    expect(withOne.opened()).toBe(1);
    // The control: a command of the hash lane is refused, whatever its request needs.
    expect((await besideFullLane(false, "hash").ask(1000)).outcome).toBe("OVERLOADED");
  });

  test("holds no place of the database's lane while it waits for its hash", async () => {
    const { promise, resolve } = Promise.withResolvers<object>();
    const { ask, lanes } = setUp({ lane: "db", laneOf: () => "hash", handle: () => promise });
    const asked = ask(1000);
    await new Promise(setImmediate);
    expect([lanes.db.running, lanes.db.queued]).toEqual([0, 0]);
    resolve({});
    expect((await asked).outcome).toBe("ok");
  });
});

/** Executes a request whose time is over; the inbox fails so often before it says that there is an answer. */
function late(failures: number, redelivered: boolean) {
  let asked = 0;
  const answered = async () => {
    asked += 1;
    if (asked <= failures) throw away;
    return true;
  };
  return setUp({ answered }).ask(-1000, redelivered);
}

test("it gets its first answer when the database is back, and is no dead letter", async () => {
  const done = await late(2, true);
  expect([done.outcome, done.deadLetterReason]).toEqual(["ok", undefined]);
  expect(String(done.reply.value)).toContain("answer");
});

test("while the database stays away it is UNAVAILABLE, and no dead letter", async () => {
  const done = await late(1000, true);
  expect([done.outcome, done.deadLetterReason]).toEqual(["UNAVAILABLE", undefined]);
});

test("a request that comes for the first time causes no query for a stored answer", async () => {
  expect((await late(1000, false)).outcome).toBe("DEADLINE_EXCEEDED");
});
