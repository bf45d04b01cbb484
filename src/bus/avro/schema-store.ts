// Schema ids and texts, each requested once: concurrent lookups share one answer, an id that is not a version of its
// subject is remembered for a while, and a failure is not remembered. Sources are asked in order, so a worker whose own
// table knows every schema starts while the registry is down. Anybody can name an id and register schemas, so an id is
// accepted for a subject only if it is a version of that subject.
import { setTimeout as sleep } from "node:timers/promises";
import { SchemaRegistry } from "@kafkajs/confluent-schema-registry";
import registryApi from "@kafkajs/confluent-schema-registry/dist/api/index.js";
import avsc from "avsc";

import { asError } from "../../lib/errors.ts";
import { LruCache } from "../../lib/lru.ts";
import { Lane } from "../lanes.ts";

export interface SchemaSource {
  /** The id of exactly this schema in the subject, or undefined. */
  idOf(subject: string, schema: object): Promise<number | undefined>;
  /** The schema of an id, or undefined where the id is not a version of the subject. */
  versionOf(subject: string, id: number): Promise<object | undefined>;
}

const negativeTtlMs = 10_000;
const maxCached = 5000;
/** Concurrent lookups of ids, so that requests with made-up ids do not flood the registry or PostgreSQL. */
const atOnce = 8;

export function makeSchemaStore(sources: SchemaSource[], monotonic: () => number): SchemaSource {
  const ids = cached<number>(monotonic);
  const versions = cached<object>(monotonic);
  const questions = new Lane({ width: atOnce }, monotonic);
  const first = async <T>(ask: (source: SchemaSource) => Promise<T | undefined>): Promise<T | undefined> => {
    for (const source of sources) {
      const answer = await ask(source);
      if (answer !== undefined) return answer;
    }
    return undefined;
  };
  return {
    idOf: (subject, schema) =>
      ids(`${subject} ${JSON.stringify(schema)}`, () => first((source) => source.idOf(subject, schema))),
    versionOf: (subject, id) =>
      versions(`${subject} ${id}`, () =>
        questions.run(Number.POSITIVE_INFINITY, () => first((source) => source.versionOf(subject, id))),
      ),
  };
}

/**
 * Single-flight cache; `undefined` answers expire after negativeTtlMs and evict only one another, because anybody can
 * cause them.
 */
function cached<T>(monotonic: () => number) {
  const known = new LruCache<string, Promise<T | undefined>>(maxCached, monotonic);
  const absent = new LruCache<string, true>(maxCached, monotonic);
  return (key: string, ask: () => Promise<T | undefined>): Promise<T | undefined> => {
    const answer = known.get(key);
    if (answer !== undefined) return answer;
    if (absent.get(key) === true) return Promise.resolve(undefined);
    const asked = ask();
    known.set(key, asked);
    asked.then(
      (found) => {
        if (found !== undefined) return;
        known.delete(key);
        absent.set(key, true, negativeTtlMs);
      },
      () => known.delete(key),
    );
    return asked;
  };
}

export interface RegistrySettings {
  url: string;
  login?: { username: string; password: string } | undefined;
  /** The timeout of one lookup; default 10 s. Without it, everybody would wait for one lost answer. */
  timeoutMs?: number;
}

const usualTimeoutMs = 10_000;

export type Compatibility = "BACKWARD" | "FORWARD";

/** Moves credentials out of the URL: fetch refuses such a URL, with an error that contains the password. */
function withLogin(settings: RegistrySettings): RegistrySettings {
  const url = new URL(settings.url);
  const { username, password } = url;
  if (username === "" && password === "") return settings;
  [url.username, url.password] = ["", ""];
  const login = { username: decodeURIComponent(username), password: decodeURIComponent(password) };
  return { ...settings, url: url.href.replace(/\/$/, ""), login: settings.login ?? login };
}

export interface Registry extends SchemaSource {
  /** The schema of an id in any subject, or undefined where there is none that is Avro. */
  schemaOf(id: number): Promise<object | undefined>;
  /**
   * Registers the schema in its subject; a new subject gets this compatibility.
   * @throws Error where the schema is incompatible, or the subject has another compatibility
   */
  register(subject: string, schema: object, compatibility: Compatibility): Promise<number>;
  /** What registering would find; changes nothing. */
  judge(subject: string, schema: object): Promise<SchemaComparison>;
}

interface SchemaComparison {
  /** Whether the subject exists. */
  exists: boolean;
  /** The subject's own; undefined where it has none. */
  compatibility: string | undefined;
  /** Why the schema is incompatible with the subject's latest version, a sentence each. */
  faults: string[];
}

/** Why the Schema Registry did not answer a request: a sentence that names it. */
export class RegistryFault extends Error {
  override readonly name = "RegistryFault";
  /** The HTTP status; 0 where there was no answer, or the answer is not a schema registry's. */
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/** Whether the registry is down, failing or busy, so that retrying makes sense. */
export function isRegistryAway(error: unknown): boolean {
  return error instanceof RegistryFault && (error.status === 0 || error.status === 429 || error.status >= 500);
}

/** The Schema Registry itself. @throws RegistryFault where it does not answer, or refuses */
export function connectRegistry(given: RegistrySettings): Registry {
  const settings = withLogin(given);
  const reaching = {
    host: settings.url,
    retry: { maxRetryTimeInSecs: 1, initialRetryTimeInSecs: 0.1, factor: 0.2, multiplier: 2, retries: 2 },
    middlewares: [
      within(settings.timeoutMs ?? usualTimeoutMs),
      withBasic(settings.login),
      faultsInWords(new URL(settings.url).host),
    ],
  };
  const registry = new SchemaRegistry(reaching);
  const { Subject: api } = registryApi.default(reaching); // for requests that SchemaRegistry has no method for
  const schemaOf = async (id: number): Promise<object | undefined> => {
    const type = await registry.getSchema(id).catch(notFound);
    return type instanceof avsc.Type
      ? (JSON.parse(JSON.stringify(type.schema({ exportAttrs: true }))) as object)
      : undefined;
  };
  return {
    schemaOf,
    async versionOf(subject, id) {
      const subjects = await subjectsOf(settings, id);
      return subjects.includes(subject) ? schemaOf(id) : undefined;
    },
    idOf: (subject, schema) => registry.getRegistryIdBySchema(subject, confluent(schema)).catch(notFound),
    async register(subject, schema, compatibility) {
      const options = { subject, compatibility: compatibility as never };
      const { id } = await registry.register(confluent(schema), options).catch((error: unknown) => {
        if (error instanceof RegistryFault) throw error;
        throw new Error(`The subject ${subject} cannot have this schema: ${asError(error).message}`);
      });
      return id;
    },
    async judge(subject, schema) {
      const ask = async <T>(call: Promise<{ data(): T }>): Promise<T | undefined> =>
        call.then((answer) => answer.data(), notFound);
      const [latest, config, verdict] = await Promise.all([
        ask<object>(api.latestVersion({ subject })), // Apicurio calls a first version compatible with anything
        ask<{ compatibilityLevel?: string }>(api.config({ subject })),
        ask<{ is_compatible: boolean; messages?: string[] }>(
          api.compatible({ subject, verbose: true, body: { schema: JSON.stringify(schema), schemaType: "AVRO" } }),
        ),
      ]);
      const told = (verdict?.messages ?? []).filter((message) => message !== "");
      const faults = verdict?.is_compatible === false ? (told.length > 0 ? told : ["it is incompatible"]) : [];
      return { exists: latest !== undefined, compatibility: config?.compatibilityLevel, faults };
    },
  };
}

const tries = 3;
const firstPauseMs = 100;
const noSuchId = 40403;

/**
 * The subjects that the id is a version of; none where the id does not exist. The library has no call for it.
 * @throws RegistryFault where the registry does not answer
 */
async function subjectsOf({ url, login, timeoutMs = usualTimeoutMs }: RegistrySettings, id: number): Promise<string[]> {
  const address = new URL(`${url.replace(/\/$/, "")}/schemas/ids/${id}/versions`);
  const headers = {
    accept: "application/vnd.schemaregistry.v1+json",
    ...basic(login),
  };
  for (let attempt = 1; ; attempt += 1) {
    const { status, body } = await answerOf(address.href, { headers, timeoutMs });
    if (status === 200 && Array.isArray(body)) return (body as { subject: string }[]).map(({ subject }) => subject);
    if (status === 404 && (body as { error_code?: unknown }).error_code === noSuchId) return [];
    if (attempt === tries || (status >= 400 && status < 500)) throw fault(address.host, told(status, body));
    await sleep(firstPauseMs * attempt);
  }
}

/** HTTP Basic (RFC 7617). */
function basic(login: RegistrySettings["login"]): Record<string, string> {
  if (login === undefined) return {};
  return { authorization: `Basic ${Buffer.from(`${login.username}:${login.password}`).toString("base64")}` };
}

function told(status: number, body: unknown): { status: number; said: string } {
  const { message } = Object(body) as { message?: unknown };
  if (status === 0) return { status, said: String(body) };
  if (status === 200 || status === 404) return { status: 0, said: notARegistry(status) };
  return { status, said: String(message ?? body) };
}

/** status 0: no answer, and why. The body is JSON, or text. */
async function answerOf(
  url: string,
  { headers, timeoutMs }: { headers: Record<string, string>; timeoutMs: number },
): Promise<{ status: number; body: unknown }> {
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(timeoutMs) });
    const text = await response.text();
    return { status: response.status, body: parsed(text) };
  } catch (error) {
    const { message, cause } = error as Error & { cause?: { message?: string } }; // fetch's own message is only that it failed
    return { status: 0, body: cause?.message ?? message };
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) ?? text;
  } catch {
    return text;
  }
}

function confluent(schema: object) {
  return { type: "AVRO" as never, schema: JSON.stringify(schema) };
}

type Middleware = NonNullable<ConstructorParameters<typeof SchemaRegistry>[0]["middlewares"]>[number];

function withBasic(login: RegistrySettings["login"]): Middleware {
  return () => ({ prepareRequest: async (next) => (await next()).enhance({ headers: basic(login) }) });
}

function within(timeout: number): Middleware {
  return () => ({ prepareRequest: async (next) => (await next()).enhance({ timeout }) });
}

/**
 * The library reports status 400 where nobody answered, and accepts a proxy's page as an answer: a registry that is
 * down must not look like one without such a schema. Every fault between us and the registry becomes a RegistryFault
 * here.
 */
const faultsInWords =
  (host: string): Middleware =>
  () => ({
    async response(next) {
      let answer: Awaited<ReturnType<typeof next>>;
      try {
        answer = await next();
      } catch (error) {
        throw faultOf(error, host);
      }
      if (typeof answer.data() === "object" && answer.data() !== null) return answer;
      throw fault(host, { status: 0, said: notARegistry(answer.status()) });
    },
  });

const notARegistry = (status: number): string => `what answers is no schema registry (${status})`;

/** The library's message for an answer without the registry's own message, and for no answer. */
const wordless = /^Confluent_Schema_Registry - Error, status \d+(?:: (.*))?$/s;

/** @returns the error itself where it does not describe an answer */
function faultOf(error: unknown, host: string): Error {
  const { status } = error as { status?: unknown };
  const { message } = asError(error);
  if (typeof status !== "number") return asError(error);
  const [isWordless, body = ""] = wordless.exec(message) ?? [];
  if (isWordless === undefined)
    return fault(host, { status, said: message.replace(/^Confluent_Schema_Registry - /, "") });
  if (status === 400) return fault(host, { status: 0, said: body });
  return fault(host, status === 404 ? { status: 0, said: notARegistry(status) } : { status, said: body });
}

const longestWords = 300;

/** Escaped: what a server says goes into logs and to terminals. */
function fault(host: string, { status, said }: { status: number; said: string }): RegistryFault {
  const words = said
    .replace(/[^\x20-\x7e]+/g, " ")
    .trim()
    .slice(0, longestWords);
  return new RegistryFault(
    `The schema registry at ${host} ${whatHappened(status)}${words === "" ? "" : `: ${words}`}`,
    status,
  );
}

function whatHappened(status: number): string {
  if (status === 0) return "does not answer";
  if (status === 401 || status === 403) return `does not let us in (${status})`;
  return status === 429 || status >= 500 ? `cannot answer now (${status})` : `refuses (${status})`;
}

/**
 * A response other than 404, or none, means that the registry could not be asked. The library's own errors are the 404
 * of a schema in a subject, and a schema that exists but is not Avro that avsc can read. Message texts decide nothing:
 * neither a refused connection to port 40404 nor a proxy's "not found" proves that a schema does not exist.
 */
function notFound(error: unknown): undefined {
  const isLibrarys = String((error as { name?: unknown }).name).startsWith("ConfluentSchemaRegistry");
  if (isLibrarys || (error instanceof RegistryFault && error.status === 404)) return undefined;
  throw error;
}
