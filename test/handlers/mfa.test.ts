// Second factors by an authenticator app: setting up, recovery codes, taking off; the roles that require one, and the
// commands that need a login of a moment ago.
import { beforeAll, describe, expect, test } from "@jest/globals";
import { decodeJwt } from "jose";
import { newOpaque } from "../../src/crypto/opaque.ts";
import {
  answer,
  challenged,
  enrolled,
  eventsOf,
  loggedInWithApp,
  registerPasskey,
  shownNow,
  withApp,
} from "../support/factors.ts";
import { byPassword, confirmed, loggedIn, refusalOf, refused, registered } from "../support/users.ts";
import {
  activate,
  amrOf,
  disable,
  enroll,
  factors,
  fleet,
  inspect,
  newCodes,
  operator,
  refresh,
  wrongCodes,
} from "./mfa-requests.ts";

describe("setting up an app", () => {
  test("gives a secret and its URI; nothing counts before a code was shown", async () => {
    const user = await confirmed(fleet);
    const { accessToken } = await loggedIn(fleet, user);
    const { secret, uri } = await enroll(accessToken);
    expect(secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(uri).toBe(
      `otpauth://totp/Auth:${user.login}?secret=${secret}&issuer=Auth&algorithm=SHA1&digits=6&period=30`,
    );
    expect(await loggedIn(fleet, user)).toMatchObject({ userId: user.id });
    expect((await enroll(accessToken)).secret).not.toBe(secret);
  });

  test("keeps the secret encrypted only", async () => {
    const user = await confirmed(fleet);
    const secret = await enrolled(fleet, user.tokens.accessToken);
    const { rows } = await fleet.sql.query<{ secret: Buffer }>("SELECT secret FROM totp_factors WHERE user_id = $1", [
      user.id,
    ]);
    expect(rows[0]!.secret.includes(secret)).toBe(false);
  });

  test("takes a right code only, gives ten recovery codes, and tells of it", async () => {
    const user = await confirmed(fleet);
    const { accessToken } = await loggedIn(fleet, user);
    expect(await refusalOf(activate(accessToken, "123456"))).toBe("NOT_FOUND");
    const secret = await enrolled(fleet, accessToken);
    expect(await refusalOf(activate(accessToken, wrongCodes(secret, 1)[0]!))).toBe("MFA_INVALID");
    expect(await refusalOf(activate(accessToken, ""))).toBe("INVALID_INPUT");
    const { codes } = await activate(accessToken, shownNow(secret));
    expect(new Set(codes).size).toBe(10);
    expect(await eventsOf(fleet, user, "^Mfa")).toEqual(["MfaChanged totp-activated"]);
  });

  test("asked again with its key, it gives the same codes", async () => {
    const user = await confirmed(fleet);
    const { accessToken } = await loggedIn(fleet, user);
    const input = { accessToken, code: shownNow(await enrolled(fleet, accessToken)) };
    const options = { idempotencyKey: `activation-of-${user.login}` };
    const first = await fleet.client.request("auth.mfa.activate", input, options);
    expect(await fleet.client.request("auth.mfa.activate", input, options)).toEqual(first);
  });

  test("ends access tokens from before and other sessions; its own goes on as one with two factors", async () => {
    const user = await confirmed(fleet);
    const other = await loggedIn(fleet, user);
    const before = await loggedIn(fleet, user);
    await activate(before.accessToken, shownNow(await enrolled(fleet, before.accessToken)));
    expect(await refusalOf(inspect(before.accessToken))).toBe("TOKEN_EXPIRED");
    expect(await refusalOf(refresh(other.refreshToken))).toBe("SESSION_REVOKED");
    expect(amrOf(await refresh(before.refreshToken))).toEqual(["pwd", "otp", "mfa"]);
    const { rows } = await fleet.sql.query("SELECT key FROM outbox WHERE topic = 'auth.revocation' AND key = $1", [
      `u:${user.id}`,
    ]);
    expect(rows).toHaveLength(1);
  });

  test("leaves other sessions on where that is wanted, as sessions with one factor", async () => {
    const user = await confirmed(fleet);
    const other = await loggedIn(fleet, user);
    await withApp(fleet, user, { endOthers: false });
    expect(amrOf(await refresh(other.refreshToken))).toEqual(["pwd"]);
  });

  test("in the session of a confirmation link is no login with two factors", async () => {
    const { tokens } = await confirmed(fleet);
    await activate(tokens.accessToken, shownNow(await enrolled(fleet, tokens.accessToken)));
    expect(amrOf(await refresh(tokens.refreshToken))).toEqual(["otp"]);
  });

  test("is refused where one is active", async () => {
    const { session } = await withApp(fleet);
    expect(await refused(enroll(session.accessToken))).toMatchObject({
      code: "INVALID_INPUT",
      details: { reason: "active" },
    });
  });
});

describe("recovery codes", () => {
  test("work once each, as they are typed, and are counted down", async () => {
    const user = await withApp(fleet);
    const [first = "", second = ""] = user.codes;
    const use = async (code: string) => answer(fleet, (await challenged(fleet, user)).challenge, code, "recovery");
    const tokens = await use(first.toLowerCase().replaceAll("-", " "));
    expect(amrOf(tokens)).toEqual(["pwd", "otp", "mfa"]);
    expect(await refusalOf(use(first))).toBe("MFA_INVALID");
    expect(await use(second)).toMatchObject({ userId: user.id });
    expect(await factors(tokens.accessToken)).toEqual({ passkeys: [], authenticatorApp: true, recoveryLeft: 8 });
  });

  test("of another user do not work", async () => {
    const [one, other] = [await withApp(fleet), await withApp(fleet)];
    expect(await refusalOf(answer(fleet, (await challenged(fleet, one)).challenge, other.codes[0]!, "recovery"))).toBe(
      "MFA_INVALID",
    );
  });

  test("are replaced by new ones", async () => {
    const user = await withApp(fleet);
    const { codes } = await newCodes(user.session.accessToken);
    const { challenge } = await challenged(fleet, user);
    expect(await refusalOf(answer(fleet, challenge, user.codes[0]!, "recovery"))).toBe("MFA_INVALID");
    expect(await answer(fleet, challenge, codes[0]!, "recovery")).toMatchObject({ userId: user.id });
    expect(await eventsOf(fleet, user, "^MfaC")).toEqual(["MfaChanged totp-activated", "MfaChanged recovery-codes"]);
    const { rows } = await fleet.sql.query("SELECT FROM recovery_codes WHERE user_id = $1", [user.id]);
    expect(rows).toHaveLength(10);
  });

  test("are for who has a factor", async () => {
    const { accessToken } = await loggedIn(fleet, await confirmed(fleet));
    expect(await refusalOf(newCodes(accessToken))).toBe("NOT_FOUND");
  });
});

describe("disabling", () => {
  test("leaves the password alone, ends other sessions, and takes the recovery codes along", async () => {
    const user = await withApp(fleet);
    const other = await loggedInWithApp(fleet, user);
    await disable(user.session.accessToken);
    const tokens = await loggedIn(fleet, user);
    expect(await factors(tokens.accessToken)).toEqual({ passkeys: [], authenticatorApp: false, recoveryLeft: 0 });
    expect(await refusalOf(refresh(other.refreshToken))).toBe("SESSION_REVOKED");
    expect(await refusalOf(inspect(user.session.accessToken))).toBe("TOKEN_EXPIRED");
    expect(await refusalOf(disable(tokens.accessToken))).toBe("NOT_FOUND");
    expect((await eventsOf(fleet, user, "^Mfa")).at(-1)).toBe("MfaChanged totp-disabled");
  });

  test("keeps the recovery codes where a passkey is left", async () => {
    const user = await withApp(fleet);
    await registerPasskey(fleet, user.session.accessToken);
    const { accessToken } = await refresh(user.session.refreshToken);
    await disable(accessToken);
    const { methods } = await challenged(fleet, user);
    expect(methods).toEqual(["passkey", "recovery"]);
  });
});

describe("commands that need a login of a moment ago", () => {
  const commands: [string, (accessToken: string) => Promise<unknown>][] = [
    ["enroll", enroll],
    ["activate", (accessToken) => activate(accessToken, "123456")],
    ["disable", disable],
    ["recovery-codes", newCodes],
    ["begin-registration", (accessToken) => fleet.client.request("auth.passkey.begin-registration", { accessToken })],
    [
      "finish-registration",
      (accessToken) =>
        fleet.client.request("auth.passkey.finish-registration", {
          accessToken,
          challenge: newOpaque("0197e0a0-0000-7000-8000-000000000000").token,
          response: '{"id":"a","response":{}}',
        }),
    ],
    [
      "remove",
      (accessToken) =>
        fleet.client.request("auth.passkey.remove", { accessToken, passkeyId: "0197e0a0-0000-7000-8000-000000000000" }),
    ],
    ["export", (accessToken) => fleet.client.request("auth.account.export", { accessToken })],
  ];

  let old: string;
  let single: string;
  beforeAll(async () => {
    const user = await confirmed(fleet);
    const other = await loggedIn(fleet, user);
    const { session } = await withApp(fleet, user, { endOthers: false });
    single = (await refresh(other.refreshToken)).accessToken;
    await fleet.sql.query("UPDATE sessions SET created_at = now() - interval '11 minutes' WHERE id = $1", [
      session.sessionId,
    ]);
    old = (await refresh(session.refreshToken)).accessToken;
  });

  test.each(commands)("%s: refused for a login that is too old, and told what to do", async (_name, command) => {
    expect(await refused(command(old))).toMatchObject({
      code: "MFA_REQUIRED",
      details: { action: "login", reason: "age", maxAgeMs: "600000" },
    });
  });
  test.each(commands)("%s: refused for a session that has not shown the user's factor", async (_name, command) => {
    expect(await refused(command(single))).toMatchObject({
      code: "MFA_REQUIRED",
      details: { action: "login", reason: "factor", methods: "totp recovery" },
    });
  });
  test.each(commands)("%s: refuses what is no access token", async (_name, command) => {
    expect(await refusalOf(command(""))).toBe("INVALID_INPUT");
    expect(await refusalOf(command("garbage"))).toBe("TOKEN_INVALID");
  });
  test("only looking is always possible", async () => {
    expect(await factors(old)).toMatchObject({ authenticatorApp: true });
    expect(await factors(single)).toMatchObject({ authenticatorApp: true });
  });
});

describe("a role that requires a second factor", () => {
  const role = `strong-${Math.random().toString(36).slice(2, 8)}`;
  const setRoles = (id: number, roles: string[]) =>
    fleet.client.request("auth.admin.set-roles", { actorToken: operator, target: `id:${id}`, roles, reason: "a test" });
  const requireMfa = (required: boolean, of = role) =>
    fleet.client.request("auth.admin.require-mfa", { actorToken: operator, role: of, required, reason: "a test" });
  const rolesIn = ({ accessToken }: { accessToken: string }) => decodeJwt(accessToken)["roles"];

  beforeAll(async () => {
    await fleet.sql.query("INSERT INTO roles (name) VALUES ($1)", [role]);
  });

  test("is not borne by a session with one factor, and comes with the factor", async () => {
    await requireMfa(true);
    const user = await confirmed(fleet);
    await setRoles(user.id, [role, "user"]);
    const weak = await loggedIn(fleet, user);
    expect(rolesIn(weak)).toEqual(["user"]);
    expect(await inspect(weak.accessToken)).toMatchObject({ roles: ["user"] });
    expect(rolesIn(await refresh(weak.refreshToken))).toEqual(["user"]);
    const strong = await withApp(fleet, user);
    expect(rolesIn(strong.session)).toEqual([role, "user"]);
    expect(rolesIn(await loggedInWithApp(fleet, strong))).toEqual([role, "user"]);
  });

  test("is not borne by the session of a confirmation link", async () => {
    await requireMfa(true);
    const user = await registered(fleet);
    const token = await fleet.confirmationToken(user.username);
    await setRoles(user.id, [role]);
    expect(rolesIn(await fleet.client.request("auth.account.confirm", { token, ...byPassword(user) }))).toEqual([]);
  });

  test("keeps its user's last factor", async () => {
    await requireMfa(true);
    const user = await confirmed(fleet);
    await setRoles(user.id, [role]);
    const { session } = await withApp(fleet, user);
    expect(await refused(disable(session.accessToken))).toMatchObject({
      code: "MFA_REQUIRED",
      details: { reason: "role", action: "enroll", role },
    });
    const { passkeyId } = await registerPasskey(fleet, session.accessToken);
    const { accessToken } = await refresh(session.refreshToken);
    await disable(accessToken); // now it is not the last one
    const current = await refresh(session.refreshToken);
    expect(
      await refused(fleet.client.request("auth.passkey.remove", { accessToken: current.accessToken, passkeyId })),
    ).toMatchObject({
      code: "MFA_REQUIRED",
      details: { reason: "role" },
    });
  });

  test("begins and ceases to require one at once, and tells of it; an unknown role is NOT_FOUND", async () => {
    await requireMfa(true);
    const user = await confirmed(fleet);
    await setRoles(user.id, [role]);
    const { accessToken } = await loggedIn(fleet, user);
    expect(await inspect(accessToken)).toMatchObject({ roles: [] });
    const { without } = await requireMfa(true);
    expect(without).toBeGreaterThan(0);
    expect(await requireMfa(false)).toMatchObject({ role, required: false });
    expect(await inspect(accessToken)).toMatchObject({ roles: [role] });
    expect(await refusalOf(requireMfa(true, "no such role"))).toBe("NOT_FOUND");
    const event = await fleet.mails.last(
      "auth.event",
      (record) => String(record.headers["ce_type"]) === "auth.event.MfaRequirementChanged",
    );
    expect(event.value).not.toBeNull();
    const { rows } = await fleet.sql.query(
      `SELECT actor, user_id, body->>'required' AS required FROM outbox
       WHERE kind = 'MfaRequirementChanged' AND body->>'role' = $1 ORDER BY id`,
      [role],
    );
    expect(rows.at(-1)).toEqual({ actor: "operator:tester", user_id: null, required: "false" });
  });

  test("is not for everybody to say", async () => {
    const { tokens } = await confirmed(fleet);
    const input = { actorToken: tokens.accessToken, role, required: true };
    expect(await refusalOf(fleet.client.request("auth.admin.require-mfa", input))).toBe("FORBIDDEN");
  });
});

describe("auth.admin.reset-mfa", () => {
  const reset = (target: string, actorToken = operator) =>
    fleet.client.request("auth.admin.reset-mfa", { actorToken, target, reason: "lost the phone" });

  test("takes all factors away and ends all sessions; the password logs in again", async () => {
    const user = await withApp(fleet);
    await registerPasskey(fleet, user.session.accessToken);
    expect(await reset(user.login)).toEqual({ userId: user.id, hadFactors: true });
    expect(await refusalOf(refresh(user.session.refreshToken))).toBe("SESSION_REVOKED");
    const { accessToken } = await loggedIn(fleet, user);
    expect(await factors(accessToken)).toEqual({ passkeys: [], authenticatorApp: false, recoveryLeft: 0 });
    expect((await eventsOf(fleet, user, "^Mfa")).at(-1)).toBe("MfaChanged reset");
  });

  test("changes nothing where there is none, and is refused without the right", async () => {
    const user = await confirmed(fleet);
    expect(await reset(user.login)).toEqual({ userId: user.id, hadFactors: false });
    expect(await inspect(user.tokens.accessToken)).toMatchObject({ userId: user.id });
    expect(await refusalOf(reset(user.login, user.tokens.accessToken))).toBe("FORBIDDEN");
    expect(await refusalOf(reset("no-such-login"))).toBe("NOT_FOUND");
  });
});
