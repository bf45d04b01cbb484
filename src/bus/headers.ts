// Reads a request's headers without its value, and makes a reply's headers (docs/protocol.md, "Headers"). Spring's
// ReplyingKafkaTemplate sends its correlation id as 16 raw bytes and its partition as a 4-byte integer; NestJS's
// ClientKafka sends both as text. The first byte of a small integer is 0 and that of a text is a digit, so the two
// forms of a partition are distinct.
import { isUtf8 } from "node:buffer";
import type { InRecord } from "../kafka/records.ts";
import { readTrace, type Trace } from "../runtime/tracing.ts";
import { identityOf, identityText } from "./dead-letter.ts";
import type { BusNames } from "./names.ts";

/** The header names of Kafka's request/reply clients and the W3C: the same in every application. */
export const sharedHeaders = {
  correlationId: "kafka_correlationId",
  replyTopic: "kafka_replyTopic",
  replyPartition: "kafka_replyPartition",
  traceparent: "traceparent",
  tracestate: "tracestate",
  disposed: "kafka_nest-is-disposed",
} as const;

/** Where a reply goes, and the correlation id that its caller recognises. */
export interface ReplyAddress {
  topic: string;
  partition: number | undefined;
  correlationId: Buffer | undefined;
}

export interface RequestHeaders extends Trace {
  reply: ReplyAddress;
  /** Unix ms by the broker's clock after which the caller no longer waits. */
  deadline: number;
  /** The request's identity in the inbox; never empty. */
  idempotencyKey: Buffer;
  /** The caller's own key in the form of a seal's jti; undefined where there is no valid one. */
  callerKey: string | undefined;
  /** JWK text of the header replyKey. */
  replyKey: string | undefined;
  /** The device token. */
  device: string | undefined;
}

/** A header that makes the request invalid. `address` is present where the caller can still be answered. */
export interface HeaderFault {
  fault: string;
  header: string;
  address: ReplyAddress | undefined;
}

/** Some clients write the reply address twice; equal values count as one. */
const addressNames: string[] = [sharedHeaders.correlationId, sharedHeaders.replyTopic, sharedHeaders.replyPartition];
const defaultTimeoutMs = 30_000;
const longestTimeoutMs = 300_000;
const topicForm = /^[\w.-]{1,249}$/;
const maxKeyBytes = 256;
const maxDeviceBytes = 256;
/** 128 random bits take 16 raw bytes, or 22 characters of base64url. */
const randomRaw = 16;
const randomText = 22;

/** The headers that must not be repeated. A repeated trace only starts a new one. */
function single({ headers: { probe: _, ...own } }: BusNames): string[] {
  return [...addressNames, sharedHeaders.disposed, ...Object.values(own)];
}

export interface HeaderRules {
  names: BusNames;
  allowedReplyTopics: RegExp;
}

export function readHeaders(
  record: InRecord,
  { names, allowedReplyTopics }: HeaderRules,
): RequestHeaders | HeaderFault {
  const { headers: own } = names;
  const twice = single(names).find(
    (name) => Array.isArray(record.headers[name]) && singleHeader(record, name) === undefined,
  );
  const topic = text(record, sharedHeaders.replyTopic);
  if (topic === undefined) {
    return fault(sharedHeaders.replyTopic, twice === sharedHeaders.replyTopic ? "given twice" : "absent", undefined);
  }
  // The operator's pattern may be slow on a megabyte of text, so it is only given possible topic names.
  if (!topicForm.test(topic) || !allowedReplyTopics.test(topic))
    return fault(sharedHeaders.replyTopic, "not an allowed reply topic", undefined);
  const correlationId = singleHeader(record, sharedHeaders.correlationId);
  const partition = readPartition(singleHeader(record, sharedHeaders.replyPartition));
  const address: ReplyAddress = { topic, partition: partition === "bad" ? undefined : partition, correlationId };
  if (record.headersLeftOut) return fault("", "too many headers", address);
  if (twice !== undefined) return fault(twice, "given twice", address);
  if (partition === "bad")
    return fault(sharedHeaders.replyPartition, "neither a 4-byte integer nor decimal text", address);
  const deadline = readDeadline(record, own);
  if (typeof deadline !== "number") return { ...deadline, address };
  const key = readKey(record, { correlationId, names });
  if ("fault" in key) return { ...key, address };
  const replyKey = singleHeader(record, own.replyKey);
  if (replyKey !== undefined && !isUtf8(replyKey)) return fault(own.replyKey, "not UTF-8", address);
  return {
    reply: address,
    deadline,
    ...key,
    replyKey: replyKey?.toString("utf8"),
    device: readDevice(record, own),
    ...readTrace(record),
  };
}

function fault(header: string, problem: string, address: ReplyAddress | undefined): HeaderFault {
  return { fault: problem, header, address };
}

/** A header's value; undefined also where it is repeated, unless it is part of the reply address with equal values. */
export function singleHeader(record: InRecord, name: string): Buffer | undefined {
  const value = record.headers[name];
  if (!Array.isArray(value)) return value;
  const [first, ...others] = value;
  const isOne = addressNames.includes(name) && others.every((each) => first?.equals(each));
  return isOne ? first : undefined;
}

/** A malformed token counts as missing, like an invalid one: a device that lost its token must not be locked out. */
function readDevice(record: InRecord, own: BusNames["headers"]): string | undefined {
  const token = text(record, own.device);
  return token !== undefined && isPrintable(token, maxDeviceBytes) ? token : undefined;
}

function isPrintable(value: string, maxLength: number): boolean {
  return value.length <= maxLength && /^[\x20-\x7e]*$/.test(value);
}

function text(record: InRecord, name: string): string | undefined {
  return singleHeader(record, name)?.toString("utf8");
}

function readPartition(raw: Buffer | undefined): number | undefined | "bad" {
  if (raw === undefined) return undefined;
  if (/^\d{1,9}$/.test(raw.toString("latin1"))) return Number(raw.toString("latin1"));
  if (raw.length === 4 && raw[0] === 0) return raw.readInt32BE(0);
  return "bad";
}

/**
 * The timeout counts from the record's broker time and has precedence over the deadline. Default 30 s; longer than 5
 * min is cut.
 */
function readDeadline(record: InRecord, own: BusNames["headers"]): number | HeaderFault {
  const timeout = text(record, own.timeout);
  const deadline = text(record, own.deadline);
  const bad = [
    [own.timeout, timeout],
    [own.deadline, deadline],
  ].find(([, value]) => value !== undefined && !/^\d{1,15}$/.test(value));
  if (bad !== undefined) return fault(bad[0]!, "not decimal milliseconds", undefined);
  const latest = record.timestamp + longestTimeoutMs;
  if (timeout !== undefined) return Math.min(record.timestamp + Number(timeout), latest);
  if (deadline !== undefined) return Math.min(Number(deadline), latest);
  return record.timestamp + defaultTimeoutMs;
}

type Key = Pick<RequestHeaders, "idempotencyKey" | "callerKey">;

/**
 * The caller's key; else the correlation id if it has enough random bits; else the record's identity, so that a
 * redelivery is recognised even if the caller gave neither. The first byte separates the kinds.
 */
function readKey(
  record: InRecord,
  { correlationId, names }: { correlationId: Buffer | undefined; names: BusNames },
): Key | HeaderFault {
  const { idempotencyKey: header } = names.headers;
  const given = singleHeader(record, header);
  if (given !== undefined) {
    if (given.length < randomText) return fault(header, "fewer than 128 random bits (22 characters)", undefined);
    if (given.length > maxKeyBytes) return fault(header, `over ${maxKeyBytes} bytes`, undefined);
    if (!isText(given)) return fault(header, "not printable ASCII", undefined);
    return { idempotencyKey: callerKey(given), callerKey: jtiOf(given) };
  }
  if (correlationId !== undefined && hasRandomBits(correlationId)) {
    return { idempotencyKey: callerKey(correlationId), callerKey: jtiOf(correlationId) };
  }
  return { idempotencyKey: identityKey(record, names), callerKey: undefined };
}

const binaryMark = "b64:";

/**
 * A key in the form of a seal's jti: its text, or `b64:` and base64url for binary keys and for texts that begin with
 * `b64:`. Different keys have different forms; otherwise a copy of a record under another key could pass for the
 * record.
 */
export function jtiOf(key: Buffer): string {
  const text = key.toString("latin1");
  return isText(key) && !text.startsWith(binaryMark) ? text : binaryMark + key.toString("base64url");
}

const isText = (bytes: Buffer): boolean => isPrintable(bytes.toString("latin1"), Number.POSITIVE_INFINITY);

function callerKey(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.of(0), bytes]);
}

/**
 * The identity of a record without a key: equal for all deliveries and replays, different after its topic was
 * recreated.
 */
export function identityKey(record: InRecord, { deadLetters }: Pick<BusNames, "deadLetters">): Buffer {
  return Buffer.from(`\u0001${identityText(identityOf(record, deadLetters))}`);
}

function hasRandomBits(correlationId: Buffer): boolean {
  if (correlationId.length > maxKeyBytes) return false;
  return correlationId.length >= (isText(correlationId) ? randomText : randomRaw);
}

const nothing = Buffer.alloc(0);
const outcomes = new Map<string, Buffer>();

/** `ok` and the codes: few, so each is encoded once. */
function outcomeBytes(outcome: string): Buffer {
  let bytes = outcomes.get(outcome);
  if (bytes === undefined) {
    bytes = Buffer.from(outcome);
    outcomes.set(outcome, bytes);
  }
  return bytes;
}

/**
 * The reply's headers: the correlation id byte for byte, the outcome readable without Avro, and the header by which
 * NestJS finishes.
 * @param mac of seal/reply-mac.ts, where the request was opened and had a reply secret
 */
export function replyHeaders(
  address: ReplyAddress,
  { outcome, mac, names, ...trace }: Trace & { outcome: string; mac?: string | undefined; names: BusNames },
) {
  return {
    ...(address.correlationId && { [sharedHeaders.correlationId]: address.correlationId }),
    [names.headers.outcome]: outcomeBytes(outcome),
    ...(mac !== undefined && { [names.headers.replyMac]: Buffer.from(mac) }),
    [sharedHeaders.disposed]: nothing,
    ...(trace.traceparent && { [sharedHeaders.traceparent]: Buffer.from(trace.traceparent) }),
    ...(trace.tracestate && { [sharedHeaders.tracestate]: Buffer.from(trace.tracestate) }),
  };
}
