// The confirmation link, shared by registering and asking for another one: a one-time token, and the record that gets it mailed.
// While legacy topics are on the platform's mailer reads it from the topic `auth` (in clear, by contract); else it goes to auth.mail, sealed.
import type { Write } from "../../db/statements.ts";
import type { Context, Message } from "../context.ts";
import { mail, newLink } from "../mails.ts";

export const legacyMailTopic = "auth";

export interface Addressee {
  id: number;
  username: string;
  email: string;
}

export function confirmation(ctx: Context, user: Addressee): { write: Write; message: Message } {
  const { token, write } = newLink(ctx, { userId: user.id, purpose: "confirm", ttlMs: ctx.settings.confirmTtlMs });
  const { id, username, email } = user;
  const message = ctx.settings.legacyTopics
    ? legacyMail(user, token)
    : mail(ctx, "confirm", { key: String(id), email, username, token });
  return { write, message };
}

function legacyMail({ id, username, email }: Addressee, token: string): Message {
  return { topic: legacyMailTopic, key: String(id), kind: "json", body: { id }, secret: { token, username, email } };
}
