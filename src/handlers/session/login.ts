// Login: exchanges a login, or the e-mail address of a confirmed account (accounts/named.ts), and a password for a
// session, or for a challenge where the user has a second factor (accounts/after-password.ts). Other sessions stay
// open. Refuses INVALID_INPUT (empty or oversized fields; the password policy is never applied here),
// INVALID_CREDENTIALS (same message and cost for an unknown login and a wrong password), THROTTLED before any hash, and
// after a right password NOT_CONFIRMED and BANNED.

import { afterPassword } from "../../accounts/after-password.ts";
import { checkAttempt } from "../../accounts/input.ts";
import { type NamedAccount, namedBy } from "../../accounts/named.ts";
import type { Attempt, AttemptReservation } from "../../command/attempts.ts";
import type { Context } from "../../command/context.ts";
import { defineHandler } from "../../command/define.ts";
import { event } from "../../command/events.ts";
import { dummyUserFor, touchDummyUser } from "../../db/dummy-user.ts";
import { type AccountWithPassword, accountForLogin, lockUser, replaceHash } from "../../db/users.ts";
import { type Refusal, type RefusalCode, refuse } from "../../protocol/errors.ts";
import type { SessionLoginRequest } from "../../protocol/generated/schemas.ts";
import { normalize } from "../../protocol/record-key.ts";

export default defineHandler({
  topic: "auth.session.login",
  lane: "hash",
  storesAnswer: true,
  needs: ["attempts", "passwords", "sessions"],
  attempt: async (request, ctx) => passwordAttempt(request, await namedBy(ctx, request.login)),
  async handle(request, ctx) {
    checkAttempt(request.login, request.password);
    const named = await namedBy(ctx, request.login);
    const attempt = await ctx.attempts.reserve(passwordAttempt(request, named), accountForLogin(named.loginKey));
    const account = attempt.row;
    const { ok, stale } = await ctx.passwords.verify(request.password, account?.hash ?? undefined);
    const refused = (code: RefusalCode, right?: AttemptReservation): Promise<never> =>
      refuseLogin(request, ctx, { named, account, refusal: refuse(code), ...(right && { attempt: right }) });
    if (account === null || !ok) return refused("INVALID_CREDENTIALS");
    if (!account.confirmed) return refused("NOT_CONFIRMED", attempt);
    if (account.banned) return refused("BANNED", attempt);
    const rehashed = stale ? [replaceHash(account.id, account.hash!, await ctx.passwords.hash(request.password))] : [];
    return afterPassword(ctx, account, {
      request,
      writes: [attempt.refund, ...rehashed],
      remember: attempt.remember(account.id),
    });
  },
});

function passwordAttempt({ client }: SessionLoginRequest, { countedBy: login }: NamedAccount): Attempt {
  return { factor: "password", login, from: { client } };
}

interface LoginRefusal {
  named: NamedAccount;
  account: AccountWithPassword | null;
  refusal: Refusal;
  /** Present after a right password. */
  attempt?: AttemptReservation;
}

/** Key of events about an unknown login: with a character that no user id has. Events never contain an address. */
const keyOf = ({ said }: NamedAccount): string => (said === "" ? "unknown" : `login:${said}`);

/** Counts a failed attempt in a statement of the same cost whether the login exists or not. */
function refuseLogin(
  request: SessionLoginRequest,
  ctx: Context,
  { named, account, refusal, attempt }: LoginRefusal,
): Promise<never> {
  const said = account === null ? named.said : normalize(account.login);
  const events = [event("LoginRefused", { login: said, code: refusal.code, client: request.client })];
  if (account === null) {
    const writes = [touchDummyUser(dummyUserFor(named.countedBy))];
    return ctx.commitRefusal({ key: keyOf(named), events, writes }, refusal);
  }
  const user = { id: account.id, lock: lockUser(account.id, {}) };
  const writes = attempt === undefined ? [] : [attempt.refund];
  return ctx.commitRefusal({ user, events, publish: !account.decoy, writes, actor: "anonymous" }, refusal);
}
