// What a Kafka error means for whoever asked, classified in one place. "unavailable" may pass by itself and is worth another try;
// the other kinds are permanent for the record that caused them.
import { setTimeout as sleep } from "node:timers/promises";

export type KafkaFaultKind = "unavailable" | "unknown-topic" | "not-authorized" | "too-large" | "refused";

export class KafkaFault extends Error {
  override readonly name = "KafkaFault";
  readonly kind: KafkaFaultKind;

  constructor(kind: KafkaFaultKind, cause: unknown) {
    super(`Kafka: ${kind}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.kind = kind;
  }
}

/** Protocol error name -> kind. What is not here is taken as unavailable: the broker may recover, and nothing may be lost. */
const kinds: Record<string, KafkaFaultKind> = {
  UNKNOWN_TOPIC_OR_PARTITION: "unknown-topic",
  INVALID_TOPIC_EXCEPTION: "unknown-topic",
  TOPIC_AUTHORIZATION_FAILED: "not-authorized",
  GROUP_AUTHORIZATION_FAILED: "not-authorized",
  CLUSTER_AUTHORIZATION_FAILED: "not-authorized",
  SASL_AUTHENTICATION_FAILED: "not-authorized",
  MESSAGE_TOO_LARGE: "too-large",
  RECORD_LIST_TOO_LARGE: "too-large",
  INVALID_RECORD: "refused",
  INVALID_TIMESTAMP: "refused",
  INVALID_CONFIG: "refused",
  INVALID_PARTITIONS: "refused",
  INVALID_REPLICATION_FACTOR: "refused",
  POLICY_VIOLATION: "refused",
};

/** Looks through the errors that a driver wraps around the broker's own, which kafkajs names by `type` and platformatic by `apiId`. */
export function classify(error: unknown): KafkaFaultKind {
  for (const each of causes(error)) {
    if (each instanceof KafkaFault) return each.kind;
    const { type, apiId } = each as { type?: unknown; apiId?: unknown };
    const name = typeof apiId === "string" ? apiId : type;
    if (typeof name === "string" && Object.hasOwn(kinds, name)) return kinds[name]!;
  }
  return "unavailable";
}

const deepest = 6;

function* causes(error: unknown, depth = 0): Generator<object> {
  if (typeof error !== "object" || error === null || depth > deepest) return;
  yield error;
  const { errors, cause, originalError } = error as { errors?: unknown[]; cause?: unknown; originalError?: unknown };
  for (const each of errors ?? []) yield* causes(each, depth + 1);
  yield* causes(cause ?? originalError, depth + 1);
}

const againMs = [20, 50, 100, 200, 400];

/** Asks again for less than a second what is cheap to ask and may be answered the next time. */
export async function againWhileUnavailable<T>(ask: () => Promise<T>): Promise<T> {
  for (const pause of againMs) {
    try {
      return await ask();
    } catch (error) {
      if (classify(error) !== "unavailable") throw error;
      await sleep(pause);
    }
  }
  return ask();
}

/** Runs what asks the driver, and makes whatever it throws a KafkaFault. */
export async function guarded<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof KafkaFault ? error : new KafkaFault(classify(error), error);
  }
}
