// Roles and permissions through Kafka: what administrators may, and what they may not give themselves. That one of them
// always stays is in test/authctl/users/admins.test.ts, whose fleet has no others.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { permissions } from "../../src/command/admin/permissions.ts";
import { chainWaiting } from "../support/audited.ts";
import { operatorToken } from "../support/operator.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { confirmed, holderOf, refusalOf, refused } from "../support/users.ts";

let fleet: TestFleet;
let operator: string;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
beforeEach(async () => {
  operator = await operatorToken(fleet); // it is good for a minute
});
afterAll(() => fleet.close());

const reason = "a test";
const newRole = (): string => `r${randomBytes(5).toString("hex")}`;
const setRoles = (target: string, roles: string[], actorToken = operator) =>
  fleet.client.request("auth.admin.set-roles", { actorToken, target, roles, reason });
const ban = (target: string, actorToken = operator) =>
  fleet.client.request("auth.admin.ban-user", { actorToken, target, reason });
const erase = (target: string, actorToken = operator) =>
  fleet.client.request("auth.admin.delete-user", { actorToken, target, reason });
const allowed = async (accessToken: string, permission: string) =>
  (await fleet.client.request("auth.access.check", { accessToken, permission })).allowed;
const rolesNow = async () => (await fleet.client.request("auth.admin.list-roles", { actorToken: operator })).roles;

interface Change {
  create?: boolean;
  grant?: string[];
  revoke?: string[];
  actorToken?: string;
}
const change = (role: string, { actorToken = operator, ...what }: Change) =>
  fleet.client.request("auth.admin.change-role", { actorToken, role, reason, ...what });
const remove = (role: string, actorToken = operator) =>
  fleet.client.request("auth.admin.delete-role", { actorToken, role, reason });

async function audited(role: string): Promise<object[]> {
  const { rows } = await fleet.sql.query<object>(
    `SELECT event, actor, user_id, details->>'reason' AS reason, details->'permissions' AS permissions FROM audit
     WHERE details->>'role' = $1 ORDER BY number`,
    [role],
  );
  return rows;
}

const having = (...roles: string[]) => holderOf(fleet, operator, roles);

async function roleThatMay(...grant: string[]): Promise<string> {
  const role = newRole();
  await change(role, { create: true, grant });
  return role;
}

describe("the role admin", () => {
  test("has every permission of the service, by migration", async () => {
    const admin = (await rolesNow()).find(({ name }) => name === "admin");
    expect(admin?.permissions).toEqual(Object.keys(permissions).sort());
  });

  test("keeps them, and stays", async () => {
    expect(await refusalOf(change("admin", { revoke: ["users.ban"] }))).toBe("INVALID_INPUT");
    expect(await refusalOf(remove("admin"))).toBe("INVALID_INPUT");
    await change("admin", { grant: ["posts.moderate"] }); // the control: others come and go
    expect(await change("admin", { revoke: ["posts.moderate"] })).toEqual({
      role: "admin",
      permissions: Object.keys(permissions).sort(),
    });
  });

  test("is what docs/administration.md says it is", () => {
    const page = readFileSync(join(import.meta.dirname, "..", "..", "docs", "administration.md"), "utf8");
    for (const [name, allows] of Object.entries(permissions)) expect(page).toContain(`| \`${name}\` | ${allows} |`);
  });
});

describe("auth.access.check", () => {
  test("follows the roles of the user and what they permit, at once", async () => {
    const role = await roleThatMay("posts.moderate");
    const { accessToken, login } = await having(role);
    expect(await allowed(accessToken, "posts.moderate")).toBe(true);
    expect(await allowed(accessToken, "posts.delete")).toBe(false);
    await change(role, { grant: ["posts.delete"], revoke: ["posts.moderate"] });
    expect(await allowed(accessToken, "posts.delete")).toBe(true);
    expect(await allowed(accessToken, "posts.moderate")).toBe(false);
    await setRoles(login, []);
    expect(await refusalOf(allowed(accessToken, "posts.delete"))).toBe("TOKEN_EXPIRED"); // a refresh gives the token without the role
  });

  test("of nobody special, or of a permission that nobody knows, is false", async () => {
    const { tokens } = await confirmed(fleet);
    expect(await allowed(tokens.accessToken, "users.ban")).toBe(false);
    expect(await allowed(tokens.accessToken, "no.such-thing")).toBe(false);
  });

  test("refuses what is no permission's name, and a token that does not count", async () => {
    const { tokens } = await confirmed(fleet);
    for (const name of ["", "Users.Ban", "a b", "x".repeat(65)])
      expect(await refusalOf(allowed(tokens.accessToken, name))).toBe("INVALID_INPUT");
    expect(await refusalOf(allowed("garbage", "users.ban"))).toBe("TOKEN_INVALID");
    await ban(`id:${(await fleet.client.request("auth.session.inspect", { accessToken: tokens.accessToken })).userId}`);
    expect(await refusalOf(allowed(tokens.accessToken, "users.ban"))).toBe("SESSION_REVOKED");
  });
});

describe("a role", () => {
  test("is made, changed and deleted by an operator, with an event each", async () => {
    const role = newRole();
    expect(await change(role, { create: true, grant: ["b.two", "a.one"] })).toEqual({
      role,
      permissions: ["a.one", "b.two"],
    });
    expect(await change(role, { grant: ["c"], revoke: ["b.two", "not.there"] })).toEqual({
      role,
      permissions: ["a.one", "c"],
    });
    expect((await rolesNow()).find(({ name }) => name === role)).toEqual({ name: role, permissions: ["a.one", "c"] });
    expect(await remove(role)).toEqual({ role });
    expect((await rolesNow()).some(({ name }) => name === role)).toBe(false);
    const by = { actor: "operator:tester", user_id: null, reason };
    await chainWaiting(fleet.env);
    expect(await audited(role)).toEqual([
      { event: "RoleChanged", permissions: ["a.one", "b.two"], ...by },
      { event: "RoleChanged", permissions: ["a.one", "c"], ...by },
      { event: "RoleDeleted", permissions: null, ...by },
    ]);
    const published = await fleet.mails.count("auth.event", 3, ({ key }) => String(key) === `role:${role}`);
    expect(published).toHaveLength(3);
  });

  test("that somebody has is not deleted", async () => {
    const role = await roleThatMay("a.one");
    const { login } = await having(role);
    expect((await refused(remove(role))).message).toMatch(/somebody has/);
    await setRoles(login, []);
    expect(await remove(role)).toEqual({ role });
  });

  test("changed by many at once has all their changes", async () => {
    const role = await roleThatMay();
    const names = Array.from({ length: 4 }, (_, at) => `many.${at}`);
    const admins = await Promise.all(names.map(() => having("admin")));
    await change("admin", { grant: names });
    await Promise.all(names.map((name, at) => change(role, { grant: [name], actorToken: admins[at]!.accessToken })));
    expect((await rolesNow()).find(({ name }) => name === role)?.permissions).toEqual(names);
    await change("admin", { revoke: names });
  });

  test("is refused with a bad name, a bad permission, nothing to do, a contradiction, or when it is there or is not", async () => {
    const role = await roleThatMay("a.one");
    const bad: [string, Change][] = [
      ["Upper", { create: true }],
      ["", { create: true }],
      [role, { create: true }],
      [role, {}],
      [role, { grant: ["A"] }],
      [role, { grant: ["a.two"], revoke: ["a.two"] }],
    ];
    for (const [name, what] of bad) expect(await refusalOf(change(name, what))).toBe("INVALID_INPUT");
    expect(await refusalOf(change(newRole(), { grant: ["a.one"] }))).toBe("NOT_FOUND");
    expect(await refusalOf(remove(newRole()))).toBe("NOT_FOUND");
    expect((await rolesNow()).find(({ name }) => name === role)?.permissions).toEqual(["a.one"]);
  });
});

describe("who is no operator", () => {
  const commands: [string, (actorToken: string, target: string) => Promise<unknown>][] = [
    ["users.read", (actorToken, target) => fleet.client.request("auth.admin.get-user", { actorToken, target })],
    [
      "users.read",
      (actorToken, search) => fleet.client.request("auth.admin.find-users", { actorToken, search, cursor: "" }),
    ],
    ["users.read", (actorToken, target) => fleet.client.request("auth.admin.list-sessions", { actorToken, target })],
    [
      "sessions.revoke",
      (actorToken, target) => fleet.client.request("auth.admin.revoke-sessions", { actorToken, target }),
    ],
    ["users.ban", (actorToken, target) => ban(target, actorToken)],
    ["users.ban", (actorToken, target) => fleet.client.request("auth.admin.unban-user", { actorToken, target })],
    ["users.set-roles", (actorToken, target) => setRoles(target, [], actorToken)],
    ["roles.read", (actorToken) => fleet.client.request("auth.admin.list-roles", { actorToken })],
    ["roles.change", (actorToken) => change(newRole(), { create: true, actorToken })],
    [
      "users.export",
      (actorToken, target) => fleet.client.request("auth.admin.export-user", { actorToken, target, reason: "a test" }),
    ],
    ["users.delete", (actorToken, target) => erase(target, actorToken)],
  ];

  test("may do what the permission of each command says, and without it is told which one is lacking", async () => {
    const victim = await confirmed(fleet);
    const nobody = await having("user");
    for (const [permission, act] of commands) {
      const refusal = await refused(act(nobody.accessToken, victim.login));
      expect([refusal.code, refusal.details]).toEqual(["FORBIDDEN", { permission }]);
    }
    const role = await roleThatMay();
    const helper = await having(role);
    for (const [permission, act] of commands) {
      await change(role, { grant: [permission] });
      await act(helper.accessToken, victim.login);
      await change(role, { revoke: [permission] });
    }
  });

  test("gives nobody a role that permits more than they may, themselves least of all, and takes none", async () => {
    const role = await roleThatMay("users.set-roles", "users.read");
    await change(role, { grant: [`role.${role}`, "role.user"] });
    const helper = await having(role);
    const admin = await having("admin");
    const token = helper.accessToken;
    expect(await refusalOf(setRoles(helper.login, [role, "admin"], token))).toBe("FORBIDDEN");
    expect(await refusalOf(setRoles(admin.login, [], token))).toBe("FORBIDDEN");
    const other = await confirmed(fleet);
    expect(await setRoles(other.login, [role, "user"], token)).toMatchObject({ roles: [role, "user"].sort() }); // the control
  });

  test("gives a role nothing that they may not do themselves, and changes none that permits more", async () => {
    const strong = await roleThatMay("users.ban");
    const weak = await roleThatMay();
    const role = await roleThatMay("roles.change", "users.read", "roles.give-any");
    const { accessToken: actorToken } = await having(role);
    expect(await refusalOf(change(role, { grant: ["users.ban"], actorToken }))).toBe("FORBIDDEN");
    expect(await refusalOf(change(strong, { revoke: ["users.ban"], actorToken }))).toBe("FORBIDDEN");
    expect(await refusalOf(change(newRole(), { create: true, grant: ["anything"], actorToken }))).toBe("FORBIDDEN");
    expect(await refusalOf(remove(strong, actorToken))).toBe("FORBIDDEN");
    expect(await refusalOf(change(strong, { grant: ["users.read"], actorToken }))).toBe("FORBIDDEN");
    expect(await change(weak, { grant: ["users.read"], actorToken })).toMatchObject({
      permissions: ["users.read"], // the control
    });
  });

  test("bans, deletes and logs out nobody who may do more", async () => {
    const { accessToken } = await having(await roleThatMay("users.ban", "users.delete", "sessions.revoke"));
    const admin = await having("admin");
    expect(await refusalOf(ban(admin.login, accessToken))).toBe("FORBIDDEN");
    expect(await refusalOf(erase(admin.login, accessToken))).toBe("FORBIDDEN");
    expect(
      await refusalOf(
        fleet.client.request("auth.admin.revoke-sessions", { actorToken: accessToken, target: admin.login }),
      ),
    ).toBe("FORBIDDEN");
    expect(await allowed(admin.accessToken, "users.ban")).toBe(true);
  });
});
