// Who an access token speaks for right now: its signature and claims, then its session and user as the database has them.
// Refuses TOKEN_INVALID, TOKEN_EXPIRED (also for a token from before the user's last change of rights: a refresh gives a current one),
// SESSION_REVOKED (ended, or the user is banned or gone).
import type { AccessClaims } from "../../crypto/tokens.ts";
import { sessionOfToken } from "../../db/sessions.ts";
import { Refusal, refuse } from "../../errors.ts";
import type { Context } from "../context.ts";
import { checkToken } from "../input.ts";

export interface Bearer {
  claims: AccessClaims;
  userId: number;
  login: string;
  roles: string[];
  generation: number;
}

export async function bearerOf(ctx: Context, accessToken: string, field = "accessToken"): Promise<Bearer> {
  checkToken(field, accessToken);
  const claims = await unlessAnswered(ctx, () => ctx.tokens.verifyAccess(accessToken));
  const session = await ctx.read(sessionOfToken(claims));
  if (session?.keyKnown === false) throw refuse("TOKEN_INVALID");
  if (session === null || session.ended || session.banned || session.expiresAt <= ctx.now())
    throw refuse("SESSION_REVOKED");
  const { userId, login, generation, roles, confirmed } = session;
  if (userId === null || login === null || generation === null || !confirmed) throw refuse("SESSION_REVOKED");
  if (userId !== claims.userId) throw refuse("TOKEN_INVALID");
  if (claims.generation < generation) throw refuse("TOKEN_EXPIRED", { details: { reason: "generation" } });
  return { claims, userId, login, roles, generation };
}

/** A token that was good when the request was first carried out may have expired since: the first answer counts. */
export async function unlessAnswered<T>(ctx: Context, verify: () => Promise<T>): Promise<T> {
  try {
    return await verify();
  } catch (error) {
    if (error instanceof Refusal && error.code === "TOKEN_EXPIRED") await ctx.recall();
    throw error;
  }
}
