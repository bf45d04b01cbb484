// Waiting with a bound: whatever number the bound is, it is waited for so long, and no timer of Node is given one that
// it does not take.
import { setTimeout as sleep } from "node:timers/promises";
import { settledWithin, timerMs, withTimeout } from "../../src/lib/timeout.ts";

const work = () => sleep(30, "done");

test.each([2 ** 31 - 1, 2 ** 31, 1e12, Number.POSITIVE_INFINITY])(
  "a bound of %d lets the work be done",
  async (bound) => {
    expect(await withTimeout(work(), bound, () => new Error("late"))).toBe("done");
    expect(await settledWithin(bound, work)).toBe(true);
  },
);

test.each([0, -1, Number.NaN, Number.NEGATIVE_INFINITY, 1])("a bound of %d does not wait for it", async (bound) => {
  await expect(withTimeout(work(), bound, () => new Error("late"))).rejects.toThrow("late");
  expect(await settledWithin(bound, work)).toBe(false);
});

test("control: a timer of Node fires at once where it is given more", () => {
  expect(timerMs(2 ** 31)).toBe(2 ** 31 - 1);
  const timer = setTimeout(() => undefined, timerMs(2 ** 31)) as unknown as { _idleTimeout: number };
  expect(timer._idleTimeout).toBe(2 ** 31 - 1); // of 2 ** 31 it makes 1
  clearTimeout(timer as unknown as NodeJS.Timeout);
});
