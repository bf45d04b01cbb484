// What a reply says, and whether it is one. Anybody who may write to the reply topic can make a record that looks like
// a reply, so one to a sealed request counts only with that request's mac. The exceptions are the refusals that are
// given before a request is opened: they end a call, are marked as not authentic, and say nothing about an effect.
import type { KeyObject } from "node:crypto";
import { type Codec, CodecFault } from "../bus/avro/codec.ts";
import { replySubject } from "../bus/command.ts";
import type { Reply } from "../bus/requester.ts";
import { mergeSealed, openReply } from "../bus/seal/seal.ts";
import { asError } from "../lib/errors.ts";
import { isRefusalCode, Refusal, type RefusalCode, refuse } from "../protocol/errors.ts";
import type { Logger } from "../runtime/log.ts";

export interface ReplyReader {
  codec: Codec;
  log: Logger;
  topic: string;
  /** Full name of the result's record. */
  resultName: string;
  /** Of auth-reply-key. */
  privateKey: KeyObject;
}

const beforeOpening: ReadonlySet<RefusalCode> = new Set([
  "OVERLOADED",
  "THROTTLED",
  "DEADLINE_EXCEEDED",
  "UNAVAILABLE",
  "UNSUPPORTED_SCHEMA",
  "INVALID_INPUT",
  "SEAL_REQUIRED",
  "SEAL_INVALID",
  "INTERNAL",
]);
/** What nobody vouches for must not keep a caller from asking again for hours. */
const longestRetryMs = 60_000;

/**
 * @param isUnsealed the request had no seal, so its reply has no mac
 * @returns undefined where it is no reply to the request. @throws Refusal where it is a refusal, or cannot be opened
 */
export async function readReply(
  reader: ReplyReader,
  reply: Reply,
  isUnsealed: boolean,
): Promise<{ answer: object } | undefined> {
  const isTrusted = isUnsealed || reply.authentic;
  if (!isTrusted && !isBeforeOpening(reply.outcome)) return undefined;
  const outcome = await decoded(reader, reply).catch((error: unknown) =>
    isTrusted ? unopened(reader, error) : nothing,
  );
  // What counts is the code inside the value; under a mac the header cannot differ.
  if (outcome.code !== reply.outcome) return undefined;
  if (outcome.refusal !== undefined) throw asRefusal(outcome.refusal, reply.authentic);
  const answer = opened(outcome.result, reader.privateKey).catch((error: unknown) => unopened(reader, error));
  return { answer: await answer };
}

const isBeforeOpening = (code: string): boolean => isRefusalCode(code) && beforeOpening.has(code);

interface WireRefusal {
  code: string;
  message: string;
  retryAfterMs: number | null;
  details: Record<string, string>;
}

interface Outcome {
  /** `ok`, or the refusal's, as it stands in the value; empty where there is none. */
  code: string;
  refusal: WireRefusal | undefined;
  result: object;
}

const nothing: Outcome = { code: "", refusal: undefined, result: {} };

async function decoded({ codec, resultName }: ReplyReader, { value }: Reply): Promise<Outcome> {
  const { outcome } = (await codec.decode(replySubject({ resultName }), value)) as { outcome: Record<string, object> };
  const refusal = outcome["auth.Refusal"] as WireRefusal | undefined;
  return { code: refusal?.code ?? "ok", refusal, result: outcome[resultName] ?? {} };
}

async function opened(result: object, privateKey: KeyObject): Promise<object> {
  const { sealed, ...clear } = result as { sealed?: string };
  return sealed === undefined ? clear : mergeSealed(clear, await openReply(sealed, privateKey));
}

/** A reply that cannot be read: the registry that has its schema is away, or it is none of the fleet's. */
function unopened({ log, topic }: ReplyReader, error: unknown): never {
  if (error instanceof Refusal) throw error;
  const isAway = error instanceof CodecFault && error.kind === "unreachable";
  if (!isAway) log.error({ err: asError(error), topic }, "a reply could not be opened");
  const message = `The reply could not be opened: ${asError(error).message}`;
  throw refuse(isAway ? "UNAVAILABLE" : "INTERNAL", { message });
}

/** A code that this version does not know is shown as INTERNAL, with the code in details. */
function asRefusal({ code, message, retryAfterMs, details }: WireRefusal, authentic: boolean): Refusal {
  const known = isRefusalCode(code);
  const after = authentic ? retryAfterMs : retryAfterMs && Math.min(retryAfterMs, longestRetryMs);
  return new Refusal(known ? code : "INTERNAL", {
    message,
    details: known ? details : { ...details, code },
    ...(after !== null && { retryAfterMs: after }),
    authentic,
  });
}
