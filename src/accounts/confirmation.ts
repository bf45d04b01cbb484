// Confirmation links: the one-time tokens and their mails, for registering, for asking again, and for mails that had to
// wait for the hourly limit. Several unconfirmed accounts may share an address; one mail then lists them all. While
// legacy topics are on, the links go in clear to the topic `auth`, one record per account, newest first, as the
// platform's mailer expects them. Otherwise they go sealed to auth.mail.

import type { Change, Context, MailMaker, Message } from "../command/context.ts";
import { event } from "../command/events.ts";
import { countMail, type MailCount } from "../db/address-mails.ts";
import { dummyUserFor } from "../db/dummy-user.ts";
import { insertToken, insertTokens } from "../db/one-time-tokens.ts";
import { shardOf } from "../db/outbox.ts";
import type { Write } from "../db/statements.ts";
import { mailGoesOut, requestConfirmations, type Waiting } from "../db/waiting.ts";
import type { Client } from "../protocol/generated/schemas.ts";
import { normalize } from "../protocol/record-key.ts";
import { mail, newLink, newToken } from "./mails.ts";

const legacyMailTopic = "auth";
const profileTopic = "registration";

/**
 * A dummy user for an address without an account: what is made for it costs the same, and is never published or used.
 */
export function dummyUserAt(email: string): Waiting {
  return { id: dummyUserFor(normalize(email)), login: "nobody", username: "nobody", email, locale: null };
}

const linkFor = ({ settings }: Pick<MailMaker, "settings">, userId: number) =>
  ({ userId, purpose: "confirm", ttlMs: settings.confirmTtlMs }) as const;

interface Asked {
  /** The client that asked for it. */
  client: Client | null;
  /** Writes the token's row: `insertDummyToken` for a dummy user. */
  insert?: typeof insertToken;
}

/** The link for one account. */
export function confirmation(
  ctx: Context,
  account: Waiting,
  { client, insert = insertToken }: Asked,
): { write: Write; message: Message } {
  const { token, write } = newLink(ctx, linkFor(ctx, account.id), insert);
  const [message] = messagesFor(ctx, [{ account, token }], client);
  return { write, message: message! };
}

interface MailRequest {
  count: MailCount;
  actor: string;
  traceparent?: string | undefined;
  /** The client that asked for it; absent where the fleet acts on its own. */
  client?: Client | null;
}

/** The change that mails a link for each of the accounts that wait with one address. @param accounts newest first */
export function confirmations(maker: MailMaker, accounts: readonly Waiting[], asking: MailRequest): Change {
  const made = accounts.map((account) => ({ account, ...newToken(maker, linkFor(maker, account.id)) }));
  const [newest, ...others] = accounts;
  if (newest === undefined) throw new Error("a mail to an address where nobody waits");
  return {
    user: { id: newest.id, lock: mailGoesOut(newest.id) },
    events: [event("ConfirmationRequested", {})],
    writes: [
      insertTokens(made.map(({ row }) => row)),
      countMail(asking.count, true),
      ...(others.length > 0 ? [requestEvents(maker, others, asking)] : []),
    ],
    messages: messagesFor(maker, made, asking.client),
    actor: asking.actor,
  };
}

/** The same event for each other account: a commit numbers the events of one user only. */
function requestEvents(
  maker: MailMaker,
  others: readonly Waiting[],
  { actor, traceparent = undefined }: MailRequest,
): Write {
  const said = { actor, traceparent: traceparent ?? null, body: { at: maker.now() } };
  const rows = others.map(({ id }) => {
    const eventId = maker.uuid();
    const audited = maker.audited({ ...said, eventId, kind: "ConfirmationRequested" }, id);
    return { id, shard: shardOf(id), eventId, audited };
  });
  return requestConfirmations(rows, said);
}

function messagesFor(
  { settings }: Pick<MailMaker, "settings">,
  made: readonly { account: Waiting; token: string }[],
  client: Client | null = null,
): Message[] {
  if (settings.legacyTopics) return made.map(({ account, token }) => legacyMail(account, token));
  const { account, token } = made[0]!;
  const { email, locale, username, login } = account;
  const to = { key: String(account.id), email, locale, from: { request: client } };
  if (made.length === 1) return [mail({ settings }, "confirm", { ...to, username, login, token })];
  const accounts = made.map((each) => ({ login: each.account.login, token: each.token }));
  return [mail({ settings }, "confirm-list", { ...to, accounts })];
}

function legacyMail({ id, username, email }: Waiting, token: string): Message {
  return { topic: legacyMailTopic, key: String(id), kind: "json", body: { id }, secret: { token, username, email } };
}

/** Tells the platform to create the profile of a confirmed user. */
export function profileMessage(id: number, username: string): Message {
  return { topic: profileTopic, key: String(id), kind: "json", body: { id, username } };
}
