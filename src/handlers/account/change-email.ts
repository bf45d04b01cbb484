// Change-email: requests a new e-mail address, with the password. A link goes to the new address and a notice to the
// old one; nothing changes until the link is used (confirm-email.ts). Refuses what requireBearer and demandFactor
// refuse, INVALID_INPUT, INVALID_CREDENTIALS (counted, as in handlers/password/change.ts), EMAIL_TAKEN, THROTTLED (also
// when the account has requested, or the new address has received, AUTH_MAILS_PER_HOUR such mails). With
// AUTH_HIDE_EMAIL a taken address looks like success in the answer, events and mails, and its owner is told.

import { demandFactor, requireBearer } from "../../accounts/bearer.ts";
import { checkEmail, checkTyped } from "../../accounts/input.ts";
import { mail, newLink } from "../../accounts/mails.ts";
import { attemptInSession } from "../../command/attempts.ts";
import { defineHandler } from "../../command/define.ts";
import { event } from "../../command/events.ts";
import { countMail } from "../../db/address-mails.ts";
import { addressChangeOf, lockUser, passwordOf } from "../../db/users.ts";
import { invalid, type Refusal, refuse } from "../../protocol/errors.ts";
import { normalize } from "../../protocol/record-key.ts";

export default defineHandler({
  topic: "auth.account.change-email",
  lane: "hash",
  storesAnswer: true,
  needs: ["attempts", "mails", "passwords"],
  attempt: async ({ accessToken }, ctx) => attemptInSession(await ctx.tokens.verifyAccess(accessToken)),
  async handle({ accessToken, password, newEmail: typed }, ctx) {
    const bearer = await requireBearer(ctx, accessToken);
    const { claims, userId: id, generation, client } = bearer;
    checkTyped("password", password);
    const newEmail = checkEmail(typed, "newEmail");
    await demandFactor(ctx, bearer);
    const count = ctx.mails.count("confirm", newEmail);
    const account = await ctx.read(addressChangeOf(id, normalize(newEmail), count));
    if (account === null) throw refuse("SESSION_REVOKED");
    const { email, username, locale, newOwner } = account;
    const { hideEmail, mailsPerHour, confirmTtlMs } = ctx.settings;
    // Before the attempt is counted, because only a commit takes it back.
    if (newEmail === email) throw invalid("newEmail", "must not be the current one");
    if (account.mails >= mailsPerHour) throw tooManyMails(account.freeInMs);
    if (account.mailWaitMs > 0) throw tooManyMails(account.mailWaitMs);
    const attempt = await ctx.attempts.reserve(attemptInSession(claims), passwordOf(id));
    const { ok } = await ctx.passwords.verify(password, attempt.row?.hash);
    if (!ok) {
      const events = [event("PasswordRefused", { sessionId: claims.sessionId })];
      return ctx.commitRefusal({ user: { id, lock: lockUser(id, {}) }, events }, refuse("INVALID_CREDENTIALS"));
    }
    if (newOwner !== null && !hideEmail)
      return ctx.commitRefusal({ events: [], writes: [attempt.refund] }, refuse("EMAIL_TAKEN"));
    // Where the address is taken, a link is created too and mailed to nobody: it counts for the hourly limit.
    const { sessionId } = claims;
    const link = newLink(ctx, {
      ...{ userId: id, purpose: "email", ttlMs: confirmTtlMs, email: newEmail },
      ...{ generation, sessionId },
    });
    const key = String(id);
    const from = { session: client };
    const toNew =
      newOwner === null
        ? mail(ctx, "email-confirm", { key, email: newEmail, username, locale, token: link.token, from })
        : mail(ctx, "email-taken", { key: normalize(newOwner.email), ...newOwner, from });
    return ctx.commit(
      {
        user: { id, lock: lockUser(id, { generation, banned: false }) },
        events: [event("EmailChangeRequested", {})],
        writes: [link.write, countMail(count, true), attempt.refund],
        messages: [toNew, mail(ctx, "email-change-requested", { key, email, username, locale, from })],
      },
      {},
    );
  },
});

const tooManyMails = (retryAfterMs: number): Refusal =>
  refuse("THROTTLED", {
    message: "There were too many mails of this kind.",
    retryAfterMs,
    details: { reason: "mails" },
  });
