// Device tokens at the handlers: every command that gives tokens gives one, it is renewed, and whoever comes with one
// is not delayed by guesses from elsewhere, until the password is set anew by a link. The controls come without it, or
// with one that does not hold.
import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { sql } from "slonik";
import { z } from "zod";
import { readConfig } from "../../src/config/read.ts";
import { makeDeviceTokens } from "../../src/crypto/device-token.ts";
import { rotateDataKeys, rotateDueDataKeys } from "../../src/keys/data-keys.ts";
import { keyRulesOf } from "../../src/keys/fleet-keys.ts";
import { type ClientInput, commandSchemas } from "../../src/protocol/generated/schemas.ts";
import { makeAuthenticator } from "../support/authenticator.ts";
import { fromBase32, shownNow } from "../support/factors.ts";
import { account, type HandlerHarness, handlerHarness } from "../support/handlers.ts";

type Account = Awaited<ReturnType<typeof account>>;

const waits = { AUTH_ATTEMPTS_DELAY: "15m", AUTH_ATTEMPTS_ACCOUNT_DELAY_MAX: "15m", AUTH_NETWORK_PASSWORDS: "25/1h" };
let harness: HandlerHarness;
beforeAll(async () => {
  harness = await handlerHarness({ env: waits, cheapHashes: true, poolSize: 4 });
}, 60_000);
afterAll(() => harness.close());

const wrong = "not the right password";
let networks = 0;
const elsewhere = (): ClientInput => {
  networks += 1;
  return { ip: `198.51.${networks >> 8}.${networks & 255}`, userAgent: null, device: null };
};
const logIn = (
  { login, password }: Pick<Account, "login" | "password">,
  device?: string,
  client: ClientInput | null = null,
) => harness.ask("auth.session.login", { login, password, client }, { ...(device !== undefined && { device }) });
const tried = (
  who: Pick<Account, "login" | "password">,
  device?: string,
  client: ClientInput | null = elsewhere(),
  at = harness,
) => at.outcome("auth.session.login", { ...who, client } as never, { ...(device !== undefined && { device }) });
const asked = ({ login, password }: Account) => ({ login, password });
const tokenOf = async (owner: Account): Promise<string> => (await logIn(owner)).tokens!.deviceToken;
const holds = (token: string, recordKey: string, at = Date.now()) =>
  makeDeviceTokens(harness.dataKeys, 90 * 86_400_000).verify(token, { recordKey, at });

/** Guesses from ever other networks until those have to wait. */
async function attack({ login }: Account): Promise<void> {
  for (let n = 0; n < 25; n += 1) if ((await tried({ login, password: wrong })) === "THROTTLED") return;
  throw new Error("nobody had to wait");
}

/** Sets another password, as by the link of a mail. */
async function reset({ id, email }: Account, newPassword: string): Promise<void> {
  await harness.pool.query(sql.unsafe`DELETE FROM one_time_tokens WHERE user_id = ${id}`);
  await harness.ask("auth.password.forgot", { email });
  const secret = randomBytes(32);
  const hash = createHash("sha256").update(secret).digest();
  const row = await harness.pool.one(sql.type(z.object({ id: z.string() }))`
    UPDATE one_time_tokens SET secret_hash = ${sql.binary(hash)} WHERE user_id = ${id} AND purpose = 'reset' RETURNING id`);
  await harness.ask("auth.password.reset", { token: `${row.id}.${secret.toString("base64url")}`, newPassword });
}

describe("every command that gives tokens", () => {
  test("gives a device token with them, sealed", () => {
    const giving = Object.entries(commandSchemas).flatMap(([topic, { reply }]) => {
      const sealed = (reply.fields[0].type[0] as { sealedFields?: { name: string }[] }).sealedFields ?? [];
      const names = sealed.map(({ name }) => name.split(".").at(-1));
      return names.includes("refreshToken") ? [[topic, names.includes("deviceToken")]] : [];
    });
    expect(giving).toHaveLength(5);
    expect(giving.filter(([, given]) => !given)).toEqual([]);
  });

  test("by a password or a refresh: it is for the login however it was typed, and for no other", async () => {
    const owner = await account(harness);
    const { tokens } = await logIn({ ...owner, login: owner.login.toUpperCase() });
    const { deviceToken } = await harness.ask("auth.session.refresh", { refreshToken: tokens!.refreshToken });
    for (const token of [tokens!.deviceToken, deviceToken]) {
      expect(holds(token, owner.login)).toMatchObject({ epoch: 0 });
      for (const other of [owner.login.toUpperCase(), owner.email, `${owner.login}x`, ""])
        expect(holds(token, other)).toBeUndefined();
    }
  });

  test("by a code or a passkey: the same", async () => {
    const owner = await account(harness);
    const { accessToken, refreshToken } = (await logIn(owner)).tokens!;
    const secret = fromBase32((await harness.ask("auth.mfa.enroll", { accessToken })).secret);
    await harness.ask("auth.mfa.activate", { accessToken, code: shownNow(secret) });
    const own = await harness.ask("auth.session.refresh", { refreshToken });
    const device = makeAuthenticator();
    const begun = await harness.ask("auth.passkey.begin-registration", { accessToken: own.accessToken });
    const response = device.create(begun.options);
    await harness.ask("auth.passkey.finish-registration", {
      accessToken: own.accessToken,
      challenge: begun.challenge,
      response,
    });
    await harness.pool.query(sql.unsafe`UPDATE totp_factors SET last_step = 0 WHERE user_id = ${owner.id}`);
    const { challenge } = (await logIn(owner)).challenge!;
    const byCode = await harness.ask("auth.session.login-mfa", { challenge, method: "totp", code: shownNow(secret) });
    const asking = await harness.ask("auth.passkey.begin-login", { login: owner.login, challenge: "" });
    const byPasskey = await harness.ask("auth.passkey.finish-login", {
      challenge: asking.challenge,
      response: device.get(asking.options),
    });
    for (const { deviceToken } of [byCode, byPasskey])
      expect(holds(deviceToken, owner.login)).toMatchObject({ epoch: 0 });
  });

  test("whoever logs in by the address has tokens for the address, also after a code and a refresh, and none for the login", async () => {
    const owner = await account(harness);
    const byAddress = { login: owner.email.toUpperCase(), password: owner.password };
    const { tokens } = await logIn(byAddress);
    const refreshed = await harness.ask("auth.session.refresh", { refreshToken: tokens!.refreshToken });
    const { accessToken } = refreshed;
    const secret = fromBase32((await harness.ask("auth.mfa.enroll", { accessToken })).secret);
    await harness.ask("auth.mfa.activate", { accessToken, code: shownNow(secret) });
    await harness.pool.query(sql.unsafe`UPDATE totp_factors SET last_step = 0 WHERE user_id = ${owner.id}`);
    const { challenge } = (await logIn(byAddress)).challenge!;
    const byCode = await harness.ask("auth.session.login-mfa", { challenge, method: "totp", code: shownNow(secret) });
    const later = await harness.ask("auth.session.refresh", { refreshToken: byCode.refreshToken });
    for (const { deviceToken } of [tokens!, refreshed, byCode, later]) {
      expect(holds(deviceToken, owner.email)).toMatchObject({ epoch: 0 });
      expect(holds(deviceToken, owner.login)).toBeUndefined();
    }
    await attack(owner);
    expect([await tried(byAddress, tokens!.deviceToken), await tried(asked(owner), tokens!.deviceToken)]).toEqual([
      "ok",
      "THROTTLED",
    ]);
  });

  test("renews the token of the request, with its id; one that does not hold is followed by another one", async () => {
    const owner = await account(harness);
    const first = await tokenOf(owner);
    const { id } = holds(first, owner.login)!;
    const again = (await logIn(owner, first)).tokens!;
    expect(holds(again.deviceToken, owner.login)!.id).toEqual(id);
    const refreshed = await harness.ask(
      "auth.session.refresh",
      { refreshToken: again.refreshToken },
      { device: again.deviceToken },
    );
    expect(holds(refreshed.deviceToken, owner.login)!.id).toEqual(id);
    const foreign = await tokenOf(await account(harness));
    for (const other of [undefined, "garbage", foreign, `${first.slice(0, -1)}${first.endsWith("A") ? "E" : "A"}`]) {
      const { deviceToken } = (await logIn(owner, other)).tokens!;
      expect(holds(deviceToken, owner.login)!.id).not.toEqual(id);
    }
  });
});

describe("whoever comes with a device token that holds", () => {
  test("is not delayed by guesses from elsewhere; without it, or with any other text, they are", async () => {
    const [owner, stranger] = [await account(harness), await account(harness)];
    const [token, foreign] = [await tokenOf(owner), await tokenOf(stranger)];
    await attack(owner);
    expect(await tried(asked(owner), token)).toBe("ok");
    const old = makeDeviceTokens(harness.dataKeys, 90 * 86_400_000).issue({
      recordKey: owner.login,
      epoch: 0,
      now: Date.now() - 92 * 86_400_000,
    });
    for (const other of [undefined, "", "garbage", foreign, token.slice(0, -1), `${token}.`, old])
      expect(await tried(asked(owner), other)).toBe("THROTTLED");
    expect(await tried({ ...asked(owner), login: owner.login.toUpperCase() }, token)).toBe("ok");
    expect(await tried(asked(owner), token)).toBe("ok");
  });

  test("is not delayed by what others of the network guess at", async () => {
    const owner = await account(harness);
    const token = await tokenOf(owner);
    const here = elsewhere();
    const attacker = async (): Promise<string> =>
      harness.outcome("auth.session.login", {
        login: `n${randomBytes(6).toString("hex")}`,
        password: wrong,
        client: here,
      });
    for (let n = 0; n < 25; n += 1) expect(await attacker()).toBe("INVALID_CREDENTIALS");
    expect([
      await attacker(),
      await tried(asked(owner), undefined, here),
      await tried(asked(owner), token, here),
    ]).toEqual(["THROTTLED", "THROTTLED", "ok"]);
  });

  test("waits for their own wrong guesses, wherever they come from, and delays no other device by them", async () => {
    const owner = await account(harness);
    const [token, other] = [await tokenOf(owner), await tokenOf(owner)];
    const codes: string[] = [];
    for (let n = 0; n < 12; n += 1) codes.push(await tried({ login: owner.login, password: wrong }, token));
    expect(codes).toEqual([...Array(10).fill("INVALID_CREDENTIALS"), "THROTTLED", "THROTTLED"]);
    expect([await tried(asked(owner), token), await tried(asked(owner), other), await tried(asked(owner))]).toEqual([
      "THROTTLED",
      "ok",
      "ok",
    ]);
  });

  test("has a right password forget their own wrong ones", async () => {
    const owner = await account(harness);
    const token = await tokenOf(owner);
    for (let round = 0; round < 3; round += 1) {
      for (let n = 0; n < 9; n += 1)
        expect(await tried({ login: owner.login, password: wrong }, token)).toBe("INVALID_CREDENTIALS");
      expect(await tried(asked(owner), token)).toBe("ok");
    }
  });

  test("gets no more guesses from many tokens: all devices of an account together have a limit", async () => {
    const owner = await account(harness);
    const tokens: string[] = [];
    for (let n = 0; n < 12; n += 1) tokens.push(await tokenOf(owner));
    const codes = [];
    for (const token of tokens)
      for (let n = 0; n < 10; n += 1) codes.push(await tried({ login: owner.login, password: wrong }, token));
    expect(codes.filter((code) => code === "INVALID_CREDENTIALS")).toHaveLength(100);
  });
});

describe("after a reset of the password", () => {
  test("tokens from before are known no more, only their place is left; the next login gives one that is", async () => {
    const owner = await account(harness);
    const token = await tokenOf(owner);
    await reset(owner, "another good password");
    const now = { ...owner, password: "another good password" };
    await attack(owner);
    expect(await tried(asked(now), token)).toBe("THROTTLED");
    expect(holds(token, owner.login)).toMatchObject({ epoch: 0 });
    await harness.pool.query(sql.unsafe`DELETE FROM login_attempts WHERE user_id = ${owner.id}`);
    const next = (await logIn(now, token)).tokens!.deviceToken;
    expect(holds(next, owner.login)).toMatchObject({ epoch: 1 });
    expect(holds(next, owner.login)!.id).not.toEqual(holds(token, owner.login)!.id);
    await attack(owner);
    expect([await tried(asked(now), next), await tried(asked(now), token)]).toEqual(["ok", "THROTTLED"]);
  });

  test("and not after a change of it", async () => {
    const owner = await account(harness);
    const { accessToken, deviceToken } = (await logIn(owner)).tokens!;
    await harness.ask("auth.password.change", {
      accessToken,
      currentPassword: owner.password,
      newPassword: "another good password",
    });
    await attack(owner);
    expect(await tried({ login: owner.login, password: "another good password" }, deviceToken)).toBe("ok");
  });
});

test("tokens outlive the next data keys, those of attempts and their own", async () => {
  const owner = await account(harness);
  const token = await tokenOf(owner);
  const before = harness.dataKeys();
  // Where there is a key that is not in use yet, none is made.
  const age = () => harness.pool.query(sql.unsafe`UPDATE data_keys SET created_at = created_at - interval '1 hour'`);
  await age();
  await rotateDataKeys({
    pool: harness.pool,
    master: harness.master,
    clock: { now: Date.now, monotonic: () => performance.now() },
  });
  await age();
  const later = await harness.beside();
  expect(later.dataKeys().current("device").id).not.toBe(before.current("device").id);
  expect(later.dataKeys().current("attempts").id).not.toBe(before.current("attempts").id);
  const guess = () => tried({ login: owner.login, password: wrong }, undefined, elsewhere(), later);
  for (let n = 0; n < 20; n += 1) await guess();
  expect([await guess(), await tried(asked(owner), token, elsewhere(), later)]).toEqual(["THROTTLED", "ok"]);
  await later.close();
});

test("the data key of tokens is kept until the last of them has ended, and then goes", async () => {
  const clock = { now: Date.now, monotonic: () => performance.now() };
  const rules = keyRulesOf(readConfig({ AUTH_KEY_ROTATION: "3650d" }, "dev"));
  const ids = async (): Promise<readonly number[]> =>
    harness.pool.anyFirst(
      sql.type(z.object({ id: z.number() }))`SELECT id FROM data_keys WHERE purpose = 'device' ORDER BY id`,
    );
  await rotateDataKeys({ pool: harness.pool, master: harness.master, clock }, ["device"]);
  const all = await ids();
  const after = async (days: number): Promise<readonly number[]> => {
    await harness.pool.query(sql.unsafe`
      UPDATE data_keys SET created_at = now() - ${days} * interval '1 day' WHERE purpose = 'device'`);
    await rotateDueDataKeys({ pool: harness.pool, master: harness.master, clock, rules });
    return ids();
  };
  expect(await after(91)).toEqual(all);
  expect(await after(93)).toEqual(all.slice(-1));
});
