// What administrators and operators do, and the list of keys, through Kafka.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { readCert } from "../../src/protocol/fleet-cert.ts";
import { auditOf } from "../support/audited.ts";
import { operatorToken } from "../support/operator.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { confirmed, loggedIn, newUser, refusalOf, refused } from "../support/users.ts";

let fleet: TestFleet;
let operator: string;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
beforeEach(async () => {
  operator = await operatorToken(fleet); // it is good for a minute
});
afterAll(() => fleet.close());

const show = (target: string, actorToken = operator) =>
  fleet.client.request("auth.admin.get-user", { actorToken, target });
const setRoles = (target: string, roles: string[], actorToken = operator) =>
  fleet.client.request("auth.admin.set-roles", { actorToken, target, roles, reason: "a test" });

describe("auth.admin.get-user", () => {
  test("shows a user by login, in any case, and by id", async () => {
    const user = await confirmed(fleet);
    const shown = await show(user.login.toUpperCase());
    expect(shown).toEqual({
      userId: user.id,
      login: user.login,
      username: user.username,
      email: user.email,
      isActive: true,
      isVerified: true,
      roles: [],
      createdAt: expect.any(Number),
      bannedUntil: null,
      banReason: "",
      sessions: 1,
      lastAdmin: false,
      locale: null,
    });
    expect(await show(`id:${user.id}`)).toEqual(shown);
  });

  test("refuses an unknown target, an empty one, and who may not ask", async () => {
    const user = await confirmed(fleet);
    expect(await refusalOf(show(newUser().login))).toBe("NOT_FOUND");
    expect(await refusalOf(show("id:999999999"))).toBe("NOT_FOUND");
    expect(await refusalOf(show(""))).toBe("INVALID_INPUT");
    expect(await refusalOf(show(user.login, ""))).toBe("INVALID_INPUT");
    expect(await refusalOf(show(user.login, "garbage"))).toBe("TOKEN_INVALID");
    expect(await refusalOf(show(user.login, user.tokens.refreshToken))).toBe("TOKEN_INVALID");
    expect(await refusalOf(show(user.login, user.tokens.accessToken))).toBe("FORBIDDEN");
  });
});

describe("auth.admin.set-roles", () => {
  test("gives exactly these roles: older access tokens stop counting, a refresh gives the new ones", async () => {
    const user = await confirmed(fleet);
    expect(await setRoles(user.login, ["admin", "user", "admin"])).toEqual({
      userId: user.id,
      roles: ["admin", "user"],
    });
    expect(
      await refusalOf(fleet.client.request("auth.session.inspect", { accessToken: user.tokens.accessToken })),
    ).toBe("TOKEN_EXPIRED");
    const { accessToken } = await fleet.client.request("auth.session.refresh", {
      refreshToken: user.tokens.refreshToken,
    });
    expect(await fleet.client.request("auth.session.inspect", { accessToken })).toMatchObject({
      roles: ["admin", "user"],
    });
    expect(await setRoles(user.login, [])).toEqual({ userId: user.id, roles: [] });
    expect((await show(user.login)).roles).toEqual([]);
  });

  test("an administrator may give it, and is named in the event", async () => {
    const admin = await confirmed(fleet);
    await setRoles(admin.login, ["admin"]);
    const { accessToken } = await loggedIn(fleet, admin);
    const other = await confirmed(fleet);
    expect(await setRoles(other.login, ["user"], accessToken)).toMatchObject({ roles: ["user"] });
    const { rows } = await fleet.sql.query("SELECT actor FROM outbox WHERE user_id = $1 AND kind = 'RolesChanged'", [
      other.id,
    ]);
    expect(rows).toEqual([{ actor: `user:${admin.id}` }]);
  });

  test("an operator is named in the event too", async () => {
    const user = await confirmed(fleet);
    await setRoles(user.login, ["user"]);
    expect((await auditOf(fleet, user.id)).at(-1)).toMatchObject({
      event: "RolesChanged",
      actor: "operator:tester",
      personal: { reason: "a test" },
    });
  });

  test("refuses an unknown role and changes nothing", async () => {
    const user = await confirmed(fleet);
    await setRoles(user.login, ["user"]);
    const refusal = await refused(setRoles(user.login, ["admin", "emperor"]));
    expect([refusal.code, refusal.message]).toEqual(["INVALID_INPUT", expect.stringContaining("emperor")]);
    expect((await show(user.login)).roles).toEqual(["user"]);
  });

  test("refuses an unknown target and who may not", async () => {
    const user = await confirmed(fleet);
    expect(await refusalOf(setRoles(newUser().login, ["admin"]))).toBe("NOT_FOUND");
    expect(await refusalOf(setRoles(user.login, ["admin"], user.tokens.accessToken))).toBe("FORBIDDEN");
    expect((await show(user.login)).roles).toEqual([]);
  });
});

describe("auth.key.list", () => {
  test("lists the public halves of a signing and a sealing key, and nothing private", async () => {
    const { jwks } = await fleet.client.request("auth.key.list", {});
    const { keys } = JSON.parse(jwks) as { keys: Record<string, unknown>[] };
    expect(keys.map((key) => [key["use"], key["alg"], key["kty"], key["crv"]])).toEqual(
      expect.arrayContaining([
        ["sig", "ES256", "EC", "P-256"],
        ["enc", "ECDH-ES+A256KW", "EC", "P-256"],
      ]),
    );
    const fleetIds = new Set(fleet.env["AUTH_FLEET_ID"]!.split(","));
    for (const { cert, ...key } of keys) {
      expect(Object.keys(key).sort()).toEqual(["alg", "crv", "kid", "kty", "use", "x", "y"]);
      const { kty, crv, x, y, alg, use } = key;
      expect(readCert(cert, fleetIds)).toMatchObject({ jwk: { kty, crv, x, y, alg }, use, state: "active" });
    }
  });
});
