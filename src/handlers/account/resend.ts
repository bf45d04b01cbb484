// Resend: mails an address again, with a link for each unconfirmed account that waits there. The answer is always ok,
// and nobody learns whether there is such an account, not even from the time: otherwise the same statements run on a
// dummy user. An address gets at most AUTH_MAILS_PER_HOUR such mails, registrations included; when the hour has passed,
// one mail lists what had to wait (relay/waiting-mails.ts). Refuses INVALID_INPUT, THROTTLED (by network).

import { confirmation, confirmations, dummyUserAt } from "../../accounts/confirmation.ts";
import { checkEmail } from "../../accounts/input.ts";
import { mailedInMs } from "../../accounts/mails.ts";
import { defineHandler } from "../../command/define.ts";
import { event } from "../../command/events.ts";
import { countMail } from "../../db/address-mails.ts";
import { insertDummyToken, lockDummyUser } from "../../db/dummy-user.ts";
import { holdMail, waitingAt } from "../../db/waiting.ts";
import { normalize } from "../../protocol/record-key.ts";

export default defineHandler({
  topic: "auth.account.resend",
  lane: "db",
  storesAnswer: true,
  needs: ["mails", "uses"],
  minResponseMs: mailedInMs,
  async handle(request, ctx) {
    const email = checkEmail(request.email);
    const count = ctx.mails.count("confirm", email);
    const using = { use: "mail", client: request.client } as const;
    const { row } = await ctx.uses.count(using, waitingAt(normalize(email), count));
    const { accounts = [], mailWaitMs = 0 } = row ?? {};
    const actor = "anonymous";
    if (accounts.length > 0 && mailWaitMs === 0) {
      const { traceparent } = ctx.call.headers;
      return ctx.commit(confirmations(ctx, accounts, { count, actor, traceparent, client: request.client }), {});
    }
    const nobody = dummyUserAt(email);
    const { write, message } = confirmation(ctx, nobody, { client: request.client, insert: insertDummyToken });
    const held = accounts.slice(0, 1).map(({ id }) => holdMail(id, mailWaitMs));
    return ctx.commit(
      {
        user: { id: nobody.id, lock: lockDummyUser(nobody.id) },
        events: [event("ConfirmationRequested", {})],
        publish: false,
        writes: [write, countMail(count, false), ...held],
        messages: [{ ...message, publish: false }],
        actor,
      },
      {},
    );
  },
});
