// Schema ids and texts, each asked for once: concurrent questions share one answer, an id that does not exist is remembered for a
// while, and a source that fails is not remembered at all. Sources are asked in order, so that a worker whose own table knows
// everything starts while the registry is down.
import { SchemaRegistry } from "@kafkajs/confluent-schema-registry";
import registryApi from "@kafkajs/confluent-schema-registry/dist/api/index.js";
import avsc from "avsc";

export interface SchemaSource {
  /** Id of exactly this schema in the subject, or undefined where the source has none. */
  idOf(subject: string, schema: object): Promise<number | undefined>;
  /** Schema by id, or undefined where there is no such id. */
  schemaOf(id: number): Promise<object | undefined>;
}

const negativeTtlMs = 10_000;
const maxCached = 5000;

export function makeSchemaStore(sources: SchemaSource[], monotonic: () => number): SchemaSource {
  const ids = cached<number>(monotonic);
  const schemas = cached<object>(monotonic);
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
    schemaOf: (id) => schemas(String(id), () => first((source) => source.schemaOf(id))),
  };
}

/** Single-flight cache; `undefined` answers live for negativeTtlMs. Bounded: garbage ids must not fill the memory. */
function cached<T>(monotonic: () => number) {
  const entries = new Map<string, { answer: Promise<T | undefined>; until: number }>();
  return (key: string, ask: () => Promise<T | undefined>): Promise<T | undefined> => {
    const known = entries.get(key);
    if (known !== undefined && known.until > monotonic()) return known.answer;
    const entry = { answer: ask(), until: Number.POSITIVE_INFINITY };
    if (entries.size >= maxCached) entries.clear();
    entries.set(key, entry);
    entry.answer.then(
      (answer) => {
        if (answer === undefined) entry.until = monotonic() + negativeTtlMs;
      },
      () => entries.delete(key),
    );
    return entry.answer;
  };
}

export interface RegistrySettings {
  url: string;
  auth?: { username: string; password: string } | undefined;
  /** How long one question may take; default 10 s. Without a bound one lost answer would be waited for by everybody, for good. */
  timeoutMs?: number;
}

export type Compatibility = "BACKWARD" | "FORWARD";

export interface Registry extends SchemaSource {
  /**
   * Registers the schema in its subject, which gets this compatibility when it is new.
   * @throws Error where the registry finds the schema incompatible, or the subject has another compatibility
   */
  register(subject: string, schema: object, compatibility: Compatibility): Promise<number>;
  /** What registering would find, with nothing changed. */
  judge(subject: string, schema: object): Promise<Judgement>;
}

export interface Judgement {
  /** Whether there is such a subject. */
  exists: boolean;
  /** The subject's own; undefined where it has none. */
  compatibility: string | undefined;
  /** What keeps the schema from following the subject's latest version, a sentence each. */
  faults: string[];
}

/** The Schema Registry itself. @throws Error while it does not answer */
export function connectRegistry(settings: RegistrySettings): Registry {
  const reaching = {
    host: settings.url,
    ...(settings.auth && { auth: settings.auth }),
    retry: { maxRetryTimeInSecs: 1, initialRetryTimeInSecs: 0.1, factor: 0.2, multiplier: 2, retries: 2 },
    middlewares: [within(settings.timeoutMs ?? 10_000)],
  };
  const registry = new SchemaRegistry(reaching);
  const { Subject: api } = registryApi.default(reaching); // for what SchemaRegistry has no method
  return {
    async idOf(subject, schema) {
      try {
        return await registry.getRegistryIdBySchema(subject, confluent(schema));
      } catch (error) {
        return notFound(error);
      }
    },
    async schemaOf(id) {
      try {
        const type = await registry.getSchema(id);
        return type instanceof avsc.Type
          ? (JSON.parse(JSON.stringify(type.schema({ exportAttrs: true }))) as object)
          : undefined;
      } catch (error) {
        return notFound(error);
      }
    },
    async register(subject, schema, compatibility) {
      const { id } = await registry.register(confluent(schema), { subject, compatibility: compatibility as never });
      return id;
    },
    async judge(subject, schema) {
      const ask = async <T>(call: Promise<{ data(): T }>): Promise<T | undefined> =>
        call.then((answer) => answer.data(), notFound);
      const [latest, config, verdict] = await Promise.all([
        ask<object>(api.latestVersion({ subject })), // Apicurio finds compatible whatever has nothing to follow
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

function confluent(schema: object) {
  return { type: "AVRO" as never, schema: JSON.stringify(schema) };
}

type Middleware = NonNullable<ConstructorParameters<typeof SchemaRegistry>[0]["middlewares"]>[number];

function within(timeout: number): Middleware {
  return () => ({ prepareRequest: async (next) => (await next()).enhance({ timeout }) });
}

/** What the library says where there was no answer: it calls that status 400, with the socket's error for a body. */
const noAnswer = /status 400: .*(\bE[A-Z_]{4,}\b|socket hang up|timeout)/;

/** Whether a registry error says that the registry is away or ill, so that asking again later makes sense. */
export function isRegistryAway(error: unknown): boolean {
  const { status, message } = error as { status?: unknown; message?: unknown };
  return (typeof status === "number" && status >= 500) || (status === 400 && noAnswer.test(String(message)));
}

/**
 * A response other than 404, or none, means that the registry could not be asked. Its own errors
 * without a status are the 404 of a schema in a subject, and a schema that is there and is no Avro that avsc can read.
 * Words decide nothing: a refused connection to port 40404 and a proxy's "not found" are no proof that a schema does not exist.
 */
function notFound(error: unknown): undefined {
  const { status, name } = error as { status?: unknown; name?: unknown };
  if (status === 404 || (status === undefined && String(name).startsWith("ConfluentSchemaRegistry"))) return undefined;
  throw error;
}
