// What users log in with: a login, or the e-mail address of a confirmed account; and logins that were given up, which
// others may not take for a while.
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import pg from "pg";
import { sql } from "slonik";
import { z } from "zod";
import { loginHash } from "../../src/command/keyed-hash.ts";
import { variables } from "../../src/config/variables.ts";
import { loadDataKeys } from "../../src/crypto/envelope.ts";
import { dataKeyRows } from "../../src/db/keys.ts";
import { openPool } from "../../src/db/pool.ts";
import { authctl, called } from "../authctl/authctl.ts";
import { withPasskey } from "../support/factors.ts";
import { account, type HandlerHarness, handlerHarness } from "../support/handlers.ts";
import { operatorToken } from "../support/operator.ts";
import { testStack } from "../support/stack.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { until } from "../support/until.ts";
import { type Confirmed, confirmed, newUser, refusalOf, registered, type TestUser } from "../support/users.ts";

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
afterAll(() => fleet.close());

const logIn = (login: string, password: string, ip?: string) =>
  fleet.client.request("auth.session.login", { login, password, client: ip === undefined ? null : { ip } });
const userOf = async (login: string, password: string): Promise<number> =>
  (await logIn(login, password)).tokens!.userId;

describe("logging in with an e-mail address", () => {
  test("finds the confirmed account that has it, however it is written, and no account that only waits with it", async () => {
    const name = randomBytes(6).toString("hex");
    const user = await confirmed(fleet, { ...newUser(), email: `${name}@bücher.example` });
    for (const typed of [
      user.email,
      user.email.toUpperCase(),
      `${name}@xn--bcher-kva.example`,
      `${name.toUpperCase()}@BÜCHER.example`,
    ])
      expect(await userOf(typed, user.password)).toBe(user.id);
    const waiting = await registered(fleet);
    expect(await refusalOf(logIn(waiting.email, waiting.password))).toBe("INVALID_CREDENTIALS");
    expect(await refusalOf(logIn(waiting.login, waiting.password))).toBe("NOT_CONFIRMED"); // the control
    expect(await refusalOf(logIn(user.email, "not the one"))).toBe("INVALID_CREDENTIALS");
  });

  test("tries it as a login first: an old account may have it as its login", async () => {
    const [old, owner] = [await confirmed(fleet), await confirmed(fleet)];
    await fleet.sql.query("UPDATE users SET login = $2, login_key = $2 WHERE id = $1", [old.id, owner.email]);
    expect(await userOf(owner.email, old.password)).toBe(old.id);
    expect(await refusalOf(logIn(owner.email, owner.password))).toBe("INVALID_CREDENTIALS");
    expect(await userOf(owner.login, owner.password)).toBe(owner.id);
    await fleet.sql.query("UPDATE users SET login = $2, login_key = $2 WHERE id = $1", [old.id, old.login]);
  });

  test("puts no address into any event, and no text that looks like a user's id under that user", async () => {
    const user = await confirmed(fleet);
    await refusalOf(logIn(user.email, "not the one"));
    const nobody = newUser();
    await refusalOf(logIn(nobody.email, "not the one"));
    await refusalOf(logIn(String(user.id), "not the one"));
    await fleet.mails.last("auth.event", ({ key }) => String(key) === `login:${user.id}`);
    await fleet.mails.last("auth.event", ({ key }) => String(key) === "unknown");
    const mine = await fleet.mails.count(
      "auth.event",
      1,
      ({ key, headers }) => String(key) === String(user.id) && String(headers["ce_type"]) === "auth.event.LoginRefused",
    );
    expect(mine).toHaveLength(1); // the one at the account's own address
    const values = fleet.mails.all("auth.event").map(({ value }) => String(value));
    for (const { email } of [user, nobody]) expect(values.filter((value) => value.includes(email))).toEqual([]);
    expect(values.some((value) => value.includes(user.login))).toBe(true); // the control
  });

  test("takes 254 characters with `@`, and 32 without", async () => {
    const long = `${"x".repeat(242)}@example.com`;
    expect(long).toHaveLength(254);
    expect(await refusalOf(logIn(long, "wrong"))).toBe("INVALID_CREDENTIALS");
    expect(await refusalOf(logIn(`x${long}`, "wrong"))).toBe("INVALID_INPUT");
    expect(await refusalOf(logIn("x".repeat(33), "wrong"))).toBe("INVALID_INPUT");
  });

  test("does so for passkeys, too: alone, and after the password", async () => {
    const owner = await withPasskey(fleet);
    const begin = (login: string, challenge: string) =>
      fleet.client.request("auth.passkey.begin-login", { login, challenge });
    const finish = async ({ options, challenge }: { options: string; challenge: string }) =>
      fleet.client.request("auth.passkey.finish-login", { challenge, response: owner.device.get(options) });
    expect(await finish(await begin(owner.email.toUpperCase(), ""))).toMatchObject({ userId: owner.id });
    const { challenge } = await logIn(owner.email, owner.password);
    expect(await finish(await begin(owner.email, challenge!.challenge))).toMatchObject({ userId: owner.id });
    // Of an account that is not confirmed nothing is shown, though it had a passkey.
    await fleet.sql.query("UPDATE users SET confirmed_at = NULL WHERE id = $1", [owner.id]);
    const { rows } = await fleet.sql.query<{ id: string }>(
      "SELECT credential_id AS id FROM passkeys WHERE user_id = $1",
      [owner.id],
    );
    const { options } = await begin(owner.login, "");
    expect((await begin(owner.login, "")).options.length).toBe(options.length);
    expect(options).not.toContain(rows[0]!.id);
    await fleet.sql.query("UPDATE users SET confirmed_at = now() WHERE id = $1", [owner.id]);
    expect((await begin(owner.login, "")).options).toContain(rows[0]!.id); // the control
  });
});

describe("a login that was confirmed and is given up", () => {
  const register = (login: string, more: Partial<TestUser> = {}) =>
    fleet.client.request("auth.account.register", { ...newUser(), ...more, login });
  const exists = async ({ id }: Confirmed) =>
    (await fleet.sql.query("SELECT FROM users WHERE id = $1", [id])).rowCount === 1;
  const later = (days: number) =>
    fleet.sql.query("UPDATE quarantined_logins SET until = until - $1 * interval '1 day'", [days]);

  const ways: [string, (user: Confirmed) => Promise<unknown>][] = [
    [
      "its owner",
      ({ tokens, password }) =>
        fleet.client.request("auth.account.delete", { accessToken: tokens.accessToken, password }),
    ],
    [
      "an operator",
      async ({ login }) =>
        fleet.client.request("auth.admin.delete-user", {
          actorToken: await operatorToken(fleet),
          target: login,
          reason: "a test",
        }),
    ],
    [
      "the platform",
      async ({ id }) => {
        await fleet.kafka.produce([
          { topic: "delete", partition: 0, key: null, value: Buffer.from(JSON.stringify({ id })), headers: {} },
        ]);
        await until("the user is gone", async () => !(await exists({ id } as Confirmed)));
      },
    ],
  ];

  test.each(ways)("by %s is taken for others until AUTH_LOGIN_QUARANTINE is over", async (_who, remove) => {
    const user = await confirmed(fleet);
    await remove(user);
    expect(await refusalOf(register(user.login.toUpperCase()))).toBe("LOGIN_TAKEN");
    await later(29);
    expect(await refusalOf(register(user.login, { email: user.email }))).toBe("LOGIN_TAKEN");
    await later(1);
    expect(await register(user.login)).toMatchObject({ userId: expect.any(Number) });
  });

  test("is free at once where nobody ever confirmed it", async () => {
    const user = await registered(fleet);
    const reason = { actorToken: await operatorToken(fleet), reason: "a test" };
    await fleet.client.request("auth.admin.delete-user", { ...reason, target: user.login });
    expect(await register(user.login)).toMatchObject({ userId: expect.any(Number) });
  });

  test("is kept as a keyed hash that names nobody; a user who is still there may take theirs back", async () => {
    const [gone, there] = [await confirmed(fleet), await confirmed(fleet)];
    await ways[0]![1](gone);
    const { rows } = await fleet.sql.query<{ text: string; user_id: string | null }>(
      "SELECT g::text AS text, user_id FROM quarantined_logins g WHERE until > now() + interval '29 days'",
    );
    expect(rows.every(({ user_id }) => user_id === null)).toBe(true);
    expect(JSON.stringify(rows)).not.toContain(Buffer.from(gone.login).toString("hex"));
    const hash = await hashOf(there.login);
    await fleet.sql.query("INSERT INTO quarantined_logins VALUES ($1, $2, now() + interval '1 day')", [hash, there.id]);
    const free = async (taker: number | null) =>
      (await fleet.sql.query<{ free: boolean }>("SELECT is_login_free($1, $2) AS free", [hash, taker])).rows[0]!.free;
    expect([await free(there.id), await free(gone.id), await free(null)]).toEqual([true, false, false]);
    await ways[0]![1](there); // from then on nobody may
    expect([await free(there.id), await free(null)]).toEqual([false, false]);
  });

  test("cannot be taken by making an administrator or by an import either", async () => {
    const user = await confirmed(fleet);
    await ways[0]![1](user);
    const made = await authctl(
      ["users", "create-admin", user.login, newUser().email],
      fleet.env,
      "a password of some length\n",
    );
    expect(made).toMatchObject({ code: 1, stderr: expect.stringContaining("LOGIN_TAKEN") });
    const file = join(mkdtempSync(join(tmpdir(), "import-")), "users.jsonl");
    const hash = "$2b$04$uSmRrGyk/oXsaULeM73tEeUa3k2b2mmVp.kIcddbTVFtk6fztcGRi";
    const rows = [user.login, newUser().login].map((login) => ({ login, email: newUser().email, hash }));
    writeFileSync(file, rows.map((row) => JSON.stringify(row)).join("\n"));
    const imported = await called(["import", file, "--rejects", `${file}.rejects`, "--json"], fleet.env);
    expect(JSON.parse(imported.stdout)).toMatchObject({ imported: 1, rejected: { "login-taken": 1 } });
    expect(readFileSync(`${file}.rejects`, "utf8")).toContain("AUTH_LOGIN_QUARANTINE");
  });

  async function hashOf(login: string): Promise<Buffer> {
    const pool = await openPool({ url: fleet.env["AUTH_DATABASE_URL"]!, size: 2, applicationName: "test" });
    const keys = loadDataKeys(variables.AUTH_MASTER_KEY.parse(fleet.env["AUTH_MASTER_KEY"]!), await dataKeyRows(pool));
    await pool.end();
    return loginHash(keys, login);
  }
});

describe("at the handlers", () => {
  let harness: HandlerHarness;
  beforeAll(async () => {
    harness = await handlerHarness();
  }, 60_000);
  afterAll(() => harness.close());

  test("attempts count for the account that is found, and for the text where none is, in one form", async () => {
    const counted = async (): Promise<unknown[]> => {
      const rows = await harness.pool.any(sql.type(z.object({ user: z.number().nullable(), n: z.number() }))`
        SELECT user_id AS user, cardinality(attempts) AS n FROM login_attempts ORDER BY user_id NULLS LAST, 2 DESC`);
      await harness.pool.query(sql.unsafe`DELETE FROM login_attempts`);
      return rows.map(({ user, n }) => [user, n]);
    };
    const guess = async (login: string) =>
      expect(await harness.outcome("auth.session.login", { login, password: "wrong" })).toBe("INVALID_CREDENTIALS");
    const { login, email, id } = await account(harness);
    for (const typed of [login, email, email.toUpperCase(), login.toUpperCase()]) await guess(typed);
    expect(await counted()).toEqual([[id, 4]]);
    for (const typed of ["a@bücher.example", "A@BÜCHER.EXAMPLE", "a@xn--bcher-kva.example"]) await guess(typed);
    await guess("b@bücher.example"); // the control: another address is another one
    expect(await counted()).toEqual([
      [null, 3],
      [null, 1],
    ]);
  });

  /**
   * Somebody's account that is made and deleted in one transaction, which the registration does not see before it waits
   * for it.
   */
  async function outcomeBeside(givenUp: boolean): Promise<string> {
    const login = `u${randomBytes(6).toString("hex")}`;
    const url = new URL(testStack().database);
    url.pathname = await harness.pool.oneFirst(
      sql.type(z.object({ name: z.string() }))`SELECT '/' || current_database() AS name`,
    );
    const other = new pg.Client({ connectionString: url.href });
    await other.connect();
    await other.query("BEGIN");
    await other.query(
      "INSERT INTO users (id, login, login_key, username, email, email_key) VALUES (nextval('user_ids'), $1, $1, $1, $1, $1)",
      [login],
    );
    const asked = harness.outcome("auth.account.register", {
      ...{ login, username: login, email: `${login}@example.com`, password: "good enough for this" },
    });
    await until("it waits", async () => {
      const { rowCount } = await other.query(
        "SELECT FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = current_database() AND backend_type = 'client backend'",
      );
      return rowCount === 1;
    });
    await other.query("DELETE FROM users WHERE login_key = $1", [login]);
    if (givenUp)
      await other.query("INSERT INTO quarantined_logins VALUES ($1, NULL, now() + interval '30 days')", [
        loginHash(harness.dataKeys(), login),
      ]);
    await other.query("COMMIT");
    await other.end();
    return asked;
  }

  test("a registration that waits for the deletion of the account which has its login finds that it was given up", async () => {
    expect(await outcomeBeside(true)).toBe("LOGIN_TAKEN");
    expect(await outcomeBeside(false)).toBe("ok"); // the control
  });
});
