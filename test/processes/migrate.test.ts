// migrate: what the database looks like afterwards is in test/schema.sql, checked in; running it again changes nothing;
// two at once do not get into each other's way; an applied file must not change.
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import pg from "pg";
import { migrateDatabase } from "../../src/db/migrate.ts";
import { type DatabasePool, openPool } from "../../src/db/pool.ts";
import { describeDatabase } from "../support/describe-database.ts";
import { sharedFleet } from "../support/fleet-addresses.ts";
import { run } from "../support/processes.ts";
import { ownFolder, testStack } from "../support/stack.ts";
import { testFleet } from "../support/test-fleet.ts";

const root = join(import.meta.dirname, "..", "..");
const migrations = join(root, "migrations");

let url: string;
let pool: DatabasePool;
beforeAll(async () => {
  const admin = new pg.Client({ connectionString: testStack().database });
  await admin.connect();
  const name = `migrate_${process.pid}`;
  await admin.query(`CREATE DATABASE ${name}`);
  await admin.end();
  const own = new URL(testStack().database);
  own.pathname = `/${name}`;
  url = own.href;
  pool = await openPool({ url, size: 4, applicationName: "test" });
});
afterAll(() => pool.end());

describe("the database", () => {
  test("gets all migrations once, though three migrate at the same time", async () => {
    const applied = await Promise.all([1, 2, 3].map(() => migrateDatabase(pool, migrations)));
    expect(applied.flat()).toEqual(readdirSync(migrations).sort());
    expect(await migrateDatabase(pool, migrations)).toEqual([]);
  });

  test("looks as test/schema.sql says", async () => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const found = await describeDatabase(client);
    await client.end();
    const path = join(root, "test", "schema.sql");
    if (process.env["UPDATE_SCHEMA"] === "1") writeFileSync(path, found);
    expect(found).toBe(readFileSync(path, "utf8"));
  });

  test("has no account by default", async () => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query(
      "SELECT (SELECT count(*)::int FROM users) AS users, (SELECT count(*)::int FROM roles) AS roles",
    );
    await client.end();
    expect(rows).toEqual([{ users: 0, roles: 2 }]);
  });

  test("refuses a file that was changed after it had been applied", async () => {
    const folder = ownFolder("changed-migrations");
    cpSync(migrations, folder, { recursive: true });
    writeFileSync(join(folder, "0001_initial.sql"), "SELECT 1;");
    await expect(migrateDatabase(pool, folder)).rejects.toThrow(
      "0001_initial.sql was changed after it had been applied",
    );
  });

  test("takes a migration that fails in the middle back, and says what failed", async () => {
    const folder = ownFolder("bad-migrations");
    cpSync(migrations, folder, { recursive: true });
    writeFileSync(join(folder, "9001_bad.sql"), "CREATE TABLE half_done (id int); SELECT * FROM nowhere;");
    await expect(migrateDatabase(pool, folder)).rejects.toThrow(/nowhere/);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query("SELECT to_regclass('half_done') AS found");
    await client.end();
    expect(rows).toEqual([{ found: null }]);
  });

  test("of a newer version is left alone", async () => {
    const folder = ownFolder("newer-migrations");
    cpSync(migrations, folder, { recursive: true });
    writeFileSync(join(folder, "9002_newer.sql"), "SELECT 1;");
    await migrateDatabase(pool, folder);
    await expect(migrateDatabase(pool, migrations)).rejects.toThrow("deploy a newer one");
  });
});

test("authfleet migrate run again beside a running fleet changes nothing, and grows a topic when it is told to", async () => {
  const shared = sharedFleet();
  const folder = ownFolder("migrate-again");
  const fleetIdFile = join(folder, "fleet-id");
  mkdirSync(folder, { recursive: true });
  await run(["migrate"], { env: { ...shared.env, AUTH_FLEET_ID_OUT: fleetIdFile }, folder });
  expect(readFileSync(fleetIdFile, "utf8")).toBe(`${shared.env["AUTH_FLEET_ID"]}\n`);
  const again = readFileSync(join(folder, "log"), "utf8");
  expect(again).not.toMatch(/applied|created|grew|made/);
  expect(again).toMatch(/schemas are registered/);
  const grown = ownFolder("migrate-grown");
  await run(["migrate"], {
    env: { ...shared.env, AUTH_PARTITIONS: "registration=3,auth.session.*=4,*=2" },
    folder: grown,
  });
  expect(readFileSync(join(grown, "log"), "utf8")).toMatch(/grew registration to 3 partitions/);
  const fleet = await testFleet();
  expect(await fleet.kafka.partitionsOf("registration")).toBe(3);
  const { rows } = await fleet.sql.query("SELECT longest_ms::int FROM token_life");
  expect(rows).toEqual([{ longest_ms: 15 * 60_000 }]); // AUTH_ACCESS_TTL, for whoever keeps revocations
  await fleet.close();
}, 60_000);
