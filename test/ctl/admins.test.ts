// authctl where further factors are an operator's business: a user who has lost them, a role that requires one. On a fleet of its own, because
// here the role admin itself requires one.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { decodeJwt } from "jose";
import { withApp } from "../support/factors.ts";
import { type Fleet, startFleet, type TestFleet, testFleet } from "../support/fleet.ts";
import { confirmed, loggedIn, refused } from "../support/people.ts";
import { answering, authctl, called } from "./authctl.ts";

let own: Fleet;
let fleet: TestFleet;
beforeAll(async () => {
  own = await startFleet("mfa", { roles: ["worker", "relay"], env: { AUTH_TOTP_ISSUER: "The House" } });
  fleet = await testFleet(own);
}, 120_000);
afterAll(async () => {
  await fleet.close();
  await own.stop();
}, 60_000);

const rolesIn = ({ accessToken }: { accessToken: string }) => decodeJwt(accessToken)["roles"];

describe("users reset-mfa", () => {
  test("asks, and then takes a user's factors away", async () => {
    const person = await withApp(fleet);
    const args = ["users", "reset-mfa", person.login, "--reason", "lost the phone"];
    const declined = await answering(args, own.env, "n");
    expect(declined).toMatchObject({ code: 1, stdout: "Nothing was done.\n" });
    expect(declined.questions[0]).toContain(`Remove all further factors of ${person.login}`);
    await expect(loggedIn(fleet, person)).resolves.toBeNull(); // a challenge: he still has them
    const { code, stdout, stderr } = await authctl([...args, "--yes"], own.env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toBe(`${person.login} (${person.id}) has no further factor any more; all sessions ended.\n`);
    expect(await loggedIn(fleet, person)).toMatchObject({ userId: person.id });
    const again = await called([...args, "--yes", "--json"], own.env);
    expect(JSON.parse(again.stdout)).toEqual({ userId: person.id, login: person.login, done: true, hadFactors: false });
  });
});

describe("roles require-mfa", () => {
  test("of admin: an admin without a factor is told how to become one again, and is one with it", async () => {
    const required = await called(["roles", "require-mfa", "admin", "--reason", "policy"], own.env);
    expect(required).toMatchObject({ code: 0, stderr: "" });
    expect(required.stdout).toBe("admin requires a further factor. 0 of those who have the role have none yet.\n");
    const person = await confirmed(fleet);
    await called(["users", "set-roles", person.login, "admin"], own.env);
    const weak = await loggedIn(fleet, person);
    expect(rolesIn(weak)).toEqual([]);
    const show = (actorToken: string) =>
      fleet.client.request("auth.admin.get-user", { actorToken, target: person.login });
    expect(await refused(show(weak.accessToken))).toMatchObject({
      code: "MFA_REQUIRED",
      details: { reason: "role", action: "enroll", role: "admin" },
    });
    const strong = await withApp(fleet, person, { endOthers: false });
    expect(rolesIn(strong.session)).toEqual(["admin"]);
    expect(await show(strong.session.accessToken)).toMatchObject({ userId: person.id });
    const { accessToken } = await fleet.client.request("auth.session.refresh", { refreshToken: weak.refreshToken });
    expect(await refused(show(accessToken))).toMatchObject({ code: "MFA_REQUIRED", details: { action: "login" } });
  });

  test("is taken back with --off, and refuses a role that there is not", async () => {
    const off = await called(["roles", "require-mfa", "admin", "--off", "--json"], own.env);
    expect(JSON.parse(off.stdout)).toEqual({ role: "admin", required: false, without: 0 });
    const person = await confirmed(fleet);
    await called(["users", "set-roles", person.login, "admin"], own.env);
    expect(rolesIn(await loggedIn(fleet, person))).toEqual(["admin"]);
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
