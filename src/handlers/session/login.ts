// Login: exchanges a login and password for a session, or for a challenge where the user has a further factor (after-password.ts). Other
// sessions of the user go on.
// Refuses INVALID_INPUT (empty or absurd fields; the password policy is never applied here), INVALID_CREDENTIALS (same words and cost
// for an unknown login and a wrong password), THROTTLED before any hash, and to whoever knew the password NOT_CONFIRMED and BANNED.
import { standInOf, touchStandIn } from "../../db/stand-ins.ts";
import { type AccountWithPassword, accountForLogin, lockUser, replaceHash } from "../../db/users.ts";
import { type Refusal, refuse } from "../../errors.ts";
import type { SessionLoginRequest } from "../../generated/schemas.ts";
import { normalize } from "../../record-key.ts";
import type { Attempt, Reservation } from "../attempts.ts";
import type { Context } from "../context.ts";
import { defineHandler } from "../define.ts";
import { fact } from "../facts.ts";
import { checkAttempt } from "../input.ts";
import { afterPassword } from "./after-password.ts";

export const login = defineHandler({
  topic: "auth.session.login",
  lane: "hash",
  once: true,
  attempt: attemptOf,
  async handle(request, ctx) {
    checkAttempt(request.login, request.password);
    const attempt = await ctx.reserveAttempt(attemptOf(request), accountForLogin(normalize(request.login)));
    const account = attempt.row;
    const { ok, stale } = await ctx.passwords.verify(request.password, account?.hash ?? undefined);
    if (account === null || !ok) return refused(request, ctx, { account, refusal: refuse("INVALID_CREDENTIALS") });
    if (!account.confirmed) return refused(request, ctx, { account, refusal: refuse("NOT_CONFIRMED"), attempt });
    if (account.banned) return refused(request, ctx, { account, refusal: refuse("BANNED"), attempt });
    const rehashed = stale ? [replaceHash(account.id, account.hash!, await ctx.passwords.hash(request.password))] : [];
    return afterPassword(ctx, account, {
      request,
      writes: [attempt.refund, ...rehashed],
      remember: attempt.remember(account.id),
    });
  },
});

function attemptOf({ login, client }: SessionLoginRequest): Attempt {
  return { factor: "password", login, from: { client } };
}

interface Refused {
  account: AccountWithPassword | null;
  refusal: Refusal;
  /** Where the password was right. */
  attempt?: Reservation;
}

/** A failed attempt is counted whether the login exists or not, in a statement of the same cost. */
function refused(request: SessionLoginRequest, ctx: Context, { account, refusal, attempt }: Refused): Promise<never> {
  const key = normalize(request.login);
  const facts = [fact("LoginRefused", { login: key, code: refusal.code, client: request.client })];
  if (account === null) return ctx.commitRefusal({ key, facts, writes: [touchStandIn(standInOf(key))] }, refusal);
  const user = { id: account.id, subject: lockUser(account.id, {}) };
  const writes = attempt === undefined ? [] : [attempt.refund];
  return ctx.commitRefusal({ user, facts, unheard: account.decoy, writes, actor: "anonymous" }, refusal);
}
