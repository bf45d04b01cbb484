// What a thrown value is on the wire of gRPC: a status, words for people, and trailing metadata for programs. A Refusal
// has the status of its row in the table of errors.ts, and its code in `auth-error`; the gateway turns INVALID_ARGUMENT
// into HTTP 400, NOT_FOUND into 404 and everything else into 500. Whatever is no Refusal is a fault of ours: the caller
// learns only that, because the words of a fault may name what is inside the service.
import { Metadata, status } from "@grpc/grpc-js";
import { asError } from "../lib/errors.ts";
import { Refusal, refusals, refuse } from "../protocol/errors.ts";

/**
 * The answer exists, but the gateway's messages have no room for it. Not in the table of refusals: Kafka's callers
 * never meet it.
 */
export class Unrepresentable extends Error {
  override readonly name = "Unrepresentable";
}

export interface CallStatus {
  code: status;
  details: string;
  metadata: Metadata;
}

/** Where the trailing metadata says which refusal it was. */
const errorKey = "auth-error";
const retryAfterKey = "auth-retry-after-ms";

export function statusOf(thrown: unknown): CallStatus {
  if (thrown instanceof Unrepresentable) return withMetadata(status.FAILED_PRECONDITION, thrown.message, {});
  const refusal = thrown instanceof Refusal ? thrown : refuse("INTERNAL");
  const [name] = refusals[refusal.code];
  const later = refusal.retryAfterMs === undefined ? {} : { [retryAfterKey]: String(refusal.retryAfterMs) };
  return withMetadata(status[name], refusal.message, { [errorKey]: refusal.code, ...later });
}

/** Whether this is a fault of ours, to be logged. A refused INTERNAL was logged where it arose. */
export function isFault(thrown: unknown): boolean {
  return !(thrown instanceof Refusal || thrown instanceof Unrepresentable);
}

/** The status of a call whose caller is no longer there to read it; for the metrics. */
export function statusOfGone(pastDeadline: boolean): CallStatus {
  return pastDeadline
    ? statusOf(refuse("DEADLINE_EXCEEDED"))
    : withMetadata(status.CANCELLED, "The caller has ended the call.", {});
}

/**
 * A fault as it may be logged: libraries put the value they choke on into their words (avsc: `invalid "string": …`),
 * and every field of a request may hold a password or a token. What is shorter than 4 characters would redact half the
 * text and is no valid secret.
 */
export function faultText(thrown: unknown, request: object): string {
  const error = asError(thrown);
  const secrets = Object.values(request).filter(
    (value): value is string => typeof value === "string" && value.length > 3,
  );
  return secrets.reduce((text, secret) => text.replaceAll(secret, "[secret]"), error.stack ?? String(error));
}

/** Percent-encoded it takes up to nine times the room, and clients take some 8 KB of trailers. */
const longestDetails = 500;

/** grpc-js percent-encodes the words, which throws where half a surrogate pair is in them. */
function withMetadata(code: status, details: string, entries: Record<string, string>): CallStatus {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(entries)) metadata.set(key, value);
  return { code, details: details.slice(0, longestDetails).toWellFormed(), metadata };
}
