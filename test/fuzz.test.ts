// Records of every kind that nobody should send, beside honest logins: each gets its one answer or its one dead letter,
// the partitions move on, and the worker stays as it is. A short run; `npm run test:long` makes 200,000 of them.
// AUTH_TEST_FUZZ_SEED repeats a run, AUTH_TEST_FUZZ_RECORDS lengthens one.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Fleet, startFleet } from "./support/fleet.ts";
import { anewWorkers, fuzzEnvironment, fuzzFleet, fuzzSeed, type Prepared } from "./support/fuzz/prepare.ts";
import { fuzz, type Outcome, type RunOptions } from "./support/fuzz/run.ts";
import { type TestFleet, testFleet } from "./support/test-fleet.ts";

const seed = fuzzSeed();
const records = Number(process.env["AUTH_TEST_FUZZ_RECORDS"] || 1500);

const anyGrowth = { atEnd: 1000, meanwhile: 1000 };

let fleet: Fleet;
let held: TestFleet;
let prepared: Prepared;
beforeAll(async () => {
  fleet = await startFleet("fuzz", { processes: ["relay"], env: fuzzEnvironment });
  await anewWorkers(fleet, 1);
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
  const usual = await run({ records: 200, kinds: { plain: 1 }, unreadableEvery: 10, mostGrown: anyGrowth });
  expect(usual.faults).toEqual([]);
  const outcome = await run({});
  console.log(`fuzz: seed ${seed}, ${JSON.stringify({ ...outcome, faults: outcome.faults.length })}`);
  expect(outcome.faults).toEqual([]);
}, 240_000);

describe("the controls: a run finds", () => {
  const only = (...kinds: string[]): Partial<RunOptions> => ({
    kinds: Object.fromEntries(kinds.map((kind) => [kind, 1])),
    records: 150,
    honestLogins: 0,
    unreadableEvery: 1000,
    mostClaimed: 30_000_000, // held for a second, and not for good
    endWithinMs: 5000,
  });

  test("that too few of its records reach the handlers", async () => {
    expect((await run(only("noSeal"))).faults.join("\n")).toMatch(/only 0 of 150 records reached open/);
    expect((await run(only("avro"))).faults.join("\n")).toMatch(/only \d+ of 150 records reached decode/);
  }, 120_000);

  test("records in schemas of other subjects that are read, and texts that no gate has checked", async () => {
    await anewWorkers(fleet, 1, "any-subject", "texts-before-unchecked", "texts-unchecked", "values-ours");
    expect((await run(only("schema"))).faults.join("\n")).toMatch(/impostor's schema/);
    expect((await run(only("inside", "clear"))).faults.join("\n")).toMatch(/ with a NUL\) is /);
  }, 120_000);

  test("that batches of any size are unpacked", async () => {
    await anewWorkers(fleet, 1, "unpacked-without-bound");
    const { faults } = await run({ ...only("noSeal"), unreadableEvery: 10, endWithinMs: 8000 });
    expect(faults.join("\n")).toMatch(/grew from \d+ to \d+ MiB/);
  }, 120_000);

  test("that counts in Avro are believed", async () => {
    await anewWorkers(fleet, 1, "avro-believed");
    expect((await run(only("avro"))).faults.join("\n")).toMatch(/event loop was held for \d+ ms/);
  }, 120_000);
});
