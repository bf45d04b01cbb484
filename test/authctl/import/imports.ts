// What the tests of authctl import stand on: a fleet of its own, and an old service of 5,000 users, of which eight
// cannot be imported; both are there from the first test of the file on that imports this. Runs of the command, in this
// process and as one that is held in the middle.
import type { ChildProcess } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll } from "@jest/globals";
import { type Fleet, startFleet } from "../../support/fleet.ts";
import { type OldService, oldUsers, startOldService } from "../../support/old-service.ts";
import { launch } from "../../support/processes.ts";
import { ownFolder } from "../../support/stack.ts";
import { type TestFleet, testFleet } from "../../support/test-fleet.ts";
import { until } from "../../support/until.ts";
import { called, type Ran } from "../authctl.ts";

export const rows = 5000;
export const folder = ownFolder("import");
const name = `import ${process.pid}`;
export const rejects = join(folder, "rejects.jsonl");

export let fleet: Fleet;
export let site: TestFleet;
export let old: OldService;
beforeAll(async () => {
  fleet = await startFleet("import", { processes: ["worker"] });
  site = await testFleet(fleet);
  old = await startOldService(fleet.env["AUTH_DATABASE_URL"]!, rows);
  await old.sql.query(`
    UPDATE auth SET email = 'nobody' WHERE id = 11;
    UPDATE auth SET email = 'USER13@Example.org' WHERE id = 12;
    UPDATE auth SET login = 'x' WHERE id = 14;
    UPDATE auth SET login = 'USER3000' WHERE id = 3500;
    UPDATE auth SET hashed_password = NULL WHERE id = 15;
    UPDATE auth SET hashed_password = 'md5:5f4dcc3b5aa765d61d8327deb882cf99' WHERE id = 16;
    UPDATE auth SET hashed_password = '$2b$31$' || repeat('a', 53) WHERE id = 2900;
    UPDATE auth SET role = 'Emperor' WHERE id = 18`);
}, 120_000);
afterAll(async () => {
  await old.close();
  await site.close();
  await fleet.stop();
});

export const env = (): Record<string, string> => ({ ...fleet.env, DATABASE_URL: old.url });
export const run = (...args: string[]): Promise<Ran> => called(["import", "--rejects", rejects, ...args], env());

export async function runJson(...args: string[]): Promise<Record<string, unknown> & { code: number | null }> {
  const { code, stdout, stderr } = await run("--json", ...args);
  if (stdout === "") throw new Error(stderr);
  return { ...(JSON.parse(stdout) as object), code };
}

/** Everything that an import may write, as one text. */
export async function everything(): Promise<string> {
  const { rows: sums } = await site.sql.query<{ sum: string }>(`
    SELECT md5(string_agg(u::text || c.hash || COALESCE(r.roles, ''), ',' ORDER BY u.id)) AS sum FROM users u
    JOIN credentials c ON c.user_id = u.id
    LEFT JOIN (SELECT user_id, string_agg(role_id::text, ',' ORDER BY role_id) AS roles FROM user_roles GROUP BY 1) r ON r.user_id = u.id`);
  return sums[0]!.sum;
}

export async function count(of: string): Promise<number> {
  const { rows: found } = await site.sql.query<{ count: string }>(`SELECT count(*) FROM ${of}`);
  return Number(found[0]!.count);
}

export const position = async (): Promise<number> => {
  const { rows: found } = await site.sql.query<{ position: string }>("SELECT position FROM imports");
  return Number(found[0]?.position ?? 0);
};

export const rejectLines = (): Record<string, unknown>[] =>
  readFileSync(rejects, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** On a machine that does much else, two processes start in half a minute. */
export const patience = 60_000;

/** A process of its own, held before the batch of this row: a registration with that login has not committed yet. */
export async function held(
  row: number,
): Promise<{ child: ChildProcess; said: () => string; release(): Promise<void> }> {
  await site.sql.query("BEGIN");
  await site.sql.query(
    "INSERT INTO users (id, login, login_key, username, email, email_key) VALUES (nextval('user_ids') + 1000000, 'x', $1, 'x', 'x', $1)",
    [`user${row}`],
  );
  const release = async (): Promise<void> => void (await site.sql.query("ROLLBACK"));
  const own = join(folder, `process-${row}`);
  const url = new URL(fleet.env["AUTH_DATABASE_URL"]!);
  url.searchParams.set("application_name", name); // the server is shared with other tests
  const child = launch(["ctl", "import", "--rejects", rejects], {
    env: { ...env(), AUTH_DATABASE_URL: url.href },
    folder: own,
  });
  try {
    await until("it waits", isWaiting, patience);
  } catch (error) {
    await release();
    throw error;
  }
  return { child, said: () => readFileSync(join(own, "log"), "utf8"), release };
}

async function isWaiting(): Promise<boolean> {
  const { rows: waiting } = await old.sql.query(
    "SELECT FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'",
    [name],
  );
  return waiting.length > 0;
}

/** What a killed process leaves behind, and what a database does that goes away. */
export async function disconnect(): Promise<void> {
  await old.sql.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", [name]);
}

export const ended = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => child.once("close", (code) => resolve(code)));

/** Of a password of the old service, by scrypt. */
export const hash = oldUsers(rows).find(({ login }) => login === "some-scrypt")!.hash;

/** A file of JSON lines. @returns its path */
export const write = (name: string, lines: readonly (object | string)[]): string => {
  const path = join(folder, name);
  writeFileSync(path, lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join(""));
  return path;
};
export const importing = (file: string, ...args: string[]) => runJson(file, "--rejects", `${file}.rejects`, ...args);
export const userWith = (login: string) => ({ login, email: `${login}@example.net`, hash });
