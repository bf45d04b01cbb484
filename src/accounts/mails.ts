// The mails that handlers send: records of auth.mail, which a mailer renders (src/mail/mailer.ts), and the links in
// them, one-time tokens of which only the hash is stored. The outbox holds address and secrets encrypted; on the topic
// the address is in clear and the rest is sealed. While legacy topics are on, confirmation links go to the platform's
// topic `auth` instead (confirmation.ts); the platform's mailer knows no other kind of mail.

import type { CountedMail, MailMaker, Message, Settings } from "../command/context.ts";
import { keyedHash } from "../command/keyed-hash.ts";
import type { DataKeys } from "../crypto/envelope.ts";
import { hashSecret, newOpaque } from "../crypto/opaque.ts";
import type { MailCount } from "../db/address-mails.ts";
import { insertToken, type NewToken, type Purpose } from "../db/one-time-tokens.ts";
import type { Write } from "../db/statements.ts";
import type { Client } from "../protocol/generated/schemas.ts";
import type { MailKind } from "../protocol/mail-kinds.ts";

/**
 * The minimum duration of commands that may mail somebody. They run the same statements whether or not the address has
 * an account, in 1 to 3 ms. What differs is one row read, 0.1 ms, which 2,000 pairs of requests would reveal
 * (docs/security.md).
 */
export const mailedInMs = 25;

const mailTopic = "auth.mail";

export interface MailTo {
  /** Record key: the mails of one account are sent in order. */
  key: string;
  email: string;
  username?: string;
  /** The receiver's own locale; null: the fleet's. */
  locale: string | null;
  token?: string;
  login?: string;
  /** For a mail that lists several accounts, newest first. */
  accounts?: { login: string; token: string }[];
  from?: MailOrigin;
}

/** What caused a mail: a request that names its client, or a session, whose client is the one that logged in. */
type MailOrigin = { request: Client | null } | { session: Client | null };

export function mail({ settings }: Pick<MailMaker, "settings">, kind: MailKind, to: MailTo): Message {
  const { key, email, locale, from, ...secrets } = to;
  const said = { ...secrets, ...(from && originFields(kind, from)) };
  const sealed = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
  return {
    topic: mailTopic,
    key,
    kind: "mail",
    body: { kind, locale: locale ?? settings.mailLocale },
    secret: { to: email, sealed },
  };
}

/** The receiver of these may not be the person who caused them. */
const toStrangers: readonly MailKind[] = ["confirm", "confirm-list", "email-taken", "email-confirm"];

/** A device's name is text that a user typed, so it is only mailed to that user, and only from a session of theirs. */
function originFields(kind: MailKind, from: MailOrigin): Record<string, string | undefined> {
  if ("request" in from) return { requestAddress: from.request?.ip ?? undefined };
  const { ip, device } = from.session ?? {};
  return { loginAddress: ip ?? undefined, loginDevice: toStrangers.includes(kind) ? undefined : (device ?? undefined) };
}

export interface LinkFor {
  userId: number;
  purpose: Purpose;
  ttlMs: number;
  /** The address that becomes the account's by using the link. */
  email?: string;
  /** The user's generation: any change of rights, password or factors voids the link. */
  generation?: number;
  /** The session that asked for the link: revoking it voids the link. */
  sessionId?: string;
}

/**
 * @param insert writes the token's row: `insertDummyToken` where the link must not work
 * @returns the token for the mail, and the write that makes it valid
 */
export function newLink(
  ctx: Pick<MailMaker, "uuid">,
  link: LinkFor,
  insert = insertToken,
): { token: string; write: Write } {
  const { token, row } = newToken(ctx, link);
  return { token, write: insert(row) };
}

/** The same without the write, to insert several rows at once. */
export function newToken({ uuid }: Pick<MailMaker, "uuid">, link: LinkFor): { token: string; row: NewToken } {
  const id = uuid();
  const { token, secret } = newOpaque(id);
  return { token, row: { ...link, id, secretHash: hashSecret(secret) } };
}

/** Counted by a keyed hash, because the address may belong to anybody. */
export function mailCount(
  { dataKeys, settings }: { dataKeys(): DataKeys; settings: Pick<Settings, "mailsPerHour"> },
  kind: CountedMail,
  emailKey: string,
): MailCount {
  return { limiterKey: keyedHash(dataKeys())("mails", kind, emailKey), most: settings.mailsPerHour };
}
