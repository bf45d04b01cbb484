// Authenticator apps and recovery codes through Kafka: setting up, logging in, guessing, what ends what, and who must
// log in again first.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { decodeJwt } from "jose";
import { newOpaque } from "../../src/crypto/opaque.ts";
import { connectGateway } from "../bridge/gateway.ts";
import {
  answer,
  challenged,
  codeOf,
  enrolled,
  eventsOf,
  loggedInWithApp,
  registerPasskey,
  shownNow,
  type WithApp,
  withApp,
} from "../support/factors.ts";
import { type TestFleet, testFleet } from "../support/fleet.ts";
import { mailedToken } from "../support/mails.ts";
import { operatorToken } from "../support/operator.ts";
import { rawRequests } from "../support/raw.ts";
import { byPassword, confirmed, loggedIn, refusalOf, refused, registered } from "../support/users.ts";

let fleet: TestFleet;
let operator: string;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
beforeEach(async () => {
  operator = await operatorToken(fleet); // it is good for a minute
});
afterAll(() => fleet.close());

const refresh = (refreshToken: string) => fleet.client.request("auth.session.refresh", { refreshToken });
const inspect = (accessToken: string) => fleet.client.request("auth.session.inspect", { accessToken });
const enroll = (accessToken: string) => fleet.client.request("auth.mfa.enroll", { accessToken });
const activate = (accessToken: string, code: string, endOthers = true) =>
  fleet.client.request("auth.mfa.activate", { accessToken, code, endOthers });
const disable = (accessToken: string) => fleet.client.request("auth.mfa.disable", { accessToken });
const newCodes = (accessToken: string) => fleet.client.request("auth.mfa.recovery-codes", { accessToken });
const factors = (accessToken: string) => fleet.client.request("auth.passkey.list", { accessToken });
const amrOf = ({ accessToken }: { accessToken: string }) => decodeJwt(accessToken)["amr"];
const wrong = "ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ";

/** Codes that are not shown within minutes of now. */
function wrongCodes(secret: Buffer, count: number): string[] {
  const near = shownNow(secret);
  return Array.from({ length: count }, (_, at) =>
    String((Number(near) + 111_111 * (at + 1)) % 1_000_000).padStart(6, "0"),
  );
}

describe("setting up an app", () => {
  test("gives a secret and its URI; nothing counts before a code was shown", async () => {
    const person = await confirmed(fleet);
    const { accessToken } = await loggedIn(fleet, person);
    const { secret, uri } = await enroll(accessToken);
    expect(secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(uri).toBe(
      `otpauth://totp/Auth:${person.login}?secret=${secret}&issuer=Auth&algorithm=SHA1&digits=6&period=30`,
    );
    expect(await loggedIn(fleet, person)).toMatchObject({ userId: person.id });
    expect((await enroll(accessToken)).secret).not.toBe(secret);
  });

  test("keeps the secret encrypted only", async () => {
    const person = await confirmed(fleet);
    const secret = await enrolled(fleet, person.tokens.accessToken);
    const { rows } = await fleet.sql.query<{ secret: Buffer }>("SELECT secret FROM totp_factors WHERE user_id = $1", [
      person.id,
    ]);
    expect(rows[0]!.secret.includes(secret)).toBe(false);
  });

  test("takes a right code only, gives ten recovery codes, and tells of it", async () => {
    const person = await confirmed(fleet);
    const { accessToken } = await loggedIn(fleet, person);
    expect(await refusalOf(activate(accessToken, "123456"))).toBe("NOT_FOUND");
    const secret = await enrolled(fleet, accessToken);
    expect(await refusalOf(activate(accessToken, wrongCodes(secret, 1)[0]!))).toBe("MFA_INVALID");
    expect(await refusalOf(activate(accessToken, ""))).toBe("INVALID_INPUT");
    const { codes } = await activate(accessToken, shownNow(secret));
    expect(new Set(codes).size).toBe(10);
    expect(await eventsOf(fleet, person, "^Mfa")).toEqual(["MfaChanged totp-activated"]);
  });

  test("asked again with its key, it gives the same codes", async () => {
    const person = await confirmed(fleet);
    const { accessToken } = await loggedIn(fleet, person);
    const input = { accessToken, code: shownNow(await enrolled(fleet, accessToken)) };
    const options = { idempotencyKey: `activation-of-${person.login}` };
    const first = await fleet.client.request("auth.mfa.activate", input, options);
    expect(await fleet.client.request("auth.mfa.activate", input, options)).toEqual(first);
  });

  test("ends access tokens from before and other sessions; its own goes on as one with two factors", async () => {
    const person = await confirmed(fleet);
    const other = await loggedIn(fleet, person);
    const before = await loggedIn(fleet, person);
    await activate(before.accessToken, shownNow(await enrolled(fleet, before.accessToken)));
    expect(await refusalOf(inspect(before.accessToken))).toBe("TOKEN_EXPIRED");
    expect(await refusalOf(refresh(other.refreshToken))).toBe("SESSION_REVOKED");
    expect(amrOf(await refresh(before.refreshToken))).toEqual(["pwd", "otp", "mfa"]);
    const { rows } = await fleet.sql.query("SELECT key FROM outbox WHERE topic = 'auth.revocation' AND key = $1", [
      `u:${person.id}`,
    ]);
    expect(rows).toHaveLength(1);
  });

  test("leaves other sessions on where that is wanted, as sessions with one factor", async () => {
    const person = await confirmed(fleet);
    const other = await loggedIn(fleet, person);
    await withApp(fleet, person, { endOthers: false });
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

describe("logging in with an app", () => {
  let person: WithApp;
  beforeAll(async () => {
    person = await withApp(fleet);
  });

  test("the right password gives a challenge and no session; a wrong one tells of nothing", async () => {
    const { methods } = await challenged(fleet, person);
    expect(methods).toEqual(["totp", "recovery"]);
    expect(await refusalOf(loggedIn(fleet, { ...person, password: "not the one" }))).toBe("INVALID_CREDENTIALS");
    const { rows } = await fleet.sql.query("SELECT FROM sessions WHERE user_id = $1 AND ended_at IS NULL", [person.id]);
    expect(rows).toHaveLength(1); // the one it was set up in
  });

  test("the code gives the session that was asked for", async () => {
    const tokens = await loggedInWithApp(fleet, person, false);
    expect(decodeJwt(tokens.accessToken)).toMatchObject({ sub: String(person.id), amr: ["pwd", "otp", "mfa"] });
    expect((await refresh(tokens.refreshToken)).refreshToken).toBe(tokens.refreshToken); // it does not rotate
    expect(amrOf(await refresh(tokens.refreshToken))).toEqual(["pwd", "otp", "mfa"]);
    expect((await eventsOf(fleet, person, "^Log")).slice(-2)).toEqual(["LoginChallenged", "LoggedIn password+totp"]);
  });

  test("a code works once, also at another login", async () => {
    const code = await codeOf(fleet, person);
    const [first, second] = [await challenged(fleet, person), await challenged(fleet, person)];
    expect(await answer(fleet, first.challenge, code)).toMatchObject({ userId: person.id });
    expect(await refusalOf(answer(fleet, second.challenge, code))).toBe("MFA_INVALID");
    expect((await eventsOf(fleet, person, "^Mfa")).at(-1)).toBe("MfaRefused totp replayed");
  });

  test("of five logins that show one code at once, one is let in", async () => {
    const code = await codeOf(fleet, person);
    const all = await Promise.all([1, 2, 3, 4, 5].map(() => challenged(fleet, person)));
    const answers = await Promise.allSettled(all.map(({ challenge }) => answer(fleet, challenge, code)));
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    await fleet.sql.query("UPDATE totp_factors SET failures = 0 WHERE user_id = $1", [person.id]);
  });

  test("a challenge works once; asked again with its key, its answer is given again", async () => {
    const { challenge } = await challenged(fleet, person);
    const input = { challenge, method: "totp", code: await codeOf(fleet, person) };
    const options = { idempotencyKey: `mfa-of-${person.login}-again` };
    const first = await fleet.client.request("auth.session.login-mfa", input, options);
    expect(await fleet.client.request("auth.session.login-mfa", input, options)).toEqual(first);
    expect(await refusalOf(answer(fleet, challenge, await codeOf(fleet, person)))).toBe("TOKEN_INVALID");
  });

  test("a challenge ends with its time, and with a change of the account", async () => {
    const late = await challenged(fleet, person);
    await fleet.sql.query("UPDATE challenges SET expires_at = now() WHERE user_id = $1", [person.id]);
    expect(await refusalOf(answer(fleet, late.challenge, await codeOf(fleet, person)))).toBe("TOKEN_EXPIRED");
    const outdated = await challenged(fleet, person);
    const { accessToken } = await loggedInWithApp(fleet, person);
    await fleet.client.request("auth.session.logout", { accessToken, everywhere: true });
    expect(await refusalOf(answer(fleet, outdated.challenge, await codeOf(fleet, person)))).toBe("TOKEN_INVALID");
  });

  test.each([
    ["an empty challenge", { challenge: "" }, "INVALID_INPUT"],
    ["garbage", { challenge: "garbage" }, "TOKEN_INVALID"],
    [
      "a challenge that was never made",
      { challenge: newOpaque("0197e0a0-0000-7000-8000-000000000000").token },
      "TOKEN_INVALID",
    ],
    ["an unknown method", { method: "passkey" }, "INVALID_INPUT"],
    ["an empty code", { code: "" }, "INVALID_INPUT"],
    ["an absurd code", { code: "1".repeat(65) }, "INVALID_INPUT"],
  ])("refuses %s", async (_what, bad, code) => {
    const { challenge } = await challenged(fleet, person);
    const input = { challenge, method: "totp", code: "123456", ...bad };
    expect(await refusalOf(fleet.client.request("auth.session.login-mfa", input))).toBe(code);
  });

  test("a forged secret is refused and does not count", async () => {
    const { challenge } = await challenged(fleet, person);
    for (let time = 0; time < 6; time += 1)
      expect(await refusalOf(answer(fleet, newOpaque(challenge.split(".")[0]!).token, wrong, "recovery"))).toBe(
        "TOKEN_INVALID",
      );
    expect(await answer(fleet, challenge, await codeOf(fleet, person))).toMatchObject({ userId: person.id });
  });

  /** ASVS 6.4.3. */
  test("a reset of the password takes no factor away: the new one gives a challenge too", async () => {
    const owner = await withApp(fleet);
    await fleet.client.request("auth.password.forgot", { email: owner.email });
    const token = await mailedToken(fleet, owner.email, "reset");
    const password = `new ${owner.password}`;
    expect(await fleet.client.request("auth.password.reset", { token, newPassword: password })).toEqual({});
    const { challenge, methods } = await challenged(fleet, { ...owner, password });
    expect(methods).toEqual(["totp", "recovery"]);
    expect(await answer(fleet, challenge, await codeOf(fleet, owner))).toMatchObject({ userId: owner.id });
  });

  test("a challenge of another purpose is no challenge of a login", async () => {
    const { accessToken } = await loggedInWithApp(fleet, person);
    const begun = await fleet.client.request("auth.passkey.begin-registration", { accessToken });
    expect(await refusalOf(answer(fleet, begun.challenge, await codeOf(fleet, person)))).toBe("TOKEN_INVALID");
    const passkey = await fleet.client.request("auth.passkey.begin-login", { login: person.login, challenge: "" });
    expect(await refusalOf(answer(fleet, passkey.challenge, await codeOf(fleet, person)))).toBe("TOKEN_INVALID");
  });

  test("the bridge has no place for a challenge: INVALID_ARGUMENT with MFA_REQUIRED", async () => {
    const gateway = await connectGateway(fleet.grpc);
    const { login, password } = person;
    const refusal = await gateway.call("Authenticate", { login, password });
    gateway.close();
    expect(refusal).toMatchObject({ status: "INVALID_ARGUMENT", code: "MFA_REQUIRED" });
  });
});

describe("guessing", () => {
  test("a challenge has five attempts, then a right answer is refused too", async () => {
    const person = await withApp(fleet);
    const { challenge } = await challenged(fleet, person);
    for (let time = 0; time < 5; time += 1)
      expect(await refusalOf(answer(fleet, challenge, wrong, "recovery"))).toBe("MFA_INVALID");
    expect(await refused(answer(fleet, challenge, person.codes[0]!, "recovery"))).toMatchObject({
      code: "TOKEN_INVALID",
      details: { reason: "attempts" },
    });
    const another = await challenged(fleet, person); // the control
    expect(await answer(fleet, another.challenge, person.codes[0]!, "recovery")).toMatchObject({ userId: person.id });
  });

  test("forty at once, over all partitions, get five answers", async () => {
    const person = await withApp(fleet);
    const { challenge } = await challenged(fleet, person);
    const raw = await rawRequests(fleet);
    const sealed = JSON.stringify({ challenge, method: "recovery", code: wrong });
    const fields = { method: "recovery", sealed };
    const one = (partition: number) => raw.ask({ topic: "auth.session.login-mfa", key: null, partition, fields });
    const answers = await Promise.all(Array.from({ length: 40 }, (_, at) => one(at % 4)));
    expect(answers.filter(({ outcome }) => outcome === "MFA_INVALID")).toHaveLength(5);
    expect(answers.filter(({ outcome }) => outcome === "TOKEN_INVALID")).toHaveLength(35);
    expect(await eventsOf(fleet, person, "^MfaR")).toHaveLength(5);
  });

  test("wrong codes in a row must be waited for, over all challenges; recovery codes work meanwhile", async () => {
    const person = await withApp(fleet);
    for (const code of wrongCodes(person.secret, 5))
      expect(await refusalOf(answer(fleet, (await challenged(fleet, person)).challenge, code))).toBe("MFA_INVALID");
    const { challenge } = await challenged(fleet, person);
    const { code, retryAfterMs } = await refused(answer(fleet, challenge, await codeOf(fleet, person)));
    expect(code).toBe("THROTTLED");
    expect(retryAfterMs).toBeGreaterThan(1000);
    expect(retryAfterMs).toBeLessThanOrEqual(30_000);
    const other = await challenged(fleet, person);
    expect(await answer(fleet, other.challenge, person.codes[0]!, "recovery")).toMatchObject({ userId: person.id });
    await fleet.sql.query("UPDATE totp_factors SET failed_at = now() - interval '31 seconds' WHERE user_id = $1", [
      person.id,
    ]);
    expect(await answer(fleet, challenge, await codeOf(fleet, person))).toMatchObject({ userId: person.id });
    const { rows } = await fleet.sql.query("SELECT failures FROM totp_factors WHERE user_id = $1", [person.id]);
    expect(rows).toEqual([{ failures: 0 }]);
  });

  describe("after five wrong codes in a row", () => {
    let person: WithApp;
    const right = async (password = person.password) =>
      answer(fleet, (await challenged(fleet, { ...person, password })).challenge, await codeOf(fleet, person));
    const guess = async (password = person.password) => {
      const [code = ""] = wrongCodes(person.secret, 1);
      return refusalOf(answer(fleet, (await challenged(fleet, { ...person, password })).challenge, code));
    };
    const failures = async () => {
      const { rows } = await fleet.sql.query("SELECT failures FROM totp_factors WHERE user_id = $1", [person.id]);
      return rows[0]!.failures;
    };

    beforeEach(async () => {
      person = await withApp(fleet);
      for (let time = 0; time < 5; time += 1) expect(await guess()).toBe("MFA_INVALID");
      expect(await refusalOf(right())).toBe("THROTTLED"); // the control
    });

    test("an operator's unlocking ends the wait and forgets them", async () => {
      const input = { actorToken: operator, target: person.login, reason: "called us" };
      const unlock = () => fleet.client.request("auth.admin.unlock-user", input);
      expect(await unlock()).toEqual({ userId: person.id, failedAttempts: 5 });
      expect(await failures()).toBe(0);
      for (let time = 0; time < 4; time += 1) expect(await guess()).toBe("MFA_INVALID");
      expect(await right()).toMatchObject({ userId: person.id });
      expect(await unlock()).toEqual({ userId: person.id, failedAttempts: 0 });
      expect(await eventsOf(fleet, person, "^UserUnlocked")).toEqual(["UserUnlocked called us"]);
    });

    test("a reset of the password ends the wait, for one code: the count goes on", async () => {
      const reset = async (newPassword: string, links: number) => {
        await fleet.client.request("auth.password.forgot", { email: person.email });
        const token = await mailedToken(fleet, person.email, "reset", links);
        await fleet.client.request("auth.password.reset", { token, newPassword });
      };
      await reset("quite another one", 1);
      expect(await guess("quite another one")).toBe("MFA_INVALID");
      const { code, retryAfterMs } = await refused(right("quite another one"));
      expect(code).toBe("THROTTLED");
      expect(retryAfterMs).toBeGreaterThan(30_000); // twice what five had to wait for
      await reset("and one more of them", 2);
      expect(await failures()).toBe(6);
      expect(await right("and one more of them")).toMatchObject({ userId: person.id });
      expect(await failures()).toBe(0);
    });
  });

  test("the wait doubles up to a day", async () => {
    const { rows } = await fleet.sql.query<{ wait: number }>(
      "SELECT extract(epoch FROM totp_wait(n, now()))::int AS wait FROM unnest(ARRAY[4, 5, 6, 7, 16, 17, 1000000]) AS n",
    );
    expect(rows.map(({ wait }) => wait)).toEqual([0, 30, 60, 120, 61_440, 86_400, 86_400]);
  });
});

describe("recovery codes", () => {
  test("work once each, as they are typed, and are counted down", async () => {
    const person = await withApp(fleet);
    const [first = "", second = ""] = person.codes;
    const use = async (code: string) => answer(fleet, (await challenged(fleet, person)).challenge, code, "recovery");
    const tokens = await use(first.toLowerCase().replaceAll("-", " "));
    expect(amrOf(tokens)).toEqual(["pwd", "otp", "mfa"]);
    expect(await refusalOf(use(first))).toBe("MFA_INVALID");
    expect(await use(second)).toMatchObject({ userId: person.id });
    expect(await factors(tokens.accessToken)).toEqual({ passkeys: [], authenticatorApp: true, recoveryLeft: 8 });
  });

  test("of another user do not work", async () => {
    const [one, other] = [await withApp(fleet), await withApp(fleet)];
    expect(await refusalOf(answer(fleet, (await challenged(fleet, one)).challenge, other.codes[0]!, "recovery"))).toBe(
      "MFA_INVALID",
    );
  });

  test("are replaced by new ones", async () => {
    const person = await withApp(fleet);
    const { codes } = await newCodes(person.session.accessToken);
    const { challenge } = await challenged(fleet, person);
    expect(await refusalOf(answer(fleet, challenge, person.codes[0]!, "recovery"))).toBe("MFA_INVALID");
    expect(await answer(fleet, challenge, codes[0]!, "recovery")).toMatchObject({ userId: person.id });
    expect(await eventsOf(fleet, person, "^MfaC")).toEqual(["MfaChanged totp-activated", "MfaChanged recovery-codes"]);
    const { rows } = await fleet.sql.query("SELECT FROM recovery_codes WHERE user_id = $1", [person.id]);
    expect(rows).toHaveLength(10);
  });

  test("are for who has a factor", async () => {
    const { accessToken } = await loggedIn(fleet, await confirmed(fleet));
    expect(await refusalOf(newCodes(accessToken))).toBe("NOT_FOUND");
  });
});

describe("disabling", () => {
  test("leaves the password alone, ends other sessions, and takes the recovery codes along", async () => {
    const person = await withApp(fleet);
    const other = await loggedInWithApp(fleet, person);
    await disable(person.session.accessToken);
    const tokens = await loggedIn(fleet, person);
    expect(await factors(tokens.accessToken)).toEqual({ passkeys: [], authenticatorApp: false, recoveryLeft: 0 });
    expect(await refusalOf(refresh(other.refreshToken))).toBe("SESSION_REVOKED");
    expect(await refusalOf(inspect(person.session.accessToken))).toBe("TOKEN_EXPIRED");
    expect(await refusalOf(disable(tokens.accessToken))).toBe("NOT_FOUND");
    expect((await eventsOf(fleet, person, "^Mfa")).at(-1)).toBe("MfaChanged totp-disabled");
  });

  test("keeps the recovery codes where a passkey is left", async () => {
    const person = await withApp(fleet);
    await registerPasskey(fleet, person.session.accessToken);
    const { accessToken } = await refresh(person.session.refreshToken);
    await disable(accessToken);
    const { methods } = await challenged(fleet, person);
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
    const person = await confirmed(fleet);
    const other = await loggedIn(fleet, person);
    const { session } = await withApp(fleet, person, { endOthers: false });
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
    const person = await confirmed(fleet);
    await setRoles(person.id, [role, "user"]);
    const weak = await loggedIn(fleet, person);
    expect(rolesIn(weak)).toEqual(["user"]);
    expect(await inspect(weak.accessToken)).toMatchObject({ roles: ["user"] });
    expect(rolesIn(await refresh(weak.refreshToken))).toEqual(["user"]);
    const strong = await withApp(fleet, person);
    expect(rolesIn(strong.session)).toEqual([role, "user"]);
    expect(rolesIn(await loggedInWithApp(fleet, strong))).toEqual([role, "user"]);
  });

  test("is not borne by the session of a confirmation link", async () => {
    await requireMfa(true);
    const person = await registered(fleet);
    const token = await fleet.confirmationToken(person.username);
    await setRoles(person.id, [role]);
    expect(rolesIn(await fleet.client.request("auth.account.confirm", { token, ...byPassword(person) }))).toEqual([]);
  });

  test("keeps its user's last factor", async () => {
    await requireMfa(true);
    const person = await confirmed(fleet);
    await setRoles(person.id, [role]);
    const { session } = await withApp(fleet, person);
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
    const person = await confirmed(fleet);
    await setRoles(person.id, [role]);
    const { accessToken } = await loggedIn(fleet, person);
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
    const person = await withApp(fleet);
    await registerPasskey(fleet, person.session.accessToken);
    expect(await reset(person.login)).toEqual({ userId: person.id, hadFactors: true });
    expect(await refusalOf(refresh(person.session.refreshToken))).toBe("SESSION_REVOKED");
    const { accessToken } = await loggedIn(fleet, person);
    expect(await factors(accessToken)).toEqual({ passkeys: [], authenticatorApp: false, recoveryLeft: 0 });
    expect((await eventsOf(fleet, person, "^Mfa")).at(-1)).toBe("MfaChanged reset");
  });

  test("changes nothing where there is none, and is refused without the right", async () => {
    const person = await confirmed(fleet);
    expect(await reset(person.login)).toEqual({ userId: person.id, hadFactors: false });
    expect(await inspect(person.tokens.accessToken)).toMatchObject({ userId: person.id });
    expect(await refusalOf(reset(person.login, person.tokens.accessToken))).toBe("FORBIDDEN");
    expect(await refusalOf(reset("no-such-login"))).toBe("NOT_FOUND");
  });
});
