// Classifies Kafka errors, in one place. "unavailable" is transient and worth a retry; the other kinds are permanent
// for the record that caused them, except "not-authenticated", which is permanent for the client: the password is
// wrong, or the certificate is not trusted.
import { retry } from "../lib/retry.ts";

export type KafkaFaultKind =
  | "unavailable"
  | "unknown-topic"
  | "not-authenticated"
  | "not-authorized"
  | "too-large"
  | "refused";

export class KafkaFault extends Error {
  override readonly name = "KafkaFault";
  readonly kind: KafkaFaultKind;
  /** The message of the broker or the network: one sentence for an operator. */
  readonly why: string;

  constructor(kind: KafkaFaultKind, cause: unknown) {
    const why = whyOf(cause);
    super(`Kafka: ${kind}: ${why}`, { cause });
    this.kind = kind;
    this.why = why;
  }
}

/**
 * Protocol error name, or OpenSSL's -> kind. Anything else counts as unavailable: the broker may recover, and nothing
 * may be lost.
 */
const kinds: Record<string, KafkaFaultKind> = {
  UNKNOWN_TOPIC_OR_PARTITION: "unknown-topic",
  INVALID_TOPIC_EXCEPTION: "unknown-topic",
  TOPIC_AUTHORIZATION_FAILED: "not-authorized",
  GROUP_AUTHORIZATION_FAILED: "not-authorized",
  CLUSTER_AUTHORIZATION_FAILED: "not-authorized",
  SASL_AUTHENTICATION_FAILED: "not-authenticated",
  UNSUPPORTED_SASL_MECHANISM: "not-authenticated",
  KafkaJSSASLAuthenticationError: "not-authenticated",
  DEPTH_ZERO_SELF_SIGNED_CERT: "not-authenticated",
  SELF_SIGNED_CERT_IN_CHAIN: "not-authenticated",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "not-authenticated",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "not-authenticated",
  ERR_TLS_CERT_ALTNAME_INVALID: "not-authenticated",
  MESSAGE_TOO_LARGE: "too-large",
  RECORD_LIST_TOO_LARGE: "too-large",
  INVALID_RECORD: "refused",
  INVALID_TIMESTAMP: "refused",
  INVALID_CONFIG: "refused",
  INVALID_PARTITIONS: "refused",
  INVALID_REPLICATION_FACTOR: "refused",
  POLICY_VIOLATION: "refused",
};

/**
 * Searches the errors that a driver wraps around the broker's own, which kafkajs names by `type` and platformatic by
 * `apiId`.
 */
export function classify(error: unknown): KafkaFaultKind {
  for (const each of causes(error)) {
    if (each instanceof KafkaFault) return each.kind;
    const { type, apiId, code, name } = each as Record<string, unknown>;
    const known = [apiId, type, code, name].find((word) => typeof word === "string" && Object.hasOwn(kinds, word));
    if (known !== undefined) return kinds[known as string]!;
  }
  return "unavailable";
}

/** The message of the innermost error; the outer ones only say how often something was tried. */
function whyOf(cause: unknown): string {
  const innermost = [...causes(cause)].at(-1);
  if (innermost === undefined) return String(cause);
  const { serverErrorMessage, message } = innermost as { serverErrorMessage?: unknown; message?: unknown };
  return String(serverErrorMessage || message);
}

const deepest = 6;

/** The error, then its causes. */
function* causes(error: unknown, depth = 0): Generator<object> {
  if (typeof error !== "object" || error === null || depth > deepest) return;
  yield error;
  const { errors, cause, originalError } = error as { errors?: unknown[]; cause?: unknown; originalError?: unknown };
  for (const each of errors ?? []) yield* causes(each, depth + 1);
  yield* causes(cause ?? originalError, depth + 1);
}

/** Retries for less than a second what is cheap to ask and may be answered next time. */
export function againWhileUnavailable<T>(ask: () => Promise<T>): Promise<T> {
  const isTransient = (error: unknown): boolean => classify(error) === "unavailable";
  return retry(ask, { firstMs: 25, longestMs: 400, tries: 6, isTransient });
}

/** Runs a call of the driver, and throws whatever it throws as a KafkaFault. */
export async function guarded<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof KafkaFault ? error : new KafkaFault(classify(error), error);
  }
}
