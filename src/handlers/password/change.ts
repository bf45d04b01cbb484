// Password change: sets a new password, with the current one. All other sessions end. This session stays open: its
// access token is outdated, as all are, and its next refresh gives a current one. Refuses what requireBearer and
// demandFactor refuse, INVALID_INPUT, WEAK_PASSWORD, INVALID_CREDENTIALS (counted: a stolen access token must not allow
// unnoticed guesses at the password), THROTTLED.

import { demandFactor, requireBearer } from "../../accounts/bearer.ts";
import { checkNewPassword, checkTyped } from "../../accounts/input.ts";
import { mail } from "../../accounts/mails.ts";
import { attemptInSession } from "../../command/attempts.ts";
import { defineHandler } from "../../command/define.ts";
import { event } from "../../command/events.ts";
import { endSessionsOf } from "../../db/sessions.ts";
import { lockUser, passwordOf, raiseGeneration, replacePassword } from "../../db/users.ts";
import { invalid, refuse } from "../../protocol/errors.ts";

export default defineHandler({
  topic: "auth.password.change",
  lane: "hash",
  storesAnswer: true,
  needs: ["attempts", "passwords"],
  attempt: async ({ accessToken }, ctx) => attemptInSession(await ctx.tokens.verifyAccess(accessToken)),
  async handle({ accessToken, currentPassword, newPassword }, ctx) {
    const bearer = await requireBearer(ctx, accessToken);
    const { claims, userId: id, generation, client } = bearer;
    const { sessionId } = claims;
    checkTyped("currentPassword", currentPassword);
    if (currentPassword.normalize("NFKC") === newPassword.normalize("NFKC"))
      throw invalid("newPassword", "must not be the current one");
    await demandFactor(ctx, bearer);
    const attempt = await ctx.attempts.reserve(attemptInSession(claims), passwordOf(id));
    const stored = attempt.row;
    const about = stored === null ? [] : [stored.login, stored.username, stored.email];
    await checkNewPassword(ctx.passwords, { field: "newPassword", password: newPassword, about });
    const { ok } = await ctx.passwords.verify(currentPassword, stored?.hash);
    if (stored === null || !ok) {
      const events = [event("PasswordRefused", { sessionId })];
      return ctx.commitRefusal({ user: { id, lock: lockUser(id, {}) }, events }, refuse("INVALID_CREDENTIALS"));
    }
    const hash = await ctx.passwords.hash(newPassword);
    const { email, username, locale } = stored;
    return ctx.commit(
      {
        user: { id, lock: raiseGeneration(id, { generation, banned: false }), generation: generation + 1 },
        events: [event("PasswordChanged", { sessionId })],
        writes: [
          replacePassword(id, stored.hash, hash),
          endSessionsOf(id, "password-changed", sessionId),
          attempt.refund,
        ],
        messages: [
          mail(ctx, "password-changed", { key: String(id), email, username, locale, from: { session: client } }),
        ],
      },
      {},
    );
  },
});
