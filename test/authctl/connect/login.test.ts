// authctl login and logout against the real fleet: an administrator's session, second factors, and how the commands
// that act use it.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { auditOf } from "../../support/audited.ts";
import { codeOf, withApp, withPasskey } from "../../support/factors.ts";
import { enrol, operatorToken } from "../../support/operator.ts";
import { ownFolder } from "../../support/stack.ts";
import { type TestFleet, testFleet } from "../../support/test-fleet.ts";
import { type Confirmed, confirmed, refusalOf } from "../../support/users.ts";
import { authctl, over, type Ran } from "../authctl.ts";

let fleet: TestFleet;
let admin: Confirmed;
beforeAll(async () => {
  fleet = await testFleet();
  admin = await confirmed(fleet);
  await setRoles(admin, ["admin"]);
}, 60_000);
afterAll(() => fleet.close());

/** A home of each test's own, and nobody who holds more than the addresses. */
let env: Record<string, string>;
let home: string;
let runs = 0;
beforeEach(() => {
  runs += 1;
  home = ownFolder(`login-${runs}`);
  const {
    AUTH_MASTER_KEY: _master,
    AUTH_DATABASE_URL: _database,
    AUTH_OPERATOR_KEY_FILE: _operator,
    ...addresses
  } = fleet.env;
  env = { ...addresses, XDG_STATE_HOME: home };
});

async function setRoles({ id }: Confirmed, roles: string[]): Promise<void> {
  await fleet.client.request("auth.admin.set-roles", {
    actorToken: await operatorToken(fleet),
    target: `id:${id}`,
    roles,
  });
}

const run = (line: string, input = "", more: Record<string, string> = {}): Promise<Ran> =>
  over(fleet).called(line.split(" "), { ...env, ...more }, input);
const logIn = (user: Confirmed, ...lines: string[]): Promise<Ran> =>
  run(`login ${user.login}`, [user.password, ...lines].join("\n"));
const files = (): string[] => readdirSync(join(home, "authfleet"));
const kept = (): Record<string, string> =>
  JSON.parse(readFileSync(join(home, "authfleet", files()[0]!), "utf8")) as Record<string, string>;
const inspect = (accessToken: string) => fleet.client.request("auth.session.inspect", { accessToken });

describe("an administrator who is logged in", () => {
  test("acts in their own name, without the master key; with --as it is an operator again", async () => {
    const { code, stdout, stderr } = await authctl(["login", admin.login], env, `${admin.password}\n`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(
      new RegExp(`^${admin.login} \\(${admin.id}\\) is logged in, until 20\\S+Z .*; roles: admin\\.\n$`),
    );
    expect(statSync(join(home, "authfleet", files()[0]!)).mode & 0o777).toBe(0o600);
    for (const secret of [kept()["accessToken"], kept()["refreshToken"]]) expect(stdout).not.toContain(secret);
    const user = await confirmed(fleet);
    expect(await run(`users ban ${user.login} --reason spam --yes`)).toMatchObject({ code: 0, stderr: "" });
    const needs = await run(`users unban ${user.login} --as nightshift`);
    expect([needs.code, needs.stderr]).toEqual([2, expect.stringContaining("AUTH_OPERATOR_KEY_FILE")]);
    await enrol(fleet, "nightshift");
    const asOperator = await run(`users unban ${user.login} --as nightshift`, "", fleet.env);
    expect(asOperator.code).toBe(0);
    const rows = (await auditOf(fleet, user.id)).filter(({ event }) => /^User(B|Unb)/.test(event));
    expect(rows.map(({ event, actor }) => [event, actor])).toEqual([
      ["UserBanned", `user:${admin.id}`],
      ["UserUnbanned", "operator:nightshift"],
    ]);
  });

  test("may do what their roles permit, and goes on when these change", async () => {
    const user = await confirmed(fleet);
    const none = await logIn(user);
    expect(none.stdout).toContain("No role counts in this session");
    const refused = await run(`users show ${admin.login}`);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("FORBIDDEN")]);
    const before = kept();
    await setRoles(user, ["admin"]); // ends every access token from before
    expect((await run(`users show ${admin.login}`)).code).toBe(0);
    expect(kept()["refreshToken"]).not.toBe(before["refreshToken"]);
    expect(kept()["sessionId"]).toBe(before["sessionId"]);
  });

  test("is told when the session is over, once; then there is none", async () => {
    await logIn(admin);
    await fleet.client.request("auth.session.logout", { accessToken: kept()["accessToken"]! });
    const over = await run(`users show ${admin.login}`);
    expect([over.code, over.stderr]).toEqual([1, expect.stringMatching(/SESSION_REVOKED.*Do authctl login again/)]);
    expect(files()).toEqual([]);
    const nobody = await run(`users show ${admin.login}`);
    expect([nobody.code, nobody.stderr]).toEqual([2, expect.stringMatching(/AUTH_OPERATOR_KEY_FILE.*authctl login/)]);
  });

  test("ends the session by another login and by logout, at the fleet too", async () => {
    await logIn(admin);
    const first = kept()["accessToken"]!;
    await logIn(admin);
    const second = kept()["accessToken"]!;
    expect(await refusalOf(inspect(first))).toBe("SESSION_REVOKED");
    expect(await inspect(second)).toMatchObject({ login: admin.login });
    expect((await run("logout")).stdout).toBe(`${admin.login} is logged out.\n`);
    expect(await refusalOf(inspect(second))).toBe("SESSION_REVOKED");
    expect(files()).toEqual([]);
    expect(await run("logout")).toMatchObject({ code: 1, stdout: "Nobody is logged in.\n" });
  });
});

describe("a login", () => {
  test("with a wrong password, or none, is refused, and nothing is kept", async () => {
    const none = await run(`login ${admin.login}`);
    expect([none.code, none.stderr]).toEqual([
      2,
      expect.stringMatching(/^Give the password on standard input.*\nUsage: /),
    ]);
    const { code, stdout } = await run(`login ${admin.login} --json`, "not the one\n");
    expect([code, JSON.parse(stdout)]).toEqual([
      1,
      { refused: expect.objectContaining({ code: "INVALID_CREDENTIALS" }) },
    ]);
    expect(readdirSync(home)).toEqual([]);
  });

  test("that needs a code takes it from the second line, of the app or a recovery code", async () => {
    const user = await withApp(fleet);
    const without = await logIn(user);
    expect([without.code, without.stderr]).toEqual([1, expect.stringMatching(/MFA_REQUIRED: .*no code was given/)]);
    const wrong = await logIn(user, "ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ");
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining("MFA_INVALID")]);
    expect((await logIn(user, await codeOf(fleet, user))).code).toBe(0);
    expect((await logIn(user, user.codes[0]!)).code).toBe(0);
    expect(await inspect(kept()["accessToken"]!)).toMatchObject({ userId: user.id });
  });

  test("at a terminal asks for what it needs, unseen, and for a code again where it was wrong", async () => {
    const user = await withApp(fleet);
    const answers = [user.login, user.password, "ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ", user.codes[1]!];
    const { code, questions } = await over(fleet).typing(["login"], env, answers);
    expect(code).toBe(0);
    expect(questions).toEqual([
      "Login: ",
      "Password: ",
      "A code of your authenticator app, or one of your recovery codes: ",
      "That was not it. A code of your authenticator app, or one of your recovery codes: ",
    ]);
    const gaveUp = await over(fleet).typing(["login", user.login], env, [user.password, ""]);
    expect([gaveUp.code, gaveUp.stderr]).toEqual([1, expect.stringContaining("MFA_REQUIRED")]);
  });

  test("of who has a passkey says that it cannot be used here", async () => {
    const user = await withPasskey(fleet);
    const { code, stdout, stderr } = await logIn(user);
    expect(code).toBe(1);
    expect(stdout).toContain("A passkey of this account cannot be used here: it needs a browser.");
    expect(stderr).toContain("MFA_REQUIRED");
  });
});
