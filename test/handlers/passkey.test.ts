// Passkeys through Kafka, with a device in software: registering, logging in with one instead of a password and beside
// it, whatever may be wrong with an answer, and what asking for a login tells about it.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { decodeJwt } from "jose";
import { newOpaque } from "../../src/crypto/opaque.ts";
import { makeAuthenticator, type Wrongs } from "../support/authenticator.ts";
import {
  answer,
  beginLogin,
  challenged,
  eventsOf,
  finishLogin,
  registerPasskey,
  type WithPasskey,
  withPasskey,
} from "../support/factors.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { confirmed, loggedIn, newUser, refusalOf, refused } from "../support/users.ts";

let fleet: TestFleet;
let user: WithPasskey;
beforeAll(async () => {
  fleet = await testFleet();
  user = await withPasskey(fleet);
}, 60_000);
afterAll(() => fleet.close());

const refresh = (refreshToken: string) => fleet.client.request("auth.session.refresh", { refreshToken });
const begin = (accessToken: string) => fleet.client.request("auth.passkey.begin-registration", { accessToken });
const list = (accessToken: string) => fleet.client.request("auth.passkey.list", { accessToken });
const remove = (accessToken: string, passkeyId: string) =>
  fleet.client.request("auth.passkey.remove", { accessToken, passkeyId });
const amrOf = ({ accessToken }: { accessToken: string }) => decodeJwt(accessToken)["amr"];
const logIn = async ({ login, device }: WithPasskey, wrongs: Wrongs = {}) => {
  const { options, challenge } = await beginLogin(fleet, login);
  return finishLogin(fleet, challenge, device.get(options, wrongs));
};

interface Options {
  challenge: string;
  rpId: string;
  userVerification: string;
  timeout: number;
  allowCredentials?: { id: string; type: string }[];
}
const parsed = (options: string) => JSON.parse(options) as Options;

describe("registering", () => {
  test("stores a public key, a name and the count; the session goes on as one with two factors", async () => {
    const { session, device, passkeyId, id } = user;
    expect(amrOf(session)).toEqual(["pwd", "hwk", "mfa"]);
    const { rows } = await fleet.sql.query(
      "SELECT id, credential_id, sign_count, transports, synced FROM passkeys WHERE user_id = $1",
      [id],
    );
    expect(rows).toEqual([
      {
        id: passkeyId,
        credential_id: device.credentials[0]!.id,
        sign_count: expect.anything(),
        transports: ["hybrid", "internal"],
        synced: false,
      },
    ]);
    expect(await eventsOf(fleet, user, "^MfaC")).toEqual(["MfaChanged passkey-added"]);
  });

  test("of a passkey that is synced says so, and counts as software", async () => {
    const { session } = await withPasskey(fleet, makeAuthenticator({ synced: true, counts: false }));
    expect((await list(session.accessToken)).passkeys).toMatchObject([{ synced: true }]);
    expect(amrOf(session)).toEqual(["pwd", "swk", "mfa"]);
  });

  test("is offered for devices that have none of the user's passkeys, and refuses one that comes again", async () => {
    const { session, device } = await withPasskey(fleet);
    const { options, challenge } = await begin(session.accessToken);
    expect(JSON.parse(options)).toMatchObject({ excludeCredentials: [{ id: device.credentials[0]!.id }] });
    const response = device.create(options).replaceAll(device.credentials[1]!.id, device.credentials[0]!.id);
    const input = { accessToken: session.accessToken, challenge, response };
    expect(await refused(fleet.client.request("auth.passkey.finish-registration", input))).toMatchObject({
      code: "INVALID_INPUT",
      details: { field: "response" },
    });
  });

  test("works in the session it was begun in, once", async () => {
    const one = await confirmed(fleet);
    const [first, second] = [await loggedIn(fleet, one), await loggedIn(fleet, one)];
    const { options, challenge } = await begin(first.accessToken);
    const response = makeAuthenticator().create(options);
    const finish = (accessToken: string) =>
      fleet.client.request("auth.passkey.finish-registration", { accessToken, challenge, response, endOthers: false });
    expect(await refusalOf(finish(second.accessToken))).toBe("TOKEN_INVALID");
    expect(await refusalOf(finish((await loggedIn(fleet, await confirmed(fleet))).accessToken))).toBe("TOKEN_INVALID");
    expect(await finish(first.accessToken)).toMatchObject({ passkeyId: expect.any(String) });
    const { accessToken } = await refresh(first.refreshToken);
    expect(await refusalOf(finish(accessToken))).toBe("TOKEN_INVALID");
  });

  test.each<[string, Wrongs]>([
    ["for another origin", { origin: "https://localhost.evil.example" }],
    ["for another domain", { rpId: "evil.example" }],
    ["of another challenge", { challenge: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }],
    ["that is an assertion", { type: "webauthn.get" }],
    ["without its owner's presence", { present: false }],
  ])("refuses an answer %s", async (_what, wrongs) => {
    const { accessToken } = await loggedIn(fleet, await confirmed(fleet));
    const { options, challenge } = await begin(accessToken);
    const response = makeAuthenticator().create(options, wrongs);
    expect(
      await refusalOf(fleet.client.request("auth.passkey.finish-registration", { accessToken, challenge, response })),
    ).toBe("MFA_INVALID");
  });

  test("refuses what is no credential, and a name that is none", async () => {
    const { accessToken } = await loggedIn(fleet, await confirmed(fleet));
    const { options, challenge } = await begin(accessToken);
    const good = { accessToken, challenge, response: makeAuthenticator().create(options) };
    const finish = (bad: object) =>
      refusalOf(fleet.client.request("auth.passkey.finish-registration", { ...good, ...bad }));
    expect(await finish({ response: "garbage" })).toBe("INVALID_INPUT");
    expect(await finish({ label: "x".repeat(65) })).toBe("INVALID_INPUT");
    expect(await finish({ label: "a\u0000" })).toBe("INVALID_INPUT");
    expect(await finish({ challenge: "" })).toBe("INVALID_INPUT");
    expect(await finish({ challenge: "garbage" })).toBe("TOKEN_INVALID");
    expect(await fleet.client.request("auth.passkey.finish-registration", good)).toMatchObject({
      passkeyId: expect.any(String),
    });
  });

  test("is refused beyond ten", async () => {
    const { session, id } = await withPasskey(fleet);
    const begun = await begin(session.accessToken);
    await fleet.sql.query(
      `INSERT INTO passkeys (id, user_id, credential_id, public_key, sign_count, transports, synced, label)
       SELECT gen_random_uuid(), $1::bigint, 'many-' || $1::bigint::text || '-' || n, '', 0, '{}', false, '' FROM generate_series(1, 9) AS n`,
      [id],
    );
    expect(await refusalOf(begin(session.accessToken))).toBe("INVALID_INPUT");
    const input = {
      accessToken: session.accessToken,
      challenge: begun.challenge,
      response: makeAuthenticator().create(begun.options),
    };
    expect(await refusalOf(fleet.client.request("auth.passkey.finish-registration", input))).toBe("INVALID_INPUT");
  });
});

describe("logging in with a passkey alone", () => {
  test("opens a session with two factors: the device, and what unlocks it", async () => {
    const tokens = await logIn(user);
    expect(decodeJwt(tokens.accessToken)).toMatchObject({ sub: String(user.id), amr: ["hwk", "user", "mfa"] });
    expect((await eventsOf(fleet, user, "^LoggedIn")).at(-1)).toBe("LoggedIn passkey");
    expect((await list(tokens.accessToken)).passkeys).toMatchObject([
      { label: "a device", lastUsedAt: expect.any(Number) },
    ]);
  });

  test("needs no login where the device knows whose passkey it has", async () => {
    const { options, challenge } = await beginLogin(fleet, "");
    expect(parsed(options).allowCredentials).toBeUndefined();
    expect(await finishLogin(fleet, challenge, user.device.get(options))).toMatchObject({ userId: user.id });
  });

  test("opens the session that was asked for", async () => {
    const input = {
      login: user.login,
      challenge: "",
      rotating: false,
      client: { ip: "192.0.2.7", userAgent: null, device: null },
    };
    const { options, challenge } = await fleet.client.request("auth.passkey.begin-login", input);
    const tokens = await finishLogin(fleet, challenge, user.device.get(options));
    expect((await refresh(tokens.refreshToken)).refreshToken).toBe(tokens.refreshToken);
    const { rows } = await fleet.sql.query("SELECT client->>'ip' AS ip FROM sessions WHERE id = $1", [
      tokens.sessionId,
    ]);
    expect(rows).toEqual([{ ip: "192.0.2.7" }]);
  });

  test.each<[string, Wrongs]>([
    ["without verifying its owner", { verified: false }],
    ["without its owner's presence", { present: false }],
    ["for another origin", { origin: "https://localhost.evil.example" }],
    ["for another domain", { rpId: "evil.example" }],
    ["of another challenge", { challenge: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }],
    ["that is a registration", { type: "webauthn.create" }],
    ["signed by another key", { forged: true }],
    ["in another user's name", { userHandle: "AAAA" }],
  ])("refuses an answer %s", async (_what, wrongs) => {
    expect(await refusalOf(logIn(user, wrongs))).toBe("MFA_INVALID");
    expect((await eventsOf(fleet, user, "^MfaR")).at(-1)).toBe("MfaRefused passkey wrong");
  });

  test("refuses a count that went back or stood still, and says that there may be a copy", async () => {
    const one = await withPasskey(fleet);
    await logIn(one, { count: 7 });
    expect(await refusalOf(logIn(one, { count: 7 }))).toBe("MFA_INVALID");
    expect(await refusalOf(logIn(one, { count: 0 }))).toBe("MFA_INVALID");
    expect(await refusalOf(logIn(one, { count: 3, forged: true }))).toBe("MFA_INVALID");
    expect(await eventsOf(fleet, one, "^MfaR")).toEqual([
      "MfaRefused passkey counter",
      "MfaRefused passkey counter",
      "MfaRefused passkey wrong", // who cannot sign says nothing about the count
    ]);
    expect(await logIn(one, { count: 8 })).toMatchObject({ userId: one.id });
  });

  test("takes a passkey that does not count as often as it comes", async () => {
    const one = await withPasskey(fleet, makeAuthenticator({ counts: false, synced: true }));
    for (let time = 0; time < 2; time += 1) expect(amrOf(await logIn(one))).toEqual(["swk", "user", "mfa"]);
  });

  test("takes an answer once; asked again with its key, it is given again", async () => {
    const { options, challenge } = await beginLogin(fleet, user.login);
    const input = { challenge, response: user.device.get(options) };
    const key = { idempotencyKey: `passkey-of-${user.login}-again` };
    const first = await fleet.client.request("auth.passkey.finish-login", input, key);
    expect(await fleet.client.request("auth.passkey.finish-login", input, key)).toEqual(first);
    expect(await refusalOf(finishLogin(fleet, challenge, input.response))).toBe("TOKEN_INVALID");
    const other = await beginLogin(fleet, user.login);
    expect(await refusalOf(finishLogin(fleet, other.challenge, input.response))).toBe("MFA_INVALID");
  });

  test("has five attempts", async () => {
    const { options, challenge } = await beginLogin(fleet, user.login);
    for (let time = 0; time < 5; time += 1)
      expect(await refusalOf(finishLogin(fleet, challenge, user.device.get(options, { forged: true })))).toBe(
        "MFA_INVALID",
      );
    expect(await refusalOf(finishLogin(fleet, challenge, user.device.get(options)))).toBe("TOKEN_INVALID");
  });

  test("ends with the challenge's time", async () => {
    const { options, challenge } = await beginLogin(fleet, user.login);
    await fleet.sql.query("UPDATE challenges SET expires_at = now() WHERE id = $1", [challenge.split(".")[0]]);
    expect(await refusalOf(finishLogin(fleet, challenge, user.device.get(options)))).toBe("TOKEN_EXPIRED");
  });

  test("tells of a ban only who has the passkey", async () => {
    const one = await withPasskey(fleet);
    await fleet.sql.query("UPDATE users SET banned_at = now() WHERE id = $1", [one.id]);
    expect(await refusalOf(logIn(one))).toBe("BANNED");
    expect(await refusalOf(logIn(one, { forged: true }))).toBe("MFA_INVALID");
  });

  test.each([
    ["an empty challenge", { challenge: "" }, "INVALID_INPUT"],
    ["garbage as challenge", { challenge: "garbage" }, "TOKEN_INVALID"],
    [
      "a challenge that was never made",
      { challenge: newOpaque("0197e0a0-0000-7000-8000-000000000000").token },
      "TOKEN_INVALID",
    ],
    ["garbage as response", { response: "garbage" }, "INVALID_INPUT"],
    ["a credential without content", { response: '{"id":"abc","response":{}}' }, "MFA_INVALID"],
  ])("refuses %s", async (_what, bad, code) => {
    const { options, challenge } = await beginLogin(fleet, user.login);
    const input = { challenge, response: user.device.get(options), ...bad };
    expect(await refusalOf(fleet.client.request("auth.passkey.finish-login", input))).toBe(code);
  });
});

describe("what asking for a login tells", () => {
  const shapeOf = ({ options, challenge }: { options: string; challenge: string }) => {
    const { challenge: _, allowCredentials, ...rest } = parsed(options);
    return { ...rest, length: challenge.length, types: new Set(allowCredentials?.map(({ type }) => type)) };
  };

  test("an unknown login, one without passkeys and one with are answered alike", async () => {
    const unknown = newUser();
    const without = await confirmed(fleet);
    const answers = [];
    for (const login of [unknown.login, without.login, user.login]) answers.push(await beginLogin(fleet, login));
    const [first, ...others] = answers.map(shapeOf);
    expect(first).toMatchObject({ rpId: "localhost", userVerification: "required", timeout: 300_000 });
    for (const each of others) expect(each).toEqual(first);
    const { rows } = await fleet.sql.query("SELECT purpose FROM challenges WHERE id = ANY($1)", [
      answers.map(({ challenge }) => challenge.split(".")[0]),
    ]);
    expect(rows).toHaveLength(3);
  });

  test("an unknown login has the same passkeys whenever it is asked for, in any case", async () => {
    const { login } = newUser();
    const ids = async (name: string) => parsed((await beginLogin(fleet, name)).options).allowCredentials;
    expect(await ids(login)).toEqual(await ids(login.toUpperCase()));
    expect(await ids(login)).not.toEqual(await ids(newUser().login));
  });

  test("nobody's passkey answers for an unknown login, nor for another's", async () => {
    const other = await withPasskey(fleet);
    for (const login of [newUser().login, other.login]) {
      const { options, challenge } = await beginLogin(fleet, login);
      const own = JSON.stringify({ ...parsed(options), allowCredentials: undefined });
      expect(await refusalOf(finishLogin(fleet, challenge, user.device.get(own)))).toBe("MFA_INVALID");
    }
  });

  test("an absurd login is refused", async () => {
    expect(await refusalOf(beginLogin(fleet, "x".repeat(33)))).toBe("INVALID_INPUT");
  });
});

describe("a passkey beside the password", () => {
  test("answers the challenge of the login; that it is in the owner's hand is enough", async () => {
    const { challenge, methods } = await challenged(fleet, user, false);
    expect(methods).toEqual(["passkey"]);
    const begun = await beginLogin(fleet, user.login, challenge);
    expect(begun.challenge).toBe(challenge);
    expect(parsed(begun.options)).toMatchObject({ userVerification: "discouraged" });
    const tokens = await finishLogin(
      fleet,
      challenge,
      user.device.get(begun.options, { verified: false, userHandle: "" }),
    );
    expect(amrOf(tokens)).toEqual(["pwd", "hwk", "mfa"]);
    expect((await refresh(tokens.refreshToken)).refreshToken).toBe(tokens.refreshToken); // it does not rotate, as was asked for
    expect((await eventsOf(fleet, user, "^LoggedIn")).at(-1)).toBe("LoggedIn password+passkey");
    expect(await refusalOf(beginLogin(fleet, user.login, challenge))).toBe("TOKEN_INVALID");
  });

  test("is asked for with the login of the challenge only, and with a challenge that is one", async () => {
    const { challenge } = await challenged(fleet, user);
    expect(await refusalOf(beginLogin(fleet, newUser().login, challenge))).toBe("TOKEN_INVALID");
    expect(await refusalOf(beginLogin(fleet, user.login, newOpaque(challenge.split(".")[0]!).token))).toBe(
      "TOKEN_INVALID",
    );
    expect(await refusalOf(beginLogin(fleet, user.login, "garbage"))).toBe("TOKEN_INVALID");
  });

  test("of another user does not do", async () => {
    const other = await withPasskey(fleet);
    const { challenge } = await challenged(fleet, other);
    const { options } = await beginLogin(fleet, other.login, challenge);
    const own = JSON.stringify({ ...parsed(options), allowCredentials: undefined });
    expect(await refusalOf(finishLogin(fleet, challenge, user.device.get(own)))).toBe("MFA_INVALID");
  });

  test("cannot be replaced by a code that the user has not", async () => {
    const { challenge } = await challenged(fleet, user);
    expect(await refusalOf(answer(fleet, challenge, "123456"))).toBe("MFA_INVALID");
    expect((await eventsOf(fleet, user, "^MfaR")).at(-1)).toBe("MfaRefused totp absent");
  });
});

describe("removing", () => {
  test("takes the passkey away at once; with the last factor the password is enough again", async () => {
    const one = await withPasskey(fleet);
    const { options, challenge } = await beginLogin(fleet, one.login);
    const response = one.device.get(options);
    await remove(one.session.accessToken, one.passkeyId);
    expect(await refusalOf(finishLogin(fleet, challenge, response))).toBe("MFA_INVALID");
    expect(await loggedIn(fleet, one)).toMatchObject({ userId: one.id });
    expect((await eventsOf(fleet, one, "^MfaC")).at(-1)).toBe("MfaChanged passkey-removed");
  });

  test("is for one's own passkeys", async () => {
    const other = await withPasskey(fleet);
    expect(await refusalOf(remove(other.session.accessToken, user.passkeyId))).toBe("NOT_FOUND");
    expect(await refusalOf(remove(other.session.accessToken, "garbage"))).toBe("INVALID_INPUT");
    expect((await list(user.session.accessToken)).passkeys).toHaveLength(1);
  });

  test("of two at once removes each that was answered so", async () => {
    const one = await withPasskey(fleet);
    await registerPasskey(fleet, one.session.accessToken, makeAuthenticator(), "another");
    const { accessToken } = await refresh(one.session.refreshToken);
    const { passkeys } = await list(accessToken);
    expect(passkeys.map(({ label }) => label)).toEqual(["a device", "another"]);
    const answers = await Promise.allSettled(passkeys.map(({ passkeyId }) => remove(accessToken, passkeyId)));
    expect(answers.filter(({ status }) => status === "fulfilled").length).toBeGreaterThanOrEqual(1);
    const left = await list((await refresh(one.session.refreshToken)).accessToken);
    expect(left.passkeys).toHaveLength(answers.filter(({ status }) => status === "rejected").length);
  });
});
