// Converts a thrown value to gRPC: a status, a message for people, and trailing metadata for programs. A Refusal has
// the status in the table of protocol/errors.ts and its code in `auth-error`; the gateway turns INVALID_ARGUMENT into
// HTTP 400, NOT_FOUND into 404 and everything else into 500. Anything else is a fault of ours: the caller learns
// nothing more, because its message may describe the inside of the service.
import { Metadata, status } from "@grpc/grpc-js";
import { asError } from "../lib/errors.ts";
import { Refusal, refusals, refuse } from "../protocol/errors.ts";

/**
 * The answer exists but does not fit into the gateway's messages. Not in the table of refusals, because it cannot
 * happen on Kafka.
 */
export class Unrepresentable extends Error {
  override readonly name = "Unrepresentable";
}

export interface CallStatus {
  code: status;
  details: string;
  metadata: Metadata;
}

/** The trailing metadata with the refusal's code. */
const errorKey = "auth-error";
const retryAfterKey = "auth-retry-after-ms";

export function statusOf(thrown: unknown): CallStatus {
  if (thrown instanceof Unrepresentable) return withMetadata(status.FAILED_PRECONDITION, thrown.message, {});
  const refusal = thrown instanceof Refusal ? thrown : refuse("INTERNAL");
  const [name] = refusals[refusal.code];
  const later = refusal.retryAfterMs === undefined ? {} : { [retryAfterKey]: String(refusal.retryAfterMs) };
  return withMetadata(status[name], refusal.message, { [errorKey]: refusal.code, ...later });
}

/** Whether it is a fault of ours, to be logged. A refused INTERNAL was logged where it happened. */
export function isFault(thrown: unknown): boolean {
  return !(thrown instanceof Refusal || thrown instanceof Unrepresentable);
}

/** The status of a call whose caller is gone, for the metrics. */
export function statusOfGone(pastDeadline: boolean): CallStatus {
  return pastDeadline
    ? statusOf(refuse("DEADLINE_EXCEEDED"))
    : withMetadata(status.CANCELLED, "The caller has ended the call.", {});
}

/**
 * A fault's message, safe to log: libraries quote the values they reject (avsc: `invalid "string": …`), and any field
 * of a request may hold a password or a token. Values of fewer than 4 characters are not redacted: they would match
 * everywhere, and are no valid secret.
 */
export function faultText(thrown: unknown, request: object): string {
  const error = asError(thrown);
  const secrets = Object.values(request).filter(
    (value): value is string => typeof value === "string" && value.length > 3,
  );
  return secrets.reduce((text, secret) => text.replaceAll(secret, "[secret]"), error.stack ?? String(error));
}

/** Percent-encoded it takes up to nine times as much, and clients accept some 8 KB of trailers. */
const longestDetails = 500;

/** grpc-js percent-encodes the message, which throws for half a surrogate pair. */
function withMetadata(code: status, details: string, entries: Record<string, string>): CallStatus {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(entries)) metadata.set(key, value);
  return { code, details: details.slice(0, longestDetails).toWellFormed(), metadata };
}
