// The library for services: `import { connect } from "kafka-auth/client"`.
//
//   const auth = connect({ brokers: ["localhost:9092"], registry: "http://localhost:8081/apis/ccompat/v7", name: "gateway" });
//   const { tokens } = await auth.session.login({ login: "alice", password: "correct horse" }, { timeoutMs: 5000 });
//   await auth.close();
import { connectKafka, type KafkaSettings } from "../bus/kafka.ts";
import { connectRegistry } from "../bus/schema-store.ts";
import { makeLogger } from "../log.ts";
import { connectClient } from "./connect.ts";
import { type Methods, methodsOf } from "./methods.ts";
import type { AuthClient } from "./types.ts";

export { Refusal, type RefusalCode } from "../errors.ts";
export type { Commands } from "../generated/schemas.ts";
export type { Methods } from "./methods.ts";
export type { AuthClient, CallOptions, Topic } from "./types.ts";

export interface ConnectOptions {
  /** host:port of Kafka brokers to start from. */
  brokers: string[];
  /** URL of the Schema Registry, with the path of its Confluent-compatible API. */
  registry: string;
  /** Name of the calling service; replies come on auth.reply.<name>, which `migrate` creates for AUTH_REPLY_SERVICES. */
  name: string;
  /** Credentials of the registry (HTTP Basic). */
  registryAuth?: { username: string; password: string };
  tls?: KafkaSettings["tls"];
  sasl?: KafkaSettings["sasl"];
  /** AUTH_TOPIC_PREFIX of the fleet, if it has one. */
  topicPrefix?: string;
  /** silent (default), error, warn, info or debug; JSON lines on standard output. */
  logLevel?: string;
}

export type Client = AuthClient & Methods;

/**
 * Connects a service to the fleet; calls may be made at once and wait until replies can be received.
 * @throws TypeError where an option is missing or of a wrong form
 */
export function connect(options: ConnectOptions): Client {
  const { brokers, registry, name, registryAuth, tls, sasl, topicPrefix = "", logLevel = "silent" } = check(options);
  const log = makeLogger(logLevel, { service: name });
  const kafka = connectKafka({ brokers, clientId: name, prefix: topicPrefix, tls, sasl }, log);
  const client = connectClient({ kafka, schemas: connectRegistry({ url: registry, auth: registryAuth }), name, log });
  return {
    ...methodsOf(client),
    request: client.request,
    ready: client.ready,
    get healthy() {
      return client.healthy;
    },
    get pending() {
      return client.pending;
    },
    async close(drainMs?: number) {
      await client.close(drainMs);
      await kafka.close();
    },
  };
}

function check(options: ConnectOptions): ConnectOptions {
  const { brokers, registry, name } = options;
  if (!Array.isArray(brokers) || brokers.length === 0) throw new TypeError('"brokers" must be a list of host:port');
  if (!URL.canParse(registry)) throw new TypeError('"registry" must be a URL');
  if (!/^[a-z0-9][a-z0-9-]*$/.test(name)) throw new TypeError('"name" must be lower-case letters, digits and dashes');
  return options;
}
