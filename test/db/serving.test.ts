// Which group serves a command, decided in PostgreSQL: by rows that lapse, under a lock of each command.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { sql } from "slonik";
import type { DatabasePool } from "../../src/db/pool.ts";
import { type Claim, claimCommands, releaseCommands, renewCommands, servingRows } from "../../src/db/serving.ts";
import { holdCommands } from "../../src/processes/claim.ts";
import { makeLifecycle } from "../../src/runtime/lifecycle.ts";
import { emptyDatabase } from "../support/handlers.ts";
import { quiet } from "../support/logger.ts";
import { until } from "../support/until.ts";

let pool: DatabasePool;
beforeAll(async () => {
  pool = await emptyDatabase();
}, 60_000);
afterAll(() => pool.end());
beforeEach(() => pool.query(sql.unsafe`DELETE FROM serving`));

const claim = (group: string, process: string, commands: string[] = ["a", "b"]): Claim => ({
  group,
  process,
  commands,
});
const held = async () =>
  (await servingRows(pool)).map(({ command, group, process }) => [command, group, process].join(" "));
/** As if so much time had passed since every row was written. */
const pass = (seconds: number) =>
  pool.query(sql.unsafe`UPDATE serving SET until = until - ${seconds} * interval '1 second'`);

describe("a claim", () => {
  test("is refused where another group holds one of the commands, and leaves nothing then", async () => {
    expect(await claimCommands(pool, claim("one", "p1"))).toEqual([]);
    const others = await claimCommands(pool, claim("two", "p2", ["b", "c"]));
    expect(others).toEqual([{ command: "b", group: "one", process: "p1", until: expect.any(Number) }]);
    expect(await held()).toEqual(["a one p1", "b one p1"]);
  });

  test("stands beside others of its group and other commands of other groups", async () => {
    await claimCommands(pool, claim("one", "p1"));
    expect(await claimCommands(pool, claim("one", "p2"))).toEqual([]);
    expect(await claimCommands(pool, claim("two", "p3", ["c"]))).toEqual([]);
    await releaseCommands(pool, claim("one", "p1")); // a rolling restart: the next is there before the last has gone
    expect(await claimCommands(pool, claim("one", "p4"))).toEqual([]);
    expect(await claimCommands(pool, claim("two", "p5", ["a"]))).toHaveLength(2);
  });

  test("of a worker that was killed lapses after 30 s, and not before", async () => {
    await claimCommands(pool, claim("one", "p1"));
    await pass(28);
    expect(await claimCommands(pool, claim("two", "p2"))).toHaveLength(2);
    await pass(2);
    expect(await claimCommands(pool, claim("two", "p2"))).toEqual([]);
    expect(await held()).toEqual(["a two p2", "b two p2"]);
  });

  /** @returns how many groups hold something, and how many workers started */
  async function users(): Promise<[number, number]> {
    const claims = Array.from({ length: 40 }, (_, at) =>
      claim(`g${at % 4}`, `p${at}`, at % 2 === 0 ? ["a", "b", "c"] : ["c", "b"]),
    );
    const answers = await Promise.all(claims.map((each) => claimCommands(pool, each)));
    const groups = new Set((await servingRows(pool)).map(({ group }) => group));
    return [groups.size, answers.filter((others) => others.length === 0).length];
  }

  test("of forty workers of four groups at once goes to one group", async () => {
    expect(await users()).toEqual([1, 10]);
  });

  test("(the control: without the lock two groups have them)", async () => {
    const file = readFileSync(join(import.meta.dirname, "..", "..", "migrations", "0021_serving.sql"), "utf8");
    const made = file.slice(file.indexOf("CREATE FUNCTION")).replace("CREATE", "CREATE OR REPLACE");
    const unlocked = made
      .replace(/PERFORM pg_advisory_xact_lock[^;]+/, "NULL")
      .replace("INSERT", "PERFORM pg_sleep(0.01); INSERT");
    expect(unlocked).not.toBe(made);
    await pool.query(
      sql.unsafe`CREATE FUNCTION run_text(text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE $1; END'`,
    );
    await pool.query(sql.unsafe`SELECT run_text(${unlocked})`);
    expect((await users())[0]).toBeGreaterThan(1);
    await pool.query(sql.unsafe`SELECT run_text(${made})`);
  });

  test("that is renewed is good for 30 s more, also where it had lapsed; whoever else holds a command is told of", async () => {
    await claimCommands(pool, claim("one", "p1"));
    await pass(29);
    expect(await renewCommands(pool, claim("one", "p1"))).toEqual([]);
    await pass(28);
    expect(await claimCommands(pool, claim("two", "p2"))).toHaveLength(2);
    await pass(3);
    expect(await claimCommands(pool, claim("two", "p2"))).toEqual([]);
    expect(await renewCommands(pool, claim("one", "p1"))).toEqual(["two"]);
  });
});

describe("a worker", () => {
  test("does not start beside another group, and says which in one sentence", async () => {
    await claimCommands(pool, claim("one", "worker.x", ["a", "b", "c", "d"]));
    const start = holdCommands(
      { log: quiet, lifecycle: makeLifecycle(quiet) },
      pool,
      claim("two", "p2", ["a", "b", "c", "d"]),
    );
    await expect(start).rejects.toThrow(
      /^The group one \(worker\.x\) serves a, b, c and 1 more already, and this worker is of the group two: give both the same AUTH_GROUP/,
    );
  });

  test("renews its rows, and takes them away when it has stopped", async () => {
    const lifecycle = makeLifecycle(quiet);
    await holdCommands({ log: quiet, lifecycle }, pool, { ...claim("one", "p1"), everyMs: 20 });
    await pass(60);
    expect(await held()).toEqual([]);
    await until("the rows are renewed", async () => (await held()).length === 2);
    await lifecycle.stop();
    expect(await held()).toEqual([]);
  });

  test("goes on where it cannot renew them, and renews them when it can", async () => {
    const lifecycle = makeLifecycle(quiet);
    let asked = 0;
    const faulty = new Proxy(pool, {
      get: (target, name) => {
        if (name !== "any") return Reflect.get(target, name) as unknown;
        asked += 1;
        if (asked === 1 || asked > 3) return Reflect.get(target, name) as unknown;
        return () => Promise.reject(new Error("the database is away"));
      },
    });
    await holdCommands({ log: quiet, lifecycle }, faulty, { ...claim("one", "p1"), everyMs: 20 });
    await pass(60);
    await until("the rows are renewed", async () => (await held()).length === 2);
    expect([asked > 3, lifecycle.stopping.aborted]).toEqual([true, false]);
    await lifecycle.stop();
  });
});
