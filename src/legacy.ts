// The platform's JSON topics, inbound: a consumer of their own in the group auth_service. A body that is no JSON or has no numeric id
// goes to the dead letters; an id that is gone changes nothing; either way the partition moves on. Records of one user are handled in
// the order they came, one after the other. A record that fails for a passing reason is tried until it succeeds: nobody waits for an
// answer, and nothing may be lost.
import { setTimeout as sleep } from "node:timers/promises";
import { shared } from "./bus/assigner.ts";
import type { Call } from "./bus/command.ts";
import { deadLetter } from "./bus/dead-letter.ts";
import { recordKey } from "./bus/headers.ts";
import { type Holding, holdBack, letOn, makeHoldings } from "./bus/holdings.ts";
import type { Consumption, KafkaPort } from "./bus/kafka.ts";
import { makeMailboxes } from "./bus/mailbox.ts";
import type { InRecord, OutRecord } from "./bus/records.ts";
import { asError } from "./errors.ts";
import type { LegacyBody, LegacyHandler } from "./handlers/define.ts";
import type { Logger } from "./log.ts";

export interface LegacyParts {
  kafka: KafkaPort;
  handlers: LegacyHandler[];
  run(handler: LegacyHandler, body: LegacyBody, call: Call): Promise<void>;
  /** Sends a dead letter; keeps trying until the broker has it or the signal. */
  bury(record: OutRecord, signal: AbortSignal): Promise<void>;
  passing(error: unknown): boolean;
  log: Logger;
  now(): number;
  observe(topic: string, outcome: string): void;
}

export interface LegacyConsumer {
  joined: Promise<void>;
  readonly healthy: boolean;
  close(): Promise<void>;
}

const group = "auth_service";
const commitEveryMs = 250;
const nobody = 0;
const retryMs = { first: 100, longest: 5000 };

export function consumeLegacy(parts: LegacyParts): LegacyConsumer {
  const handlers = new Map(parts.handlers.map((handler) => [handler.topic, handler]));
  const mailboxes = makeMailboxes(Number.POSITIVE_INFINITY);
  const stopping = new AbortController();
  const holdings = makeHoldings({
    commit: (offsets) => consumption.commit(offsets),
    everyMs: commitEveryMs,
    failed: (error) => parts.log.debug({ err: asError(error) }, "commit failed, tried again with the next"),
  });

  const serve = async (record: InRecord, handler: LegacyHandler): Promise<string> => {
    const body = readBody(record.value);
    if (body === undefined) {
      await parts.bury(
        deadLetter(record, "the body is no JSON object with a numeric id", parts.now()),
        stopping.signal,
      );
      return "dead-letter";
    }
    try {
      await patiently(() => parts.run(handler, body, callOf(record)));
      return "ok";
    } catch (error) {
      if (stopping.signal.aborted) throw error;
      parts.log.error(
        { err: asError(error), topic: record.topic, offset: String(record.offset) },
        "record cannot be processed",
      );
      await parts.bury(deadLetter(record, asError(error).message, parts.now()), stopping.signal);
      return "dead-letter";
    }
  };

  const patiently = async (run: () => Promise<void>): Promise<void> => {
    for (let pause = retryMs.first; ; pause = Math.min(pause * 2, retryMs.longest)) {
      try {
        return await run();
      } catch (error) {
        if (!parts.passing(error) || stopping.signal.aborted) throw error;
        parts.log.warn({ err: asError(error), pause }, "legacy record is tried again");
        await sleep(pause, undefined, { signal: stopping.signal });
      }
    }
  };

  const take = (record: InRecord, handler: LegacyHandler, owner: Holding): void => {
    if (!owner.watermark.add(record.offset)) return;
    mailboxes.push(mailboxKey(record), async () => {
      if (stopping.signal.aborted || owner.lost) return;
      try {
        parts.observe(record.topic, await serve(record, handler));
        owner.watermark.finish(record.offset);
        letOn(owner, consumption);
      } catch (error) {
        parts.log.warn(
          { err: asError(error), topic: record.topic, offset: String(record.offset) },
          "legacy record is left for the next owner",
        );
      }
    });
  };

  const consumption: Consumption = parts.kafka.consume({
    group,
    topics: [...handlers.keys()],
    from: "earliest",
    assign: shared(() => holdings.byTopic()),
    onAssigned(assignment) {
      holdings.assign(assignment);
      for (const each of holdings.all()) if (each.paused) consumption.pause(each);
    },
    onRecords(records, partition, end) {
      const owner = holdings.receive(partition, end);
      const handler = handlers.get(partition.topic);
      if (owner === undefined || handler === undefined) return;
      for (const record of records) take(record, handler, owner);
      holdBack(owner, consumption);
    },
  });

  return {
    joined: consumption.joined,
    get healthy() {
      return consumption.healthy;
    },
    async close() {
      stopping.abort();
      holdings.stop();
      await mailboxes.idle();
      await holdings.commit().catch(() => undefined);
      await consumption.close();
    },
  };
}

/** A numeric id is a JSON number; text is none: the platform's services send numbers. One that no user can have stands for nobody. */
function readBody(value: Buffer | null): LegacyBody | undefined {
  try {
    const body: unknown = JSON.parse(value?.toString("utf8") ?? "");
    const id = (body as { id?: unknown } | null)?.id;
    if (typeof id !== "number") return undefined;
    return { id: Number.isSafeInteger(id) && id > 0 ? id : nobody };
  } catch {
    return undefined;
  }
}

function mailboxKey(record: InRecord): string {
  return `user:${readBody(record.value)?.id ?? "none"}`;
}

function callOf(record: InRecord): Call {
  const reply = { topic: "", partition: undefined, correlationId: undefined };
  const header = record.headers["traceparent"];
  const traceparent = header === undefined || Array.isArray(header) ? undefined : header.toString("utf8");
  const envelope = {
    reply,
    deadline: Number.POSITIVE_INFINITY,
    idempotencyKey: recordKey(record),
    callerKey: undefined,
    replyKey: undefined,
    traceparent,
    tracestate: undefined,
  };
  return { topic: record.topic, envelope, deadline: Number.POSITIVE_INFINITY };
}
