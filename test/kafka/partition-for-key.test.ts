// The partition of a key, against another implementation of the same hash, and with the longest keys that a record can
// have.
import { createRequire } from "node:module";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { partitionOf } from "../../src/kafka/partition-for-key.ts";

const murmur2 = createRequire(import.meta.url)("kafkajs/src/producer/partitioners/default/murmur2.js") as (
  key: Buffer,
) => number;

test("is the one that kafkajs chooses", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), fc.integer({ min: 1, max: 64 }), (bytes, count) => {
      const key = Buffer.from(bytes);
      expect(partitionOf(key, count)).toBe((murmur2(key) & 0x7fffffff) % count);
    }),
  );
});

test("takes no longer than its length asks for", () => {
  const key = Buffer.alloc(200_000, "key");
  const began = performance.now();
  expect(partitionOf(key, 7)).toBeLessThan(7);
  expect(performance.now() - began).toBeLessThan(50);
});
