// How uses are counted under limits across accounts: exactly, whatever comes at once; forgotten evenly by the
// database's clock. The database decides, so the database is asked.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { sql } from "slonik";
import { z } from "zod";
import type { CommonQueryMethods, DatabasePool } from "../../src/db/pool.ts";
import { countUse, reapUses, releaseUse, type UseLimit } from "../../src/db/uses.ts";
import { emptyDatabase } from "../support/handlers.ts";

let pool: DatabasePool;
beforeAll(async () => {
  pool = await emptyDatabase();
});
afterAll(() => pool.end());

/** Ten at once, ten in an hour. */
const limit = (more: Partial<UseLimit> = {}): UseLimit => ({
  name: "network",
  limiterKey: randomBytes(16),
  burst: 10,
  perSecond: 10 / 3600,
  known: false,
  ...more,
});

const wait = async (...limits: UseLimit[]): Promise<number> => (await countUse(pool, limits)).waitMs;
const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

async function level({ limiterKey }: UseLimit): Promise<number> {
  return pool.oneFirst(sql.type(z.object({ level: z.number() }))`
    SELECT COALESCE((SELECT level FROM network_uses WHERE limiter_key = ${sql.binary(limiterKey)}), 0) AS level`);
}

/** As if all this had happened so much earlier. */
async function later({ limiterKey }: UseLimit, seconds: number): Promise<void> {
  await pool.query(sql.unsafe`
    UPDATE network_uses SET at = at - ${seconds} * interval '1 second' WHERE limiter_key = ${sql.binary(limiterKey)}::bytea`);
}

describe("of a hundred uses at once", () => {
  test("exactly as many are counted as there is room for", async () => {
    const own = limit();
    const waits = await Promise.all(times(100, () => wait(own)));
    expect(waits.filter((ms) => ms === 0)).toHaveLength(10);
    expect(await level(own)).toBeCloseTo(10, 1);
  });

  test("of several narrow networks, as many as there is room for in the wide one; nothing else is left of the others", async () => {
    const wide = limit({ burst: 25, perSecond: 25 / 3600 });
    const narrow = times(5, () => limit());
    const waits = await Promise.all(times(20, () => narrow).flatMap((all) => all.map((each) => wait(each, wide))));
    expect(waits.filter((ms) => ms === 0)).toHaveLength(25);
    const levels = await Promise.all(narrow.map(level));
    expect(levels.reduce((sum, each) => sum + each, 0)).toBeCloseTo(25, 0);
    expect(Math.max(...levels)).toBeLessThanOrEqual(10);
  });

  test("more pass where looking and counting are two statements", async () => {
    const own = limit();
    await wait(own); // the row is there
    const naive = async (): Promise<boolean> => {
      if ((await level(own)) + 1 > own.burst) return false;
      await pool.query(
        sql.unsafe`UPDATE network_uses SET level = level + 1 WHERE limiter_key = ${sql.binary(own.limiterKey)}`,
      );
      return true;
    };
    const passed = await Promise.all(times(100, naive));
    expect(passed.filter(Boolean).length).toBeGreaterThan(own.burst);
  });
});

describe("a use", () => {
  test("that finds no room is told when there will be, and there is then, and not before", async () => {
    const own = limit();
    for (let n = 0; n < own.burst; n += 1) expect(await wait(own)).toBe(0);
    const ms = await wait(own);
    expect(ms).toBeGreaterThan(350_000);
    expect(ms).toBeLessThanOrEqual(360_000);
    await later(own, ms / 1000 - 20);
    expect(await wait(own)).toBeGreaterThan(0);
    await later(own, 20);
    expect([await wait(own), (await wait(own)) > 0]).toEqual([0, true]);
  });

  test("is told of the longest wait, and of which limit it is", async () => {
    const [narrow, fleet] = [limit(), limit({ name: "fleet", perSecond: 10 })];
    for (let n = 0; n < 10; n += 1) expect(await wait(narrow, fleet)).toBe(0);
    expect(await countUse(pool, [narrow, fleet])).toMatchObject({ limit: "network" });
    await later(narrow, 3600);
    await pool.query(
      sql.unsafe`UPDATE network_uses SET level = 100, at = now() WHERE limiter_key = ${sql.binary(fleet.limiterKey)}`,
    );
    const refused = await countUse(pool, [narrow, fleet]);
    expect(refused).toMatchObject({ limit: "fleet" });
    expect(refused.waitMs).toBeLessThanOrEqual(9100);
    expect(await level(narrow)).toBeCloseTo(10, 1); // nothing was counted of what was refused
  });

  test("is forgotten evenly, and never below nothing", async () => {
    const own = limit();
    for (let n = 0; n < own.burst; n += 1) await wait(own);
    await later(own, 1800);
    expect((await Promise.all(times(20, () => wait(own)))).filter((ms) => ms === 0)).toHaveLength(5);
    await later(own, 30 * 86_400);
    expect((await Promise.all(times(20, () => wait(own)))).filter((ms) => ms === 0)).toHaveLength(10);
  });

  test("that is taken back leaves room for another one", async () => {
    const own = limit();
    for (let n = 0; n < own.burst; n += 1) await wait(own);
    expect(await wait(own)).toBeGreaterThan(0);
    await releaseUse(pool, [own.limiterKey, randomBytes(16)]);
    expect([await wait(own), (await wait(own)) > 0]).toEqual([0, true]);
    for (let n = 0; n < 20; n += 1) await releaseUse(pool, [own.limiterKey]);
    expect(await level(own)).toBe(0);
  });

  test("without a limit is never refused", async () => {
    expect(await Promise.all(times(20, () => wait()))).toEqual(times(20, () => 0));
  });
});

test("a use reads its own rows alone, also where the statement was planned when there were few", async () => {
  const whole = await emptyDatabase(1);
  // On one connection: what a statement has read is counted there until it is flushed, and a plan is made there.
  await whole.connect(readsItsOwnRows);
  await whole.end();
});

async function readsItsOwnRows(few: CommonQueryMethods): Promise<void> {
  const fill = (from: number, to: number) =>
    few.query(sql.unsafe`
      INSERT INTO network_uses SELECT decode(md5(n::text), 'hex'), 1, now() FROM generate_series(${from}::int, ${to}::int) AS n`);
  const read = async (work: () => Promise<unknown>): Promise<number> => {
    const count = async (): Promise<number> => {
      await few.query(sql.unsafe`SELECT pg_stat_force_next_flush()`);
      return few.oneFirst(sql.type(z.object({ n: z.number() }))`
        SELECT idx_tup_read AS n FROM pg_stat_user_indexes WHERE indexrelname = 'network_uses_pkey'`);
    };
    const before = await count();
    await work();
    return (await count()) - before;
  };
  await fill(1, 20);
  await few.query(sql.unsafe`ANALYZE network_uses`);
  const own = [limit(), limit()];
  await countUse(few, own); // planned now
  await fill(21, 3000);
  expect(await read(() => countUse(few, own))).toBeLessThan(20);
  expect(await read(() => few.query(sql.unsafe`SELECT max(limiter_key), count(*) FROM network_uses`))).toBeGreaterThan(
    1000,
  ); // the control
}

test("rows of days before yesterday are deleted, of which nothing is left; others stay", async () => {
  const [old, young] = [limit(), limit()];
  for (const each of [old, young]) await wait(each);
  await pool.query(sql.unsafe`
    UPDATE network_uses SET day = current_date - 2 WHERE limiter_key = ${sql.binary(old.limiterKey)}`);
  expect(await reapUses(pool, 1000)).toBe(1);
  expect([await level(old), await level(young)]).toEqual([0, 1]);
});
