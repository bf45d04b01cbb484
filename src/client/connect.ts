// connect(): the fleet as a service sees it, over Kafka. Requests with secrets are sealed to a fleet key; replies are
// sealed to a key that this process made at start and never passes on. The fleet's keys come from the topic auth.key
// (key-reader.ts), which is read to its end again when the fleet does not know our key any more. The reply to a sealed
// request is only accepted with that request's mac, except for the few refusals that are given before a request is
// opened.

import { generateKeyPairSync } from "node:crypto";
import type { JWK } from "jose";
import { Codec } from "../bus/avro/codec.ts";
import { makeSchemaStore, type SchemaSource } from "../bus/avro/schema-store.ts";
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
import { recordKey } from "../protocol/record-key.ts";
import type { Logger } from "../runtime/log.ts";
import { type CommandShape, clientSchemas, shapeOf } from "./command-shapes.ts";
import { type KeyReader, makeKeyReader } from "./key-reader.ts";
import { readReply } from "./replies.ts";
import type { AuthClient, CallHooks, CallOptions, Topic } from "./types.ts";

export interface ClientDeps {
  kafka: KafkaPort;
  schemas: SchemaSource;
  /** The service's name: letters, digits and dashes; it receives replies on auth.reply.<name>. */
  name: string;
  log: Logger;
  clock?: Clock;
  /** Counts replies that came too late. */
  late?(): void;
  /** Counts replies without the mac of their request. */
  ignored?(): void;
  hooks?: CallHooks;
  /** AUTH_FLEET_ID: keys without a certificate by that root key are not used. */
  fleetIds?: readonly string[] | undefined;
}

/** Also gives access to the key reader, for verifiers. */
export interface ConnectedClient extends AuthClient {
  /** Closed with the client. */
  readonly keys: KeyReader;
}

/** One call of a service: up to two requests, with one deadline and one idempotency key. */
interface Call<T extends Topic = Topic> {
  topic: T;
  input: object;
  options: CallOptions & { idempotencyKey: string };
  /** Monotonic ms. */
  deadline: number;
}

interface Request {
  call: Call;
  /** All fields, unsealed. */
  fields: object;
  /** undefined: the command has no secrets, so the request has no seal. */
  replySecret: Buffer | undefined;
  /** The key that the reply must be sealed to. */
  replyKey: ReturnType<typeof makeReplyKey> | undefined;
}

const defaultTimeoutMs = 30_000;
const longestTimeoutMs = 300_000;
/** How long after its call's deadline a seal expires, by the broker's clock. */
const sealMarginMs = 60_000;

/** Connects in the background; earlier calls wait. */
export function connectClient(deps: ClientDeps): ConnectedClient {
  return new FleetClient(deps);
}

class FleetClient implements ConnectedClient {
  readonly keys: KeyReader;
  readonly #deps: ClientDeps;
  readonly #clock: Clock;
  readonly #codec: Codec;
  readonly #requester: Requester;
  readonly #replyKey = makeReplyKey();
  /** Calls in progress, from their first step on. */
  readonly #calls = new Set<Promise<unknown>>();
  readonly #closed = new AbortController();
  #closing = false as boolean;

  constructor(deps: ClientDeps) {
    const { kafka, name, log, fleetIds, clock = systemClock } = deps;
    this.#deps = deps;
    this.#clock = clock;
    const schemas = makeSchemaStore([deps.schemas], clock.monotonic);
    this.#codec = new Codec(schemas, clientSchemas(), busNames.setupCommand);
    this.#requester = new Requester({
      protocol: { names: busNames },
      whenNoReplyTopic: `Add ${name} to AUTH_REPLY_SERVICES and run ${busNames.setupCommand}.`,
      sender: makeSender(kafka),
      topics: new Set(Object.keys(commandSchemas)),
      ...{ kafka, name, log, now: clock.now, monotonic: clock.monotonic },
      late: () => deps.late?.(),
      ignored: () => deps.ignored?.(),
    });
    this.keys = makeKeyReader({ kafka, name, log, clock, fleetIds });
  }

  async request<T extends Topic>(
    topic: T,
    input: Commands[T]["input"],
    options: CallOptions = {},
  ): Promise<Commands[T]["result"]> {
    if (this.#closing) throw refuse("UNAVAILABLE", { message: closedMessage });
    const traceparent = options.traceparent ?? this.#hooked((hooks) => hooks.traceparent?.());
    const began = this.#clock.monotonic();
    const answering = this.#call(topic, input, { ...options, ...(traceparent !== undefined && { traceparent }) });
    this.#calls.add(answering);
    let outcome = "ok";
    try {
      return await answering;
    } catch (error) {
      outcome = error instanceof Refusal ? error.code : "aborted";
      throw error;
    } finally {
      const ms = this.#clock.monotonic() - began;
      this.#hooked((hooks) => hooks.called?.({ topic, outcome, ms, traceparent }));
      this.#calls.delete(answering);
    }
  }

  async ready(): Promise<void> {
    this.keys.start();
    await Promise.all([this.#requester.ready(), this.#codec.warm()]);
  }

  get healthy(): boolean {
    return !this.#closing && this.#requester.healthy;
  }

  get pending(): number {
    return this.#calls.size;
  }

  async close(drainMs = 5000): Promise<void> {
    this.#closing = true;
    await settledWithin(drainMs, () => Promise.allSettled(this.#calls));
    this.#closed.abort();
    await Promise.all([this.#requester.close(0), this.keys.close()]);
  }

  /** A hook that throws does not affect the call. */
  #hooked<R>(hook: (hooks: CallHooks) => R): R | undefined {
    const { hooks, log } = this.#deps;
    try {
      return hooks && hook(hooks);
    } catch (error) {
      log.warn({ err: asError(error) }, "a hook of the service has thrown");
      return undefined;
    }
  }

  /** Sends a request, and a second one where the fleet could not open the first one's seal for a transient reason. */
  async #call<T extends Topic>(topic: T, input: object, options: CallOptions): Promise<Commands[T]["result"]> {
    checkTexts(options);
    const deadline = this.#clock.monotonic() + timeOf(options);
    // The same key both times: the first request may have been carried out after all.
    const idempotencyKey = options.idempotencyKey ?? randomId();
    const call: Call<T> = { topic, input, deadline, options: { ...options, idempotencyKey } };
    try {
      return await this.#exchange(call);
    } catch (error) {
      const reason = error instanceof Refusal && error.code === "SEAL_INVALID" ? error.details["reason"] : undefined;
      if (reason === "unknown-kid") await this.#inTime(call, () => this.keys.catchUp());
      else if (reason !== "exp") throw error; // of `exp` too: this reply has told the broker's time
      return this.#exchange(call);
    }
  }

  /** One request and its reply, opened. */
  async #exchange<T extends Topic>(call: Call<T>): Promise<Commands[T]["result"]> {
    const { topic, deadline } = call;
    const { idempotencyKey, signal, traceparent, deviceToken } = call.options;
    const shape = shapeOf(topic);
    const fields = requestFields(shape, call.input);
    const replySecret = shape.sealedFields.length > 0 ? makeReplySecret() : undefined;
    const replyKey = shape.sealsReply ? this.#replyKey : undefined;
    const isReady = replySecret === undefined && this.#codec.isWarm;
    const prepare = () => this.#bodyOf({ call, fields, replySecret, replyKey });
    const value = encode(this.#codec, topic, isReady ? fields : await this.#inTime(call, prepare));
    const { resultName } = shape;
    const reader = {
      codec: this.#codec,
      log: this.#deps.log,
      topic,
      resultName,
      privateKey: this.#replyKey.privateKey,
    };
    return this.#requester.request({
      ...{ topic, value, idempotencyKey, replySecret, signal, traceparent },
      key: recordKey(shape.rule, fields),
      replyKey: replyKey?.text,
      timeoutMs: Math.max(1, Math.round(deadline - this.#clock.monotonic())),
      deviceToken: sendable(deviceToken),
      read: (reply) => readReply(reader, reply, replySecret === undefined),
    }) as Promise<Commands[T]["result"]>;
  }

  /** The fields to encode, with the secret ones sealed. */
  async #bodyOf(request: Request): Promise<object> {
    if (request.replySecret === undefined) {
      await this.#codec.warm().catch(unavailable);
      return request.fields;
    }
    return { ...request.fields, sealed: await this.#seal(request) };
  }

  /** Only called when the broker's clock is known, because the seal expires by it. */
  async #seal({ call, fields, replySecret, replyKey }: Request): Promise<string> {
    const { topic, options, deadline } = call;
    const requester = this.#requester;
    const ready = [this.keys.sealing(), requester.ready(), this.#codec.warm()] as const;
    const [key] = await Promise.all(ready).catch(unavailable);
    return sealRequest({
      fields,
      topic,
      replyTopic: requester.replyTopic,
      replyKeyThumbprint: replyKey?.thumbprint,
      idempotencyKey: jtiOf(Buffer.from(options.idempotencyKey)),
      replySecret,
      key,
      expiresAt: requester.brokerNow() + (deadline - this.#clock.monotonic()) + sealMarginMs,
    });
  }

  /**
   * Runs a phase of a call that waits for something unbounded: the fleet's keys, the registry. It ends with the call's
   * deadline, its signal or close(), whichever is first. It takes a function, so that nothing starts for a call that is
   * over: the rejection of a promise that nobody waits for would end the process.
   */
  async #inTime<R>({ deadline, options: { signal } }: Call, run: () => Promise<R>): Promise<R> {
    const closed = this.#closed.signal;
    signal?.throwIfAborted();
    if (closed.aborted) throw refuse("UNAVAILABLE", { message: closedMessage });
    const over = Promise.withResolvers<never>();
    const leftMs = Math.max(1, deadline - this.#clock.monotonic());
    const timer = setTimeout(() => over.reject(refuse("DEADLINE_EXCEEDED")), leftMs);
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
}

/**
 * The request's fields with their defaults.
 * @throws Refusal INVALID_INPUT: checked here too, because an oversized text must not be normalised for the record key
 */
function requestFields(shape: CommandShape, input: object): Record<string, unknown> {
  const given = Object.entries(input).filter(([, value]) => value !== undefined);
  const fields: Record<string, unknown> = { ...shape.defaults, ...Object.fromEntries(given) };
  for (const name of shape.sealedFields) if (typeof fields[name] !== "string") throw invalid(name, "must be a text");
  shape.texts.checkRequest(fields);
  return fields;
}

/**
 * The timeout of a call.
 * @throws Refusal INVALID_INPUT where it is not a number; DEADLINE_EXCEEDED where no time is left
 */
function timeOf({ timeoutMs = defaultTimeoutMs }: CallOptions): number {
  if (typeof timeoutMs !== "number" || Number.isNaN(timeoutMs)) throw invalid("timeoutMs", "must be a number of ms");
  if (timeoutMs <= 0) throw refuse("DEADLINE_EXCEEDED", { message: `No time is left: timeoutMs is ${timeoutMs}.` });
  return Math.min(timeoutMs, longestTimeoutMs);
}

const isHeaderText = (text: string): boolean => /^[\x20-\x7e]{0,256}$/.test(text);

/**
 * Checks texts that become headers unchanged.
 * @throws Refusal INVALID_INPUT: as a header it would be refused too, or fail other records in the batch
 */
function checkTexts({ idempotencyKey, deviceToken }: CallOptions): void {
  if (idempotencyKey !== undefined) {
    const isKey = typeof idempotencyKey === "string" && idempotencyKey.length >= 22 && isHeaderText(idempotencyKey);
    if (!isKey) throw invalid("idempotencyKey", "must be 22 to 256 characters of printable ASCII");
  }
  if (deviceToken !== undefined && typeof deviceToken !== "string") throw invalid("deviceToken", "must be a text");
}

/** An impossible token is not sent: it would count as missing anyway. */
const sendable = (deviceToken: string | undefined): string | undefined =>
  deviceToken !== undefined && isHeaderText(deviceToken) ? deviceToken : undefined;

/** A missing or wrongly typed field is the caller's mistake. */
function encode(codec: Codec, topic: string, body: object): Buffer {
  try {
    return codec.encode(requestSubject(topic), body);
  } catch (error) {
    throw refuse("INVALID_INPUT", { message: `${topic}: ${(error as Error).message}` });
  }
}

/** Faults that keep a request from being made or sent are transient, or for an operator to fix. */
function unavailable(error: unknown): never {
  throw error instanceof Refusal ? error : refuse("UNAVAILABLE", { message: asError(error).message });
}

function makeReplyKey() {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { kty, crv, x, y } = publicKey.export({ format: "jwk" }) as JWK;
  const jwk = { kty, crv, x, y } as JWK;
  return { text: JSON.stringify(jwk), thumbprint: thumbprint(jwk), privateKey };
}
