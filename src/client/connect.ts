// connect(): the fleet as a service sees it, over Kafka. Requests with secrets are sealed to a fleet key, replies come
// sealed to a key that this process made at start and that never leaves it. The fleet's keys come from the topic
// auth.key (key-reader.ts), which is read to its end again when the fleet says that it does not know ours any more. A
// reply to a sealed request counts only with the mac of that request, but for the few refusals that are given before a
// request is opened.

import { generateKeyPairSync } from "node:crypto";
import type { JWK } from "jose";
import { Codec } from "../bus/avro/codec.ts";
import { makeSchemaStore, type SchemaSource } from "../bus/avro/schema-store.ts";
import { makeTextGate, type TextGate } from "../bus/avro/text-gate.ts";
import { requestSubject } from "../bus/command.ts";
import { jtiOf } from "../bus/headers.ts";
import { closedMessage, Requester } from "../bus/requester.ts";
import { makeReplySecret } from "../bus/seal/reply-mac.ts";
import { sealRequest, thumbprint } from "../bus/seal/seal.ts";
import { makeSender } from "../bus/sender.ts";
import type { KafkaPort } from "../kafka/kafka.ts";
import { type Clock, systemClock } from "../lib/clock.ts";
import { asError } from "../lib/errors.ts";
import { randomId } from "../lib/random-id.ts";
import { settledWithin } from "../lib/timeout.ts";
import { busNames } from "../protocol/bus-names.ts";
import { invalid, Refusal, refuse } from "../protocol/errors.ts";
import { type Commands, commandSchemas } from "../protocol/generated/schemas.ts";
import { type RecordKeyRule, recordKey } from "../protocol/record-key.ts";
import { type SealedField, sealedPaths } from "../protocol/secret-fields.ts";
import type { Logger } from "../runtime/log.ts";
import { type KeyReader, makeKeyReader } from "./key-reader.ts";
import { readReply } from "./replies.ts";
import type { AuthClient, CallHooks, CallOptions, Topic } from "./types.ts";

export interface ClientDeps {
  kafka: KafkaPort;
  schemas: SchemaSource;
  /** Name of the service: letters, digits and dashes; replies come on auth.reply.<name>. */
  name: string;
  log: Logger;
  clock?: Clock;
  /** Counts replies that came too late. */
  late?(): void;
  /** Counts replies without the mac of their request. */
  ignored?(): void;
  hooks?: CallHooks;
  /** AUTH_FLEET_ID: no key without a certificate of that root key is sealed to. */
  fleetIds?: readonly string[] | undefined;
}

/** With what its verifiers know the fleet's keys by. */
export interface ConnectedClient extends AuthClient {
  /** Closed with the client. */
  readonly keys: KeyReader;
}

interface CommandShape {
  /** Of the request; all texts, at its top. */
  sealedFields: readonly string[];
  sealsReply: boolean;
  texts: TextGate;
  rule: RecordKeyRule | undefined;
  defaults: Record<string, unknown>;
  resultName: string;
}

interface Exchange {
  options: CallOptions;
  /** Of the whole call, monotonic ms. */
  deadline: number;
}

interface SealDeps {
  idempotencyKey: string;
  /** Thumbprint of the reply key that goes with the request. */
  rkt: string | undefined;
  replySecret: Buffer;
  /** Of the whole call, monotonic ms. */
  deadline: number;
}

const defaultTimeoutMs = 30_000;
const longestTimeoutMs = 300_000;
/** A seal ends so long after its call, by the broker's clock. */
const sealMarginMs = 60_000;

/** Connects in the background; calls made before wait. */
export function connectClient(parts: ClientDeps): ConnectedClient {
  const clock = parts.clock ?? systemClock;
  const codec = new Codec(makeSchemaStore([parts.schemas], clock.monotonic), clientSchemas(), busNames.setupCommand);
  const requester = new Requester({
    protocol: { names: busNames },
    whenNoReplyTopic: `Add ${parts.name} to AUTH_REPLY_SERVICES and run ${busNames.setupCommand}.`,
    kafka: parts.kafka,
    sender: makeSender(parts.kafka),
    name: parts.name,
    topics: new Set(Object.keys(commandSchemas)),
    log: parts.log,
    now: clock.now,
    monotonic: clock.monotonic,
    late: () => parts.late?.(),
    ignored: () => parts.ignored?.(),
  });
  const { kafka, name, log, fleetIds } = parts;
  const keys = makeKeyReader({ kafka, name, log, clock, fleetIds });
  const own = makeReplyKey();
  const reader = { codec, log, privateKey: own.privateKey };
  const closed = new AbortController();

  /** One request and its reply, opened. */
  const exchange = async <T extends Topic>(
    topic: T,
    input: object,
    { options, deadline }: Exchange,
  ): Promise<Commands[T]["result"]> => {
    const shape = shapeOf(topic);
    const fields: Record<string, unknown> = { ...shape.defaults, ...definedOnly(input) };
    for (const name of shape.sealedFields) if (typeof fields[name] !== "string") throw invalid(name, "must be a text");
    shape.texts.checkRequest(fields); // here too: what is too long must not be normalised for the record key
    const idempotencyKey = options.idempotencyKey ?? randomId();
    const replyKey = shape.sealsReply ? own : undefined;
    const sealsRequest = shape.sealedFields.length > 0;
    const replySecret = sealsRequest ? makeReplySecret() : undefined;
    const isReady = !sealsRequest && codec.isWarm;
    const prepared = async (): Promise<object> => {
      if (replySecret === undefined) {
        await codec.warm().catch(unavailable);
        return fields;
      }
      const rkt = replyKey?.thumbprint;
      return { ...fields, sealed: await seal(topic, fields, { idempotencyKey, rkt, replySecret, deadline }) };
    };
    const { signal, traceparent } = options;
    const phase = <R>(run: () => Promise<R>): Promise<R> =>
      inTime(run, { ms: deadline - clock.monotonic(), signal, closed: closed.signal });
    const body = isReady ? fields : await phase(prepared);
    const value = encode(codec, topic, body);
    const timeoutMs = Math.max(1, Math.round(deadline - clock.monotonic()));
    const key = recordKey(shape.rule, fields);
    return requester.request({
      topic,
      key,
      value,
      replyKey: replyKey?.text,
      idempotencyKey,
      replySecret,
      timeoutMs,
      signal,
      traceparent,
      deviceToken: sendable(options.deviceToken),
      read: (reply) => readReply({ ...reader, topic, resultName: shape.resultName }, reply, !sealsRequest),
    }) as Promise<Commands[T]["result"]>;
  };

  /** When it is made, the broker's clock is known: a seal ends by that. */
  const seal = async (
    topic: Topic,
    fields: object,
    { idempotencyKey, rkt, replySecret, deadline }: SealDeps,
  ): Promise<string> => {
    const [to] = await Promise.all([keys.sealing(), requester.ready(), codec.warm()]).catch(unavailable);
    return sealRequest({
      fields,
      topic,
      replyTopic: requester.replyTopic,
      replyKeyThumbprint: rkt,
      idempotencyKey: jtiOf(Buffer.from(idempotencyKey)),
      replySecret,
      key: to,
      expiresAt: requester.brokerNow() + (deadline - clock.monotonic()) + sealMarginMs,
    });
  };

  const again = async <T extends Topic>(
    topic: T,
    input: object,
    options: CallOptions,
  ): Promise<Commands[T]["result"]> => {
    checkTexts(options);
    const deadline = clock.monotonic() + timeOf(options);
    // The same key both times: the first request may have been carried out after all.
    const call = { deadline, options: { ...options, idempotencyKey: options.idempotencyKey ?? randomId() } };
    try {
      return await exchange(topic, input, call);
    } catch (error) {
      const reason = error instanceof Refusal && error.code === "SEAL_INVALID" ? error.details["reason"] : undefined;
      // Of `exp` too: this reply has told the broker's time.
      if (reason !== "unknown-kid" && reason !== "exp") throw error;
      if (reason === "unknown-kid") {
        const bounds = { ms: deadline - clock.monotonic(), signal: options.signal, closed: closed.signal };
        await inTime(() => keys.catchUp(), bounds);
      }
      return exchange(topic, input, call);
    }
  };

  /** A hook that throws changes nothing for the call. */
  const hooked = <R>(hook: () => R): R | undefined => {
    try {
      return hook();
    } catch (error) {
      parts.log.warn({ err: asError(error) }, "a hook of the service has thrown");
      return undefined;
    }
  };

  /** Calls under way, from the first of their steps. */
  const calls = new Set<Promise<unknown>>();
  let closing = false;

  return {
    keys,
    async request(topic, input, options = {}) {
      if (closing) throw refuse("UNAVAILABLE", { message: closedMessage });
      const traceparent = options.traceparent ?? hooked(() => parts.hooks?.traceparent?.());
      const began = clock.monotonic();
      const called = (outcome: string): void =>
        hooked(() => parts.hooks?.called?.({ topic, outcome, ms: clock.monotonic() - began, traceparent }));
      const call = again(topic, input, { ...options, ...(traceparent !== undefined && { traceparent }) });
      calls.add(call);
      try {
        const answer = await call;
        called("ok");
        return answer;
      } catch (error) {
        called(error instanceof Refusal ? error.code : "aborted");
        throw error;
      } finally {
        calls.delete(call);
      }
    },
    async ready() {
      keys.start();
      await Promise.all([requester.ready(), codec.warm()]);
    },
    get healthy() {
      return !closing && requester.healthy;
    },
    get pending() {
      return calls.size;
    },
    async close(drainMs = 5000) {
      closing = true;
      await settledWithin(drainMs, () => Promise.allSettled(calls));
      closed.abort();
      await Promise.all([requester.close(0), keys.close()]);
    },
  };
}

/**
 * How long a call may take.
 * @throws Refusal INVALID_INPUT for what is no number; DEADLINE_EXCEEDED where no time is left
 */
function timeOf({ timeoutMs = defaultTimeoutMs }: CallOptions): number {
  if (typeof timeoutMs !== "number" || Number.isNaN(timeoutMs)) throw invalid("timeoutMs", "must be a number of ms");
  if (timeoutMs <= 0) throw refuse("DEADLINE_EXCEEDED", { message: `No time is left: timeoutMs is ${timeoutMs}.` });
  return Math.min(timeoutMs, longestTimeoutMs);
}

const isHeaderText = (text: string): boolean => /^[\x20-\x7e]{0,256}$/.test(text);

/**
 * What goes into headers as it is.
 * @throws Refusal INVALID_INPUT: in a header it would be refused too, or fail the sending of others' records
 */
function checkTexts({ idempotencyKey, deviceToken }: CallOptions): void {
  if (idempotencyKey !== undefined) {
    const isKey = typeof idempotencyKey === "string" && idempotencyKey.length >= 22 && isHeaderText(idempotencyKey);
    if (!isKey) throw invalid("idempotencyKey", "must be 22 to 256 characters of printable ASCII");
  }
  if (deviceToken !== undefined && typeof deviceToken !== "string") throw invalid("deviceToken", "must be a text");
}

/** What cannot be a token is not sent: it would count as none, like any that does not hold. */
const sendable = (deviceToken: string | undefined): string | undefined =>
  deviceToken !== undefined && isHeaderText(deviceToken) ? deviceToken : undefined;

interface PhaseEnds {
  ms: number;
  signal: AbortSignal | undefined;
  closed: AbortSignal;
}

/**
 * Runs a phase of a call that waits for what is not ours to bound: the fleet's keys, the registry. It ends with the
 * call's time, its signal or close(), whichever is first. It takes a function, and begins nothing for a call that is
 * over already: a promise that was made before and is not waited for then would end the process when it rejects.
 */
async function inTime<T>(run: () => Promise<T>, { ms, signal, closed }: PhaseEnds): Promise<T> {
  signal?.throwIfAborted();
  if (closed.aborted) throw refuse("UNAVAILABLE", { message: closedMessage });
  const over = Promise.withResolvers<never>();
  const timer = setTimeout(() => over.reject(refuse("DEADLINE_EXCEEDED")), Math.max(1, ms));
  const abort = (): void => over.reject(signal?.reason);
  const close = (): void => over.reject(refuse("UNAVAILABLE", { message: closedMessage }));
  try {
    signal?.addEventListener("abort", abort, { once: true });
    closed.addEventListener("abort", close, { once: true });
    return await Promise.race([run(), over.promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
    closed.removeEventListener("abort", close);
  }
}

function clientSchemas(): Record<string, object> {
  return Object.fromEntries(
    Object.entries(commandSchemas).flatMap(([topic, { request, reply }]) => [
      [requestSubject(topic), request],
      [`${reply.namespace}.${reply.name}`, reply],
    ]),
  );
}

interface LooseSchema {
  namespace: string;
  name: string;
  sealedFields?: SealedField[];
  recordKey?: RecordKeyRule;
  fields: { name: string; type: unknown; default?: unknown }[];
}

const shapes = new Map<Topic, CommandShape>();

function shapeOf(topic: Topic): CommandShape {
  let shape = shapes.get(topic);
  if (shape === undefined) {
    shape = readShape(topic);
    shapes.set(topic, shape);
  }
  return shape;
}

function readShape(topic: Topic): CommandShape {
  if (!Object.hasOwn(commandSchemas, topic))
    throw refuse("INVALID_INPUT", { message: `There is no command ${topic}.` });
  const { request, reply } = commandSchemas[topic] as unknown as { request: LooseSchema; reply: LooseSchema };
  const result = (reply.fields[0]!.type as LooseSchema[])[0]!;
  return {
    sealedFields: sealedPaths(request),
    sealsReply: result.sealedFields !== undefined,
    rule: request.recordKey,
    texts: makeTextGate(request),
    defaults: Object.fromEntries(
      request.fields.filter((field) => "default" in field).map((field) => [field.name, field.default]),
    ),
    resultName: `${result.namespace}.${result.name}`,
  };
}

function definedOnly(input: object): object {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
}

/** A field that is missing or of a wrong type is the caller's mistake. */
function encode(codec: Codec, topic: string, body: object): Buffer {
  try {
    return codec.encode(requestSubject(topic), body);
  } catch (error) {
    throw refuse("INVALID_INPUT", { message: `${topic}: ${(error as Error).message}` });
  }
}

/** Whatever keeps a request from being made or sent passes, or is for an operator to mend. */
function unavailable(error: unknown): never {
  throw error instanceof Refusal ? error : refuse("UNAVAILABLE", { message: asError(error).message });
}

function makeReplyKey() {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { kty, crv, x, y } = publicKey.export({ format: "jwk" }) as JWK;
  const jwk = { kty, crv, x, y } as JWK;
  return { text: JSON.stringify(jwk), thumbprint: thumbprint(jwk), privateKey };
}
