// Resend: sends another confirmation link to the owner of an unconfirmed account. Always ok: nobody learns whether the address has an
// account, nor from the time it takes: where there is none, or nothing to confirm, the same is done for a stand-in. At most
// AUTH_MAILS_PER_HOUR links go to one account; what is over is swallowed.
// Refuses INVALID_INPUT, THROTTLED (by the requests of a network).
import { insertStandInToken, lockStandIn } from "../../db/stand-ins.ts";
import { lockUser, unconfirmedByEmail } from "../../db/users.ts";
import { normalize } from "../../record-key.ts";
import { defineHandler } from "../define.ts";
import { fact } from "../facts.ts";
import { checkEmail } from "../input.ts";
import { mailedInMs } from "../mails.ts";
import { confirmation, nobodyAt } from "./confirmation.ts";

export const resend = defineHandler({
  topic: "auth.account.resend",
  lane: "db",
  once: true,
  leastMs: mailedInMs,
  async handle(request, ctx) {
    const email = checkEmail(request.email);
    const using = { use: "mail", client: request.client } as const;
    const { row: user } = await ctx.countUse(using, unconfirmedByEmail(normalize(email)));
    const common = { facts: [fact("ConfirmationRequested", {})], actor: "anonymous" };
    if (user === null || user.banned || user.mails >= ctx.settings.mailsPerHour) {
      const nobody = nobodyAt(email);
      const { write, message } = confirmation(ctx, nobody, insertStandInToken);
      const standIn = { id: nobody.id, subject: lockStandIn(nobody.id) };
      const messages = [{ ...message, unheard: true }];
      return ctx.commit({ ...common, user: standIn, unheard: true, writes: [write], messages }, {});
    }
    const { write, message } = confirmation(ctx, user);
    const owner = { id: user.id, subject: lockUser(user.id, { confirmed: false }) };
    return ctx.commit({ ...common, user: owner, writes: [write], messages: [message] }, {});
  },
});
