// Resend: sends another confirmation link to the owner of an unconfirmed account. Always ok: nobody learns whether the address has an
// account. At most AUTH_MAILS_PER_HOUR links go to one account; what is over is swallowed.
import { lockUser, unconfirmedByEmail } from "../../db/users.ts";
import { normalize } from "../../record-key.ts";
import { defineHandler } from "../define.ts";
import { fact } from "../facts.ts";
import { checkEmail } from "../input.ts";
import { confirmation } from "./confirmation.ts";

export const resend = defineHandler({
  topic: "auth.account.resend",
  lane: "db",
  once: true,
  async handle(request, ctx) {
    checkEmail(request.email);
    const user = await ctx.read(unconfirmedByEmail(normalize(request.email)));
    if (user === null || user.banned || user.mails >= ctx.settings.mailsPerHour) return ctx.commit({ facts: [] }, {});
    const link = confirmation(ctx, user);
    return ctx.commit(
      {
        user: { id: user.id, subject: lockUser(user.id, { confirmed: false }) },
        facts: [fact("ConfirmationRequested", {})],
        writes: [link.write],
        messages: [link.message],
        actor: "anonymous",
      },
      {},
    );
  },
});
