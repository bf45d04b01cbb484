// Two halves side by side: everything is read once and in order whatever is lost, paused or resumed, and quiet
// partitions are in no busy fetch.
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { SessionRequest } from "../../src/kafka/fetch-session.ts";
import { fewPartitions, type HalfName, SplitFetch } from "../../src/kafka/split-fetch.ts";

const many = fewPartitions + 4;
const topic = "t";
const everything = Array.from({ length: many }, (_, partition) => partition);

interface Answer {
  errorCode: number;
  sessionId: number;
  /** Partition -> the offsets of its records. */
  records: Map<number, number[]>;
}

interface Asked {
  request: SessionRequest<string>;
  /** Named to the broker in this session so far, its positions. */
  wishes: Map<number, number>;
  waitMs: number;
  answer(errorCode?: number): void;
  fail(): void;
}

/** Logs of partitions, and for each half the one request that is on its way to it. */
function makeBroker() {
  const ends = everything.map(() => 0);
  const sessions = { active: new Map<number, number>(), quiet: new Map<number, number>() };
  const pending: Partial<Record<HalfName, Asked>> = {};
  let lastSession = 0;
  return {
    ends,
    pending,
    ask(half: HalfName, request: SessionRequest<string>, waitMs: number): Promise<Answer> {
      expect(pending[half]).toBeUndefined(); // a connection has one at a time
      if (request.sessionEpoch === 0) sessions[half] = new Map();
      const wishes = sessions[half];
      for (const { partitions } of request.forgottenTopics) for (const each of partitions) wishes.delete(each);
      for (const { partitions } of request.topics)
        for (const { partition, fetchOffset } of partitions) wishes.set(partition, Number(fetchOffset));
      const sessionId = request.sessionEpoch === 0 ? ++lastSession : request.sessionId;
      return new Promise((resolve, reject) => {
        pending[half] = {
          request,
          wishes,
          waitMs,
          answer(errorCode = 0) {
            delete pending[half];
            const some = [...wishes].filter(([partition, offset]) => ends[partition]! > offset);
            const records = some.map(([partition, from]) => {
              return [partition, Array.from({ length: ends[partition]! - from }, (_, at) => from + at)] as const;
            });
            resolve({ errorCode, sessionId, records: new Map(errorCode === 0 ? records : []) });
          },
          fail() {
            delete pending[half];
            reject(new Error("the connection is gone"));
          },
        };
      });
    },
    /** Whatever waits and has something is answered. */
    append(partition: number) {
      ends[partition]! += 1;
      for (const asked of Object.values(pending)) {
        if ((asked.wishes.get(partition) ?? Number.POSITIVE_INFINITY) < ends[partition]!) asked.answer();
      }
    },
  };
}

/** A consumer as the drivers are: it takes what is still wanted from where it was asked, in turns. */
function makeConsumer(now: () => number = () => performance.now()) {
  const broker = makeBroker();
  const split = new SplitFetch<string, Answer>(broker.ask, now);
  const read = everything.map((): number[] => []);
  const paused = new Set<number>();
  const turnOver = async (): Promise<"something" | "nothing" | "failed"> => {
    const partitions = everything
      .filter((each) => !paused.has(each))
      .map((partition) => ({ partition, fetchOffset: String(read[partition]!.length), maxBytes: 1 }));
    if (partitions.length === 0) return "nothing";
    try {
      const fetched = await split.next([{ topic, partitions }], 250);
      if (fetched === undefined) return "nothing";
      for (const [partition, offsets] of fetched.answer.records) {
        const wanted = String(read[partition]!.length);
        if (paused.has(partition) || fetched.askedFrom(topic, partition) !== wanted) continue;
        read[partition]!.push(...offsets);
        split.brought(topic, partition);
      }
      return "something";
    } catch {
      return "failed";
    }
  };
  return { broker, split, read, paused, turnOver };
}

const named = ({ request }: Asked): number[] =>
  request.topics.flatMap(({ partitions }) => partitions.map(({ partition }) => partition));

describe("what is asked for where", () => {
  test("quiet partitions wait in one half, and only those that bring records are in the other", async () => {
    let now = 0;
    const { broker, turnOver } = makeConsumer(() => now);
    const first = turnOver();
    expect(Object.keys(broker.pending)).toEqual(["quiet"]);
    expect([...broker.pending.quiet!.wishes.keys()]).toEqual(everything);
    broker.append(3);
    await first;
    const second = turnOver();
    expect([...broker.pending.active!.wishes]).toEqual([[3, 1]]);
    expect([...broker.pending.quiet!.wishes.keys()]).toEqual(everything.filter((each) => each !== 3));
    broker.append(3);
    await second;
    const third = turnOver();
    expect(named(broker.pending.active!)).toEqual([3]);
    expect([...broker.pending.active!.wishes]).toEqual([[3, 2]]);

    now += 6000;
    broker.pending.quiet!.answer();
    await third;
    const fourth = turnOver();
    expect([...broker.pending.quiet!.wishes.keys()]).toEqual(expect.arrayContaining(everything)); // both have it for now
    broker.pending.active!.answer();
    await fourth;
    void turnOver();
    expect(broker.pending.active).toBeUndefined();
    expect([...broker.pending.quiet!.wishes.keys()]).toHaveLength(many);
  });

  test("few partitions are in one half together", async () => {
    const { broker, paused, turnOver } = makeConsumer();
    for (const each of everything.slice(fewPartitions)) paused.add(each);
    void turnOver();
    expect(Object.keys(broker.pending)).toEqual(["active"]);
    expect([...broker.pending.active!.wishes.keys()]).toEqual(everything.slice(0, fewPartitions));
  });

  test("what is wanted anew, or goes on elsewhere, is in the half that is asked next", async () => {
    const { broker, paused, turnOver } = makeConsumer();
    paused.add(7);
    const first = turnOver();
    broker.append(3);
    await first;
    const second = turnOver();
    broker.append(5); // the quiet half brings it, while the other waits without it
    await second;
    const third = turnOver();
    expect([...broker.pending.active!.wishes.keys()]).toEqual([3]);
    expect(broker.pending.quiet!.wishes.get(5)).toBe(1);
    paused.delete(7);
    broker.append(3);
    await third;
    void turnOver();
    expect([...broker.pending.active!.wishes.keys()]).toEqual([3, 5, 7]);
  });

  test("after an answer that did not come everything is named again, in that half alone", async () => {
    const { broker, turnOver } = makeConsumer();
    const first = turnOver();
    broker.append(3);
    await first;
    const second = turnOver();
    broker.pending.quiet!.fail();
    expect(await second).toBe("failed");
    const third = turnOver();
    expect(broker.pending.quiet!.request.sessionEpoch).toBe(0);
    expect(named(broker.pending.quiet!)).toHaveLength(many - 1);
    broker.append(3);
    await third;
    void turnOver();
    expect(broker.pending.active!.request.sessionEpoch).toBe(1);
  });

  test("a fetch that is lost without a word is asked again, though the other half goes on", async () => {
    let now = 0;
    const { broker, turnOver } = makeConsumer(() => now);
    const first = turnOver();
    broker.append(3);
    await first;
    const second = turnOver();
    delete broker.pending.quiet;
    broker.append(3);
    await second;
    now += 60_000;
    expect(await turnOver()).toBe("failed");
    void turnOver();
    expect(broker.pending.quiet!.request.sessionEpoch).toBe(0);
    expect(named(broker.pending.quiet!)).toEqual(everything);
  });

  test("for a moment after one was given up nobody waits long, because it may be wanted again at once", async () => {
    let now = 0;
    const { broker, paused, turnOver } = makeConsumer(() => now);
    const first = turnOver();
    broker.append(3);
    await first;
    const second = turnOver();
    expect([broker.pending.active!.waitMs, broker.pending.quiet!.waitMs]).toEqual([250, 250]);
    broker.append(3);
    await second;
    paused.add(3);
    expect(await Promise.race([turnOver(), sleep(2000, "late")])).toBe("nothing"); // the quiet half waits on
    paused.delete(3);
    const third = turnOver();
    expect(broker.pending.active!.waitMs).toBeLessThan(50);
    now += 1000;
    broker.pending.active!.answer();
    await third;
    void turnOver();
    expect(broker.pending.active!.waitMs).toBe(250);
  });

  test("a session that the broker has forgotten is begun anew", async () => {
    const { broker, turnOver } = makeConsumer();
    const first = turnOver();
    broker.pending.quiet!.answer();
    await first;
    const second = turnOver();
    expect(broker.pending.quiet!.request).toMatchObject({ sessionId: 1, sessionEpoch: 1, topics: [] });
    broker.pending.quiet!.answer(70);
    expect(await second).toBe("nothing");
    void turnOver();
    expect(broker.pending.quiet!.request).toMatchObject({ sessionId: 0, sessionEpoch: 0 });
    expect(named(broker.pending.quiet!)).toEqual(everything);
  });
});

test("everything is read once and in order, through lost answers, pauses and forgotten sessions", async () => {
  const partition = fc.nat(many - 1);
  const half = fc.constantFrom<HalfName>("active", "quiet");
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("append" as const), partition: fc.nat(4) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("append" as const), partition }) },
    fc.record({ kind: fc.constant("pause" as const), partition }),
    fc.record({ kind: fc.constant("resume" as const), partition }),
    fc.record({ kind: fc.constantFrom("lost" as const, "forgotten" as const, "waited" as const), half }),
    fc.record({ kind: fc.constant("later" as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      let now = 0;
      const { broker, read, paused, turnOver } = makeConsumer(() => now);
      const over = new AbortController();
      const consuming = (async () => {
        while (!over.signal.aborted) if ((await turnOver()) !== "something") await turn();
      })();
      for (const each of steps) {
        if (each.kind === "append") broker.append(each.partition);
        else if (each.kind === "pause") paused.add(each.partition);
        else if (each.kind === "resume") paused.delete(each.partition);
        else if (each.kind === "later") now += 6000;
        else if (each.kind === "lost") broker.pending[each.half]?.fail();
        else broker.pending[each.half]?.answer(each.kind === "forgotten" ? 71 : 0);
        await turn();
      }
      paused.clear();
      // By the end of what is waited for on the broker, twice: one fetch that was on its way, and one that knows all.
      for (let round = 0; round < 4; round += 1) {
        for (const asked of Object.values(broker.pending)) asked.answer();
        await turn();
        await turn();
      }
      expect(read).toEqual(broker.ends.map((end) => Array.from({ length: end }, (_, at) => at)));
      over.abort();
      for (const asked of Object.values(broker.pending)) asked.answer();
      await consuming;
    }),
    { numRuns: 200 },
  );
});
