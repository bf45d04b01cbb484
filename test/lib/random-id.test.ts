// Ids from the pool: as long as docs/protocol.md asks for an idempotency key, and never the same twice, also where the
// pool is filled anew.
import { expect, test } from "@jest/globals";
import { randomId } from "../../src/lib/random-id.ts";

test("2,000 ids of 22 characters, all different", () => {
  const ids = Array.from({ length: 2000 }, randomId);
  expect(new Set(ids).size).toBe(2000);
  expect(ids.filter((id) => !/^[\w-]{22}$/.test(id))).toEqual([]);
});

test("every bit of an id changes", () => {
  const ids = Array.from({ length: 1000 }, () => Buffer.from(randomId(), "base64url"));
  for (let bit = 0; bit < 128; bit += 1) {
    const set = ids.filter((id) => (id[bit >> 3]! >> (bit & 7)) & 1).length;
    expect(set).toBeGreaterThan(350); // nine standard deviations below the half
    expect(set).toBeLessThan(650);
  }
});
