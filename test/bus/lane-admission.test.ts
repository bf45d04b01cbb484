// Admission to a lane: what is refused before its work begins, by the queue it would wait in.
import { lane, refusalOf, settled } from "./controlled-lane.ts";

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

  test("takes a burst up to the target; while it refuses others, only what waits for one task; then bursts again", async () => {
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

  test("counts an admitted request until it is queued or its permit is released", async () => {
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

  test("refusing tasks that have too little time does not count as a saturated queue", () => {
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

  test("does not let a task starve behind tasks with earlier deadlines", async () => {
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

    test("also while the queue is saturated: others wait for one task, devices up to the target", async () => {
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

  test("a lane without a target refuses nothing at admission", async () => {
    const { lane: made, run } = lane({ width: 1, cost: 100 });
    for (let number = 0; number < 50; number += 1) void run(String(number));
    await settled();
    expect(refusalOf(() => made.admit(1))).toBeUndefined();
    expect(made.queued).toBe(49);
  });
});
