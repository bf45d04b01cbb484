// The outbox rows of a change: its events, then their revocations, then its messages. Each event takes the next
// sequence number of its user; secrets are encrypted. All rows of a user are in one shard, so that they are published
// in order.
import type { DataCipher } from "../crypto/envelope.ts";
import type { OutboxRow } from "../db/commit.ts";
import { shardOf } from "../db/outbox.ts";
import type { Change, Message } from "./context.ts";
import { revocationRecords } from "./events.ts";

export const eventTopic = "auth.event";

interface OutboxRowOptions {
  /** The request, or only its trace context where the fleet acts on its own. */
  call: { headers: { traceparent: string | undefined } };
  now: number;
  uuid(): string;
  cipher: DataCipher;
}

export function outboxRows(change: Change, { call, now, uuid, cipher }: OutboxRowOptions): OutboxRow[] {
  const { user, messages = [], publish = true } = change;
  const key = user === undefined ? (change.key ?? "") : String(user.id);
  const shard = shardOf(user?.id ?? key);
  const actor = change.actor ?? (user === undefined ? "anonymous" : `user:${user.id}`);
  const common = { shard, actor, traceparent: call.headers.traceparent ?? null };
  const events = change.events.map(({ event, body }) => ({
    ...common,
    topic: eventTopic,
    key,
    kind: event,
    eventId: uuid(),
    numbered: user !== undefined,
    body: { ...body, at: now },
    secret: null,
    publish,
  }));
  const revocations = revocationRecords(change.events, user).map((record) => ({ ...record, kind: "json" as const }));
  const others = [...revocations, ...messages].map((message) =>
    messageRow(message, { ...common, eventId: uuid() }, { now, cipher }),
  );
  return [...events, ...others];
}

function messageRow(
  message: Message,
  common: Pick<OutboxRow, "shard" | "actor" | "traceparent" | "eventId">,
  { now, cipher }: { now: number; cipher: DataCipher },
): OutboxRow {
  const { topic, key, kind, body, secret, publish = true } = message;
  return {
    ...common,
    topic,
    key,
    kind,
    numbered: false,
    body: kind === "mail" ? { ...body, at: now } : body,
    secret: secret === undefined ? null : cipher.encrypt(Buffer.from(JSON.stringify(secret)), common.eventId),
    publish,
  };
}
