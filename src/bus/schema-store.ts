// Schema ids and texts, each asked for once: concurrent questions share one answer, an id that is no version of its
// subject is remembered for a while, and a source that fails is not remembered at all. Sources are asked in order, so
// that a worker whose own table knows everything starts while the registry is down. Anybody can name an id, and a
// schema in the registry may be anybody's: an id counts for a subject only where it is a version of that subject.
import { setTimeout as sleep } from "node:timers/promises";
import { SchemaRegistry } from "@kafkajs/confluent-schema-registry";
import registryApi from "@kafkajs/confluent-schema-registry/dist/api/index.js";
import avsc from "avsc";
import { makeLane } from "./lanes.ts";

export interface SchemaSource {
  /** Id of exactly this schema in the subject, or undefined where the source has none. */
  idOf(subject: string, schema: object): Promise<number | undefined>;
  /** Schema by id, or undefined where the id is no version of the subject. */
  versionOf(subject: string, id: number): Promise<object | undefined>;
}

const negativeTtlMs = 10_000;
const maxCached = 5000;
/**
 * Questions about ids at a time: strangers that name ever new ones must not be the registry's, or PostgreSQL's, flood.
 */
const atOnce = 8;

export function makeSchemaStore(sources: SchemaSource[], monotonic: () => number): SchemaSource {
  const ids = cached<number>(monotonic);
  const versions = cached<object>(monotonic);
  const questions = makeLane({ width: atOnce }, monotonic);
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
 * Single-flight cache; `undefined` answers live for negativeTtlMs, and are forgotten before others are: anybody can ask
 * for more.
 */
function cached<T>(monotonic: () => number) {
  const known = new Map<string, Promise<T | undefined>>();
  const absent = new Map<string, number>();
  return (key: string, ask: () => Promise<T | undefined>): Promise<T | undefined> => {
    const answer = known.get(key);
    if (answer !== undefined) return answer;
    if ((absent.get(key) ?? 0) > monotonic()) return Promise.resolve(undefined);
    const asked = ask();
    if (known.size >= maxCached) known.clear();
    known.set(key, asked);
    asked.then(
      (found) => {
        if (found !== undefined) return;
        known.delete(key);
        if (absent.size >= maxCached) absent.clear();
        absent.set(key, monotonic() + negativeTtlMs);
      },
      () => known.delete(key),
    );
    return asked;
  };
}

export interface RegistrySettings {
  url: string;
  auth?: { username: string; password: string } | undefined;
  /** How long one question may take; default 10 s. Without a bound one lost answer would be waited for by everybody, for good. */
  timeoutMs?: number;
}

const usualTimeoutMs = 10_000;

export type Compatibility = "BACKWARD" | "FORWARD";

export interface Registry extends SchemaSource {
  /** Schema by id, whatever its subjects, or undefined where there is none that is Avro. */
  schemaOf(id: number): Promise<object | undefined>;
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
    middlewares: [within(settings.timeoutMs ?? usualTimeoutMs)],
  };
  const registry = new SchemaRegistry(reaching);
  const { Subject: api } = registryApi.default(reaching); // for what SchemaRegistry has no method
  const schemaOf = async (id: number): Promise<object | undefined> => {
    try {
      const type = await registry.getSchema(id);
      return type instanceof avsc.Type
        ? (JSON.parse(JSON.stringify(type.schema({ exportAttrs: true }))) as object)
        : undefined;
    } catch (error) {
      return notFound(error);
    }
  };
  return {
    schemaOf,
    async versionOf(subject, id) {
      const subjects = await subjectsOf(settings, id);
      return subjects.includes(subject) ? schemaOf(id) : undefined;
    },
    async idOf(subject, schema) {
      try {
        return await registry.getRegistryIdBySchema(subject, confluent(schema));
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

const tries = 3;
const firstPauseMs = 100;
const noSuchId = 40403;

/**
 * Subjects that the id is a version of; none where there is no such id. The library has no call for it.
 * @throws Error while the registry does not say
 */
async function subjectsOf({ url, auth, timeoutMs = usualTimeoutMs }: RegistrySettings, id: number): Promise<string[]> {
  const login = auth && Buffer.from(`${auth.username}:${auth.password}`).toString("base64");
  const headers = {
    accept: "application/vnd.schemaregistry.v1+json",
    ...(login && { authorization: `Basic ${login}` }),
  };
  for (let attempt = 1; ; attempt += 1) {
    const { status, body } = await answerOf(`${url.replace(/\/$/, "")}/schemas/ids/${id}/versions`, {
      headers,
      timeoutMs,
    });
    if (status === 200) return (body as { subject: string }[]).map(({ subject }) => subject);
    if (status === 404 && (body as { error_code?: unknown }).error_code === noSuchId) return [];
    if (attempt === tries || (status >= 400 && status < 500))
      throw new Error(`asked for the subjects of schema ${id} it answers ${status || String(body)}`);
    await sleep(firstPauseMs * attempt);
  }
}

/** status 0: none came, and why. */
async function answerOf(
  url: string,
  { headers, timeoutMs }: { headers: Record<string, string>; timeoutMs: number },
): Promise<{ status: number; body: unknown }> {
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(timeoutMs) });
    return { status: response.status, body: await response.json() };
  } catch (error) {
    const { message, cause } = error as Error & { cause?: { message?: string } }; // fetch itself says only that it failed
    return { status: 0, body: `nothing (${cause?.message ?? message})` };
  }
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
