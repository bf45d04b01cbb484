// Whom an access token speaks for right now: checks its signature and claims, then its session and user in the
// database. Refuses TOKEN_INVALID; TOKEN_EXPIRED, also for a token from before the last change of the user's rights (a
// refresh gives a current one); and SESSION_REVOKED if the session ended or the user is banned or gone.

import type { Context } from "../command/context.ts";
import type { AccessClaims } from "../crypto/access-tokens.ts";
import { factorsOf, type OwnedFactors } from "../db/factors.ts";
import { sessionOfToken } from "../db/sessions.ts";
import { Refusal, refuse } from "../protocol/errors.ts";
import type { Client } from "../protocol/generated/schemas.ts";
import { factorMethods } from "./challenges.ts";
import { checkToken } from "./input.ts";

export interface Bearer {
  claims: AccessClaims;
  userId: number;
  login: string;
  roles: string[];
  generation: number;
  /** The client that logged in to the session. */
  client: Client | null;
}

export async function requireBearer(ctx: Context, accessToken: string, field = "accessToken"): Promise<Bearer> {
  checkToken(field, accessToken);
  const claims = await unlessAnswered(ctx, () => ctx.tokens.verifyAccess(accessToken));
  const session = await ctx.read(sessionOfToken(claims));
  if (session?.keyKnown === false) throw refuse("TOKEN_INVALID");
  if (session === null || session.ended || session.banned || session.expiresAt <= ctx.now())
    throw refuse("SESSION_REVOKED");
  const { userId, login, generation, roles, confirmed, client } = session;
  if (userId === null || login === null || generation === null || !confirmed) throw refuse("SESSION_REVOKED");
  if (userId !== claims.userId) throw refuse("TOKEN_INVALID");
  if (claims.generation < generation) throw refuse("TOKEN_EXPIRED", { details: { reason: "generation" } });
  ctx.actIn({ sessionId: claims.sessionId, userId, generation });
  return { claims, userId, login, roles, generation, client };
}

/**
 * The token may have expired since the request was first carried out; a repeated request still gets its first answer.
 */
async function unlessAnswered<T>(ctx: Context, verify: () => Promise<T>): Promise<T> {
  try {
    return await verify();
  } catch (error) {
    if (error instanceof Refusal && error.code === "TOKEN_EXPIRED") await ctx.checkInbox();
    throw error;
  }
}

/**
 * For commands that change how a user logs in or that export everything about them (ASVS 5.0, 7.5.1): the login must be
 * younger than AUTH_STEP_UP_MAX_AGE and have shown a second factor if the user has one. No command renews a login: the
 * user logs in again.
 * @returns the user's factors
 * @throws Refusal MFA_REQUIRED, details action `login`, reason `age` (with maxAgeMs) or `factor` (with methods)
 */
export async function demandFreshLogin(ctx: Context, bearer: Bearer): Promise<OwnedFactors> {
  const { stepUpMaxAgeMs } = ctx.settings;
  if (bearer.claims.authTime + stepUpMaxAgeMs < ctx.now())
    throw refuse("MFA_REQUIRED", {
      message: "Log in again: the login is too old for this.",
      details: { action: "login", reason: "age", maxAgeMs: String(stepUpMaxAgeMs) },
    });
  return demandFactor(ctx, bearer);
}

/**
 * For such commands that ask for the password themselves: the session must have shown a second factor if the user has
 * one.
 * @returns the user's factors
 * @throws Refusal MFA_REQUIRED, details action `login`, reason `factor` (with methods)
 */
export async function demandFactor(ctx: Context, { claims, userId }: Bearer): Promise<OwnedFactors> {
  const factors = await ctx.read(factorsOf(userId));
  if (factors === null) throw refuse("SESSION_REVOKED");
  const methods = factorMethods(factors);
  if (methods.length > 0 && !claims.amr.includes("mfa"))
    throw refuse("MFA_REQUIRED", {
      message: "Log in again with a second factor.",
      details: { action: "login", reason: "factor", methods: methods.join(" ") },
    });
  return factors;
}
