// Forgot: mails a link to set a new password with to the owner of a confirmed account. Always ok: nobody learns whether
// the address has one, and the answer costs the same statements either way (db/dummy-user.ts), and takes the same time
// (mailedInMs). An address gets AUTH_MAILS_PER_HOUR such mails at most; what is over is swallowed.
// Refuses INVALID_INPUT, THROTTLED (by the requests of a network).

import { checkEmail } from "../../accounts/input.ts";
import { mail, mailedInMs, newLink } from "../../accounts/mails.ts";
import { defineHandler } from "../../command/define.ts";
import { event } from "../../command/events.ts";
import { countMail } from "../../db/address-mails.ts";
import { dummyUserFor, insertDummyToken, touchDummyUser } from "../../db/dummy-user.ts";
import { insertToken } from "../../db/one-time-tokens.ts";
import { lockUser, ownerOf } from "../../db/users.ts";
import { normalize } from "../../protocol/record-key.ts";

/** Key of the events about addresses without an account: they are in no order, and an address stands in no event. */
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
    // Also the address: a link that waited while it was changed would go to the old one.
    const subject = lockUser(id, { confirmed: true, banned, generation, emailKey });
    return ctx.commit({ ...common, user: { id, subject }, writes }, {});
  },
});
