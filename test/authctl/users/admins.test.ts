// What concerns all administrators of a fleet, on a fleet of its own: the role admin requires a second factor, and the
// last administrator stays. With the other commands on factors.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { decodeJwt } from "jose";
import { Refusal } from "../../../src/protocol/errors.ts";
import { withApp } from "../../support/factors.ts";
import { type Fleet, startFleet } from "../../support/fleet.ts";
import { operatorToken } from "../../support/operator.ts";
import { type TestFleet, testFleet } from "../../support/test-fleet.ts";
import { until } from "../../support/until.ts";
import { confirmed, type Holder, holderOf, loggedIn, refusalOf, refused } from "../../support/users.ts";
import { answering, authctl, called } from "../authctl.ts";

let own: Fleet;
let fleet: TestFleet;
let operator: string;
beforeAll(async () => {
  own = await startFleet("admins", { processes: ["worker", "relay"], env: { AUTH_PRODUCT: "The House" } });
  fleet = await testFleet(own);
}, 120_000);
beforeEach(async () => {
  operator = await operatorToken(fleet); // it is good for a minute
});
afterAll(async () => {
  await fleet.close();
  await own.stop();
}, 60_000);

const rolesIn = ({ accessToken }: { accessToken: string }) => decodeJwt(accessToken)["roles"];

describe("users reset-mfa", () => {
  test("asks, and then takes a user's factors away", async () => {
    const user = await withApp(fleet);
    const args = ["users", "reset-mfa", user.login, "--reason", "lost the phone"];
    const declined = await answering(args, own.env, "n");
    expect(declined).toMatchObject({ code: 1, stdout: "Nothing was done.\n" });
    expect(declined.questions[0]).toContain(`Remove all second factors of ${user.login}`);
    await expect(loggedIn(fleet, user)).resolves.toBeNull(); // a challenge: they still have them
    const { code, stdout, stderr } = await authctl([...args, "--yes"], own.env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toBe(`${user.login} (${user.id}) has no second factor any more; all sessions ended.\n`);
    expect(await loggedIn(fleet, user)).toMatchObject({ userId: user.id });
    const again = await called([...args, "--yes", "--json"], own.env);
    expect(JSON.parse(again.stdout)).toEqual({ userId: user.id, login: user.login, done: true, hadFactors: false });
  });
});

describe("roles require-mfa", () => {
  test("of admin: an admin without a factor is told how to become one again, and is one with it", async () => {
    const required = await called(["roles", "require-mfa", "admin", "--reason", "policy"], own.env);
    expect(required).toMatchObject({ code: 0, stderr: "" });
    expect(required.stdout).toBe("admin requires a second factor. 0 of those who have the role have none yet.\n");
    const user = await confirmed(fleet);
    await called(["users", "set-roles", user.login, "admin"], own.env);
    const weak = await loggedIn(fleet, user);
    expect(rolesIn(weak)).toEqual([]);
    const show = (actorToken: string) =>
      fleet.client.request("auth.admin.get-user", { actorToken, target: user.login });
    expect(await refused(show(weak.accessToken))).toMatchObject({
      code: "MFA_REQUIRED",
      details: { reason: "role", action: "enroll", role: "admin" },
    });
    const strong = await withApp(fleet, user, { endOthers: false });
    expect(rolesIn(strong.session)).toEqual(["admin"]);
    expect(await show(strong.session.accessToken)).toMatchObject({ userId: user.id });
    const { accessToken } = await fleet.client.request("auth.session.refresh", { refreshToken: weak.refreshToken });
    expect(await refused(show(accessToken))).toMatchObject({ code: "MFA_REQUIRED", details: { action: "login" } });
  });

  test("is taken back with --off, and refuses a role that there is not", async () => {
    const off = await called(["roles", "require-mfa", "admin", "--off", "--json"], own.env);
    expect(JSON.parse(off.stdout)).toEqual({ role: "admin", required: false, without: 0 });
    const user = await confirmed(fleet);
    await called(["users", "set-roles", user.login, "admin"], own.env);
    expect(rolesIn(await loggedIn(fleet, user))).toEqual(["admin"]);
    const unknown = await called(["roles", "require-mfa", "nothing"], own.env);
    expect(unknown).toMatchObject({ code: 1, stdout: "" });
    expect(unknown.stderr).toContain("NOT_FOUND");
  });
});

test("an app shows the issuer that the configuration names", async () => {
  const { accessToken } = await loggedIn(fleet, await confirmed(fleet));
  const { uri } = await fleet.client.request("auth.mfa.enroll", { accessToken });
  expect(uri).toMatch(/^otpauth:\/\/totp\/The%20House:.*&issuer=The%20House&/);
});

describe("the last administrator", () => {
  const reason = "a test";
  const setRoles = (target: string, roles: string[], actorToken = operator) =>
    fleet.client.request("auth.admin.set-roles", { actorToken, target, roles, reason });
  const ban = (target: string, actorToken = operator) =>
    fleet.client.request("auth.admin.ban-user", { actorToken, target, reason });
  const erase = (target: string, actorToken = operator) =>
    fleet.client.request("auth.admin.delete-user", { actorToken, target, reason });

  const having = (...roles: string[]) => holderOf(fleet, operator, roles);

  /** Nobody but those who are named. */
  async function onlyAdmins(count: number): Promise<Holder[]> {
    await fleet.sql.query("DELETE FROM user_roles WHERE role_id = (SELECT id FROM roles WHERE name = 'admin')");
    return Promise.all(Array.from({ length: count }, () => having("admin")));
  }
  const admins = async () => {
    const { rows } = await fleet.sql.query(
      `SELECT user_id::int AS id FROM user_roles ur JOIN roles r ON r.id = ur.role_id JOIN users u ON u.id = ur.user_id
       WHERE r.name = 'admin' AND banned_at IS NULL`,
    );
    return rows.map(({ id }: { id: number }) => id);
  };

  test("is neither demoted nor banned nor deleted by themselves; beside another one they are", async () => {
    const [admin] = (await onlyAdmins(1)) as [Holder];
    for (const act of [
      setRoles(admin.login, [], admin.accessToken),
      ban(admin.login, admin.accessToken),
      erase(admin.login, admin.accessToken),
      fleet.client.request("auth.account.delete", { accessToken: admin.accessToken, password: admin.password }),
    ]) {
      const refusal = await refused(act);
      expect([refusal.code, refusal.details]).toEqual(["FORBIDDEN", { reason: "last-admin" }]);
    }
    const shown = () => fleet.client.request("auth.admin.get-user", { actorToken: operator, target: admin.login });
    expect(await shown()).toMatchObject({ lastAdmin: true, roles: ["admin"] });
    const unconfirmed = await having("admin");
    await ban(unconfirmed.login); // who cannot log in is none
    expect(await refusalOf(setRoles(admin.login, [], admin.accessToken))).toBe("FORBIDDEN");
    const second = await having("admin");
    expect((await shown()).lastAdmin).toBe(false);
    expect(await setRoles(admin.login, [], admin.accessToken)).toEqual({ userId: admin.id, roles: [] });
    expect(await admins()).toEqual([second.id]);
  });

  test("may be removed by an operator, who can make another; authctl asks first", async () => {
    const [admin] = (await onlyAdmins(1)) as [Holder];
    const words = ["users", "set-roles", admin.login, "--none"];
    const no = await answering(words, fleet.env, "n");
    expect(no).toMatchObject({ code: 1, questions: [expect.stringContaining("is the last administrator")] });
    expect(await admins()).toEqual([admin.id]);
    expect((await called(words, fleet.env)).stderr).toContain("say --yes");
    expect((await called([...words, "--yes"], fleet.env)).code).toBe(0);
    expect(await admins()).toEqual([]);
  });

  test.each(["delete", "admin_delete_user", "admin_ban_user"])(
    "is left alone by the platform's topic %s: the record is a dead letter that says why",
    async (topic) => {
      const [admin] = (await onlyAdmins(1)) as [Holder];
      const send = (key: string) =>
        fleet.kafka.produce([
          { topic, partition: 0, key: Buffer.from(key), value: Buffer.from(`{"id":${admin.id}}`), headers: {} },
        ]);
      await send(`last-${admin.login}`);
      const isOurs = ({ key }: { key: Buffer | null }): boolean => String(key) === `last-${admin.login}`;
      const letter = await fleet.mails.last("auth.dead-letter", isOurs);
      expect(String(letter.headers["auth-dlq-error"])).toContain("last administrator");
      expect(String(letter.headers["auth-dlq-topic"])).toBe(topic);
      expect(await admins()).toEqual([admin.id]);
      // The control: beside another one it is as anybody.
      await having("admin");
      await send("again");
      await until("it was carried out", async () => {
        const { rows } = await fleet.sql.query("SELECT FROM users WHERE id = $1 AND banned_at IS NULL", [admin.id]);
        return rows.length === 0;
      });
    },
  );

  test("stays where two who are the last resign at the same moment: one of them is refused", async () => {
    const both = await onlyAdmins(2);
    // Both have read that there is another one before either commits. The lock is the one an UPDATE takes, so that the
    // relay, which gives new users their keys for the audit, does not wait here too.
    await fleet.sql.query("BEGIN");
    await fleet.sql.query("SELECT FROM users WHERE id = ANY($1) FOR NO KEY UPDATE", [both.map(({ id }) => id)]);
    const resigned = both.map(({ login, accessToken }) => setRoles(login, [], accessToken).then(() => "done", codeOf));
    await until("both commits wait for their rows", async () => (await waiting()) === 2);
    await fleet.sql.query("COMMIT");
    expect((await Promise.all(resigned)).sort()).toEqual(["FORBIDDEN", "done"]);
    expect(await admins()).toHaveLength(1);
  });

  const codeOf = (error: unknown): string => (error instanceof Refusal ? error.code : String(error));

  async function waiting(): Promise<number> {
    await fleet.sql.query("SELECT pg_stat_clear_snapshot()");
    const { rows } = await fleet.sql.query<{ count: number }>(
      "SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    );
    return rows[0]!.count;
  }
});
