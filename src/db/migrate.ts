// Brings the database to this version's schema: migrations/*.sql in numeric order, forward only, each in its own
// transaction, one migrator at a time. An applied file must never change; its hash is checked.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sql } from "slonik";
import { z } from "zod";
import type { CommonQueryMethods, DatabasePool } from "./pool.ts";

const applied = z.object({ version: z.number(), hash: z.string() });

/**
 * @returns the names of the migrations it applied
 * @throws Error where an applied file has changed, or the database is newer than this version
 */
export async function migrateDatabase(pool: DatabasePool, folder: string): Promise<string[]> {
  return pool.connect(async (connection) => {
    await connection.query(sql.unsafe`SELECT pg_advisory_lock(hashtext('auth migrations'))`);
    try {
      await connection.query(sql.unsafe`
        CREATE TABLE IF NOT EXISTS migrations (
          version integer PRIMARY KEY, name text NOT NULL, hash text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`);
      const done = await connection.any(sql.type(applied)`SELECT version, hash FROM migrations`);
      return await applyMissing(
        connection,
        readMigrations(folder),
        new Map(done.map((row) => [row.version, row.hash])),
      );
    } finally {
      await connection.query(sql.unsafe`SELECT pg_advisory_unlock(hashtext('auth migrations'))`);
    }
  });
}

interface Migration {
  version: number;
  name: string;
  text: string;
  hash: string;
}

function readMigrations(folder: string): Migration[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".sql"))
    .sort()
    .map((file) => {
      const text = readFileSync(join(folder, file), "utf8");
      const hash = createHash("sha256").update(text).digest("hex");
      return { version: Number.parseInt(file, 10), name: file, text, hash };
    });
}

async function applyMissing(
  connection: CommonQueryMethods,
  migrations: Migration[],
  done: Map<number, string>,
): Promise<string[]> {
  const newest = Math.max(...migrations.map((each) => each.version));
  const foreign = [...done.keys()].find((version) => version > newest);
  if (foreign !== undefined)
    throw new Error(`The database has migration ${foreign}, which this version does not know: deploy a newer one.`);
  const changed = migrations.find((each) => done.has(each.version) && done.get(each.version) !== each.hash);
  if (changed !== undefined)
    throw new Error(`${changed.name} was changed after it had been applied: write a new migration instead.`);
  const missing = migrations.filter((each) => !done.has(each.version));
  for (const migration of missing) {
    await connection.transaction(async (transaction) => {
      // A file has many statements: the extended protocol accepts one, plpgsql's EXECUTE accepts all.
      await transaction.query(sql.unsafe`
        CREATE FUNCTION pg_temp.run_migration(statements text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE statements; END'`);
      await transaction.query(sql.unsafe`SELECT pg_temp.run_migration(${migration.text})`);
      await transaction.query(sql.unsafe`DROP FUNCTION pg_temp.run_migration(text)`);
      await transaction.query(sql.unsafe`
        INSERT INTO migrations (version, name, hash) VALUES (${migration.version}, ${migration.name}, ${migration.hash})`);
    });
  }
  return missing.map((each) => each.name);
}
