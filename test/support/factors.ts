// Users with second factors, set up through Kafka like all others: an authenticator app, passkeys.

import type { SessionTokens } from "../../src/accounts/sessions.ts";
import { totpCode, totpStep } from "../../src/crypto/totp.ts";
import { auditOf } from "./audited.ts";
import { type Authenticator, makeAuthenticator } from "./authenticator.ts";
import type { TestFleet } from "./test-fleet.ts";
import { type Confirmed, confirmed, loggedIn, type TestUser } from "./users.ts";

export interface WithApp extends Confirmed {
  secret: Buffer;
  codes: string[];
  /** Of the session in which it was set up, refreshed. */
  session: SessionTokens;
}

/** RFC 4648, section 6. */
export function fromBase32(text: string): Buffer {
  const bits = [...text]
    .map((each) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(each).toString(2).padStart(5, "0"))
    .join("");
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((each) => Number.parseInt(each, 2)));
}

/** What the app shows now. */
export const shownNow = (secret: Buffer): string => totpCode(secret, totpStep(Date.now()));

export async function enrolled(fleet: TestFleet, accessToken: string): Promise<Buffer> {
  const { secret } = await fleet.client.request("auth.mfa.enroll", { accessToken });
  return fromBase32(secret);
}

export async function withApp(fleet: TestFleet, user?: Confirmed, { endOthers = true } = {}): Promise<WithApp> {
  const owner = user ?? (await confirmed(fleet));
  const { accessToken, refreshToken } = await loggedIn(fleet, owner);
  const secret = await enrolled(fleet, accessToken);
  const input = { accessToken, code: shownNow(secret), endOthers };
  const { codes } = await fleet.client.request("auth.mfa.activate", input);
  const session = await fleet.client.request("auth.session.refresh", { refreshToken });
  return { ...owner, secret, codes, session };
}

/**
 * A code that works now, as if none had been shown yet: a code works once, and a test does not wait for the next one.
 */
export async function codeOf(fleet: TestFleet, { id, secret }: Pick<WithApp, "id" | "secret">): Promise<string> {
  await fleet.sql.query("UPDATE totp_factors SET last_step = 0 WHERE user_id = $1", [id]);
  return shownNow(secret);
}

/** The right password was given, and this is asked for. */
export async function challenged(fleet: TestFleet, { login, password }: TestUser, rotating = true) {
  const { tokens, challenge } = await fleet.client.request("auth.session.login", { login, password, rotating });
  if (challenge === null || tokens !== null) throw new Error("the login asked for nothing more");
  return challenge;
}

export function answer(fleet: TestFleet, challenge: string, code: string, method = "totp"): Promise<SessionTokens> {
  return fleet.client.request("auth.session.login-mfa", { challenge, method, code });
}

/** Password and code. */
export async function loggedInWithApp(fleet: TestFleet, user: WithApp, rotating = true): Promise<SessionTokens> {
  const { challenge } = await challenged(fleet, user, rotating);
  return answer(fleet, challenge, await codeOf(fleet, user));
}

export interface WithPasskey extends Confirmed {
  device: Authenticator;
  passkeyId: string;
  session: SessionTokens;
}

/** Registers a passkey of the device in the session of the access token. */
export async function registerPasskey(fleet: TestFleet, accessToken: string, device = makeAuthenticator(), label = "") {
  const { options, challenge } = await fleet.client.request("auth.passkey.begin-registration", { accessToken });
  const response = device.create(options);
  return fleet.client.request("auth.passkey.finish-registration", { accessToken, challenge, response, label });
}

export async function withPasskey(fleet: TestFleet, device = makeAuthenticator()): Promise<WithPasskey> {
  const user = await confirmed(fleet);
  const { accessToken, refreshToken } = await loggedIn(fleet, user);
  const { passkeyId } = await registerPasskey(fleet, accessToken, device, "a device");
  const session = await fleet.client.request("auth.session.refresh", { refreshToken });
  return { ...user, device, passkeyId, session };
}

export const beginLogin = (fleet: TestFleet, login: string, challenge = "") =>
  fleet.client.request("auth.passkey.begin-login", { login, challenge });

export const finishLogin = (fleet: TestFleet, challenge: string, response: string): Promise<SessionTokens> =>
  fleet.client.request("auth.passkey.finish-login", { challenge, response });

/** A user's events of these kinds, in order, each with what tells it from others. */
export async function eventsOf(fleet: TestFleet, { id }: { id: number }, kinds: string): Promise<string[]> {
  const rows = (await auditOf(fleet, id)).filter(({ event }) => new RegExp(kinds).test(event));
  return rows.map(({ event, details, personal }) => {
    const said = { ...details, ...personal };
    return [event, ...["change", "method", "reason"].flatMap((name) => said[name] ?? [])].join(" ");
  });
}
