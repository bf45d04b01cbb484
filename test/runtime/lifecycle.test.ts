// How a process stops, and how it waits for what it needs.
import { type Lifecycle, makeLifecycle, untilAnswered } from "../../src/runtime/lifecycle.ts";
import { makeLogger } from "../../src/runtime/log.ts";

const log = makeLogger("silent", {});

test("what was started last is undone first, each when the one before it is done", async () => {
  const lifecycle = makeLifecycle(log);
  const order: string[] = [];
  for (const name of ["a", "b", "c"]) {
    lifecycle.onStop(async () => {
      order.push(`${name} begins`);
      await Promise.resolve();
      order.push(`${name} ends`);
    });
  }
  await lifecycle.stop();
  expect(order).toEqual(["c begins", "c ends", "b begins", "b ends", "a begins", "a ends"]);
});

test("all are undone though some fail, and the first error is the one that counts", async () => {
  const lifecycle = makeLifecycle(log);
  const undone: string[] = [];
  lifecycle.onStop(() => void undone.push("a"));
  lifecycle.onStop(() => Promise.reject(new Error("second")));
  lifecycle.onStop(() => {
    throw new Error("first");
  });
  lifecycle.onStop(() => void undone.push("d"));
  await expect(lifecycle.stop()).rejects.toThrow("first");
  expect(undone).toEqual(["d", "a"]);
});

test("stopping twice undoes once, and both wait for the same", async () => {
  const lifecycle = makeLifecycle(log);
  const gate = Promise.withResolvers<void>();
  let times = 0;
  let stopped = 0;
  lifecycle.onStop(() => {
    times += 1;
    return gate.promise;
  });
  const both = [1, 2].map(() => lifecycle.stop().then(() => stopped++));
  await new Promise((resolve) => setImmediate(resolve));
  expect(stopped).toBe(0);
  gate.resolve();
  await Promise.all(both);
  expect([times, stopped]).toEqual([1, 2]);
});

test("the signal is given before anything is undone", async () => {
  const lifecycle = makeLifecycle(log);
  let seen: boolean | undefined;
  lifecycle.onStop(() => {
    seen = lifecycle.stopping.aborted;
  });
  expect(lifecycle.stopping.aborted).toBe(false);
  await lifecycle.stop();
  expect(seen).toBe(true);
});

test("what registers while others are undone is undone too", async () => {
  const lifecycle = makeLifecycle(log);
  const undone: string[] = [];
  lifecycle.onStop(() => {
    lifecycle.onStop(() => void undone.push("late"));
    undone.push("early");
  });
  await lifecycle.stop();
  expect(undone).toEqual(["early", "late"]);
});

test("a stop that was asked for has no failure; the first word counts", async () => {
  const asked = makeLifecycle(log);
  asked.ask();
  asked.fail(new Error("too late"));
  await expect(asked.asked).resolves.toBeUndefined();
  const failed = makeLifecycle(log);
  failed.fail(new Error("cannot go on"));
  failed.ask();
  await expect(failed.asked).resolves.toEqual(new Error("cannot go on"));
});

describe("untilAnswered", () => {
  test.each<[string, (lifecycle: Lifecycle) => void]>([
    ["is told to stop", (lifecycle) => lifecycle.ask()],
    ["cannot go on", (lifecycle) => lifecycle.fail(new Error("a fault"))],
  ])("a process that %s while it waits for what it needs does not wait any longer", async (_what, end) => {
    const lifecycle = makeLifecycle(log);
    const waiting = Promise.withResolvers<void>();
    const ask = () => {
      setImmediate(waiting.resolve);
      return Promise.reject(new Error("not yet"));
    };
    const started = untilAnswered(ask, { what: "it", isTransient, log, signal: lifecycle.stopping });
    await waiting.promise;
    end(lifecycle);
    await expect(started).rejects.toThrow("not yet");
  });

  const isTransient = (error: unknown): boolean => (error as Error).message === "not yet";

  test("asks again after what passes, until there is an answer", async () => {
    let asked = 0;
    const ask = async () => {
      asked += 1;
      if (asked < 3) throw new Error("not yet");
      return "here";
    };
    const { signal } = new AbortController();
    await expect(untilAnswered(ask, { what: "it", isTransient, log, signal })).resolves.toBe("here");
    expect(asked).toBe(3);
  });

  test("throws at once what does not pass", async () => {
    let asked = 0;
    const ask = () => {
      asked += 1;
      return Promise.reject(new Error("never"));
    };
    const { signal } = new AbortController();
    await expect(untilAnswered(ask, { what: "it", isTransient, log, signal })).rejects.toThrow("never");
    expect(asked).toBe(1);
  });

  test("stops waiting when the process stops, with the last error", async () => {
    const stopping = new AbortController();
    const waiting = Promise.withResolvers<void>();
    const ask = () => {
      setImmediate(waiting.resolve);
      return Promise.reject(new Error("not yet"));
    };
    const answer = untilAnswered(ask, { what: "it", isTransient, log, signal: stopping.signal });
    await waiting.promise;
    stopping.abort();
    await expect(answer).rejects.toThrow("not yet");
  });
});
