// Every refusal code, in one table, and the error type of a refusal. A refusal is an answer, not a fault: it travels to
// the caller as `auth.Refusal`. Any other error is a fault of ours. The gRPC column is the status that the bridge
// returns (docs/protocol.md, Refusals).

import { AnyRefusal, type RefusalOptions } from "../lib/refusal.ts";

export type { RefusalOptions };

type GrpcStatus =
  | "INVALID_ARGUMENT"
  | "NOT_FOUND"
  | "PERMISSION_DENIED"
  | "RESOURCE_EXHAUSTED"
  | "DEADLINE_EXCEEDED"
  | "UNAVAILABLE"
  | "INTERNAL";

/** code -> gRPC status, default message */
export const refusals = {
  INVALID_INPUT: ["INVALID_ARGUMENT", "The request is not valid."],
  LOGIN_TAKEN: ["INVALID_ARGUMENT", "This login is taken."],
  EMAIL_TAKEN: ["INVALID_ARGUMENT", "This e-mail address is taken."],
  WEAK_PASSWORD: ["INVALID_ARGUMENT", "This password is too weak."],
  INVALID_CREDENTIALS: ["INVALID_ARGUMENT", "The login or the password is wrong."],
  NOT_CONFIRMED: ["INVALID_ARGUMENT", "The account is not confirmed yet."],
  BANNED: ["INVALID_ARGUMENT", "The account is banned."],
  MFA_REQUIRED: ["INVALID_ARGUMENT", "A second factor is required."],
  MFA_INVALID: ["INVALID_ARGUMENT", "The second factor is wrong."],
  TOKEN_INVALID: ["INVALID_ARGUMENT", "The token is not valid."],
  TOKEN_EXPIRED: ["INVALID_ARGUMENT", "The token has expired."],
  SESSION_REVOKED: ["INVALID_ARGUMENT", "The session is over."],
  REFRESH_REUSED: ["INVALID_ARGUMENT", "The refresh token was used before; the session is over."],
  SEAL_REQUIRED: ["INVALID_ARGUMENT", "Secrets must be sealed."],
  SEAL_INVALID: ["INVALID_ARGUMENT", "The seal does not fit the request."],
  IDEMPOTENCY_CONFLICT: ["INVALID_ARGUMENT", "This idempotency key was used for another request."],
  NOT_FOUND: ["NOT_FOUND", "Not found."],
  FORBIDDEN: ["PERMISSION_DENIED", "This is not permitted."],
  THROTTLED: ["RESOURCE_EXHAUSTED", "Too many requests for this key."],
  OVERLOADED: ["RESOURCE_EXHAUSTED", "The service is busy."],
  DEADLINE_EXCEEDED: ["DEADLINE_EXCEEDED", "The time for this request is over."],
  NO_WORKERS: ["UNAVAILABLE", "Nobody serves this command."],
  UNAVAILABLE: ["UNAVAILABLE", "The service is not available."],
  UNSUPPORTED_SCHEMA: ["INTERNAL", "The schema of the request is not supported."],
  INTERNAL: ["INTERNAL", "The service has failed."],
} as const satisfies Record<string, readonly [GrpcStatus, string]>;

export type RefusalCode = keyof typeof refusals;

/** A refused command (lib/refusal.ts), with one of these codes. */
export type Refusal = AnyRefusal<RefusalCode>;
export const Refusal = AnyRefusal as new (code: RefusalCode, options?: RefusalOptions) => Refusal;

/** Makes a Refusal to throw. */
export function refuse(code: RefusalCode, options: RefusalOptions = {}): Refusal {
  return new Refusal(code, { message: refusals[code][1], ...options });
}

/** INVALID_INPUT that names the field and the problem. */
export function invalid(field: string, problem: string): Refusal {
  return new Refusal("INVALID_INPUT", { message: `${field}: ${problem}`, details: { field } });
}

export function isRefusalCode(code: string): code is RefusalCode {
  return Object.hasOwn(refusals, code);
}
