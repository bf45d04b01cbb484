// One request from its bytes to its reply: check the deadline -> admission -> decode -> open the seal -> check texts
// and key -> handler -> encode. Decoding comes after queueing, so that a late request is dropped from its headers
// alone, and secrets are only open while their handler runs. How it ends is decided here, and in
// responder.ts for what is refused by its headers, its key or a full mailbox:
// - with a result, or refused: a reply with its code. A transient fault from the list is retried before that, with
//   growing pauses until the deadline;
// - as a dead letter: an unexpected error; the caller gets INTERNAL if they can be reached. It is not retried.
import { setTimeout as sleep } from "node:timers/promises";
import type { InRecord, OutRecord } from "../kafka/records.ts";
import { asError } from "../lib/errors.ts";
import { AnyRefusal } from "../lib/refusal.ts";
import type { Logger } from "../runtime/log.ts";
import { type Codec, CodecFault } from "./avro/codec.ts";
import { type BusCommand, type Call, type LaneName, type Lanes, replySubject, requestSubject } from "./command.ts";
import { type RequestHeaders, replyHeaders } from "./headers.ts";
import type { Permit } from "./lanes.ts";
import { delayUntil } from "./min-response.ts";
import type { BusProtocol } from "./names.ts";
import { invalid, refuse } from "./refusals.ts";
import { replyMac } from "./seal/reply-mac.ts";
import {
  bareReply,
  type OpeningKey,
  openRequest,
  parseSealingKey,
  type ReplyKey,
  sealFor,
  splitSealed,
} from "./seal/seal.ts";

export interface ExecuteDeps {
  protocol: BusProtocol;
  codec: Pick<Codec, "encode" | "decode">;
  lanes: Lanes;
  log: Logger;
  monotonic(): number;
  /** The private key for seals to this kid. */
  openingKey(kid: string): OpeningKey | undefined;
  requireSealed: boolean;
  /** The range, Unix ms by our own clock, in which a seal must expire: see RequestToOpen. */
  sealsEndBetween(): readonly [number, number];
  /** Whether a fault is transient, so that the handler is retried. */
  isTransient(error: unknown): boolean;
}

/** The reply, and the reason if the record is a dead letter too. */
export interface Executed {
  outcome: string;
  reply: OutRecord;
  deadLetterReason: string | undefined;
}

/** @param redelivered the record may have been handled before, so the inbox is read before it is refused as late */
export type Execute = (record: InRecord, command: BusCommand, call: Call, redelivered: boolean) => Promise<Executed>;

const retryBudgetMs = 3000;
const maxReplyBytes = 1_000_000;

interface Outcome {
  /** `ok`, or the refusal's code. */
  code: string;
  bytes: Buffer;
  deadLetterReason: string | undefined;
  /** Of the opened request, if it had one. */
  replySecret: Buffer | undefined;
}

export function makeExecute(parts: ExecuteDeps): Execute {
  return async (record, command, call, redelivered) => {
    const outcome = await delayUntil(command.minResponseMs, () => serve(parts, { record, command, call }, redelivered));
    const caller = { command, key: record.key, headers: call.headers };
    return {
      outcome: outcome.code,
      deadLetterReason: outcome.deadLetterReason,
      reply: replyRecord(parts, caller, { ...outcome, mac: macOf(call, outcome) }),
    };
  };
}

/** Where a reply goes. */
export interface Caller {
  command: BusCommand;
  /** Of the request's record. */
  key: Buffer | null;
  headers: Pick<RequestHeaders, "reply" | "traceparent" | "tracestate">;
}

function replyRecord(
  { protocol: { names } }: Pick<ExecuteDeps, "protocol">,
  { key, headers }: Caller,
  { code: outcome, bytes: value, mac }: { code: string; bytes: Buffer; mac?: string | undefined },
): OutRecord {
  const { topic, partition } = headers.reply;
  const own = replyHeaders(headers.reply, { ...headers, outcome, mac, names });
  return { topic, ...(partition !== undefined && { partition }), key, value, headers: own };
}

interface EncodeDeps extends Pick<ExecuteDeps, "protocol"> {
  codec: Pick<Codec, "encode">;
}

/** The reply to a request that is refused before it is handled. */
export function refusalReply(
  parts: EncodeDeps,
  caller: Caller,
  refusal: AnyRefusal,
): Pick<Executed, "outcome" | "reply"> {
  const refused = encodeRefusal(parts, caller.command, refusal);
  return { outcome: refused.code, reply: replyRecord(parts, caller, refused) };
}

function macOf({ headers }: Call, { code, bytes: value, replySecret }: Outcome): string | undefined {
  const { topic: replyTopic, correlationId } = headers.reply;
  return replySecret && replyMac(replySecret, { replyTopic, correlationId, code, value });
}

/** A refusal as the command's reply, with the application's code. */
function encodeRefusal(
  { codec, protocol: { names, codes = {} } }: EncodeDeps,
  command: Pick<BusCommand, "resultName">,
  refusal: AnyRefusal,
): { code: string; bytes: Buffer } {
  const { message, retryAfterMs = null, details } = refusal;
  const code = (codes as Record<string, string>)[refusal.code] ?? refusal.code;
  const outcome = { [names.refusalRecord]: { code, message, retryAfterMs, details } };
  return { code, bytes: codec.encode(replySubject(command), { outcome }) };
}

interface Work {
  record: InRecord;
  command: BusCommand;
  call: Call;
}

async function serve(parts: ExecuteDeps, delivered: Work, redelivered: boolean): Promise<Outcome> {
  const { log } = parts;
  const { record, command } = delivered;
  let call: Call = delivered.call;
  let replySecret: Buffer | undefined;
  const opened = (secret: Buffer): void => {
    replySecret = secret;
  };
  try {
    const work = await inTime(parts, delivered, redelivered);
    call = work.call;
    // Before the request is opened: in a flood of logins a refusal must not cost the elliptic curve operations of an
    // admitted one.
    if (command.lane === "hash") admit(parts, call);
    const replyKey = await readReplyKey(parts, work);
    const request = await open(parts, work, { replyKey, opened });
    command.texts.checkRequest(request);
    checkKey(record, command, request);
    const lane = command.laneOf?.(request) ?? command.lane;
    const result = await retry(parts, { ...work, lane }, () => command.handle(request, call));
    const bytes = await encodeResult(parts, command, result, replyKey);
    if (bytes.length > maxReplyBytes) throw new Error(`the reply has ${bytes.length} bytes`);
    return { code: "ok", bytes, deadLetterReason: undefined, replySecret };
  } catch (error) {
    const { refusal, deadLetterReason } = classify(error);
    if (deadLetterReason !== undefined) {
      const where = { topic: record.topic, partition: record.partition, offset: String(record.offset) };
      log.error({ err: error, ...where }, "request cannot be processed");
    }
    return { ...encodeRefusal(parts, command, refusal), deadLetterReason, replySecret };
  } finally {
    call.permit?.release();
  }
}

/**
 * Only admission happens here. The hash itself takes its turn in the hash lane (ctx.passwords), so that no slot is held
 * during database reads.
 */
function admit({ lanes }: ExecuteDeps, call: Call): Permit {
  call.permit ??= lanes.hash.admit(call.deadline, call.device !== undefined);
  return call.permit;
}

/** A late request with a stored answer gets it, within the time that reading it takes. */
async function inTime(parts: ExecuteDeps, work: Work, redelivered: boolean): Promise<Work> {
  const { command, call } = work;
  if (parts.monotonic() < call.deadline) return work;
  const late = { ...work, call: { ...call, deadline: parts.monotonic() + retryBudgetMs } };
  // With a handler's retries: a database that is away for a moment must not turn a request that has its answer into a
  // dead letter.
  const look = { ...late, lane: command.lane };
  const answered = redelivered && command.storesAnswer && (await retry(parts, look, () => command.answered(call)));
  if (!answered) throw refuse("DEADLINE_EXCEEDED");
  return late;
}

/** The refusal for a thrown error; `deadLetterReason` is set for a fault of ours. */
function classify(error: unknown): { refusal: AnyRefusal; deadLetterReason: string | undefined } {
  if (error instanceof AnyRefusal) return { refusal: error, deadLetterReason: undefined };
  if (error instanceof CodecFault) return { refusal: refusalOfBytes(error), deadLetterReason: undefined };
  return { refusal: refuse("INTERNAL"), deadLetterReason: asError(error).message };
}

/** Malformed bytes are refused and not stored, because anybody can send them. */
function refusalOfBytes({ kind, message }: CodecFault): AnyRefusal {
  switch (kind) {
    case "unreachable":
      return refuse("UNAVAILABLE", { message, retryAfterMs: 1000 });
    case "unknown-schema":
    case "incompatible":
      return refuse("UNSUPPORTED_SCHEMA", { message });
    case "not-avro":
    case "malformed":
      return refuse("INVALID_INPUT", { message });
  }
}

async function readReplyKey(parts: ExecuteDeps, { command, call }: Work): Promise<ReplyKey | undefined> {
  const text = call.headers.replyKey;
  if (text !== undefined) return parseSealingKey(text, parts.protocol.names.headers.replyKey);
  if (command.sealedFields.reply.length > 0 && parts.requireSealed) {
    throw refuse("SEAL_REQUIRED", { message: `The reply has secrets: give ${parts.protocol.names.headers.replyKey}.` });
  }
  return undefined;
}

async function open(
  parts: ExecuteDeps,
  { record, command, call }: Work,
  { replyKey, opened }: { replyKey: ReplyKey | undefined; opened(replySecret: Buffer): void },
): Promise<object> {
  const clear = await parts.codec.decode(requestSubject(command.topic), record.value);
  command.texts.checkRecord(clear); // the seal is one of the texts: an oversized one must not cost a decryption
  if (command.sealedFields.request.length === 0) return clear;
  const { sealed, ...rest } = clear as { sealed: string };
  return openRequest({
    sealed,
    clear: rest,
    topic: command.topic,
    replyTopic: call.headers.reply.topic,
    replyKeyThumbprint: replyKey?.thumbprint,
    idempotencyKey: call.headers.callerKey,
    keys: parts.openingKey,
    requireSealed: parts.requireSealed,
    sealedFields: command.sealedFields.request,
    defaults: command.requestDefaults,
    receivedAt: record.timestamp,
    endsBetween: parts.sealsEndBetween(),
    opened,
    headers: parts.protocol.names.headers,
  });
}

/** The key selects the mailbox; a wrong one would let a caller spread one account's requests over the fleet. */
function checkKey(record: InRecord, command: BusCommand, request: object): void {
  const expected = command.keyOf(request);
  if (record.key === null || record.key.length === 0 || expected === undefined) return;
  if (record.key.toString("utf8") !== expected) throw invalid("key", "not the one this request belongs to");
}

/** Runs the handler, and again after a transient fault, with growing pauses up to the deadline and a budget. */
async function retry<T>(
  parts: ExecuteDeps,
  { lane, call, record }: Work & { lane: LaneName },
  run: () => Promise<T>,
): Promise<T> {
  const end = Math.min(call.deadline, parts.monotonic() + retryBudgetMs);
  for (let pause = 25; ; pause *= 2) {
    try {
      if (lane !== "hash") return await parts.lanes[lane].run(call.deadline, run);
      const permit = admit(parts, call);
      try {
        return await run();
      } finally {
        permit.release();
        delete call.permit; // the next attempt is admitted again
      }
    } catch (error) {
      if (!parts.isTransient(error)) throw error;
      parts.log.warn({ err: error, topic: record.topic, pause }, "handler is tried again");
      if (parts.monotonic() + pause >= end) throw refuse("UNAVAILABLE", { retryAfterMs: 1000 });
      await sleep(pause * (0.5 + Math.random() / 2));
    }
  }
}

async function encodeResult(
  parts: ExecuteDeps,
  command: BusCommand,
  result: object,
  replyKey: ReplyKey | undefined,
): Promise<Buffer> {
  const { codec } = parts;
  const paths = command.sealedFields.reply;
  if (paths.length === 0) return codec.encode(replySubject(command), { outcome: { [command.resultName]: result } });
  const { clear, secret } = splitSealed(result, paths);
  const sealed = replyKey === undefined ? bareReply(secret) : await sealFor(secret, replyKey);
  return codec.encode(replySubject(command), { outcome: { [command.resultName]: { ...clear, sealed } } });
}
