// Forgot: mails a link for setting a new password to the owner of a confirmed account. The answer is always ok: nobody
// learns whether the address has an account, because the same statements run either way (db/dummy-user.ts) and take the
// same time (mailedInMs). An address gets at most AUTH_MAILS_PER_HOUR such mails; further requests send none. Refuses
// INVALID_INPUT, THROTTLED (by network).

import { checkEmail } from "../../accounts/input.ts";
import { mail, mailedInMs, newLink } from "../../accounts/mails.ts";
import { defineHandler } from "../../command/define.ts";
import { event } from "../../command/events.ts";
import { countMail } from "../../db/address-mails.ts";
import { dummyUserFor, insertDummyToken, touchDummyUser } from "../../db/dummy-user.ts";
import { insertToken } from "../../db/one-time-tokens.ts";
import { lockUser, ownerOf } from "../../db/users.ts";
import { normalize } from "../../protocol/record-key.ts";

/** Key of events about addresses without an account: they are unordered, and no event contains an address. */
const nobodysKey = "unknown";

export default defineHandler({
  topic: "auth.password.forgot",
  lane: "db",
  storesAnswer: true,
  needs: ["mails", "uses"],
  minResponseMs: mailedInMs,
  async handle(request, ctx) {
    const typed = checkEmail(request.email);
    const emailKey = normalize(typed);
    const count = ctx.mails.count("reset", typed);
    const using = { use: "mail", client: request.client } as const;
    const { row } = await ctx.uses.count(using, ownerOf(emailKey, count));
    const { owner = null, mailWaitMs = 0 } = row ?? {};
    const mailed = owner !== null && !owner.banned && mailWaitMs === 0;
    const dummyUser = dummyUserFor(emailKey);
    const nobody = { id: dummyUser, username: "nobody", email: typed, locale: null };
    const { id: userId, username, email, locale } = mailed ? owner : nobody;
    const ttlMs = ctx.settings.resetTtlMs;
    const bound = owner === null ? {} : { generation: owner.generation };
    const link = newLink(ctx, { userId, purpose: "reset", ttlMs, ...bound }, mailed ? insertToken : insertDummyToken);
    const to = { key: String(userId), email, username, locale, from: { request: request.client } };
    const message = mail(ctx, "reset", { ...to, token: link.token });
    const common = {
      events: [event("PasswordResetRequested", { mailed })],
      messages: [{ ...message, publish: mailed }],
      actor: "anonymous",
    };
    const writes = [link.write, countMail(count, mailed)];
    if (owner === null)
      return ctx.commit({ ...common, key: nobodysKey, writes: [...writes, touchDummyUser(dummyUser)] }, {});
    const { id, banned, generation } = owner;
    // Also demands the address: if it was changed meanwhile, the link would go to the old one.
    const lock = lockUser(id, { confirmed: true, banned, generation, emailKey });
    return ctx.commit({ ...common, user: { id, lock }, writes }, {});
  },
});
