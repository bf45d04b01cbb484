// connect(): the fleet as a service sees it, over Kafka. Requests with secrets are sealed to a fleet key, replies come sealed to a key
// that this process made at start and that never leaves it. The fleet's keys are asked for once, and again when it says that it does
// not know ours any more.
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import type { JWK } from "jose";
import { closedFault, makeRequester } from "../bus/client.ts";
import { type Codec, CodecFault, makeCodec } from "../bus/codec.ts";
import { replySubject, requestSubject } from "../bus/command.ts";
import type { KafkaPort } from "../bus/kafka.ts";
import { randomId } from "../bus/random-id.ts";
import { makeSchemaStore, type SchemaSource } from "../bus/schema-store.ts";
import { mergeSealed, openReply, sealRequest, thumbprint } from "../bus/seal.ts";
import { makeSender } from "../bus/sender.ts";
import { makeTextGate, type TextGate } from "../bus/text-gate.ts";
import { within } from "../bus/within.ts";
import { type Clock, systemClock } from "../clock.ts";
import { asError, invalid, isRefusalCode, Refusal, refuse } from "../errors.ts";
import { type Commands, commandSchemas } from "../generated/schemas.ts";
import type { Logger } from "../log.ts";
import { type RecordKeyRule, recordKey } from "../record-key.ts";
import { type SealedField, sealedPaths } from "../sealed-names.ts";
import type { KeyPins } from "./key-pins.ts";
import { type SealingJwk, sealingKeys } from "./sealing-key.ts";
import type { AuthClient, CallHooks, CallOptions, Topic } from "./types.ts";

export interface ClientParts {
  kafka: KafkaPort;
  schemas: SchemaSource;
  /** Name of the service: letters, digits and dashes; replies come on auth.reply.<name>. */
  name: string;
  log: Logger;
  clock?: Clock;
  /** Counts replies that came too late. */
  late?(): void;
  hooks?: CallHooks;
  /** Where there are pins, no other key is sealed to. */
  pins?: KeyPins | undefined;
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
  /** Gets the key that the request was sealed to. */
  used(key: SealingJwk): void;
}

const defaultTimeoutMs = 30_000;
const longestTimeoutMs = 300_000;
const sealLifeMs = 300_000;
const keyTimeoutMs = 5000;

/** Connects in the background; calls made before wait. */
export function connectClient(parts: ClientParts): AuthClient {
  const clock = parts.clock ?? systemClock;
  const codec = makeCodec(makeSchemaStore([parts.schemas], clock.monotonic), clientSchemas());
  const requester = makeRequester({
    kafka: parts.kafka,
    sender: makeSender(parts.kafka),
    name: parts.name,
    topics: new Set(Object.keys(commandSchemas)),
    log: parts.log,
    now: clock.now,
    monotonic: clock.monotonic,
    late: () => parts.late?.(),
  });
  const own = makeReplyKey();
  const closed = new AbortController();
  const list = () =>
    exchange("auth.key.list", {}, { options: {}, deadline: clock.monotonic() + keyTimeoutMs, used: () => undefined });
  const fleetKey = sealingKeys({ pins: parts.pins, log: parts.log, list });

  /** One request and its reply, opened. */
  const exchange = async <T extends Topic>(
    topic: T,
    input: object,
    { options, deadline, used }: Exchange,
  ): Promise<Commands[T]["result"]> => {
    const shape = shapeOf(topic);
    const fields: Record<string, unknown> = { ...shape.defaults, ...definedOnly(input) };
    for (const name of shape.sealedFields) if (typeof fields[name] !== "string") throw invalid(name, "must be a text");
    shape.texts.checkRequest(fields); // here too: what is too long must not be normalised for the record key
    const idempotencyKey = options.idempotencyKey ?? randomId();
    const replyKey = shape.sealsReply ? own : undefined;
    const sealsRequest = shape.sealedFields.length > 0;
    const isReady = !sealsRequest && codec.isWarm;
    const prepared = async (): Promise<object> => {
      await codec.warm().catch((error: unknown) => {
        throw refuse("UNAVAILABLE", { message: asError(error).message });
      });
      if (!sealsRequest) return fields;
      const to = await fleetKey.get();
      used(to);
      return { ...fields, sealed: await seal(topic, { fields, idempotencyKey, rkt: replyKey?.thumbprint, to }) };
    };
    const { signal, traceparent } = options;
    const phase = <R>(run: () => Promise<R>): Promise<R> =>
      inTime(run, { ms: deadline - clock.monotonic(), signal, closed: closed.signal });
    const body = isReady ? fields : await phase(prepared);
    const value = encode(codec, topic, body);
    const timeoutMs = Math.max(1, Math.round(deadline - clock.monotonic()));
    const key = recordKey(shape.rule, fields);
    const reply = await requester.request({
      topic,
      key,
      value,
      replyKey: replyKey?.text,
      idempotencyKey,
      timeoutMs,
      signal,
      traceparent,
      deviceToken: options.deviceToken,
    });
    return phase(() => openOutcome(codec, topic, { reply, privateKey: own.privateKey }).catch(unopened(topic)));
  };

  /** A reply that cannot be read: the registry that has its schema is away, or it is none of the fleet's. */
  const unopened = (topic: Topic) => (error: unknown) => {
    if (error instanceof Refusal) throw error;
    const isAway = error instanceof CodecFault && error.kind === "unreachable";
    if (!isAway) parts.log.error({ err: asError(error), topic }, "a reply could not be opened");
    throw refuse(isAway ? "UNAVAILABLE" : "INTERNAL", {
      message: `The reply could not be opened: ${asError(error).message}`,
    });
  };

  const seal = async (
    topic: Topic,
    {
      fields,
      idempotencyKey,
      rkt,
      to,
    }: { fields: object; idempotencyKey: string; rkt: string | undefined; to: SealingJwk },
  ) =>
    sealRequest({
      fields,
      topic,
      idempotencyKey,
      replyKeyThumbprint: rkt,
      key: to,
      expiresAt: clock.now() + sealLifeMs,
    });

  const again = async <T extends Topic>(
    topic: T,
    input: object,
    options: CallOptions,
  ): Promise<Commands[T]["result"]> => {
    checkTexts(options);
    const deadline = clock.monotonic() + timeOf(options);
    let sealedTo: SealingJwk | undefined;
    const used = (key: SealingJwk): void => {
      sealedTo = key;
    };
    try {
      return await exchange(topic, input, { options, deadline, used });
    } catch (error) {
      const unknownKey =
        error instanceof Refusal && error.code === "SEAL_INVALID" && error.details["reason"] === "unknown-kid";
      if (!unknownKey || sealedTo === undefined) throw error;
      fleetKey.forget(sealedTo);
      return exchange(topic, input, { options, deadline, used });
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
    async request(topic, input, options = {}) {
      if (closing) throw closedFault();
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
      await within(drainMs, () => Promise.allSettled(calls));
      closed.abort();
      await requester.close(0);
    },
  };
}

/** How long a call may take. @throws Refusal INVALID_INPUT for what is no number; DEADLINE_EXCEEDED where no time is left */
function timeOf({ timeoutMs = defaultTimeoutMs }: CallOptions): number {
  if (typeof timeoutMs !== "number" || Number.isNaN(timeoutMs)) throw invalid("timeoutMs", "must be a number of ms");
  if (timeoutMs <= 0) throw refuse("DEADLINE_EXCEEDED", { message: `No time is left: timeoutMs is ${timeoutMs}.` });
  return Math.min(timeoutMs, longestTimeoutMs);
}

/** What goes into headers as it is. @throws Refusal INVALID_INPUT: in a header it would be refused too, or fail the sending of others' records */
function checkTexts({ idempotencyKey, deviceToken }: CallOptions): void {
  const isText = (text: unknown, least: number): boolean =>
    text === undefined || (typeof text === "string" && text.length >= least && /^[\x20-\x7e]{0,256}$/.test(text));
  if (!isText(idempotencyKey, 22)) throw invalid("idempotencyKey", "must be 22 to 256 characters of printable ASCII");
  if (!isText(deviceToken, 0)) throw invalid("deviceToken", "must be at most 256 characters of printable ASCII");
}

interface PhaseEnds {
  ms: number;
  signal: AbortSignal | undefined;
  closed: AbortSignal;
}

/**
 * Runs a phase of a call that waits for what is not ours to bound: the fleet's keys, the registry. It ends with the call's time, its signal or
 * close(), whichever is first. It takes a function, and begins nothing for a call that is over already: a promise that was made before and
 * is not waited for then would end the process when it rejects.
 */
async function inTime<T>(run: () => Promise<T>, { ms, signal, closed }: PhaseEnds): Promise<T> {
  signal?.throwIfAborted();
  if (closed.aborted) throw closedFault();
  const over = Promise.withResolvers<never>();
  const timer = setTimeout(() => over.reject(refuse("DEADLINE_EXCEEDED")), Math.max(1, ms));
  const abort = (): void => over.reject(signal?.reason);
  const close = (): void => over.reject(closedFault());
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

interface WireRefusal {
  code: string;
  message: string;
  retryAfterMs: number | null;
  details: Record<string, string>;
}

async function openOutcome<T extends Topic>(
  codec: Codec,
  topic: T,
  { reply, privateKey }: { reply: Buffer | null; privateKey: KeyObject },
): Promise<Commands[T]["result"]> {
  const { resultName } = shapeOf(topic);
  const { outcome } = (await codec.decode(replySubject({ resultName }), reply)) as { outcome: Record<string, object> };
  const result = outcome[resultName];
  if (result === undefined) throw asRefusal(outcome["auth.Refusal"] as WireRefusal);
  const { sealed, ...clear } = result as { sealed?: string };
  if (sealed === undefined) return clear as Commands[T]["result"];
  return mergeSealed(clear, await openReply(sealed, privateKey)) as unknown as Commands[T]["result"];
}

/** A code that this version does not know is shown as INTERNAL, with the code in details. */
function asRefusal({ code, message, retryAfterMs, details }: WireRefusal): Refusal {
  const known = isRefusalCode(code);
  return new Refusal(known ? code : "INTERNAL", {
    message,
    details: known ? details : { ...details, code },
    ...(retryAfterMs !== null && { retryAfterMs }),
  });
}

function makeReplyKey() {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { kty, crv, x, y } = publicKey.export({ format: "jwk" }) as JWK;
  const jwk = { kty, crv, x, y } as JWK;
  return { text: JSON.stringify(jwk), thumbprint: thumbprint(jwk), privateKey };
}
