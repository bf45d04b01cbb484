// Accounts for the comparison with the audit, made by the handlers of this process. A file that imports it has handlers
// on a database of its own from its first test on, and an operator.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll } from "@jest/globals";
import { sql } from "slonik";
import { z } from "zod";
import { createConfirmedAccount } from "../../src/accounts/create-confirmed-account.ts";
import { enrollOperator } from "../../src/accounts/enroll-operator.ts";
import { importedEntry } from "../../src/audit/actions.ts";
import { chainBatch } from "../../src/audit/chain.ts";
import { compareAccounts, type StateVerdict } from "../../src/audit/state.ts";
import { newSigner, signerFrom, signOperatorToken } from "../../src/crypto/operators.ts";
import { makePasswords } from "../../src/crypto/passwords.ts";
import { totpCode, totpStep } from "../../src/crypto/totp.ts";
import { beginImport, type ImportedUser, noCounts, writeBatch } from "../../src/db/imports.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { makeAuthenticator } from "../support/authenticator.ts";
import { fromBase32 } from "../support/factors.ts";
import { type HandlerHarness, handlerHarness } from "../support/handlers.ts";
import { quiet } from "../support/logger.ts";

export let harness: HandlerHarness;
export let actorToken: string;
beforeAll(async () => {
  harness = await handlerHarness({ cheapHashes: true, env: { AUTH_RP_ORIGINS: "http://localhost:3000" } });
  const signer = await signerFrom(newSigner("ada"));
  await enrollOperator(parts(), { name: "ada", key: signer, reason: "", first: true });
  actorToken = signOperatorToken(signer, { name: "ada", issuer: "auth", now: systemClock.now() });
}, 60_000);
afterAll(() => harness.close());

const parts = () => ({ pool: harness.pool, clock: systemClock, dataKeys: harness.dataKeys });
const row = z.record(z.string(), z.unknown());
export const run = (query: ReturnType<typeof sql.fragment>) => harness.pool.any(sql.type(row)`${query}`);
export const compared = (complete = true): Promise<StateVerdict> =>
  compareAccounts({ pool: harness.pool, dataKeys: harness.dataKeys(), complete, pageSize: 8 });
export const clean = { unknown: 0, differing: 0, found: [] };

/** Everything that waits is chained, as a relay does it. */
export async function chained(): Promise<void> {
  const { keyring } = harness.parts;
  while (await chainBatch({ ...parts(), keyring, headEveryMs: 60_000, log: quiet, chained: () => undefined }));
}

export const password = "the right password";
/** Made with other parameters than these handlers make hashes with, so that a login makes it anew. */
const weaker = makePasswords({ memoryKiB: 16, time: 1, parallelism: 1 });

/** A confirmed account, made by the fleet's own means. */
export async function confirmedUser(roles: string[] = []): Promise<{ id: number; login: string; email: string }> {
  const login = `s${randomBytes(6).toString("hex")}`;
  const email = `${login}@example.com`;
  const made = {
    login,
    username: login,
    email,
    hash: await weaker.hash(password),
    roles,
    actor: "operator:ada",
    reason: "",
  };
  return { id: await createConfirmedAccount(parts(), { ...made, tellPlatform: false }), login, email };
}

export async function loggedIn({ login }: { login: string }): Promise<{ accessToken: string; refreshToken: string }> {
  const { tokens } = await harness.ask("auth.session.login", { login, password, rotating: true });
  return tokens!;
}

/** With an authenticator app, recovery codes and two passkeys. */
export async function withFactors() {
  const one = await confirmedUser();
  let { accessToken, refreshToken } = await loggedIn(one);
  const renewed = async (): Promise<void> => {
    ({ accessToken, refreshToken } = await harness.ask("auth.session.refresh", { refreshToken }));
  };
  const secret = fromBase32((await harness.ask("auth.mfa.enroll", { accessToken })).secret);
  const code = totpCode(secret, totpStep(Date.now()));
  const { codes } = await harness.ask("auth.mfa.activate", { accessToken, code, endOthers: false });
  await renewed();
  const passkeys: string[] = [];
  for (let made = 0; made < 2; made += 1) {
    const begun = await harness.ask("auth.passkey.begin-registration", { accessToken });
    const response = makeAuthenticator().create(begun.options);
    const answer = { accessToken, challenge: begun.challenge, response, label: "", endOthers: false };
    passkeys.push((await harness.ask("auth.passkey.finish-registration", answer)).passkeyId);
    await renewed();
  }
  return { ...one, accessToken, refreshToken, passkeys, codes };
}

export async function loggedInWithCode({ login, codes }: { login: string; codes: string[] }): Promise<void> {
  const { challenge } = await harness.ask("auth.session.login", { login, password, rotating: true });
  await harness.ask("auth.session.login-mfa", { challenge: challenge!.challenge, method: "recovery", code: codes[0]! });
}

export const admin = (
  command: "ban-user" | "unban-user" | "reset-mfa" | "delete-user",
  id: number,
  more: object = {},
) =>
  harness.ask(`auth.admin.${command}` as "auth.admin.ban-user", {
    actorToken,
    target: `id:${id}`,
    reason: "a test",
    ...more,
  });

export async function imported(change: Partial<ImportedUser> = {}): Promise<ImportedUser> {
  const login = `i${randomBytes(6).toString("hex")}`;
  const [{ id }] = (await run(sql.fragment`SELECT nextval('user_ids') AS id`)) as [{ id: number }];
  const email = `${login}@example.com`;
  const user: ImportedUser = {
    ...{ id: Number(id), login, loginKey: login, username: login, email, emailKey: email },
    ...{
      position: Number(id),
      hash: await weaker.hash(password),
      confirmed: true,
      banned: false,
      roles: [],
      createdAt: null,
    },
    ...change,
  };
  const source = `test:${login}`;
  await beginImport(harness.pool, { source, fingerprint: "", actor: "operator:ada", position: 0 });
  await writeBatch(harness.pool, {
    ...{ source, users: [user], rejects: [], events: undefined },
    audit: [importedEntry(harness.dataKeys(), user, { clock: systemClock, actor: "operator:ada" })],
    state: { position: 1, nextByte: 0, counts: noCounts(), rejectsBytes: 0 },
  });
  return user;
}
