// The pool's own ways: prepared statements with one plan, and what a migration under them does.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { sql } from "slonik";
import { z } from "zod";
import { isTransient } from "../../src/db/faults.ts";
import { type CommonQueryMethods, type DatabasePool, openPool } from "../../src/db/pool.ts";
import { sharedFleet } from "../support/fleet-addresses.ts";

let pool: DatabasePool;
let url: string;
const table = sql.identifier([`pool_test_${process.pid}`]);

beforeAll(async () => {
  url = sharedFleet().env["AUTH_DATABASE_URL"]!;
  pool = await openPool({ url, size: 1, applicationName: "test pool" });
  await pool.query(sql.unsafe`CREATE TABLE ${table} (id integer PRIMARY KEY, name text)`);
  await pool.query(sql.unsafe`INSERT INTO ${table} VALUES (1, 'one')`);
});
afterAll(async () => {
  await pool.query(sql.unsafe`DROP TABLE ${table}`);
  await pool.end();
});

const row = z.object({ id: z.number(), name: z.string() });
const find = (id: number, db: CommonQueryMethods = pool) =>
  db.maybeOne(sql.type(row)`SELECT id, name FROM ${table} WHERE id = ${id}`);

test("a statement is prepared once for all its values", async () => {
  const known = await pool.connect(async (connection) => {
    for (let id = 1; id <= 20; id += 1) await find(id, connection);
    return connection.any(sql.type(z.object({ generic: z.number(), custom: z.number() }))`
      SELECT generic_plans AS generic, custom_plans AS custom FROM pg_prepared_statements
      WHERE statement LIKE ${`SELECT id, name FROM "pool_test_${process.pid}"%`}`);
  });
  expect(known).toEqual([{ generic: 20, custom: 0 }]);
});

test("a plan takes the index, however small its table is", async () => {
  const plan = z.object({ "QUERY PLAN": z.string() });
  await pool.query(sql.unsafe`ANALYZE ${table}`);
  const lines = await pool.any(sql.type(plan)`EXPLAIN SELECT name FROM ${table} WHERE id = 1`);
  expect(lines[0]!["QUERY PLAN"]).toMatch(/^Index Scan/);
});

test("the options of the address are kept, and win", async () => {
  const address = new URL(url);
  address.searchParams.set("options", "-c enable_seqscan=on -c work_mem=5MB");
  const own = await openPool({ url: address.href, size: 1, applicationName: "test pool" });
  const setting = z.object({ scan: z.string(), memory: z.string(), mode: z.string() });
  expect(
    await own.one(sql.type(
      setting,
    )`SELECT current_setting('enable_seqscan') AS scan, current_setting('work_mem') AS memory,
      current_setting('plan_cache_mode') AS mode`),
  ).toEqual({ scan: "on", memory: "5MB", mode: "force_generic_plan" });
  await own.end();
});

/** slonik drops a connection whose statement failed, and must not forget who waits for the next one. */
test("a full pool goes on after statements that failed", async () => {
  const fail = () => pool.query(sql.unsafe`SELECT 1 / 0`).catch((error: unknown) => error);
  const both = await Promise.all(Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? fail() : find(1))));
  expect(both.filter((each) => each instanceof Error)).toHaveLength(10);
  await fail();
  expect(await find(1)).toEqual({ id: 1, name: "one" });
});

test("a statement prepared before a migration changed its columns fails once per connection, and is worth another try", async () => {
  const first = await pool.connect(async (connection) => {
    await find(1, connection); // on this connection, so that it surely has it prepared
    await connection.query(sql.unsafe`ALTER TABLE ${table} ALTER COLUMN id TYPE bigint`);
    return find(1, connection).catch((error: unknown) => error);
  });
  expect(first).toBeInstanceOf(Error); // the control
  const tries: unknown[] = [first];
  for (let last: unknown; tries.length < 10 && last === undefined; ) {
    tries.push(
      await find(1).then(
        (found) => (last = found),
        (error: unknown) => error,
      ),
    );
  }
  expect(tries.at(-1)).toEqual({ id: 1, name: "one" });
  expect(tries.slice(0, -1).map(isTransient)).toEqual(tries.slice(0, -1).map(() => true));
});
