// What the owner of an account is told by mail: every change of how they log in (ASVS 5.0, 6.3.7), and a copy of their
// data. Through Kafka: each kind is written once, however often its request comes, with no link and no secret; what
// changed nothing writes none, and neither does what is about an address nobody confirmed.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { renderMail } from "../../src/mail/render.ts";
import type { Commands } from "../../src/protocol/generated/schemas.ts";
import { makeAuthenticator } from "../support/authenticator.ts";
import { enrolled, shownNow } from "../support/factors.ts";
import { mailedToken, mailTo, openMail } from "../support/mails.ts";
import { operatorToken } from "../support/operator.ts";
import { builtIn, siteWith } from "../support/rendered-mails.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { type Confirmed, confirmed, loggedIn, newUser, refusalOf, registered } from "../support/users.ts";

let fleet: TestFleet;
let operator: string;
let user: Confirmed;

/** Asks twice with one key, as a requester does that has not heard the answer. */
async function twice<T extends keyof Commands>(topic: T, input: Commands[T]["input"]): Promise<Commands[T]["result"]> {
  const options = { idempotencyKey: `${topic}-twice-of-${user.login}` };
  await fleet.client.request(topic, input, options);
  return fleet.client.request(topic, input, options);
}

/** Kinds of the mails that were written for a user, in order. */
async function written({ id }: { id: number }): Promise<string[]> {
  const { rows } = await fleet.sql.query<{ kind: string }>(
    "SELECT body->>'kind' AS kind FROM outbox WHERE topic = 'auth.mail' AND user_id = $1 ORDER BY id",
    [id],
  );
  return rows.map(({ kind }) => kind);
}

const wanted = [
  "totp-activated",
  "passkey-added",
  "recovery-codes",
  "passkey-removed",
  "totp-disabled",
  "mfa-reset",
  "data-exported",
  "password-changed",
  "reset",
  "password-reset",
];
const notices = wanted.filter((kind) => kind !== "reset");

/** Changes everything there is to change, and tries some of it in vain. */
async function changeAll(): Promise<void> {
  let { accessToken, refreshToken } = await loggedIn(fleet, user);
  const renew = async () => {
    ({ accessToken, refreshToken } = await fleet.client.request("auth.session.refresh", { refreshToken }));
  };
  const secret = await enrolled(fleet, accessToken);
  expect(await refusalOf(fleet.client.request("auth.mfa.activate", { accessToken, code: "abc" }))).toBe("MFA_INVALID");
  await twice("auth.mfa.activate", { accessToken, code: shownNow(secret) });
  await renew();
  const { options, challenge } = await fleet.client.request("auth.passkey.begin-registration", { accessToken });
  const response = makeAuthenticator().create(options);
  const answer = { accessToken, challenge, response, label: "laptop" };
  const { passkeyId } = await twice("auth.passkey.finish-registration", answer);
  await renew();
  await twice("auth.mfa.recovery-codes", { accessToken });
  await twice("auth.passkey.remove", { accessToken, passkeyId });
  await renew();
  expect(await refusalOf(fleet.client.request("auth.passkey.remove", { accessToken, passkeyId }))).toBe("NOT_FOUND");
  await twice("auth.mfa.disable", { accessToken });
  await renew();
  await addPasskey(user);
  const reset = { actorToken: operator, target: user.login, reason: "lost it" };
  expect(await twice("auth.admin.reset-mfa", reset)).toMatchObject({ hadFactors: true });
  expect(await fleet.client.request("auth.admin.reset-mfa", reset)).toMatchObject({ hadFactors: false });
  ({ accessToken, refreshToken } = await loggedIn(fleet, user));
  await twice("auth.account.export", { accessToken });
  expect(await refusalOf(fleet.client.request("auth.account.export", { accessToken }))).toBe("THROTTLED");
  const newPassword = `a new ${user.password}`;
  await twice("auth.password.change", { accessToken, currentPassword: user.password, newPassword });
  await fleet.client.request("auth.password.forgot", { email: user.email });
  const token = await mailedToken(fleet, user.email, "reset");
  await twice("auth.password.reset", { token, newPassword: `another ${user.password}` });
}

/** Without a notice: as it stands in the database. */
const addPasskey = ({ id }: { id: number }) =>
  fleet.sql.query(
    `INSERT INTO passkeys (id, user_id, credential_id, public_key, sign_count, transports, synced, label)
     VALUES (gen_random_uuid(), $1::bigint, 'notice-' || $1::bigint::text, '', 0, '{}', false, '')`,
    [id],
  );

beforeAll(async () => {
  fleet = await testFleet();
  operator = await operatorToken(fleet);
  user = await confirmed(fleet);
  await changeAll();
}, 90_000);
afterAll(() => fleet.close());

test("of all that was done, repeated and refused, there is one mail for each change, in order", async () => {
  expect(await written(user)).toEqual(wanted);
});

describe.each(notices)("%s", (kind) => {
  test("is on auth.mail once, to the owner, with their name sealed and nothing else", async () => {
    const mail = await mailTo(fleet, user.email, kind);
    expect(mail).toMatchObject({ kind, to: user.email, locale: "en" });
    expect(await openMail(fleet, mail)).toEqual({ username: user.username });
    await mailTo(fleet, user.email, "password-reset"); // the last of them
    expect(await fleet.mails.count("auth.mail", 1, ({ value }) => value?.includes(mail.mailId) === true)).toHaveLength(
      1,
    );
  });

  test.each(["en", "ru"])("can be rendered in %s from what is sealed", async (locale) => {
    const mail = await mailTo(fleet, user.email, kind);
    const secrets = (await openMail(fleet, mail)) as { username: string };
    const { text } = renderMail({ ...mail, ...secrets, locale }, siteWith(builtIn))!;
    expect(text).toContain(user.username);
    expect(text).not.toContain("://");
  });
});

describe("from where a mail was brought about", () => {
  const client = { ip: "203.0.113.7", userAgent: "Browser/1.0", device: "Kitchen laptop" };
  const within = { loginAddress: client.ip, loginDevice: client.device };

  test("is told of a session: its address and device, and to a new address no device", async () => {
    const owner = await confirmed(fleet);
    const { login, password, email, username } = owner;
    const { tokens } = await fleet.client.request("auth.session.login", { login, password, client });
    const { accessToken } = tokens!;
    const newEmail = newUser().email;
    await fleet.client.request("auth.account.change-email", { accessToken, password, newEmail });
    await fleet.client.request("auth.account.export", { accessToken });
    const newPassword = `a new ${password}`;
    await fleet.client.request("auth.password.change", { accessToken, currentPassword: password, newPassword });
    for (const kind of ["email-change-requested", "data-exported", "password-changed"])
      expect(await openMail(fleet, await mailTo(fleet, email, kind))).toEqual({ username, ...within });
    const toNew = await openMail(fleet, await mailTo(fleet, newEmail, "email-confirm"));
    expect(toNew).toEqual({ username, token: expect.any(String), loginAddress: client.ip });
  });

  test("is told of a change of factors", async () => {
    const { login, password, email, username } = await confirmed(fleet);
    const { tokens } = await fleet.client.request("auth.session.login", { login, password, client });
    let { accessToken, refreshToken } = tokens!;
    await fleet.client.request("auth.mfa.activate", {
      accessToken,
      code: shownNow(await enrolled(fleet, accessToken)),
    });
    ({ accessToken, refreshToken } = await fleet.client.request("auth.session.refresh", { refreshToken }));
    await fleet.client.request("auth.mfa.recovery-codes", { accessToken });
    for (const kind of ["totp-activated", "recovery-codes"])
      expect(await openMail(fleet, await mailTo(fleet, email, kind))).toEqual({ username, ...within });
  });

  test("is told of a request without a session: its address, and no word of whoever sent it", async () => {
    const { email, username, password } = await confirmed(fleet);
    await fleet.client.request("auth.password.forgot", { email, client });
    const { token, ...others } = await openMail(fleet, await mailTo(fleet, email, "reset"));
    expect(others).toEqual({ username, requestAddress: client.ip });
    const change = { token: String(token), newPassword: `a new ${password}`, client };
    await fleet.client.request("auth.password.reset", change);
    const told = await openMail(fleet, await mailTo(fleet, email, "password-reset"));
    expect(told).toEqual({ username, requestAddress: client.ip });
  });

  test("is not told of what an operator does", async () => {
    const owner = await confirmed(fleet);
    await addPasskey(owner);
    await fleet.client.request("auth.admin.reset-mfa", { actorToken: operator, target: owner.login, reason: "a test" });
    const { username } = owner;
    expect(await openMail(fleet, await mailTo(fleet, owner.email, "mfa-reset"))).toEqual({ username });
  });
});

test("who gave a language is told in it", async () => {
  const owner = await confirmed(fleet, { ...newUser(), locale: "ru-ru" });
  await addPasskey(owner);
  await fleet.client.request("auth.admin.reset-mfa", { actorToken: operator, target: owner.login, reason: "a test" });
  expect(await mailTo(fleet, owner.email, "mfa-reset")).toMatchObject({ locale: "ru-RU" });
});

test("nothing is written to an address that nobody confirmed, whatever an operator does", async () => {
  const stranger = await registered(fleet);
  const owner = await confirmed(fleet);
  for (const each of [stranger, owner]) {
    await addPasskey(each);
    const input = { actorToken: operator, target: `id:${each.id}`, reason: "a test" };
    expect(await fleet.client.request("auth.admin.reset-mfa", input)).toMatchObject({ hadFactors: true });
  }
  expect(await written(owner)).toEqual(["mfa-reset"]); // the control
  expect(await written(stranger)).toEqual([]);
});
