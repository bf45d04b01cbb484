// authctl import against a fleet of its own: 5,000 users of an old service, with a kill -9 and a Ctrl-C on the way;
// then they log in through Kafka. Then files of JSON lines (json-lines.ts). A million rows: test/long/import.test.ts.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { auditShown, chainWaiting } from "../../support/audited.ts";
import { oldUsers, password } from "../../support/old-service.ts";
import { until } from "../../support/until.ts";
import { refusalOf } from "../../support/users.ts";
import { called } from "../authctl.ts";
import {
  count,
  disconnect,
  ended,
  env,
  everything,
  fleet,
  folder,
  held,
  old,
  patience,
  position,
  rejectLines,
  rejects,
  rows,
  run,
  runJson,
  site,
} from "./imports.ts";
import { importsJsonLines } from "./json-lines.ts";

describe("from the old service's table", () => {
  test("a dry run counts all of it and writes nothing but its rejects", async () => {
    const said = await runJson("--dry-run");
    expect(said).toMatchObject({ code: 1, dryRun: true, ended: true, rows, imported: rows - 8, present: 0 });
    expect(said["rejected"]).toEqual({
      "email-invalid": 1,
      "email-taken": 1,
      "login-invalid": 1,
      "login-taken": 1,
      "hash-missing": 1,
      "hash-unknown": 1,
      "hash-too-costly": 1,
      "role-unknown": 1,
    });
    expect(rejectLines()).toHaveLength(8);
    expect(await count("users")).toBe(0);
    expect(await count("imports")).toBe(0);
  });

  test(
    "kill -9 and Ctrl-C lose nothing: the same command goes on, and each row is imported or rejected once",
    async () => {
      const lost = await held(1500);
      await disconnect();
      expect(await ended(lost.child)).toBe(3);
      expect(lost.said()).toMatch(/^PostgreSQL \(.*\) does not answer: .* the same command goes on where it ended\.$/m);
      await lost.release();
      expect(await position()).toBe(1000);

      const killed = await held(2500);
      killed.child.kill("SIGKILL");
      await ended(killed.child);
      expect(readFileSync(rejects, "utf8")).toContain('"row":2900'); // written, and not counted yet
      await disconnect();
      await killed.release();
      expect(await position()).toBe(2000);
      expect(await count("users")).toBe(2000 - 6);

      const stopped = await held(3400);
      stopped.child.kill("SIGINT");
      await until("it says that it stops", () => stopped.said().includes("Stopping after this batch."));
      await stopped.release();
      expect(await ended(stopped.child)).toBe(1);
      expect(stopped.said()).toContain("It was stopped: the same command goes on where it ended.");
      expect(await position()).toBe(4000);

      const said = await runJson();
      expect(said).toMatchObject({ code: 1, ended: true, rows: 1000, imported: rows - 8, present: 0 });
      expect(await count("users")).toBe(rows - 8);
      const lines = rejectLines();
      expect(lines.map(({ row, reason }) => `${row} ${reason}`)).toEqual([
        "11 email-invalid",
        "13 email-taken",
        "14 login-invalid",
        "15 hash-missing",
        "16 hash-unknown",
        "18 role-unknown",
        "2900 hash-too-costly",
        "3500 login-taken",
      ]);
      expect(lines[1]).toEqual({
        row: 13,
        id: 13,
        login: "user13",
        email: "user13@example.org",
        reason: "email-taken",
        message: "the e-mail address, in any case, belongs to the user with the id 12",
      });
      expect(readFileSync(rejects, "utf8")).not.toMatch(/\$2|argon2|5f4dcc3b/);
    },
    4 * patience,
  );

  test("the audit says who imported what, where each run began, and how it ended unless it was killed", async () => {
    await chainWaiting(fleet.env);
    const shown = await auditShown(fleet.env, "--limit", "10000");
    const about = shown.filter(({ event }) => event.startsWith("Import"));
    const source = expect.stringMatching(/^postgresql:\/\/[^@]+\/public\.auth$/);
    expect(about.every(({ actor, userId }) => /^operator:./.test(actor) && userId === null)).toBe(true);
    expect(about.map(({ details }) => details)).toMatchObject(about.map(() => ({ kind: "table", source })));
    expect(
      about.map(({ event, details: { after, rows: read, imported, rejected, complete } }) => [
        event,
        ...(event === "ImportStarted" ? [after] : [read, imported, rejected, complete]),
      ]),
    ).toEqual([
      ["ImportStarted", null], // its database went away
      ["ImportStarted", 1000], // kill -9
      ["ImportStarted", 2000],
      ["ImportEnded", 2000, 4000 - 8, 8, false], // Ctrl-C
      ["ImportStarted", 4000],
      ["ImportEnded", 1000, rows - 8, 8, true],
    ]);
    const each = shown.filter(({ event }) => event === "UserImported");
    expect(new Set(each.map(({ userId }) => userId)).size).toBe(rows - 8);
    const { code, stdout } = await called(["audit", "verify", "--state", "--offline"], fleet.env);
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/\d{4} accounts compared: 0 are not as their audit says\.$/m),
    ]);
  });

  test("without the master key nothing is imported, because nobody could say who did; a dry run is", async () => {
    const { AUTH_MASTER_KEY: _, ...without } = env();
    const dry = ["import", "--rejects", `${rejects}.dry`];
    expect(await called(["import", "--rejects", rejects], without)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("AUTH_MASTER_KEY"),
    });
    expect((await called([...dry, "--dry-run"], without)).stdout).toContain("0 rows");
  });

  test("users whose hash is of any supported algorithm log in through Kafka, and have an Argon2id hash afterwards", async () => {
    for (const { id, login, hash } of oldUsers(rows)) {
      expect(await refusalOf(site.client.request("auth.session.login", { login, password: "wrong horse" }))).toBe(
        "INVALID_CREDENTIALS",
      );
      const { rows: before } = await site.sql.query<{ hash: string }>(
        "SELECT hash FROM credentials WHERE user_id = $1",
        [id],
      );
      if (!hash.startsWith("pbkdf2_")) expect(before[0]!.hash).toBe(hash);
      const { tokens } = await site.client.request("auth.session.login", { login, password });
      expect(tokens).toMatchObject({ userId: id });
      const { rows: after } = await site.sql.query<{ hash: string }>(
        "SELECT hash FROM credentials WHERE user_id = $1",
        [id],
      );
      expect(after[0]!.hash).toMatch(/^\$argon2id\$v=19\$m=7168,t=1,p=1\$/);
      expect((await site.client.request("auth.session.login", { login, password })).tokens).toMatchObject({
        userId: id,
      });
    }
  });

  test("states, roles, ids and times are what they were, and new ids begin above", async () => {
    const login = (name: string) => site.client.request("auth.session.login", { login: name, password });
    expect(await refusalOf(login("user100"))).toBe("NOT_CONFIRMED"); // both: who is not confirmed is told so first
    expect(await refusalOf(login("user20"))).toBe("NOT_CONFIRMED");
    const { rows: found } = await site.sql.query(`
      SELECT id::int, username, banned_at IS NOT NULL AS banned, confirmed_at IS NOT NULL AS confirmed,
        to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS created, ARRAY(
          SELECT r.name FROM user_roles ur JOIN roles r ON r.id = ur.role_id WHERE ur.user_id = u.id) AS roles
      FROM users u WHERE login IN ('user100', 'user2000', 'user21') ORDER BY id`);
    expect(found).toEqual([
      { id: 21, username: "User 21", banned: false, confirmed: true, created: "2020-01-01 00:00:21", roles: [] },
      { id: 100, username: "User 100", banned: true, confirmed: false, created: "2020-01-01 00:01:40", roles: [] },
      {
        id: 2000,
        username: "User 2000",
        banned: true,
        confirmed: false,
        created: "2020-01-01 00:33:20",
        roles: ["admin"],
      },
    ]);
    const newcomer = {
      login: "newcomer",
      username: "newcomer",
      email: "new@example.org",
      password: "a new one's secret",
    };
    expect((await site.client.request("auth.account.register", newcomer)).userId).toBeGreaterThan(rows);
  });

  test("run again it changes nothing; who was deleted here stays deleted, what was mended comes in, and new rows do", async () => {
    await site.sql.query("DELETE FROM users WHERE login = 'user31'");
    const before = await everything();
    expect(await runJson()).toMatchObject({ rows: 0, imported: rows - 8 });
    expect(await everything()).toBe(before);
    expect(await runJson("--again")).toMatchObject({ rows, imported: 0, present: rows - 9, gone: 1 });
    expect(await everything()).toBe(before);
    await old.sql.query("UPDATE auth SET email = 'another@example.org' WHERE id = 11");
    expect(await runJson("--again", "--role", "emperor=admin")).toMatchObject({ imported: 2, gone: 1 });
    expect(rejectLines()).toHaveLength(6);
    await old.sql.query(`
      INSERT INTO auth (id, login, email, hashed_password, is_verified) SELECT 6000, 'latecomer', 'late@example.org', hashed_password, true FROM auth WHERE id = 21`);
    const last = await runJson();
    expect(last).toMatchObject({ rows: 1, imported: rows - 8 + 3 });
    expect(Object.values(last["rejected"] as Record<string, number>)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(await count("users WHERE login = 'user31'")).toBe(0);
    expect(await count("users WHERE login = 'latecomer'")).toBe(1);
  });

  test(
    "two runs at once do not get into each other's way: the second is refused",
    async () => {
      await old.sql.query(
        "INSERT INTO auth (id, login, email, hashed_password) SELECT 6001, 'user6001', 'u6001@example.org', hashed_password FROM auth WHERE id = 21",
      );
      const first = await held(6001);
      expect(await run()).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("Another run imports postgresql://"),
      });
      await first.release();
      await ended(first.child);
      expect(await count("users WHERE login = 'user6001'")).toBe(1);
    },
    2 * patience,
  );

  test("a table that is not as it must be is told with what to do, and nothing is written", async () => {
    await old.sql.query(`
      CREATE TABLE members (number int, name text, mail text, secret text);
      CREATE TABLE guests (id uuid PRIMARY KEY, login text, email text, password text);
      CREATE SCHEMA older; CREATE TABLE older.people (nr bigint PRIMARY KEY, nick text, mail text, pw text)`);
    await old.sql.query(
      "INSERT INTO older.people SELECT -1, 'negative', 'n@example.org', hashed_password FROM auth WHERE id = 21 UNION ALL SELECT 70001, 'mapped', 'm@example.org', hashed_password FROM auth WHERE id = 21",
    );
    const sentence = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await run(...args);
      expect(code).toBe(2);
      return stderr;
    };
    expect(await sentence("--table", "nowhere")).toContain("There is no table public.nowhere (--table).");
    expect(await sentence("--table", "members")).toContain(
      "Which column is id, which is login, which is hash? Say --column id=THEIRS; members has number, name",
    );
    expect(await sentence("--table", "members", "--column", "id=nr")).toContain("members has no column nr (--column)");
    const all = ["--column", "id=number", "--column", "login=name", "--column", "hash=secret"];
    expect(await sentence("--table", "members", ...all)).toContain("number has no unique index");
    expect(await sentence("--table", "guests")).toContain("id is uuid, and ids are kept as whole numbers");
    const mapped = [
      "--column",
      "id=nr",
      "--column",
      "login=nick",
      "--column",
      "hash=pw",
      "--rejects",
      join(folder, "older.jsonl"),
    ];
    expect(await runJson("--table", "older.people", ...mapped)).toMatchObject({
      imported: 1,
      rejected: { "id-invalid": 1 },
    });
    expect((await site.client.request("auth.session.login", { login: "mapped", password })).tokens?.userId).toBe(
      70_001,
    );
  });

  test("a database that is away is named without its password", async () => {
    const { code, stderr } = await called(["import"], {
      ...env(),
      DATABASE_URL: "postgresql://u:secret@127.0.0.1:9/x",
    });
    expect(code).toBe(3);
    expect(stderr).toMatch(/^The old service's PostgreSQL \(127\.0\.0\.1:9\) does not answer/);
    expect(stderr).not.toContain("secret");
  });
});

importsJsonLines();
