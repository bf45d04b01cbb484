// Lanes, with a clock that only the test moves.
import fc from "fast-check";
import { type LaneOptions, makeLane, type Permit } from "../../src/bus/lanes.ts";
import { Refusal } from "../../src/protocol/errors.ts";

const settled = () => new Promise((resolve) => setImmediate(resolve));

function lane(options: LaneOptions) {
  const time = { ms: 0 };
  const made = makeLane(options, () => time.ms);
  const running: { name: string; end: PromiseWithResolvers<void> }[] = [];
  const order: string[] = [];
  /** Resolves with `done`, the refusal's code, or the fault's message. */
  const run = (name: string, deadline = Number.POSITIVE_INFINITY): Promise<string> =>
    made
      .run(deadline, () => {
        order.push(name);
        const end = Promise.withResolvers<void>();
        running.push({ name, end });
        return end.promise;
      })
      .then(
        () => "done",
        (error: unknown) => (error instanceof Refusal ? error.code : (error as Error).message),
      );
  /** Ends the piece that has run longest. */
  const end = async (failure?: Error): Promise<void> => {
    const { end: piece } = running.shift()!;
    if (failure === undefined) piece.resolve();
    else piece.reject(failure);
    await settled();
  };
  return { lane: made, time, running, order, run, end };
}

/** Who is let in goes away again. */
const refusalOf = (run: () => Permit): Refusal | undefined => {
  try {
    run().release();
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
};

test("never more run than the lane is wide, nobody waits while there is room, and nothing is lost", async () => {
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

describe("a lane with a queue target", () => {
  test("refuses OVERLOADED at admission what would wait longer than the target, and nothing before", async () => {
    const { lane: made, run } = lane({ width: 2, queueTarget: 4, cost: 100 });
    const outcomes = Array.from({ length: 10 }, (_, number) => run(String(number)));
    await settled();
    expect([made.running, made.queued]).toEqual([2, 8]);
    expect(await run("one too many")).toBe("OVERLOADED");
    expect(outcomes).toHaveLength(10);
  });

  test("refuses OVERLOADED what could not begin before its deadline", () => {
    const { lane: made, run } = lane({ width: 1, queueTarget: 4, cost: 100 });
    expect(refusalOf(() => made.admit(1))).toBeUndefined(); // room
    void run("x");
    expect(refusalOf(() => made.admit(99))?.code).toBe("OVERLOADED");
    expect(refusalOf(() => made.admit(100))).toBeUndefined();
  });

  test("tells a retryAfterMs after which it has room again, and not before half of it", async () => {
    const cost = 100;
    const { lane: made, run, time, end, running } = lane({ width: 2, queueTarget: 4, cost });
    for (let number = 0; number < 10; number += 1) void run(String(number));
    await settled();
    const refusal = refusalOf(() => made.admit(60_000))!;
    expect(refusal.code).toBe("OVERLOADED");
    expect(refusal.retryAfterMs).toBe(450);
    const inTime = 300; // with 300 ms left it is worth while only when the queue is shorter
    expect(refusalOf(() => made.admit(time.ms + inTime))?.code).toBe("OVERLOADED");
    const back = time.ms + refusal.retryAfterMs!;
    while (time.ms + cost <= back) {
      time.ms += cost;
      for (const _ of [...running]) await end();
    }
    time.ms = back;
    expect(refusalOf(() => made.admit(time.ms + inTime))).toBeUndefined();
  });

  test("takes a burst up to the target; as long as it turns others away, only what waits for one piece; then bursts again", async () => {
    const cost = 100;
    const { lane: made, run, time, end } = lane({ width: 1, queueTarget: 4, cost });
    const admits = (): boolean => refusalOf(() => made.admit(Number.POSITIVE_INFINITY)) === undefined;
    const round = async (): Promise<void> => {
      time.ms += cost;
      await end();
    };
    for (let number = 0; number < 4; number += 1) {
      expect(admits()).toBe(true);
      void run(String(number));
    }
    void run("the fifth");
    await settled();
    expect([made.queued, admits()]).toEqual([4, false]);
    await round();
    await round();
    expect([made.queued, admits()]).toEqual([2, false]); // 300 to wait: less than the target, but it stands
    await round();
    await round();
    expect([made.running, made.queued, admits()]).toEqual([1, 0, true]); // never idle
    void run("one more");
    await settled();
    expect([made.queued, admits()]).toEqual([1, false]);
    time.ms += 2 * 4 * cost; // nobody was turned away for so long
    expect(admits()).toBe(true);
  });

  test("counts who was let in until they come to the queue, or go away", async () => {
    const { lane: made, run, order } = lane({ width: 1, queueTarget: 4, cost: 100 });
    const places = Array.from({ length: 5 }, () => made.admit(Number.POSITIVE_INFINITY, true));
    expect(refusalOf(() => made.admit(Number.POSITIVE_INFINITY, true))).toMatchObject({
      code: "OVERLOADED",
      retryAfterMs: 500,
    });
    for (const place of [places[0]!, places[1]!]) {
      place.release();
      place.release(); // counts once
    }
    const work = made.run(Number.POSITIVE_INFINITY, async () => void order.push("first"), { permit: places[2] });
    await work;
    expect(order).toEqual(["first"]);
    void run("second");
    await settled();
    for (const place of places) place.release();
    expect(refusalOf(() => made.admit(89, true))?.code).toBe("OVERLOADED"); // one ran for no time: the average is 90
    expect(refusalOf(() => made.admit(90, true))).toBeUndefined(); // nobody is counted who is not there
  });

  test("turning away what had too little time of its own does not make a queue stand", () => {
    const { lane: made, run } = lane({ width: 1, queueTarget: 4, cost: 100 });
    for (const name of ["a", "b"]) void run(name);
    expect(refusalOf(() => made.admit(150))?.code).toBe("OVERLOADED");
    expect(refusalOf(() => made.admit(Number.POSITIVE_INFINITY))).toBeUndefined();
  });

  test("what was admitted is not refused because the queue is saturated", async () => {
    const { lane: made, run } = lane({ width: 1, queueTarget: 4, cost: 100 });
    for (let number = 0; number < 4; number += 1) void run(String(number));
    await settled();
    expect(await Promise.race([run("within the target"), settled().then(() => "waits")])).toBe("waits");
    expect(refusalOf(() => made.admit(Number.POSITIVE_INFINITY))?.code).toBe("OVERLOADED");
    expect(await run("beyond it")).toBe("OVERLOADED");
    expect(made.queued).toBe(4);
  });

  test("has nobody overtaken for ever by pieces that come with less time", async () => {
    const waited = async (queueTarget?: number): Promise<number> => {
      const made = lane({ width: 2, ...(queueTarget && { queueTarget }), cost: 100 });
      for (const name of ["a", "b"]) void made.run(name, 1000);
      void made.run("patient", 30_000);
      for (let rounds = 0; rounds < 50; rounds += 1) {
        void made.run("hasty", made.time.ms + 1000).catch(() => undefined);
        await settled();
        if (made.order.includes("patient")) return made.time.ms;
        made.time.ms += 50;
        await made.end();
      }
      return Number.POSITIVE_INFINITY;
    };
    expect(await waited(4)).toBeLessThanOrEqual(500);
    expect(await waited()).toBe(Number.POSITIVE_INFINITY); // the control: by deadlines alone
  });

  describe("keeps a quarter of its queue for devices", () => {
    /** How many of those that come one after the other are let in. */
    const letIn = (made: ReturnType<typeof lane>, device: boolean): number =>
      Array.from({ length: 60 }, () => {
        try {
          return made.lane.admit(Number.POSITIVE_INFINITY, device);
        } catch {
          return undefined;
        }
      }).filter((place) => place !== undefined).length;

    test.each([
      [{ width: 1, queueTarget: 4 }, 4, 1],
      [{ width: 2, queueTarget: 4 }, 7, 2],
      [{ width: 4, queueTarget: 8 }, 25, 8],
      [{ width: 1, queueTarget: 1 }, 2, 1],
    ])("%j lets in %i others and then %i devices; without others all are devices", (options, others, devices) => {
      const made = lane({ ...options, cost: 100 });
      expect([letIn(made, false), letIn(made, true), letIn(made, false)]).toEqual([others, devices, 0]);
      expect(letIn(lane({ ...options, cost: 100 }), true)).toBe(others + devices);
    });

    test("also where the queue stands: others wait for one piece, devices up to the target", async () => {
      const free = lane({ width: 1, queueTarget: 4, cost: 100 });
      void free.run("runs");
      for (let n = 0; n < 4; n += 1) void free.run("waits");
      await settled();
      expect([letIn(free, false), letIn(free, true)]).toEqual([0, 0]);
      for (let n = 0; n < 3; n += 1) {
        free.time.ms += 100;
        await free.end();
      }
      expect(free.lane.queued).toBe(1);
      expect([letIn(free, false), letIn(free, true)]).toEqual([0, 3]);
    });
  });

  test("one without a target refuses nobody at admission", async () => {
    const { lane: made, run } = lane({ width: 1, cost: 100 });
    for (let number = 0; number < 50; number += 1) void run(String(number));
    await settled();
    expect(refusalOf(() => made.admit(1))).toBeUndefined();
    expect(made.queued).toBe(49);
  });
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
