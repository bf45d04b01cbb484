// Forgot: mails a link to set a new password with to the owner of a confirmed account. Always ok: nobody learns whether the address has one, and
// the answer costs a statement of the same kind either way. At most AUTH_MAILS_PER_HOUR links go to one account; what is over is swallowed.
import { confirmedByEmail, lockUser } from "../../db/users.ts";
import { normalize } from "../../record-key.ts";
import { defineHandler } from "../define.ts";
import { fact } from "../facts.ts";
import { checkEmail } from "../input.ts";
import { mail, newLink } from "../mails.ts";

/** Key of the events about addresses without an account: they are in no order, and an address stands in no event. */
const nobody = "unknown";

export const forgot = defineHandler({
  topic: "auth.password.forgot",
  lane: "db",
  once: true,
  async handle(request, ctx) {
    checkEmail(request.email);
    const user = await ctx.read(confirmedByEmail(normalize(request.email)));
    if (user === null)
      return ctx.commit({ key: nobody, facts: [fact("PasswordResetRequested", { mailed: false })] }, {});
    const { id, username, email } = user;
    const mailed = !user.banned && user.mails < ctx.settings.mailsPerHour;
    const link = newLink(ctx, { userId: id, purpose: "reset", ttlMs: ctx.settings.resetTtlMs });
    return ctx.commit(
      {
        user: { id, subject: lockUser(id, { confirmed: true, banned: user.banned }) },
        facts: [fact("PasswordResetRequested", { mailed })],
        writes: mailed ? [link.write] : [],
        messages: mailed ? [mail(ctx, "reset", { key: String(id), email, username, token: link.token })] : [],
        actor: "anonymous",
      },
      {},
    );
  },
});
