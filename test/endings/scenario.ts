// One cell of the matrix: a user with two sessions, and what can be asked about what was made for that user. In session
// `a` the ending is given, where it is given in one; in session `b` things are made, and it is the one that is ended
// where one is.
import { randomBytes, randomUUID } from "node:crypto";
import { sql } from "slonik";
import { z } from "zod";
import { totpAad } from "../../src/accounts/second-factors.ts";
import { Revocations } from "../../src/client/revocations.ts";
import { hashSecret, newOpaque } from "../../src/crypto/opaque.ts";
import { hashRecoveryCode, makeRecoveryCodes } from "../../src/crypto/recovery-codes.ts";
import { totpCode, totpStep } from "../../src/crypto/totp.ts";
import type { InRecord } from "../../src/kafka/records.ts";
import { Refusal } from "../../src/protocol/errors.ts";
import { makeAuthenticator } from "../support/authenticator.ts";
import { account, type HandlerHarness } from "../support/handlers.ts";
import { holdUser } from "../support/held.ts";
import { until } from "../support/until.ts";

export interface Session {
  sessionId: string;
  accessToken: string;
  refreshToken: string;
}

export interface Scenario {
  harness: HandlerHarness;
  id: number;
  login: string;
  password: string;
  email: string;
  a: Session;
  b: Session;
  /** Of an administrator, for what only one can do. */
  actorToken: string;
}

const day = 86_400_000;
const anyRow = z.looseObject({});

export async function newScenario(harness: HandlerHarness, confirmed: boolean, actorToken: string): Promise<Scenario> {
  const owner = await account(harness);
  if (!confirmed) await harness.pool.query(sql.unsafe`UPDATE users SET confirmed_at = NULL WHERE id = ${owner.id}`);
  const b = await openSession(harness, owner, { ageMs: 2000 });
  const a = await openSession(harness, owner, { ageMs: 1000 });
  return { harness, ...owner, a, b, actorToken };
}

/** As a login with a second factor leaves it. */
async function openSession(
  { parts, pool }: HandlerHarness,
  { id: userId, login }: { id: number; login: string },
  { ageMs = 0 } = {},
): Promise<Session> {
  const sessionId = randomUUID();
  const { token: refreshToken, secret } = newOpaque(sessionId);
  const amr = ["pwd", "otp", "mfa"];
  const { generation } = await pool.one(sql.type(z.object({ generation: z.number() }))`
    INSERT INTO sessions (id, user_id, rotating, refresh_hash, refresh_key, created_at, expires_at, amr)
    SELECT ${sessionId}::uuid, id, true, ${sql.binary(hashSecret(secret))}::bytea, ${parts.dataKeys().current("refresh").id},
      now() - ${ageMs} * interval '1 millisecond', now() + interval '1 day', ${sql.array(amr, "text")}
    FROM users WHERE id = ${userId} RETURNING (SELECT generation FROM users WHERE id = ${userId})`);
  const subject = { userId, login, roles: [], sessionId, generation, amr, authTime: Date.now() };
  const { token: accessToken } = await parts.tokens.issueAccess(subject);
  return { sessionId, accessToken, refreshToken };
}

/** Somebody who may do everything, logged in. */
export async function administrator(harness: HandlerHarness): Promise<string> {
  const owner = await account(harness);
  await harness.pool.query(sql.unsafe`
    INSERT INTO user_roles (user_id, role_id) SELECT ${owner.id}, id FROM roles WHERE name = 'admin'`);
  return (await openSession(harness, owner)).accessToken;
}

/** "ok", or the code that it was refused with. */
export async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "ok";
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

/** An authenticator app that the user has, or has only enrolled. @returns its secret */
export async function withApp({ harness, id }: Scenario, { active }: { active: boolean }): Promise<Buffer> {
  const secret = randomBytes(20);
  const encrypted = harness.parts.dataKeys().cipher("mfa").encrypt(secret, totpAad(id));
  await harness.pool.query(sql.unsafe`
    INSERT INTO totp_factors (user_id, secret, activated_at) VALUES (${id}, ${sql.binary(encrypted)}, CASE WHEN ${active} THEN now() END)`);
  return secret;
}

export const shownNow = (secret: Buffer): string => totpCode(secret, totpStep(Date.now()));

/** A passkey that nobody holds: the user has a factor, and its row can be removed. @returns its id */
export async function withLostPasskey({ harness, id }: Scenario): Promise<string> {
  const passkeyId = randomUUID();
  await harness.pool.query(sql.unsafe`
    INSERT INTO passkeys (id, user_id, credential_id, public_key, sign_count, transports, synced, label)
    VALUES (${passkeyId}::uuid, ${id}, ${passkeyId}, '', 0, '{}', false, '')`);
  return passkeyId;
}

/** A recovery code that works. */
export async function withRecoveryCode({ harness, id }: Scenario): Promise<string> {
  const code = makeRecoveryCodes()[0]!;
  await harness.pool.query(sql.unsafe`
    INSERT INTO recovery_codes (user_id, hash) VALUES (${id}, ${sql.binary(hashRecoveryCode(code)!)})`);
  return code;
}

/** A passkey of a device, asked for in this session and not registered yet. */
export async function begunRegistration({ harness }: Scenario, { accessToken }: Session) {
  const device = makeAuthenticator();
  const { options, challenge } = await harness.ask("auth.passkey.begin-registration", { accessToken });
  return { device, answer: { accessToken, challenge, response: device.create(options) } };
}

/** What the feed says of a token, to a verifier that has read all of it. */
async function judgedLocally({ harness, id }: Scenario, accessToken: string): Promise<string> {
  const { sessionId, userId, generation, keyId } = await harness.parts.tokens.verifyAccess(accessToken);
  const revocations = new Revocations(day);
  const said = await harness.pool.any(sql.type(z.object({ key: z.string(), body: anyRow }))`
    SELECT key, body FROM outbox WHERE topic = 'auth.revocation' AND key IN (${`u:${id}`}, ${`s:${sessionId}`}) ORDER BY id`);
  revocations.take(said.map(({ key, body }) => recordOf(key, body)));
  return revocations.judge({ sessionId, userId, generation, keyId });
}

function recordOf(key: string, body: object): InRecord {
  const place = { topic: "auth.revocation", partition: 0, offset: 0n, timestamp: Date.now() };
  return { ...place, key: Buffer.from(key), value: Buffer.from(JSON.stringify(body)), headers: {} };
}

/** Something that was made for the user, and the ways in which it still counts: none, where it was ended. */
export interface Product {
  kind: ProductKind;
  counts(): Promise<string[]>;
}

export type ProductKind =
  | "session"
  | "own session"
  | "challenge"
  | "registration"
  | "reset link"
  | "address link"
  | "confirmation link"
  | "enrolled app"
  | "app"
  | "codes"
  | "passkey"
  | "device";

/** @param kind `own session`: it was there before, and what was made are its newest tokens */
export function sessionProduct(
  scenario: Scenario,
  tokens: Session,
  kind: "session" | "own session" = "session",
): Product {
  const { harness, id } = scenario;
  const { accessToken, refreshToken, sessionId } = tokens;
  return {
    kind,
    async counts() {
      const ways: string[] = [];
      if ((await harness.outcome("auth.session.inspect", { accessToken })) === "ok") ways.push("inspect");
      if ((await judgedLocally(scenario, accessToken)) === "good") ways.push("local verifier");
      if ((await harness.outcome("auth.session.refresh", { refreshToken })) === "ok") ways.push("refresh");
      const left = await harness.pool.exists(sql.unsafe`
        SELECT FROM sessions WHERE id = ${sessionId}::uuid AND (ended_at IS NULL OR client IS NOT NULL)
          AND NOT EXISTS (SELECT FROM users WHERE id = ${id})`);
      if (left) ways.push("a row of somebody who is gone");
      return ways;
    },
  };
}

/** @param use the command that the thing is for: it counts where that is ok */
export function usedProduct(kind: ProductKind, use: () => Promise<unknown>): Product {
  return { kind, counts: async () => ((await outcomeOf(use())) === "ok" ? ["used"] : []) };
}

export function storedProduct(
  { harness }: Scenario,
  kind: ProductKind,
  where: ReturnType<typeof sql.fragment>,
): Product {
  return {
    kind,
    counts: async () => ((await harness.pool.exists(sql.unsafe`SELECT FROM ${where}`)) ? ["stored"] : []),
  };
}

/**
 * Three commands raise a user's generation, each of them read before any was committed.
 * @returns what the feed says of it, in its order
 */
export async function risesAtOnce(harness: HandlerHarness): Promise<number[]> {
  const { id } = await account(harness);
  const target = `id:${id}`;
  const [first, second, third] = [
    await administrator(harness),
    await administrator(harness),
    await administrator(harness),
  ];
  const row = await holdUser(harness.url, id);
  const reason = "a test";
  const answers = Promise.all([
    harness.ask("auth.admin.set-roles", { actorToken: first, target, roles: ["user"], reason }),
    harness.ask("auth.admin.revoke-sessions", { actorToken: second, target, reason }),
    harness.ask("auth.admin.ban-user", { actorToken: third, target, reason }),
  ]);
  await until("all three wait for the row", async () => (await row.waiting()) === 3).finally(() => row.release());
  await answers;
  const said = await harness.pool.any(sql.type(z.object({ body: anyRow }))`
    SELECT body FROM outbox WHERE topic = 'auth.revocation' AND key = ${`u:${id}`} ORDER BY id`);
  return said.map(({ body }) => Number((body as { minGeneration: number }).minGeneration));
}
