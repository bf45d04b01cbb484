// Forgot: mails a link to set a new password with to the owner of a confirmed account. Always ok: nobody learns whether the address has one, and
// the answer costs the same statements either way (db/stand-ins.ts), and takes the same time (mailedInMs). At most AUTH_MAILS_PER_HOUR links go to one account; what is over is swallowed.
// Refuses INVALID_INPUT, THROTTLED (by the requests of a network).
import { insertToken } from "../../db/one-time-tokens.ts";
import { insertStandInToken, standInOf, touchStandIn } from "../../db/stand-ins.ts";
import { confirmedByEmail, lockUser } from "../../db/users.ts";
import { normalize } from "../../record-key.ts";
import { defineHandler } from "../define.ts";
import { fact } from "../facts.ts";
import { checkEmail } from "../input.ts";
import { mail, mailedInMs, newLink } from "../mails.ts";

/** Key of the events about addresses without an account: they are in no order, and an address stands in no event. */
const nobodysKey = "unknown";

export const forgot = defineHandler({
  topic: "auth.password.forgot",
  lane: "db",
  once: true,
  leastMs: mailedInMs,
  async handle(request, ctx) {
    const typed = checkEmail(request.email);
    const using = { use: "mail", client: request.client } as const;
    const { row: user } = await ctx.countUse(using, confirmedByEmail(normalize(typed)));
    const mailed = user !== null && !user.banned && user.mails < ctx.settings.mailsPerHour;
    const standIn = standInOf(normalize(typed));
    const nobody = { id: standIn, username: "nobody", email: typed, locale: null };
    const { id: userId, username, email, locale } = mailed ? user : nobody;
    const ttlMs = ctx.settings.resetTtlMs;
    const link = newLink(ctx, { userId, purpose: "reset", ttlMs }, mailed ? insertToken : insertStandInToken);
    const message = mail(ctx, "reset", { key: String(userId), email, username, locale, token: link.token });
    const common = {
      facts: [fact("PasswordResetRequested", { mailed })],
      messages: [{ ...message, unheard: !mailed }],
      actor: "anonymous",
    };
    if (user === null)
      return ctx.commit({ ...common, key: nobodysKey, writes: [link.write, touchStandIn(standIn)] }, {});
    const { id, banned } = user;
    const owner = { id, subject: lockUser(id, { confirmed: true, banned }) };
    return ctx.commit({ ...common, user: owner, writes: [link.write] }, {});
  },
});
