// Mails as handlers ask for them: a record of auth.mail, which a mailer turns into text (src/mail/mailer.ts). Address
// and secrets are encrypted in the outbox; on the topic the address is in clear and the rest is sealed. Also the links
// in them: one-time tokens, of which only the hash is kept. Confirmation links go to the platform's topic `auth` while
// legacy topics are on (confirmation.ts); all other mails go here, always: the platform's mailer knows one kind of
// mail.

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
 * How long a command that may mail somebody takes at least. It does the same statements for an address that has an
 * account and for one that has none, some 1 to 3 ms; what differs is a row that is read or not, 0.1 ms, which 2,000
 * pairs of requests would show (docs/security.md).
 */
export const mailedInMs = 25;

const mailTopic = "auth.mail";

export interface MailTo {
  /** Record key: what concerns one account goes out in order. */
  key: string;
  email: string;
  username?: string;
  /** The receiver's own; null: the fleet's. */
  locale: string | null;
  token?: string;
  login?: string;
  /** Of a mail that lists several accounts: the newest first. */
  accounts?: { login: string; token: string }[];
  from?: MailOrigin;
}

/**
 * From where a mail was brought about: by a request that names its client, or within a session, which was logged in to
 * from there.
 */
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

/** Their receiver may be a stranger to whoever brings them about. */
const toStrangers: readonly MailKind[] = ["confirm", "confirm-list", "email-taken", "email-confirm"];

/**
 * The name of a device is its owner's own words: these go to their own mailbox only, and only with a session that is
 * theirs.
 */
function originFields(kind: MailKind, from: MailOrigin): Record<string, string | undefined> {
  if ("request" in from) return { requestAddress: from.request?.ip ?? undefined };
  const { ip, device } = from.session ?? {};
  return { loginAddress: ip ?? undefined, loginDevice: toStrangers.includes(kind) ? undefined : (device ?? undefined) };
}

export interface LinkFor {
  userId: number;
  purpose: Purpose;
  ttlMs: number;
  /** The address that using the link makes the account's own. */
  email?: string;
  /** Of the user: any change of rights, password or factors ends the link. */
  generation?: number;
  /** The session in which it was asked for: revoking that ends the link. */
  sessionId?: string;
}

/**
 * @param insert makes the token's row: `insertStandInToken` where the link must be good for nothing
 * @returns the token for the mail, and the write that makes it good
 */
export function newLink(
  ctx: Pick<MailMaker, "uuid">,
  link: LinkFor,
  insert = insertToken,
): { token: string; write: Write } {
  const { token, row } = newToken(ctx, link);
  return { token, write: insert(row) };
}

/** The same without the write, for several rows in one. */
export function newToken({ uuid }: Pick<MailMaker, "uuid">, link: LinkFor): { token: string; row: NewToken } {
  const id = uuid();
  const { token, secret } = newOpaque(id);
  return { token, row: { ...link, id, secretHash: hashSecret(secret) } };
}

/** By a keyed hash, because it may be anybody's address. */
export function mailCount(
  { dataKeys, settings }: { dataKeys(): DataKeys; settings: Pick<Settings, "mailsPerHour"> },
  kind: CountedMail,
  emailKey: string,
): MailCount {
  return { subject: keyedHash(dataKeys())("mails", kind, emailKey), most: settings.mailsPerHour };
}
