// The long run of test/fuzz.test.ts: 200,000 records to two workers, and each guard by itself put out of work, so that
// a run finds what it guards against. AUTH_TEST_FUZZ_SEED repeats a run, AUTH_TEST_FUZZ_RECORDS shortens one.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { FaultName } from "../support/faults.ts";
import { type Fleet, startFleet } from "../support/fleet.ts";
import { anewWorkers, fuzzEnvironment, fuzzFleet, fuzzSeed, type Prepared } from "../support/fuzz/prepare.ts";
import { fuzz, type Outcome, type RunOptions } from "../support/fuzz/run.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";

const seed = fuzzSeed();
const records = Number(process.env["AUTH_TEST_FUZZ_RECORDS"] || 200_000);

let fleet: Fleet;
let held: TestFleet;
let prepared: Prepared;
beforeAll(async () => {
  fleet = await startFleet("fuzz-long", { processes: ["relay"], env: fuzzEnvironment });
  await anewWorkers(fleet, 2);
  held = await testFleet(fleet);
  prepared = await fuzzFleet(held);
}, 120_000);
afterAll(async () => {
  await held.close();
  await fleet.stop();
});

function run(options: Partial<RunOptions>): Promise<Outcome> {
  return fuzz(fleet, held, prepared, {
    seed,
    records,
    honestLogins: 100,
    mostClaimed: 2 ** 53,
    unreadableEvery: 40,
    bombBytes: 250_000_000,
    endWithinMs: 30_000,
    mostGrown: { atEnd: 100, meanwhile: 200 },
    leastReached: { decode: 0.5, open: 0.1 },
    ...options,
  });
}

test("each record gets its one answer or its one dead letter, and nothing else is to be seen of it", async () => {
  // A process that has just begun grows with its first requests, whatever they are.
  const usual = await run({
    records: Math.ceil(records / 20),
    kinds: { plain: 1 },
    mostGrown: { atEnd: 1000, meanwhile: 1000 },
  });
  expect(usual.faults).toEqual([]);
  const outcome = await run({});
  console.log(`fuzz: seed ${seed}, ${JSON.stringify({ ...outcome, faults: outcome.faults.length }, undefined, 1)}`);
  expect(outcome.faults).toEqual([]);
}, 3_600_000);

describe("the controls: a run finds", () => {
  test.each<[string, FaultName[], Partial<RunOptions>, RegExp]>([
    [
      "that batches of any size are unpacked",
      ["unpacked-without-bound"],
      { unreadableEvery: 5, kinds: { noSeal: 1 } },
      /grew from \d+ to \d+ MiB|event loop was held/,
    ],
    [
      "that counts in Avro are believed",
      ["avro-believed"],
      { records: 150, mostClaimed: 30_000_000, kinds: { avro: 1 } }, // held for a second each time, and not for good
      /event loop was held for \d+ ms/,
    ],
    ["schemas of other subjects that are read", ["any-subject"], { kinds: { schema: 1 } }, /impostor's schema/],
    [
      "texts that nobody looks at",
      ["texts-before-unchecked", "texts-unchecked", "values-ours"],
      { kinds: { inside: 1, clear: 1 } },
      / with a NUL\) is |is INTERNAL/,
    ],
  ])(
    "%s",
    async (_what, faults, options, found) => {
      await anewWorkers(fleet, 1, ...faults);
      const outcome = await run({
        records: 500,
        honestLogins: 0,
        unreadableEvery: 1e9,
        endWithinMs: 10_000,
        ...options,
      });
      expect(outcome.faults.join("\n")).toMatch(found);
    },
    120_000,
  );
});
