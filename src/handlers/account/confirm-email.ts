// Confirm-email: makes the address that the link was mailed to the account's own. Sessions stay open; links mailed to
// the old address are voided. Refuses INVALID_INPUT, TOKEN_INVALID (unknown, forged, used, of another purpose, account
// changed since), TOKEN_EXPIRED, BANNED, EMAIL_TAKEN (also with AUTH_HIDE_EMAIL: the link proves access to the
// mailbox). If two accounts claim one address at once, the unique key admits one; the other's commit is rolled back,
// runs again and finds it taken.

import { requireUncountedLink } from "../../accounts/links.ts";
import { mail } from "../../accounts/mails.ts";
import { defineHandler } from "../../command/define.ts";
import { event } from "../../command/events.ts";
import { voidLinks } from "../../db/one-time-tokens.ts";
import { changeEmail } from "../../db/users.ts";
import { refuse } from "../../protocol/errors.ts";
import { normalize } from "../../protocol/record-key.ts";

export default defineHandler({
  topic: "auth.account.confirm-email",
  lane: "db",
  storesAnswer: true,
  async handle({ token }, ctx) {
    const link = await requireUncountedLink(ctx, token, "email");
    const { userId: id, username, email: old, locale, generation, newEmail, addressTaken } = link;
    if (newEmail === null) throw new Error("a link to another address has none");
    if (addressTaken) throw refuse("EMAIL_TAKEN", { details: { reason: "address-taken" } });
    const key = String(id);
    return ctx.commit(
      {
        user: { id, lock: changeEmail(id, generation, { email: newEmail, emailKey: normalize(newEmail) }) },
        events: [event("EmailChanged", {})],
        writes: [link.use, voidLinks(id, { except: link.id })],
        messages: [old, newEmail].map((email) => mail(ctx, "email-changed", { key, email, username, locale })),
      },
      {},
    );
  },
});
