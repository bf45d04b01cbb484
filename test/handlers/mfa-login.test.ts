// Logging in with an authenticator app, and guessing at its codes.
import { beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { decodeJwt } from "jose";
import { newOpaque } from "../../src/crypto/opaque.ts";
import { connectGateway } from "../bridge/gateway.ts";
import { answer, challenged, codeOf, eventsOf, loggedInWithApp, type WithApp, withApp } from "../support/factors.ts";
import { mailedToken } from "../support/mails.ts";
import { rawRequests } from "../support/raw.ts";
import { loggedIn, refusalOf, refused } from "../support/users.ts";
import { amrOf, fleet, operator, refresh, wrong, wrongCodes } from "./mfa-requests.ts";

describe("logging in with an app", () => {
  let user: WithApp;
  beforeAll(async () => {
    user = await withApp(fleet);
  });

  test("the right password gives a challenge and no session; a wrong one tells of nothing", async () => {
    const { methods } = await challenged(fleet, user);
    expect(methods).toEqual(["totp", "recovery"]);
    expect(await refusalOf(loggedIn(fleet, { ...user, password: "not the one" }))).toBe("INVALID_CREDENTIALS");
    const { rows } = await fleet.sql.query("SELECT FROM sessions WHERE user_id = $1 AND ended_at IS NULL", [user.id]);
    expect(rows).toHaveLength(1); // the one it was set up in
  });

  test("the code gives the session that was asked for", async () => {
    const tokens = await loggedInWithApp(fleet, user, false);
    expect(decodeJwt(tokens.accessToken)).toMatchObject({ sub: String(user.id), amr: ["pwd", "otp", "mfa"] });
    expect((await refresh(tokens.refreshToken)).refreshToken).toBe(tokens.refreshToken); // it does not rotate
    expect(amrOf(await refresh(tokens.refreshToken))).toEqual(["pwd", "otp", "mfa"]);
    expect((await eventsOf(fleet, user, "^Log")).slice(-2)).toEqual(["LoginChallenged", "LoggedIn password+totp"]);
  });

  test("a code works once, also at another login", async () => {
    const code = await codeOf(fleet, user);
    const [first, second] = [await challenged(fleet, user), await challenged(fleet, user)];
    expect(await answer(fleet, first.challenge, code)).toMatchObject({ userId: user.id });
    expect(await refusalOf(answer(fleet, second.challenge, code))).toBe("MFA_INVALID");
    expect((await eventsOf(fleet, user, "^Mfa")).at(-1)).toBe("MfaRefused totp replayed");
  });

  test("of five logins that show one code at once, one is let in", async () => {
    const code = await codeOf(fleet, user);
    const all = await Promise.all([1, 2, 3, 4, 5].map(() => challenged(fleet, user)));
    const answers = await Promise.allSettled(all.map(({ challenge }) => answer(fleet, challenge, code)));
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    await fleet.sql.query("UPDATE totp_factors SET failures = 0 WHERE user_id = $1", [user.id]);
  });

  test("a challenge works once; asked again with its key, its answer is given again", async () => {
    const { challenge } = await challenged(fleet, user);
    const input = { challenge, method: "totp", code: await codeOf(fleet, user) };
    const options = { idempotencyKey: `mfa-of-${user.login}-again` };
    const first = await fleet.client.request("auth.session.login-mfa", input, options);
    expect(await fleet.client.request("auth.session.login-mfa", input, options)).toEqual(first);
    expect(await refusalOf(answer(fleet, challenge, await codeOf(fleet, user)))).toBe("TOKEN_INVALID");
  });

  test("a challenge ends with its time, and with a change of the account", async () => {
    const late = await challenged(fleet, user);
    await fleet.sql.query("UPDATE challenges SET expires_at = now() WHERE user_id = $1", [user.id]);
    expect(await refusalOf(answer(fleet, late.challenge, await codeOf(fleet, user)))).toBe("TOKEN_EXPIRED");
    const outdated = await challenged(fleet, user);
    const { accessToken } = await loggedInWithApp(fleet, user);
    await fleet.client.request("auth.session.logout", { accessToken, everywhere: true });
    expect(await refusalOf(answer(fleet, outdated.challenge, await codeOf(fleet, user)))).toBe("TOKEN_INVALID");
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
    const { challenge } = await challenged(fleet, user);
    const input = { challenge, method: "totp", code: "123456", ...bad };
    expect(await refusalOf(fleet.client.request("auth.session.login-mfa", input))).toBe(code);
  });

  test("a forged secret is refused and does not count", async () => {
    const { challenge } = await challenged(fleet, user);
    for (let time = 0; time < 6; time += 1)
      expect(await refusalOf(answer(fleet, newOpaque(challenge.split(".")[0]!).token, wrong, "recovery"))).toBe(
        "TOKEN_INVALID",
      );
    expect(await answer(fleet, challenge, await codeOf(fleet, user))).toMatchObject({ userId: user.id });
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
    const { accessToken } = await loggedInWithApp(fleet, user);
    const begun = await fleet.client.request("auth.passkey.begin-registration", { accessToken });
    expect(await refusalOf(answer(fleet, begun.challenge, await codeOf(fleet, user)))).toBe("TOKEN_INVALID");
    const passkey = await fleet.client.request("auth.passkey.begin-login", { login: user.login, challenge: "" });
    expect(await refusalOf(answer(fleet, passkey.challenge, await codeOf(fleet, user)))).toBe("TOKEN_INVALID");
  });

  test("the bridge has no place for a challenge: INVALID_ARGUMENT with MFA_REQUIRED", async () => {
    const gateway = await connectGateway(fleet.grpc);
    const { login, password } = user;
    const refusal = await gateway.call("Authenticate", { login, password });
    gateway.close();
    expect(refusal).toMatchObject({ status: "INVALID_ARGUMENT", code: "MFA_REQUIRED" });
  });
});

describe("guessing", () => {
  test("a challenge has five attempts, then a right answer is refused too", async () => {
    const user = await withApp(fleet);
    const { challenge } = await challenged(fleet, user);
    for (let time = 0; time < 5; time += 1)
      expect(await refusalOf(answer(fleet, challenge, wrong, "recovery"))).toBe("MFA_INVALID");
    expect(await refused(answer(fleet, challenge, user.codes[0]!, "recovery"))).toMatchObject({
      code: "TOKEN_INVALID",
      details: { reason: "attempts" },
    });
    const another = await challenged(fleet, user); // the control
    expect(await answer(fleet, another.challenge, user.codes[0]!, "recovery")).toMatchObject({ userId: user.id });
  });

  test("forty at once, over all partitions, get five answers", async () => {
    const user = await withApp(fleet);
    const { challenge } = await challenged(fleet, user);
    const raw = await rawRequests(fleet);
    const sealed = JSON.stringify({ challenge, method: "recovery", code: wrong });
    const fields = { method: "recovery", sealed };
    const one = (partition: number) => raw.ask({ topic: "auth.session.login-mfa", key: null, partition, fields });
    const answers = await Promise.all(Array.from({ length: 40 }, (_, at) => one(at % 4)));
    expect(answers.filter(({ outcome }) => outcome === "MFA_INVALID")).toHaveLength(5);
    expect(answers.filter(({ outcome }) => outcome === "TOKEN_INVALID")).toHaveLength(35);
    expect(await eventsOf(fleet, user, "^MfaR")).toHaveLength(5);
  });

  test("wrong codes in a row must be waited for, over all challenges; recovery codes work meanwhile", async () => {
    const user = await withApp(fleet);
    for (const code of wrongCodes(user.secret, 5))
      expect(await refusalOf(answer(fleet, (await challenged(fleet, user)).challenge, code))).toBe("MFA_INVALID");
    const { challenge } = await challenged(fleet, user);
    const { code, retryAfterMs } = await refused(answer(fleet, challenge, await codeOf(fleet, user)));
    expect(code).toBe("THROTTLED");
    expect(retryAfterMs).toBeGreaterThan(1000);
    expect(retryAfterMs).toBeLessThanOrEqual(30_000);
    const other = await challenged(fleet, user);
    expect(await answer(fleet, other.challenge, user.codes[0]!, "recovery")).toMatchObject({ userId: user.id });
    await fleet.sql.query("UPDATE totp_factors SET failed_at = now() - interval '31 seconds' WHERE user_id = $1", [
      user.id,
    ]);
    expect(await answer(fleet, challenge, await codeOf(fleet, user))).toMatchObject({ userId: user.id });
    const { rows } = await fleet.sql.query("SELECT failures FROM totp_factors WHERE user_id = $1", [user.id]);
    expect(rows).toEqual([{ failures: 0 }]);
  });

  describe("after five wrong codes in a row", () => {
    let user: WithApp;
    const right = async (password = user.password) =>
      answer(fleet, (await challenged(fleet, { ...user, password })).challenge, await codeOf(fleet, user));
    const guess = async (password = user.password) => {
      const [code = ""] = wrongCodes(user.secret, 1);
      return refusalOf(answer(fleet, (await challenged(fleet, { ...user, password })).challenge, code));
    };
    const failures = async () => {
      const { rows } = await fleet.sql.query("SELECT failures FROM totp_factors WHERE user_id = $1", [user.id]);
      return rows[0]!.failures;
    };

    beforeEach(async () => {
      user = await withApp(fleet);
      for (let time = 0; time < 5; time += 1) expect(await guess()).toBe("MFA_INVALID");
      expect(await refusalOf(right())).toBe("THROTTLED"); // the control
    });

    test("an operator's unlocking ends the wait and forgets them", async () => {
      const input = { actorToken: operator, target: user.login, reason: "called us" };
      const unlock = () => fleet.client.request("auth.admin.unlock-user", input);
      expect(await unlock()).toEqual({ userId: user.id, failedAttempts: 5 });
      expect(await failures()).toBe(0);
      for (let time = 0; time < 4; time += 1) expect(await guess()).toBe("MFA_INVALID");
      expect(await right()).toMatchObject({ userId: user.id });
      expect(await unlock()).toEqual({ userId: user.id, failedAttempts: 0 });
      expect(await eventsOf(fleet, user, "^UserUnlocked")).toEqual(["UserUnlocked called us"]);
    });

    test("a reset of the password ends the wait, for one code: the count goes on", async () => {
      const reset = async (newPassword: string, links: number) => {
        await fleet.client.request("auth.password.forgot", { email: user.email });
        const token = await mailedToken(fleet, user.email, "reset", links);
        await fleet.client.request("auth.password.reset", { token, newPassword });
      };
      await reset("quite another one", 1);
      expect(await guess("quite another one")).toBe("MFA_INVALID");
      const { code, retryAfterMs } = await refused(right("quite another one"));
      expect(code).toBe("THROTTLED");
      expect(retryAfterMs).toBeGreaterThan(30_000); // twice what five had to wait for
      await reset("and one more of them", 2);
      expect(await failures()).toBe(6);
      expect(await right("and one more of them")).toMatchObject({ userId: user.id });
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
