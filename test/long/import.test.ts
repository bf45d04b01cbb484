// A million users of an old service, with a kill -9 on the way, in one run of authctl as an operator calls it. Prints
// what it took. Users of each algorithm log in afterwards.
import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { authctl } from "../authctl/authctl.ts";
import { type Fleet, startFleet } from "../support/fleet.ts";
import { type OldService, oldUsers, password, startOldService } from "../support/old-service.ts";
import { launch } from "../support/processes.ts";
import { ownFolder } from "../support/stack.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { until } from "../support/until.ts";

const rows = 1_000_000;
const folder = ownFolder("import");

let fleet: Fleet;
let site: TestFleet;
let old: OldService;
beforeAll(async () => {
  fleet = await startFleet("million", { processes: ["worker"] });
  site = await testFleet(fleet);
  old = await startOldService(fleet.env["AUTH_DATABASE_URL"]!, rows);
  await old.sql.query("UPDATE auth SET email = 'nobody' WHERE id % 100000 = 11");
}, 300_000);
afterAll(async () => {
  await old.close();
  await site.close();
  await fleet.stop();
});

interface Said {
  rows: number;
  imported: number;
  present: number;
  seconds: number;
  rowsPerSecond: number;
  peakMemoryMiB: number;
}

async function importing(...args: string[]): Promise<Said> {
  const env = { ...fleet.env, DATABASE_URL: old.url };
  const { stdout, stderr } = await authctl(
    ["import", "--json", "--rejects", join(folder, "rejects.jsonl"), ...args],
    env,
  );
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout) as Said;
}

const told = (what: string, { rows: read, seconds, rowsPerSecond, peakMemoryMiB }: Said): void =>
  console.log(`${what}: ${read} rows in ${seconds} s, ${rowsPerSecond} a second, ${peakMemoryMiB} MiB at most`);

test("a million users come in within bounded memory, through a kill -9, and log in", async () => {
  console.log(
    `${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, with PostgreSQL, Kafka and a worker beside`,
  );
  told("dry run", await importing("--dry-run"));

  const env = { ...fleet.env, DATABASE_URL: old.url };
  const killed = launch(["ctl", "import", "--rejects", join(folder, "rejects.jsonl")], {
    env,
    folder: join(folder, "killed"),
  });
  const gone = new Promise((resolve) => killed.once("close", resolve));
  await until(
    "some of it is there",
    async () => {
      const { rows: found } = await site.sql.query("SELECT FROM imports WHERE position >= 100000");
      return found.length > 0;
    },
    120_000,
  );
  killed.kill("SIGKILL");
  await gone;
  await until("its connection is gone", async () => {
    const { rows: left } = await site.sql.query(
      "SELECT FROM pg_stat_activity WHERE application_name = 'auth authctl' AND datname = current_database()",
    );
    return left.length === 0;
  });

  const said = await importing();
  told("after a kill -9", said);
  expect(said.rows).toBeLessThanOrEqual(rows - 100_000);
  expect(said).toMatchObject({ imported: rows - 10, present: 0 });
  expect(said.peakMemoryMiB).toBeLessThan(512);
  expect(readFileSync(join(folder, "rejects.jsonl"), "utf8").trim().split("\n")).toHaveLength(10);
  const { rows: found } = await site.sql.query<{ users: string; hashes: string }>(
    "SELECT count(*) AS users, count(c.hash) AS hashes FROM users u LEFT JOIN credentials c ON c.user_id = u.id",
  );
  expect(found[0]).toEqual({ users: String(rows - 10), hashes: String(rows - 10) });

  const again = await importing("--again");
  told("all again", again);
  expect(again).toMatchObject({ imported: 0, present: rows - 10 });

  for (const { id, login } of oldUsers(rows)) {
    expect((await site.client.request("auth.session.login", { login, password })).tokens?.userId).toBe(id);
    const { rows: after } = await site.sql.query<{ hash: string }>("SELECT hash FROM credentials WHERE user_id = $1", [
      id,
    ]);
    expect(after[0]!.hash).toMatch(/^\$argon2id\$v=19\$m=7168,t=1,p=1\$/);
  }
}, 900_000);
