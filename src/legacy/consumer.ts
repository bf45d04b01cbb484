// Consumes the platform's inbound JSON topics in the group auth_service. A body that is not JSON or has no numeric id
// becomes a dead letter; an unknown id changes nothing; either way the partition moves on. Records of one user are
// handled one after the other, in order. After a transient fault a record is retried until it succeeds: nobody waits
// for an answer, and nothing may be lost.

import type { Call } from "../bus/command.ts";
import { deadLetter, unreadableLetter } from "../bus/dead-letter.ts";
import type { DeadLetters } from "../bus/dead-letter-sender.ts";
import { identityKey } from "../bus/headers.ts";
import { follow } from "../bus/partition-consumer.ts";
import type { LegacyBody, LegacyHandler } from "../command/define.ts";
import type { KafkaPort } from "../kafka/kafka.ts";
import type { InRecord, TopicPartition } from "../kafka/records.ts";
import { asError } from "../lib/errors.ts";
import { retry } from "../lib/retry.ts";
import { busNames } from "../protocol/bus-names.ts";
import type { Logger } from "../runtime/log.ts";
import { readTrace } from "../runtime/tracing.ts";

export interface LegacyDeps {
  kafka: KafkaPort;
  handlers: LegacyHandler[];
  run(handler: LegacyHandler, body: LegacyBody, call: Call): Promise<void>;
  deadLetters: DeadLetters;
  isTransient(error: unknown): boolean;
  log: Logger;
  now(): number;
  observe(topic: string, outcome: string): void;
}

export interface LegacyConsumer {
  joined: Promise<void>;
  readonly healthy: boolean;
  close(): Promise<void>;
}

export const legacyGroup = "auth_service";
const drainMs = 5000;
const nobody = 0;
const { deadLetters } = busNames;
/** A body is an id and perhaps a name; parsing a megabyte of JSON would hold the event loop. */
const maxBodyBytes = 65_536;
const retryMs = { firstMs: 100, longestMs: 5000 };

export function consumeLegacy(parts: LegacyDeps): LegacyConsumer {
  const handlers = new Map(parts.handlers.map((handler) => [handler.topic, handler]));
  const serve = async (record: InRecord, handler: LegacyHandler, stopping: AbortSignal): Promise<string> => {
    const body = readBody(record.value);
    if (body === undefined) {
      await sendToDeadLetters(record, "the body is no JSON object with a numeric id", stopping);
      return "dead-letter";
    }
    try {
      await runUntilDone(() => parts.run(handler, body, legacyCall(record)), stopping);
      return "ok";
    } catch (error) {
      if (stopping.aborted) throw error;
      parts.log.error(
        { err: asError(error), topic: record.topic, offset: String(record.offset) },
        "record cannot be processed",
      );
      await sendToDeadLetters(record, asError(error).message, stopping);
      return "dead-letter";
    }
  };

  const sendToDeadLetters = (record: InRecord, why: string, stopping: AbortSignal): Promise<void> => {
    const letter = {
      record: deadLetter(record, { error: why, now: parts.now(), deadLetters }),
      reason: "legacy",
      requester: partitionName(record),
    } as const;
    return parts.deadLetters.send(letter, stopping);
  };

  const runUntilDone = (run: () => Promise<void>, stopping: AbortSignal): Promise<void> =>
    retry(run, {
      ...retryMs,
      isTransient: parts.isTransient,
      signal: stopping,
      onRetry: (error, pause) => parts.log.warn({ err: asError(error), pause }, "legacy record is tried again"),
    });

  const following = follow({
    kafka: parts.kafka,
    group: legacyGroup,
    topics: [...handlers.keys()],
    keyOf: mailboxKey,
    log: parts.log,
    async work(record, stopping) {
      parts.observe(record.topic, await serve(record, handlers.get(record.topic)!, stopping));
    },
    async passOver(records, stopping) {
      const record = unreadableLetter(records, { now: parts.now(), deadLetters });
      await parts.deadLetters.send({ record, reason: "unreadable", requester: partitionName(records) }, stopping);
      parts.observe(records.topic, "unreadable");
    },
  });
  return {
    joined: following.joined,
    get healthy() {
      return following.healthy;
    },
    close: () => following.close(drainMs),
  };
}

/**
 * A numeric id is a JSON number, not a text: that is what the platform's services send. An impossible id means no user.
 */
function readBody(value: Buffer | null): LegacyBody | undefined {
  if (value !== null && value.length > maxBodyBytes) return undefined;
  try {
    const body: unknown = JSON.parse(value?.toString("utf8") ?? "");
    const id = (body as { id?: unknown } | null)?.id;
    if (typeof id !== "number") return undefined;
    return { id: Number.isSafeInteger(id) && id > 0 ? id : nobody };
  } catch {
    return undefined;
  }
}

function partitionName({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

function mailboxKey(record: InRecord): string {
  return `user:${readBody(record.value)?.id ?? "none"}`;
}

function legacyCall(record: InRecord): Call {
  const reply = { topic: "", partition: undefined, correlationId: undefined };
  const headers = {
    reply,
    deadline: Number.POSITIVE_INFINITY,
    idempotencyKey: identityKey(record, busNames),
    callerKey: undefined,
    replyKey: undefined,
    device: undefined,
    ...readTrace(record),
  };
  return { topic: record.topic, headers, recordedAt: record.timestamp, deadline: Number.POSITIVE_INFINITY };
}
