// authctl for accounts: finding users, ending sessions, roles, and the first administrator. Against the real fleet.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { readConfig } from "../../../src/config/read.ts";
import { openPool } from "../../../src/db/pool.ts";
import { ensureKeys } from "../../../src/keys/fleet-keys.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { keyDepsFor } from "../../../src/processes/parts.ts";
import { makeDatabase } from "../../support/databases.ts";
import { testStack } from "../../support/stack.ts";
import { type TestFleet, testFleet } from "../../support/test-fleet.ts";
import { type Confirmed, confirmed, loggedIn, newUser, refusalOf, refused } from "../../support/users.ts";
import { answering, authctl, called, type Ran } from "../authctl.ts";

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
afterAll(() => fleet.close());

const run = (line: string, input?: string): Promise<Ran> => called(line.split(" "), fleet.env, input);
const inspect = (accessToken: string) => fleet.client.request("auth.session.inspect", { accessToken });
async function documentOf<T>(line: string, input?: string): Promise<T> {
  const { code, stdout, stderr } = await run(`${line} --json`, input);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as T;
}

describe("users find", () => {
  test("shows a page and how to see the next one", async () => {
    const start = `c${randomBytes(5).toString("hex")}`;
    const users: Confirmed[] = [];
    for (const letter of ["a", "b"]) users.push(await confirmed(fleet, newUser(`${start}${letter}`)));
    const first = await authctl(["users", "find", start.toUpperCase(), "--limit", "1"], fleet.env);
    expect(first).toMatchObject({ code: 0, stderr: "" });
    expect(first.stdout).toMatch(new RegExp(`^id +login +e-mail +state +roles\n${users[0]!.id} +${users[0]!.login} `));
    const cursor = /--cursor (\S+)/.exec(first.stdout)![1]!;
    const second = await run(`users find ${start} --limit 1 --cursor ${cursor}`);
    expect(second.stdout).toContain(users[1]!.login);
    expect(second.stdout).not.toContain(users[0]!.login);
    const both = await documentOf<{ users: { userId: number }[]; cursor: null }>(`users find ${start} --state active`);
    expect(both.users.map(({ userId }) => userId)).toEqual(users.map(({ id }) => id));
    expect((await run(`users find ${start}zz`)).stdout).toBe("Nobody.\n");
  });
});

describe("sessions", () => {
  test("list shows them, revoke ends one, users revoke-sessions ends all; each asks first", async () => {
    const user = await confirmed(fleet);
    const { login, password } = user;
    const client = { ip: "192.0.2.9", userAgent: null, device: "tablet" };
    const { tokens } = await fleet.client.request("auth.session.login", { login, password, client });
    const listed = await run(`sessions list ${login}`);
    expect(listed.stdout).toMatch(
      new RegExp(`${tokens!.sessionId} .* tablet, 192\\.0\\.2\\.9\n${user.tokens.sessionId} .* -\n`),
    );
    const no = await answering(["sessions", "revoke", login, tokens!.sessionId], fleet.env, "n");
    expect(no).toMatchObject({ code: 1, stdout: "Nothing was done.\n", questions: [expect.stringContaining(login)] });
    expect(await inspect(tokens!.accessToken)).toMatchObject({ login });
    expect((await run(`sessions revoke ${login} ${tokens!.sessionId} --yes`)).code).toBe(0);
    expect(await refusalOf(inspect(tokens!.accessToken))).toBe("SESSION_REVOKED");
    expect(await inspect(user.tokens.accessToken)).toMatchObject({ login });
    expect((await run(`users show ${login}`)).stdout).toMatch(/\nsessions +1\n/);
    const ended = await documentOf(`users revoke-sessions ${login} --yes --reason stolen`);
    expect(ended).toEqual({ userId: user.id, login, done: true, ended: 1 });
    expect(await refusalOf(inspect(user.tokens.accessToken))).toBe("SESSION_REVOKED");
    expect((await run(`sessions list ${login}`)).stdout).toBe("No session goes on.\n");
  });
});

describe("roles", () => {
  test("are made, listed, changed and deleted; what takes something away asks first", async () => {
    const role = `r${randomBytes(5).toString("hex")}`;
    expect((await run(`roles create ${role} posts.write posts.read`)).stdout).toBe(
      `${role} permits posts.read, posts.write\n`,
    );
    expect((await run("roles list")).stdout).toMatch(new RegExp(`\n${role} +posts.read, posts.write\n`));
    expect(await documentOf(`roles grant ${role} posts.delete`)).toEqual({
      role,
      permissions: ["posts.delete", "posts.read", "posts.write"],
    });
    const no = await answering(["roles", "revoke", role, "posts.read"], fleet.env, "");
    expect(no).toMatchObject({ code: 1, stdout: "Nothing was done.\n" });
    expect((await run(`roles revoke ${role} posts.read posts.delete --yes`)).stdout).toBe(
      `${role} permits posts.write\n`,
    );
    expect((await run(`roles create ${role}`)).stderr).toMatch(/^Refused with INVALID_INPUT: .*already/);
    expect((await answering(["roles", "delete", role], fleet.env, "n")).code).toBe(1);
    expect((await run(`roles delete ${role} --yes`)).code).toBe(0);
    expect((await run(`roles delete ${role} --yes --json`)).stdout).toContain("NOT_FOUND");
  });
});

describe("users create-admin", () => {
  test("makes an administrator who can log in and acts at once, with the events of registering", async () => {
    const { login, email, password } = newUser("adm");
    const made = await authctl(["users", "create-admin", login, email, "--as", "founder"], fleet.env, `${password}\n`);
    expect(made).toMatchObject({ code: 0, stderr: "" });
    expect(made.stdout).toMatch(new RegExp(`^${login} \\(\\d+\\) is an administrator`));
    expect(made.stdout + made.stderr).not.toContain(password);
    const { accessToken, userId } = await loggedIn(fleet, { login, username: login, email, password });
    expect(await inspect(accessToken)).toMatchObject({ login, roles: ["admin"], isVerified: true });
    const shown = await fleet.client.request("auth.admin.get-user", { actorToken: accessToken, target: login });
    expect(shown).toMatchObject({ userId, email });
    const events = await fleet.mails.count("auth.event", 4, ({ key }) => String(key) === String(userId));
    expect(events.map(({ headers }) => String(headers["ce_type"]).split(".").at(-1))).toEqual([
      "UserRegistered",
      "UserConfirmed",
      "RolesChanged",
      "LoggedIn",
    ]);
    expect(await fleet.mails.last("registration", ({ json }) => json?.["id"] === userId)).toMatchObject({
      json: { username: login },
    });
  });

  test("of a login or address that is taken is refused, and of a weak password or a bad name; nothing changes", async () => {
    const user = await confirmed(fleet);
    const fresh = newUser();
    const make = (login: string, email: string, password = "correct horse battery") =>
      run(`users create-admin ${login} ${email} --json`, password);
    const code = async (ran: Promise<Ran>) => {
      const { code: exit, stdout } = await ran;
      return [exit, (JSON.parse(stdout) as { refused: { code: string } }).refused.code];
    };
    expect(await code(make(user.login.toUpperCase(), fresh.email))).toEqual([1, "LOGIN_TAKEN"]);
    expect(await code(make(fresh.login, user.email))).toEqual([1, "EMAIL_TAKEN"]);
    expect(await code(make(fresh.login, fresh.email, "short"))).toEqual([1, "WEAK_PASSWORD"]);
    expect(await code(make("ab", fresh.email))).toEqual([1, "INVALID_INPUT"]);
    expect(await code(make(fresh.login, "nobody"))).toEqual([1, "INVALID_INPUT"]);
    expect((await run(`users create-admin ${fresh.login} ${fresh.email}`)).code).toBe(2); // no password
    for (const [login, email, field] of [
      ["ada＠home", fresh.email, "login"],
      ["id：17", fresh.email, "login"],
      [fresh.login, '"a\r\nb"@example.com', "email"],
      [fresh.login, "ada\u200b@example.com", "email"],
    ] as const) {
      const done = await called(["users", "create-admin", login, email], fleet.env, "correct horse battery");
      expect([done.code, done.stderr]).toEqual([1, expect.stringContaining(`${field}: must`)]);
    }
    expect((await refused(loggedIn(fleet, { ...fresh, password: "correct horse battery" }))).code).toBe(
      "INVALID_CREDENTIALS",
    );
    expect((await inspect(user.tokens.accessToken)).roles).toEqual([]);
    const both = await Promise.all([make(fresh.login, fresh.email), make(fresh.login, fresh.email)]);
    expect(both.map(({ stdout }) => /LOGIN_TAKEN|"userId"/.exec(stdout)?.[0] ?? stdout).sort()).toEqual([
      '"userId"',
      "LOGIN_TAKEN",
    ]);
  });

  test("works in a database without any user and without a fleet, but not with another master key", async () => {
    const url = await freshDatabase();
    const away = { ...fleet.env, AUTH_DATABASE_URL: url, AUTH_KAFKA_BROKERS: "127.0.0.1:9" };
    const make = (env: Record<string, string>) =>
      called(["users", "create-admin", "ada.first", "ada@example.org"], env, "correct horse battery");
    const kid = fleet.env["AUTH_MASTER_KEY"]!.split(":")[0]!;
    const wrong = await make({ ...away, AUTH_MASTER_KEY: `${kid}:${randomBytes(32).toString("base64")}` });
    expect(wrong).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("AUTH_MASTER_KEY") });
    expect(await make(away)).toMatchObject({ code: 0, stdout: expect.stringContaining("ada.first"), stderr: "" });
    expect((await make(away)).stderr).toMatch(/^Refused with LOGIN_TAKEN/);
  });

  test("asks for the password twice, unseen, and does nothing where the two differ", async () => {
    const { login, email, password } = newUser("adm");
    const typed = await typing(["users", "create-admin", login, email], [password, `${password}x`]);
    expect(typed).toMatchObject({ code: 2, shown: expect.stringContaining("two different passwords") });
    expect(typed.shown).not.toContain(password);
    const made = await typing(["users", "create-admin", login, email], [password, password]);
    expect(made).toMatchObject({ code: 0, shown: expect.stringContaining("is an administrator") });
    expect(made.shown).not.toContain(password);
    expect((await loggedIn(fleet, { login, username: login, email, password })).userId).toBeGreaterThan(0);
  });
});

/** As migrate leaves it. @returns its address */
async function freshDatabase(): Promise<string> {
  const url = await makeDatabase(testStack(), `first_admin_${process.pid}`);
  const pool = await openPool({ url, size: 1, applicationName: "test" });
  await ensureKeys(keyDepsFor({ config: readConfig(fleet.env, "ctl"), clock: systemClock }, pool));
  await pool.end();
  return url;
}

/** At a terminal of its own, which echoes unless told not to: each answer follows a question that ends with a colon. */
async function typing(args: string[], answers: string[]): Promise<{ code: number | null; shown: string }> {
  const bin = join(import.meta.dirname, "..", "..", "..", "bin", "authctl.js");
  const terminal = `import os, pty, sys
pid, fd = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
while True:
    try: shown = os.read(fd, 4096)
    except OSError: break
    if not shown: break
    os.write(1, shown)
    if shown.rstrip().endswith(b":"): os.write(fd, sys.stdin.readline().encode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`;
  const child = spawn("python3", ["-c", terminal, process.execPath, bin, ...args], { env: fleet.env, stdio: "pipe" });
  let shown = "";
  child.stdout.on("data", (chunk: Buffer) => {
    shown += chunk.toString();
  });
  child.stdin.end(answers.map((answer) => `${answer}\n`).join(""));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, shown };
}
