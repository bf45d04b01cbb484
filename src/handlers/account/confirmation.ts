// The confirmation link, shared by registering and asking for another one: a one-time token, and the record that gets it mailed.
// While legacy topics are on the platform's mailer reads it from the topic `auth` (in clear, by contract); else it goes to auth.mail, sealed.
import type { Contact } from "../../db/contacts.ts";
import { insertToken } from "../../db/one-time-tokens.ts";
import { standInOf } from "../../db/stand-ins.ts";
import type { Write } from "../../db/statements.ts";
import { normalize } from "../../record-key.ts";
import type { Context, Message } from "../context.ts";
import { mail, newLink } from "../mails.ts";

export const legacyMailTopic = "auth";

export interface Addressee extends Contact {
  id: number;
}

/** A stand-in for the user of an address that nobody has: what is made for it costs the same, and is never published or used. */
export function nobodyAt(email: string): Addressee {
  return { id: standInOf(normalize(email)), username: "nobody", email, locale: null };
}

/** @param insert makes the token's row: `insertStandInToken` for nobody */
export function confirmation(ctx: Context, user: Addressee, insert = insertToken): { write: Write; message: Message } {
  const link = { userId: user.id, purpose: "confirm", ttlMs: ctx.settings.confirmTtlMs } as const;
  const { token, write } = newLink(ctx, link, insert);
  const { id, username, email, locale } = user;
  const message = ctx.settings.legacyTopics
    ? legacyMail(user, token)
    : mail(ctx, "confirm", { key: String(id), email, username, locale, token });
  return { write, message };
}

function legacyMail({ id, username, email }: Addressee, token: string): Message {
  return { topic: legacyMailTopic, key: String(id), kind: "json", body: { id }, secret: { token, username, email } };
}
