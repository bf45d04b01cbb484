// Reads a reply, and decides whether it is one. Anybody with write access to the reply topic can make a record that
// looks like a reply, so the reply to a sealed request is only accepted with that request's mac. The exception are
// refusals that are given before a request is opened: they end a call, are marked as not authentic, and say nothing
// about an effect.
import type { KeyObject } from "node:crypto";
import { type Codec, CodecFault } from "../bus/avro/codec.ts";
import { replySubject } from "../bus/command.ts";
import type { Reply } from "../bus/requester.ts";
import { mergeSealed, openSeal } from "../bus/seal/seal.ts";
import { asError } from "../lib/errors.ts";
import { isRefusalCode, Refusal, type RefusalCode, refuse } from "../protocol/errors.ts";
import type { Logger } from "../runtime/log.ts";

export interface ReplyReader {
  codec: Codec;
  log: Logger;
  topic: string;
  /** Full name of the result's record. */
  resultName: string;
  /** The private half of auth-reply-key. */
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
/** An unauthenticated refusal must not delay the next attempt for hours. */
const longestRetryMs = 60_000;

/**
 * @param isUnsealed the request had no seal, so its reply has no mac
 * @returns undefined where it is not a reply to the request. @throws Refusal where it is one, or cannot be opened
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
  // The code inside the value decides; with a mac the header cannot differ.
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
  /** `ok` or the refusal's code, from the value; empty where there is none. */
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
  return sealed === undefined ? clear : mergeSealed(clear, await openSeal(sealed, privateKey));
}

/** A reply that cannot be read: the registry with its schema is down, or it does not come from the fleet. */
function unopened({ log, topic }: ReplyReader, error: unknown): never {
  if (error instanceof Refusal) throw error;
  const isAway = error instanceof CodecFault && error.kind === "unreachable";
  if (!isAway) log.error({ err: asError(error), topic }, "a reply could not be opened");
  const message = `The reply could not be opened: ${asError(error).message}`;
  throw refuse(isAway ? "UNAVAILABLE" : "INTERNAL", { message });
}

/** A code unknown to this version becomes INTERNAL, with the code in details. */
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
