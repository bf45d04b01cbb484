// Challenges of logins and passkey registrations: opaque one-time tokens that live for AUTH_CHALLENGE_TTL (10 min at
// most: ASVS 5.0, 6.5.5), each for one purpose (6.6.2), with five attempts (6.6.3). An attempt is counted in the commit
// of its answer, which demands that fewer than five were counted before: of a hundred parallel guesses five are
// answered.

import type { Context } from "../command/context.ts";
import { hashSecret, isSecretOf, newOpaque, type OpaqueToken, parseOpaque } from "../crypto/opaque.ts";
import { type Challenge, countAttempt, insertChallenge, type NewChallenge, useChallenge } from "../db/challenges.ts";
import type { Factors } from "../db/factors.ts";
import type { Write } from "../db/statements.ts";
import { refuse } from "../protocol/errors.ts";
import { checkToken } from "./input.ts";

const mostAttempts = 5;

/** How a user can answer a challenge. Recovery codes replace another factor; a user with nothing else has none. */
export function factorMethods({ totp, passkeys, recovery }: Pick<Factors, "totp" | "passkeys" | "recovery">): string[] {
  const methods = [...(totp ? ["totp"] : []), ...(passkeys > 0 ? ["passkey"] : [])];
  return recovery && methods.length > 0 ? [...methods, "recovery"] : methods;
}

export interface MadeChallenge {
  token: string;
  secret: Buffer;
  write: Write;
}

export function newChallenge(ctx: Context, given: Omit<NewChallenge, "id" | "secretHash" | "ttlMs">): MadeChallenge {
  const id = ctx.uuid();
  const { token, secret } = newOpaque(id);
  const write = insertChallenge({ ...given, id, secretHash: hashSecret(secret), ttlMs: ctx.settings.challengeTtlMs });
  return { token, secret, write };
}

/** @throws Refusal INVALID_INPUT, TOKEN_INVALID */
export function presentedChallenge(token: string): OpaqueToken {
  checkToken("challenge", token);
  const presented = parseOpaque(token);
  if (presented === undefined) throw refuse("TOKEN_INVALID");
  return presented;
}

/** The challenge, if it can still be answered. @throws Refusal TOKEN_INVALID, TOKEN_EXPIRED */
export function checkChallenge<T extends Challenge>(found: T | null, presented: OpaqueToken): T {
  if (found === null || !isSecretOf(found.secretHash, presented.secret)) throw refuse("TOKEN_INVALID");
  if (found.used) throw refuse("TOKEN_INVALID", { message: "The challenge was answered before." });
  if (found.expired) throw refuse("TOKEN_EXPIRED");
  if (found.attempts >= mostAttempts)
    throw refuse("TOKEN_INVALID", {
      message: "Too many wrong answers: log in again.",
      details: { reason: "attempts" },
    });
  if (found.outdated) throw refuse("TOKEN_INVALID", { message: "The account was changed: begin again." });
  return found;
}

export const answered = (id: string): Write => useChallenge(id, mostAttempts);
export const answeredWrongly = (id: string): Write => countAttempt(id, mostAttempts);
