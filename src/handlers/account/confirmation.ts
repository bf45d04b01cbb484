// The confirmation link, shared by registering and asking for another one: a one-time token, and the record that gets it mailed.
// While legacy topics are on the platform's mailer reads it from the topic `auth` (in clear, by contract); else it goes to auth.mail, sealed.
import { hashSecret, newOpaque } from "../../crypto/opaque.ts";
import { insertToken } from "../../db/one-time-tokens.ts";
import type { Write } from "../../db/statements.ts";
import type { Context, Message } from "../context.ts";

export const legacyMailTopic = "auth";
export const mailTopic = "auth.mail";

export interface Addressee {
  id: number;
  username: string;
  email: string;
}

export function confirmation(ctx: Context, user: Addressee): { write: Write; message: Message } {
  const id = ctx.uuid();
  const { token, secret } = newOpaque(id);
  const ttlMs = ctx.settings.confirmTtlMs;
  return {
    write: insertToken({ id, userId: user.id, purpose: "confirm", secretHash: hashSecret(secret), ttlMs }),
    message: ctx.settings.legacyTopics ? legacyMail(user, token) : mail(user, token),
  };
}

function legacyMail({ id, username, email }: Addressee, token: string): Message {
  return { topic: legacyMailTopic, key: String(id), kind: "json", body: { id }, secret: { token, username, email } };
}

function mail({ id, username, email }: Addressee, token: string): Message {
  return {
    topic: mailTopic,
    key: String(id),
    kind: "mail",
    body: { kind: "confirm", locale: "en" },
    secret: { to: email, sealed: { token, username } },
  };
}
