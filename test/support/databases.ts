// Databases of tests. The migrations are applied once in a run, to a template; a database of a test is a copy of it.
// A stack of a test's own has no template: there authfleet migrate does all of it.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import pg from "pg";
import { migrateDatabase } from "../../src/db/migrate.ts";
import { openPool } from "../../src/db/pool.ts";
import type { TestStack } from "./stack.ts";

const migrations = join(import.meta.dirname, "..", "..", "migrations");

/** Called by globalSetup.ts. @param server the URL of any database on it. @returns the template's name */
export async function makeTemplate(server: string): Promise<string> {
  const name = `template_${randomBytes(6).toString("hex")}`;
  const url = urlOf(server, name);
  await onServer(server, `CREATE DATABASE ${name}`);
  const pool = await openPool({ url, size: 1, applicationName: "test" });
  await migrateDatabase(pool, migrations);
  await pool.end();
  return name;
}

/** Makes a database, with all migrations where the stack has a template. @returns its URL */
export async function makeDatabase({ database: server, template }: TestStack, name: string): Promise<string> {
  await onServer(server, `CREATE DATABASE "${name}"${template === undefined ? "" : ` TEMPLATE ${template}`}`);
  return urlOf(server, name);
}

function urlOf(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

async function onServer(server: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  await client.query(statement);
  await client.end();
}
