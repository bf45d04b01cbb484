// Refused attempts at administrative commands: each is a row of the audit and an event, once per request, by who is
// known; and how many rows there can be. Those of nobody, and the bound through Kafka, are in test/audit/audit.test.ts,
// whose fleet nobody else asks.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { makeDenials, rowsPerMinute } from "../../../src/command/admin/denials.ts";
import { handlers } from "../../../src/handlers/index.ts";
import { type Audited, auditShown, chainWaiting } from "../../support/audited.ts";
import { operatorToken } from "../../support/operator.ts";
import { type TestFleet, testFleet } from "../../support/test-fleet.ts";
import { until } from "../../support/until.ts";
import { type Confirmed, confirmed, loggedIn, newUser, refusalOf } from "../../support/users.ts";

let fleet: TestFleet;
let operator: string;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
beforeEach(async () => {
  operator = await operatorToken(fleet); // it is good for a minute
});
afterAll(() => fleet.close());

/** The rows of who acts. */
async function rowsOf({ id }: Confirmed): Promise<Audited[]> {
  await chainWaiting(fleet.env);
  return (await auditShown(fleet.env, "--actor", `user:${id}`)).filter(({ event }) => event === "AdminRefused");
}

const attempts: Record<string, object> = {
  "find-users": { search: "somebody", cursor: "" },
  "list-roles": {},
  "change-role": { role: "refused", grant: ["a.b"], create: true },
  "delete-role": { role: "Not A Role" },
  "require-mfa": { role: "admin", required: false },
  "list-operators": {},
  "add-operator": { name: "olga", publicKey: "{}" },
  "remove-operator": { name: "No Operator" },
};

describe("an attempt without the permission", () => {
  test("at any administrative command is a row with who, what, whom and why; the event says the same", async () => {
    const user = await confirmed(fleet);
    const victim = await confirmed(fleet);
    const commands = handlers.map(({ topic }) => topic).filter((topic) => topic.startsWith("auth.admin."));
    for (const topic of commands) {
      const input = attempts[topic.slice("auth.admin.".length)] ?? {
        target: victim.login,
        roles: [],
        until: null,
        reason: "a test",
      };
      const ask = { actorToken: user.tokens.accessToken, ...input };
      expect([topic, await refusalOf(fleet.client.request(topic, ask as never))]).toEqual([topic, "FORBIDDEN"]);
    }
    const targets: Record<string, string> = {
      ...{ "find-users": "", "list-roles": "", "delete-role": "", "list-operators": "", "remove-operator": "" },
      "add-operator": "operator:olga",
      ...{ "change-role": "role:refused", "require-mfa": "role:admin" },
    };
    const rows = await rowsOf(user);
    expect(
      rows.map(({ details: { command, target, code, more }, outcome, userId }) => [
        command,
        target,
        code,
        outcome,
        more,
        userId,
      ]),
    ).toEqual(
      commands.map((topic) => {
        const command = topic.slice("auth.admin.".length);
        return [command, targets[command] ?? `id:${victim.id}`, "FORBIDDEN", "FORBIDDEN", 0, null];
      }),
    );
    expect(rows.find(({ details }) => details["command"] === "ban-user")?.details["permission"]).toBe("users.ban");
    expect(rows.every(({ personal }) => personal === null)).toBe(true);
    const key = ({ key: of }: { key: Buffer | null }) => String(of) === `user:${user.id}`;
    expect(await fleet.mails.count("auth.event", commands.length, key)).toHaveLength(commands.length);
    expect(
      (await fleet.client.request("auth.admin.get-user", { actorToken: operator, target: victim.login })).isActive,
    ).toBe(true);
  });

  test("that comes again is answered again and is no second row; another one is", async () => {
    const user = await confirmed(fleet);
    const ask = (idempotencyKey: string) =>
      refusalOf(
        fleet.client.request(
          "auth.admin.get-user",
          { actorToken: user.tokens.accessToken, target: user.login },
          { idempotencyKey },
        ),
      );
    const key = `refused-of-${user.login}`;
    expect([await ask(key), await ask(key), await ask(`${key}-2`)]).toEqual(["FORBIDDEN", "FORBIDDEN", "FORBIDDEN"]);
    expect(await rowsOf(user)).toHaveLength(2);
  });

  test("says nothing of a target that is nobody, which may be anything that somebody typed", async () => {
    const user = await confirmed(fleet);
    const typed = newUser().login;
    const ask = { actorToken: user.tokens.accessToken, target: typed };
    expect(await refusalOf(fleet.client.request("auth.admin.ban-user", ask))).toBe("FORBIDDEN");
    expect(await rowsOf(user)).toMatchObject([{ details: { command: "ban-user", target: "" }, personal: null }]);
  });
});

test("attempts at who may do more, at more than one has, and without the second factor that a role takes are rows too", async () => {
  const role = `denied-${newUser().login.slice(1, 9)}`;
  const grant = ["users.ban", "users.set-roles"];
  const roles = { actorToken: operator, reason: "a test" };
  await fleet.client.request("auth.admin.change-role", { ...roles, role, create: true, grant });
  const [helper, admin, victim] = [await confirmed(fleet), await confirmed(fleet), await confirmed(fleet)];
  await fleet.client.request("auth.admin.set-roles", { ...roles, target: helper.login, roles: [role] });
  await fleet.client.request("auth.admin.set-roles", { ...roles, target: admin.login, roles: ["admin"] });
  const { accessToken: actorToken } = await loggedIn(fleet, helper);
  const ban = (target: string) => fleet.client.request("auth.admin.ban-user", { actorToken, target, reason: "a test" });
  expect(await refusalOf(ban(admin.login))).toBe("FORBIDDEN");
  const raise = { actorToken, target: victim.login, roles: ["admin"] };
  expect(await refusalOf(fleet.client.request("auth.admin.set-roles", raise))).toBe("FORBIDDEN");
  await ban(victim.login); // the control: what is allowed leaves no such row
  await fleet.client.request("auth.admin.require-mfa", { ...roles, role, required: true });
  expect(await refusalOf(ban(victim.login))).toBe("MFA_REQUIRED");
  const rows = await rowsOf(helper);
  expect(rows.map(({ details: { command, target, code } }) => [command, target, code])).toEqual([
    ["ban-user", `id:${admin.id}`, "FORBIDDEN"],
    ["set-roles", `id:${victim.id}`, "FORBIDDEN"],
    ["ban-user", `id:${victim.id}`, "MFA_REQUIRED"],
  ]);
  // What is wrong in the request itself is no attempt at a right.
  const wrong = { actorToken: operator, target: newUser().login, reason: "a test" };
  expect(await refusalOf(fleet.client.request("auth.admin.ban-user", wrong))).toBe("NOT_FOUND");
  const shown = await auditShown(fleet.env, "--actor", "operator:tester");
  expect(shown.filter(({ event }) => event === "AdminRefused")).toEqual([]);
});

describe("makeDenials", () => {
  function denials(every = 3_600_000) {
    const told: [string, number][] = [];
    const failures: unknown[] = [];
    const made = makeDenials({
      every,
      tell: async (actor, more) => {
        if (actor === "user:broken") throw new Error("the database is away");
        told.push([actor, more]);
      },
      failed: (error) => failures.push(error),
    });
    return { ...made, told, failures };
  }
  const admitted = ({ mayWriteRow }: { mayWriteRow(actor: string): boolean }, actor: string, times: number) =>
    Array.from({ length: times }, () => mayWriteRow(actor)).filter(Boolean).length;

  test("takes so many of each actor, and counts the others", async () => {
    const some = denials();
    expect(admitted(some, "user:1", rowsPerMinute + 5)).toBe(rowsPerMinute);
    expect(admitted(some, "user:2", rowsPerMinute)).toBe(rowsPerMinute);
    expect(some.told).toEqual([]);
    await some.close();
    expect(some.told).toEqual([["user:1", 5]]);
  });

  test("begins anew when the minute is over, and tells the count then", async () => {
    const some = denials(5);
    admitted(some, "user:1", rowsPerMinute + 3);
    await until("it is told", () => some.told.length === 1);
    expect([some.told, some.mayWriteRow("user:1")]).toEqual([[["user:1", 3]], true]);
    await some.close();
    expect(some.told).toHaveLength(1);
  });

  test("says where a count could not be written, and goes on", async () => {
    const some = denials();
    admitted(some, "user:broken", rowsPerMinute + 1);
    await some.close();
    expect(some.failures).toMatchObject([{ message: "the database is away" }]);
  });
});
