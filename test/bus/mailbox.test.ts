// Mailboxes against a model: a list per key, of which the first item runs.
import fc from "fast-check";
import { type Mailboxes, makeMailboxes } from "../../src/bus/mailbox.ts";

const limit = 3;

interface Running {
  item: number;
  end: PromiseWithResolvers<void>;
}

/** Everything that is ready to run has run. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Mailboxes whose items run until they are told to end. */
function observed(mailboxes: Mailboxes) {
  const running = new Map<string, Running>();
  const started = new Map<string, number[]>();
  const push = (key: string, item: number, options?: Parameters<Mailboxes["push"]>[2]): boolean =>
    mailboxes.push(
      key,
      () => {
        if (running.has(key)) throw new Error(`two items of ${key} at a time`);
        started.set(key, [...(started.get(key) ?? []), item]);
        const end = Promise.withResolvers<void>();
        running.set(key, { item, end });
        return end.promise;
      },
      options,
    );
  const end = (key: string, failure?: Error): void => {
    const { end: task } = running.get(key)!;
    running.delete(key);
    if (failure === undefined) task.resolve();
    else task.reject(failure);
  };
  return { running, started, push, end };
}

const steps = fc.array(
  fc.record({
    key: fc.constantFrom("ada", "bob", "cyd"),
    act: fc.constantFrom("push", "push", "end", "fail"),
  }),
  { maxLength: 60 },
);

test("per key strictly in order and one at a time, keys side by side, never more than the bound, and nothing is lost", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (script) => {
      const failures: unknown[] = [];
      const mailboxes = makeMailboxes(limit, (error) => failures.push(error));
      const { running, started, push, end } = observed(mailboxes);
      const model = new Map<string, number[]>(["ada", "bob", "cyd"].map((key) => [key, []]));
      const accepted = new Map<string, number[]>(["ada", "bob", "cyd"].map((key) => [key, []]));
      let failed = 0;
      for (const [item, { key, act }] of script.entries()) {
        const box = model.get(key)!;
        if (act === "push") {
          expect(push(key, item)).toBe(box.length < limit);
          if (box.length < limit) {
            box.push(item);
            accepted.get(key)!.push(item);
          }
        } else if (box.length > 0) {
          end(key, act === "fail" ? new Error("a fault") : undefined);
          failed += act === "fail" ? 1 : 0;
          box.shift();
        }
        await settled();
        const heads = [...model].flatMap(([of, items]) => (items.length > 0 ? [[of, items[0]]] : []));
        expect([...running].map(([of, { item: each }]) => [of, each]).sort()).toEqual(heads.sort());
        expect(mailboxes.size).toBe([...model.values()].flat().length);
        expect(mailboxes.keys).toBe(heads.length);
      }
      while (running.size > 0) {
        for (const key of [...running.keys()]) end(key);
        await settled();
      }
      expect(failures).toHaveLength(failed);
      for (const [key, items] of accepted) expect(started.get(key) ?? []).toEqual(items);
      expect([mailboxes.size, mailboxes.keys]).toEqual([0, 0]);
    }),
    { numRuns: 150 },
  );
});

test("the running item counts against the bound until it is done", async () => {
  const { push, end } = observed(makeMailboxes(2));
  expect([push("ada", 1), push("ada", 2), push("ada", 3)]).toEqual([true, true, false]);
  expect(push("bob", 4)).toBe(true);
  end("ada");
  await settled();
  expect(push("ada", 5)).toBe(true);
});

test("a push may bring a bound of its own", () => {
  const { push } = observed(makeMailboxes(1));
  expect([push("ada", 1), push("ada", 2), push("ada", 3, { bound: 2 }), push("ada", 4, { bound: 2 })]).toEqual([
    true,
    false,
    true,
    false,
  ]);
});

describe("places that are kept for devices", () => {
  test.each([
    [64, 8],
    [100, 8],
    [32, 8],
    [31, 7],
    [4, 1],
    [3, 0],
    [1, 0],
  ])("of %i places keeps %i: others fill the rest, devices may fill all", (bound, kept) => {
    const { push } = observed(makeMailboxes(bound));
    const others = Array.from({ length: bound + 5 }, (_, n) => push("ada", n));
    expect(others.filter(Boolean)).toHaveLength(bound - kept);
    expect(push("bob", 1)).toBe(true);
    const devices = Array.from({ length: bound + 5 }, (_, n) => push("ada", n, { device: true }));
    expect(devices.filter(Boolean)).toHaveLength(kept);
    expect(push("ada", 0)).toBe(false);
  });

  test("are none where there is no bound", () => {
    const { push } = observed(makeMailboxes(4));
    const bound = Number.POSITIVE_INFINITY;
    expect(Array.from({ length: 200 }, (_, n) => push("ada", n, { bound })).every(Boolean)).toBe(true);
  });

  test("do not let a device overtake requests that came before it", async () => {
    const { push, end, started } = observed(makeMailboxes(8));
    for (let n = 0; n < 6; n += 1) push("ada", n);
    expect([push("ada", 6), push("ada", 7, { device: true })]).toEqual([false, true]);
    for (let n = 0; n < 7; n += 1) {
      await settled();
      end("ada");
    }
    expect(started.get("ada")).toEqual([0, 1, 2, 3, 4, 5, 7]);
  });
});

test.each<[string, () => Promise<void>]>([
  ["rejects", () => Promise.reject(new Error("a fault"))],
  [
    "throws before it is a promise",
    () => {
      throw new Error("a fault");
    },
  ],
])("a task that %s is reported, and the next one runs", async (_how, task) => {
  const failures: unknown[] = [];
  const mailboxes = makeMailboxes(limit, (error) => failures.push(error));
  const next = Promise.withResolvers<string>();
  mailboxes.push("ada", task);
  mailboxes.push("ada", async () => next.resolve("ran"));
  await expect(next.promise).resolves.toBe("ran");
  await settled();
  expect(failures).toEqual([new Error("a fault")]);
  expect(mailboxes.push("ada", () => Promise.resolve())).toBe(true);
});
