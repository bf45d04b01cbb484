// Confirm: exchanges the token of a confirmation link, once, for a confirmed account and its first session.
// Refuses INVALID_INPUT, TOKEN_INVALID (unknown, forged, used, of another purpose, account confirmed already), TOKEN_EXPIRED, BANNED
// (whoever holds the link has shown that the account is his).
import { confirmUser } from "../../db/users.ts";
import type { Message } from "../context.ts";
import { defineHandler } from "../define.ts";
import { fact } from "../facts.ts";
import { linkOf } from "../links.ts";
import { openSession } from "../sessions.ts";

const profileTopic = "registration";

/** Lets the platform make the user's profile. */
export function profileMessage(id: number, username: string): Message {
  return { topic: profileTopic, key: String(id), kind: "json", body: { id, username } };
}

export const confirm = defineHandler({
  topic: "auth.account.confirm",
  lane: "db",
  once: true,
  async handle(request, ctx) {
    const link = await linkOf(ctx, request.token, "confirm");
    const { userId: id, login, username } = link;
    const { rotating, client } = request;
    const session = await openSession(ctx, { ...link, id }, { rotating, client, amr: ["otp"] });
    return ctx.commit(
      {
        user: { id, subject: confirmUser(id) },
        facts: [
          fact("UserConfirmed", { login }),
          fact("LoggedIn", { login, sessionId: session.tokens.sessionId, method: "confirmation", client }),
        ],
        writes: [link.use, session.write],
        messages: ctx.settings.legacyTopics ? [profileMessage(id, username)] : [],
      },
      session.tokens,
    );
  },
});
