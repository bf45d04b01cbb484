// Whether a dead letter can be replayed, and the record that a replay sends. A replay is the original again: same
// topic, key, value and headers, and its identity (auth-dlq-replayed-from), so what took effect before does not take
// effect twice, nor does a second replay. Reasons against it are found before anything is sent, because a worker would
// refuse the record or not recognise it. Nothing is opened: the time of a seal is in its protected header, readable
// without a key.
import { foreignHeaders, identityOf, identityText, type RecordIdentity } from "../../bus/dead-letter.ts";
import { type RequestHeaders, readHeaders } from "../../bus/headers.ts";
import type { InRecord, OutRecord } from "../../kafka/records.ts";
import { legacyInbound } from "../../processes/topic-specs.ts";
import { busNames, deadLetterHeaders } from "../../protocol/bus-names.ts";
import { commandSchemas } from "../../protocol/generated/schemas.ts";
import { isoTime, type Letter, stateText } from "./letters.ts";

export type Kind = "request" | "legacy" | "event";

export interface ReplayDeps {
  replyTopics: RegExp;
  /** How long the fleet stores answers, ms. */
  answersKeptMs: number;
  /** Unix ms. */
  now(): number;
  partitionsOf(topic: string): Promise<number | undefined>;
}

/** A seal must still be valid when a worker opens it. */
const sealMarginMs = 10_000;
/** The longest time a worker may take to begin it. */
const answersMarginMs = 300_000;

/** @returns undefined for topics to which nothing is replayed: a dead letter must not be a way to write anywhere */
export function topicKind(topic: string): Kind | undefined {
  if (Object.hasOwn(commandSchemas, topic)) return "request";
  if ((legacyInbound as readonly string[]).includes(topic)) return "legacy";
  return topic === "auth.event" || topic === "auth.mail" ? "event" : undefined;
}

/** @returns why it cannot be replayed, in a sentence */
export async function notReplayableReason(
  letter: Letter,
  record: InRecord,
  around: ReplayDeps,
): Promise<string | undefined> {
  const { note, cutFrom, partsCut, topic } = letter;
  if (note !== undefined) return `It was ${stateText(letter)}.`;
  if (letter.lastOffset !== undefined) return "It stands for records that could not be read: nothing of them was kept.";
  if (partsCut !== undefined) return `Not all was kept of its ${partsCut.replace(",", " and ")}, because of its size.`;
  if (cutFrom !== undefined) return `Only ${letter.bytes} of its ${cutFrom} bytes were kept, because of its size.`;
  const kind = topicKind(topic);
  if (kind === undefined) return `Its topic ${topic} is none that dead letters are replayed to.`;
  if ((await around.partitionsOf(topic)) === undefined) return `Its topic ${topic} is gone.`;
  if (kind === "event") return undefined;
  const original = originalRecord(record);
  if (kind === "request") return requestProblem(record, original, around);
  return original === undefined ? unknownIdentity : undefined;
}

const unknownIdentity =
  "Its original time was not noted (an older worker sent it to the dead letters), so a replay would be a new record, and could take effect twice.";

async function requestProblem(
  record: InRecord,
  original: RecordIdentity | undefined,
  around: ReplayDeps,
): Promise<string | undefined> {
  const now = around.now();
  const own = foreignHeaders(record, busNames.deadLetters) as InRecord["headers"];
  const headers = readHeaders(
    { ...record, headers: own, timestamp: now },
    { names: busNames, allowedReplyTopics: around.replyTopics },
  );
  if ("fault" in headers) return `A worker would not begin it: header ${headers.header} is ${headers.fault}.`;
  if (headers.deadline <= now) return "Its auth-deadline or auth-timeout leaves it no time.";
  if (headers.callerKey === undefined && sealIn(record.value) !== undefined)
    return "A worker would not begin it: what is sealed needs an idempotency key.";
  if (headers.callerKey === undefined && original === undefined) return unknownIdentity;
  const age = now - (original?.timestamp ?? record.timestamp);
  if (age > around.answersKeptMs - answersMarginMs) {
    return `It is older than the fleet keeps first answers (AUTH_IDEMPOTENCY_TTL), so it could take effect twice: ask anew.`;
  }
  return (await addressProblem(headers, around)) ?? sealProblem(record.value, now);
}

async function addressProblem({ reply }: RequestHeaders, { partitionsOf }: ReplayDeps): Promise<string | undefined> {
  const count = await partitionsOf(reply.topic);
  if (count === undefined) return `Its reply topic ${reply.topic} is gone, so no worker would begin it.`;
  if (reply.partition === undefined || reply.partition < count) return undefined;
  return `Its reply topic ${reply.topic} has no partition ${reply.partition}, so no worker would begin it.`;
}

function sealProblem(value: Buffer | null, now: number): string | undefined {
  const seal = sealIn(value);
  if (seal === undefined) return undefined;
  const { exp } = seal;
  if (typeof exp !== "number") return "Its seal does not say how long it holds.";
  if (exp * 1000 > now + sealMarginMs) return undefined;
  const when = exp * 1000 > now ? "is about to expire" : "has expired";
  return `Its seal ${when} (${isoTime(exp * 1000)}): whoever asked must ask anew.`;
}

/**
 * The protected header of the seal in a value: five parts in base64url, the first a JSON object (it begins with `eyJ`).
 * Found without the value's schema, which may be what is missing. The byte before it, its length, may look like a part.
 */
export function sealIn(value: Buffer | null): Record<string, unknown> | undefined {
  for (const [run] of (value?.toString("latin1") ?? "").matchAll(/[\w.-]+/g)) {
    const parts = run.split(".");
    for (const part of parts.slice(0, -4)) {
      const begin = part.indexOf("eyJ");
      const header = begin < 0 ? undefined : jsonObject(part.slice(begin));
      if (header !== undefined && "enc" in header) return header;
    }
  }
  return undefined;
}

function jsonObject(base64url: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(base64url, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Position and time of the original record, also of a replay of it; undefined where no header has them. */
function originalRecord(record: InRecord): RecordIdentity | undefined {
  const names = deadLetterHeaders;
  const [partition, offset, timestamp] = [names.partition, names.offset, names.timestamp].map((name) => {
    const text = String(record.headers[name] ?? "");
    return /^\d{1,18}$/.test(text) ? text : undefined;
  });
  if (partition === undefined || offset === undefined || timestamp === undefined) return undefined;
  const place = { partition: Number(partition), offset: BigInt(offset), timestamp: Number(timestamp) };
  return identityOf({ ...place, headers: record.headers }, busNames.deadLetters);
}

/** @throws Error where notReplayableReason was not asked first, and there is a reason */
export function replayRecord(letter: Letter, record: InRecord): OutRecord {
  const original = originalRecord(record);
  const identity = original && { [deadLetterHeaders.replayedFrom]: identityText(original) };
  const headers = { ...foreignHeaders(record, busNames.deadLetters), ...identity };
  return { topic: letter.topic, key: record.key, value: record.value, headers };
}
