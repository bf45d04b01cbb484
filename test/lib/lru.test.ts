// The bounded cache against a model that forgets nothing: what it gives is what the model has, and what it must still
// have is there.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { LruCache } from "../../src/lib/lru.ts";

interface Remembered {
  /** undefined: deleted, forgotten or out of time. */
  value: number | undefined;
  until: number;
}

/** Everything that was ever set, with the keys in the order of their last use. */
class Model {
  readonly #entries = new Map<number, Remembered>();

  use(key: number, entry: Remembered): void {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
  }

  /** Its place in the order stays: what was used longer ago is not kept the longer for it. */
  end(key: number): void {
    if (this.#entries.has(key)) this.#entries.set(key, { value: undefined, until: 0 });
  }

  alive(key: number, now: number): Remembered | undefined {
    const entry = this.#entries.get(key);
    return entry?.value === undefined || entry.until <= now ? undefined : entry;
  }

  /** Whether a cache of this size must not have forgotten it. */
  isRecent(key: number, most: number): boolean {
    return [...this.#entries.keys()].slice(-Math.ceil(most / 2)).includes(key);
  }
}

const key = fc.nat(12);
const operation = fc.oneof(
  fc.record({ name: fc.constant("get" as const), key }),
  fc.record({ name: fc.constant("set" as const), key, ttlMs: fc.constantFrom(Number.POSITIVE_INFINITY, 5, 20) }),
  fc.record({ name: fc.constant("delete" as const), key }),
  fc.record({ name: fc.constant("wait" as const), ms: fc.nat(10) }),
);

test("it gives what was set last, keeps the half that was used last, and never holds more than its bound", () => {
  let forgotten = 0;
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10 }),
      fc.array(operation, { maxLength: 80, size: "max" }),
      (most, operations) => {
        let now = 0;
        const cache = new LruCache<number, number>(most, () => now);
        const model = new Model();
        operations.forEach((each, value) => {
          if (each.name === "wait") now += each.ms;
          else if (each.name === "delete") {
            cache.delete(each.key);
            model.end(each.key);
          } else if (each.name === "set") {
            cache.set(each.key, value, each.ttlMs);
            model.use(each.key, { value, until: now + each.ttlMs });
          } else {
            const alive = model.alive(each.key, now);
            const found = cache.get(each.key);
            if (found === undefined && alive !== undefined) {
              expect(model.isRecent(each.key, most)).toBe(false);
              forgotten += 1;
            } else expect(found).toBe(alive?.value);
            if (found === undefined) model.end(each.key);
            else model.use(each.key, alive!);
          }
          expect(cache.size).toBeLessThanOrEqual(most);
        });
      },
    ),
  );
  expect(forgotten).toBeGreaterThan(0); // or the bound was never felt
});

test.each([0, 0.5, 1, 2, 3, 1000])("of a stream of names a cache of %p holds no more", (most) => {
  const cache = new LruCache<string, object>(most);
  for (let name = 0; name < 5000; name += 1) {
    cache.set(`name ${name}`, {});
    expect(cache.size).toBeLessThanOrEqual(Math.ceil(most));
    if (most > 0) expect(cache.get(`name ${name}`)).toBeDefined();
  }
  expect(cache.get("name 0")).toBeUndefined();
});

test("without a bound it forgets nothing, until it is told to", () => {
  const cache = new LruCache<number, number>(Number.POSITIVE_INFINITY);
  for (let each = 0; each < 5000; each += 1) cache.set(each, each);
  expect(cache.get(0)).toBe(0);
  cache.clear();
  expect([cache.get(0), cache.size]).toEqual([undefined, 0]);
});
