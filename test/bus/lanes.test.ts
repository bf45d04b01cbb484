// Lanes: in which order work runs, and what a lane estimates that it costs.
import fc from "fast-check";
import { lane, refusalOf, settled } from "./controlled-lane.ts";

test("never runs more tasks than its width, lets none wait while there is room, and loses none", async () => {
  const script = fc.array(
    fc.record({ act: fc.constantFrom("run", "run", "end", "fail"), deadline: fc.nat({ max: 500 }), pass: fc.nat(20) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), script, async (width, steps) => {
      const { lane: made, time, running, run, end } = lane({ width });
      const outcomes: Promise<string>[] = [];
      for (const { act, deadline, pass } of steps) {
        time.ms += pass;
        if (act === "run") outcomes.push(run("x", time.ms + deadline));
        else if (running.length > 0) await end(act === "fail" ? new Error("a fault") : undefined);
        await settled();
        expect(made.running).toBe(running.length);
        expect(running.length).toBeLessThanOrEqual(width);
        if (made.queued > 0) expect(running.length).toBe(width);
      }
      while (running.length > 0) await end();
      const ends = await Promise.all(outcomes);
      expect(ends.filter((each) => !["done", "a fault", "DEADLINE_EXCEEDED"].includes(each))).toEqual([]);
      expect([made.running, made.queued]).toEqual([0, 0]);
    }),
    { numRuns: 100 },
  );
});

test("the earliest deadline is taken first; equal ones in the order they came", async () => {
  const { run, end, running, order } = lane({ width: 1 });
  const all = [run("first", 900), run("late", 800), run("soon", 100), run("middle", 400), run("middle, later", 400)];
  await settled();
  while (running.length > 0) await end();
  await Promise.all(all);
  expect(order).toEqual(["first", "soon", "middle", "middle, later", "late"]);
});

test("work whose deadline has passed when its turn comes is not begun; work in time is", async () => {
  const { run, end, time, order } = lane({ width: 1 });
  const outcomes = [run("first"), run("too late", 50), run("in time", 51)];
  await settled();
  time.ms = 50;
  await end();
  await end();
  expect(await Promise.all(outcomes)).toEqual(["done", "DEADLINE_EXCEEDED", "done"]);
  expect(order).toEqual(["first", "in time"]);
});

test("work that comes after its deadline is refused though there is room", async () => {
  const { run, time, order } = lane({ width: 1 });
  time.ms = 10;
  expect(await run("x", 10)).toBe("DEADLINE_EXCEEDED");
  expect(order).toEqual([]);
});

describe("the estimate of the cost", () => {
  test("is the first measurement where there was no guess, then moves towards what work takes", async () => {
    const { lane: made, run, time, end } = lane({ width: 1 });
    const take = async (ms: number) => {
      void run("x");
      await settled();
      time.ms += ms;
      await end();
    };
    expect(made.cost).toBe(0);
    await take(80);
    expect(made.cost).toBe(80);
    await take(180);
    expect(made.cost).toBeCloseTo(90);
    for (let times = 0; times < 60; times += 1) await take(180);
    expect(made.cost).toBeGreaterThan(179);
  });

  test("counts the work, not the wait", async () => {
    const { lane: made, run, time, end } = lane({ width: 1, cost: 100 });
    void run("a");
    void run("b");
    await settled();
    time.ms += 100;
    await end();
    time.ms += 100;
    await end();
    expect(made.cost).toBeCloseTo(100);
  });
});

test("a failure frees the slot and reaches the caller, thrown at once or later", async () => {
  const { lane: made, run, end, order } = lane({ width: 1 });
  const outcomes = [run("a"), run("b")];
  await settled();
  await end(new Error("a fault"));
  expect(order).toEqual(["a", "b"]);
  await end();
  expect(await Promise.all(outcomes)).toEqual(["a fault", "done"]);
  const thrown = made.run(Number.POSITIVE_INFINITY, () => {
    throw new Error("at once");
  });
  await expect(thrown).rejects.toThrow("at once");
  expect(made.running).toBe(0);
});

describe("kinds of work", () => {
  /** One piece of a kind that takes so long, on a lane that is free. */
  async function took(parts: ReturnType<typeof lane>, kind: string, ms: number): Promise<void> {
    const work = async (): Promise<void> => {
      parts.time.ms += ms;
    };
    await parts.lane.run(Number.POSITIVE_INFINITY, work, { kind });
  }

  test("that are slow do not make the usual one look slow", async () => {
    const parts = lane({ width: 1, cost: 40 });
    for (let each = 0; each < 20; each += 1) await took(parts, "bcrypt 2^14", 1000);
    expect(parts.lane.cost).toBe(40);
    await took(parts, "", 50); // the control: what is usual does count
    expect(parts.lane.cost).toBe(41);
  });

  test("count with their own cost in what waits before others", async () => {
    const parts = lane({ width: 1, cost: 40, queueTarget: 4 });
    await took(parts, "slow", 100);
    const busy = parts.run("first");
    expect(refusalOf(() => parts.lane.admit(Number.POSITIVE_INFINITY, true))).toBeUndefined();
    const slow = parts.lane.run(Number.POSITIVE_INFINITY, async () => undefined, { kind: "slow" });
    expect(refusalOf(() => parts.lane.admit(Number.POSITIVE_INFINITY, true))).toBeUndefined(); // 40 + 100, and 160 may wait
    const second = parts.lane.run(Number.POSITIVE_INFINITY, async () => undefined, { kind: "slow" });
    expect(refusalOf(() => parts.lane.admit(Number.POSITIVE_INFINITY, true))).toMatchObject({
      code: "OVERLOADED",
      retryAfterMs: 240,
    });
    await settled();
    await parts.end();
    await Promise.all([busy, slow, second]);
  });
});

describe("what is demanded of a lane", () => {
  /**
   * So many a second ask for a lane of two pieces of 100 ms, for five seconds.
   * @returns seconds of work that were demanded, and that were done
   */
  async function flood(perSecond: number): Promise<{ demanded: number; done: number; refused: number }> {
    let demandedMs = 0;
    const demanded = (ms: number): void => {
      demandedMs += ms;
    };
    const { lane: made, time, running, run, end } = lane({ width: 2, cost: 100, queueTarget: 4, demanded });
    const until: number[] = [];
    const outcomes: Promise<string>[] = [];
    let refused = 0;
    for (let asked = 0; time.ms < 5000; time.ms += 5) {
      while (until.length > 0 && until[0]! <= time.ms) {
        until.shift();
        await end();
      }
      for (; asked < (perSecond * time.ms) / 1000; asked += 1) {
        if (refusalOf(() => made.admit(Number.POSITIVE_INFINITY)) === undefined) outcomes.push(run("x"));
        else refused += 1;
      }
      await settled();
      while (until.length < running.length) until.push(time.ms + 100);
    }
    while (running.length > 0) await end();
    const done = (await Promise.all(outcomes)).filter((outcome) => outcome === "done").length / 10;
    return { demanded: demandedMs / 1000, done, refused };
  }

  test("follows what is asked for, also where most of it is refused", async () => {
    const [idle, full, twice, flooded] = [await flood(10), await flood(20), await flood(40), await flood(400)];
    expect(idle.refused + full.refused).toBe(0);
    expect([twice.refused > 80, flooded.refused > 1800]).toEqual([true, true]);
    for (const [perSecond, { demanded }] of [
      [10, idle],
      [20, full],
      [40, twice],
      [400, flooded],
    ] as const) {
      expect(demanded / (perSecond / 2)).toBeGreaterThan(0.9); // 100 ms each for 5 s
      expect(demanded / (perSecond / 2)).toBeLessThan(1.1);
    }
    for (const { done } of [twice, flooded]) expect(done).toBeLessThan(11); // the control: what is done does not follow
  });

  test("is the cost of the piece's own kind, also of one that comes too late for its turn", async () => {
    const costs: number[] = [];
    const { lane: made, run, end, time } = lane({ width: 1, cost: 40, demanded: (ms) => costs.push(ms) });
    const slow = async (): Promise<void> => {
      time.ms += 500;
    };
    await made.run(Number.POSITIVE_INFINITY, slow, { kind: "slow" });
    await made.run(Number.POSITIVE_INFINITY, async () => undefined, { kind: "slow" });
    const [first, late] = [run("first"), run("late", time.ms + 10)];
    await settled();
    time.ms += 40;
    await end();
    expect([await first, await late]).toEqual(["done", "DEADLINE_EXCEEDED"]);
    expect(costs).toEqual([40, 500, 40, 40]);
  });
});
