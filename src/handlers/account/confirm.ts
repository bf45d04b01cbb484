// Confirm: exchanges the token of a confirmation link, once, for a confirmed account and its first session.
// Refuses INVALID_INPUT, TOKEN_INVALID (unknown, forged, used, of another purpose, account confirmed already), TOKEN_EXPIRED, BANNED
// (whoever holds the link has shown that the account is his).
import { isSecretOf, parseOpaque } from "../../crypto/opaque.ts";
import { tokenById, useToken } from "../../db/one-time-tokens.ts";
import { confirmUser } from "../../db/users.ts";
import { refuse } from "../../errors.ts";
import type { Message } from "../context.ts";
import { defineHandler } from "../define.ts";
import { fact } from "../facts.ts";
import { checkToken } from "../input.ts";
import { openSession } from "../sessions.ts";

const profileTopic = "registration";

export const confirm = defineHandler({
  topic: "auth.account.confirm",
  lane: "db",
  once: true,
  async handle(request, ctx) {
    checkToken("token", request.token);
    const presented = parseOpaque(request.token);
    if (presented === undefined) throw refuse("TOKEN_INVALID");
    const stored = await ctx.read(tokenById(presented.id, "confirm"));
    if (stored === null || !isSecretOf(stored.secretHash, presented.secret)) throw refuse("TOKEN_INVALID");
    if (stored.used || stored.confirmed) throw refuse("TOKEN_INVALID", { message: "The link was used before." });
    if (stored.expired) throw refuse("TOKEN_EXPIRED");
    if (stored.banned) throw refuse("BANNED");
    const { userId: id, login, username } = stored;
    const { rotating, client } = request;
    const session = await openSession(ctx, { ...stored, id }, { rotating, client, amr: ["otp"] });
    const profile: Message = { topic: profileTopic, key: String(id), kind: "json", body: { id, username } };
    return ctx.commit(
      {
        user: { id, subject: confirmUser(id) },
        facts: [
          fact("UserConfirmed", { login }),
          fact("LoggedIn", { login, sessionId: session.tokens.sessionId, method: "confirmation", client }),
        ],
        writes: [useToken(presented.id), session.write],
        messages: ctx.settings.legacyTopics ? [profile] : [],
      },
      session.tokens,
    );
  },
});
