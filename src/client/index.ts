// The library for services, published as authfleet-client (clients/typescript):
//
//   import { connect } from "authfleet-client";
//
//   const registry = "http://localhost:8081/apis/ccompat/v7";
//   const auth = connect({ brokers: ["localhost:9092"], registry, name: "gateway" });
//   const { tokens } = await auth.session.login({ login: "alice", password: "correct horse" }, { timeoutMs: 5000 });
//   const verifier = auth.verifier(); // verifies access tokens locally
//   const { userId, roles, fresh } = await verifier.verify(accessToken);
//   auth.events(async (event) => { if (event.name === "UserDeleted") await forget(event.userId); });
//   await auth.close();

import { Codec } from "../bus/avro/codec.ts";
import { connectRegistry, makeSchemaStore } from "../bus/avro/schema-store.ts";
import { connectKafka, isDriverName, type KafkaSettings } from "../kafka/kafka.ts";
import { systemClock } from "../lib/clock.ts";
import { readFleetIds } from "../protocol/fleet-cert.ts";
import { eventSchemas } from "../protocol/generated/schemas.ts";
import { sealedNames } from "../protocol/secret-fields.ts";
import { makeLogger } from "../runtime/log.ts";
import { connectClient } from "./connect.ts";
import { type AuthEvent, type EventReader, type EventsOptions, readEvents } from "./events.ts";
import { type Methods, methodsOf } from "./methods.ts";
import { runtimeFault } from "./runtime.ts";
import type { AuthClient, CallHooks } from "./types.ts";
import { makeVerifier, type Verifier, type VerifierOptions } from "./verifier.ts";

export { Refusal, type RefusalCode } from "../protocol/errors.ts";
export type * from "../protocol/generated/schemas.ts";
/** The client of a request, in commands that take `client`; the type `Client` is what connect() returns. */
export type { Client as RequestClient } from "../protocol/generated/schemas.ts";
export type { AuthEvent, EventReader, EventsOptions } from "./events.ts";
export type { Methods } from "./methods.ts";
export type { AuthClient, CallHooks, CallOptions, Topic } from "./types.ts";
export type { StalePolicy, Verified, Verifier, VerifierOptions, VerifyOptions } from "./verifier.ts";

export interface ConnectOptions {
  /** host:port of the first Kafka brokers. */
  brokers: string[];
  /**
   * The Kafka library: kafkajs (default), or platformatic, for which the package @platformatic/kafka must be installed
   * too, with Node 22.22 or later.
   */
  driver?: KafkaSettings["driver"];
  /** URL of the Schema Registry, with the path of its Confluent-compatible API. */
  registry: string;
  /**
   * The name of the service. It receives replies on auth.reply.<name>, which `migrate` creates for AUTH_REPLY_SERVICES.
   */
  name: string;
  /** Credentials of the registry (HTTP Basic). */
  registryAuth?: { username: string; password: string };
  tls?: KafkaSettings["tls"];
  sasl?: KafkaSettings["sasl"];
  /**
   * The fleet's id (AUTH_FLEET_ID): the thumbprint that `authctl keys root` prints there, or two while the root key is
   * being replaced. The client seals to no key, and accepts tokens of none, without a certificate by that root key:
   * UNAVAILABLE with details.reason `uncertified-key`. Without a fleet id, anybody who can write to the topic auth.key
   * can impersonate the fleet.
   */
  fleetId?: string | string[];
  /** The caller's tracing and metrics: see CallHooks. */
  hooks?: CallHooks;
  /** AUTH_TOPIC_PREFIX of the fleet, if it has one. */
  topicPrefix?: string;
  /** silent (default), error, warn, info or debug; JSON lines on standard output. */
  logLevel?: string;
}

export type Client = AuthClient &
  Methods & {
    /** Follows the fleet's keys and revocations; closed with the client. One per process is enough. */
    verifier(options?: VerifierOptions): Verifier;
    /** Reads the fleet's events until it, or the client, is closed. AuthEvent lists them. */
    events(read: (event: AuthEvent) => Promise<void>, options?: EventsOptions): EventReader;
  };

/**
 * Connects a service to the fleet; calls may be made at once and wait until replies can be received.
 * @throws TypeError for a missing or invalid option; Error where this Node is too old or the driver is not installed
 */
export function connect(options: ConnectOptions): Client {
  const fault = runtimeFault(process.versions.node);
  if (fault !== undefined) throw new Error(fault);
  const { brokers, registry, name, registryAuth, topicPrefix = "", logLevel = "silent", hooks } = check(options);
  const { driver, tls, sasl } = options;
  const fleetIds = fleetIdsOf(options);
  const log = makeLogger(logLevel, { service: name }, { secretNames: sealedNames() });
  const kafka = connectKafka({ driver, brokers, clientId: name, prefix: topicPrefix, tls, sasl }, log);
  const schemas = connectRegistry({ url: registry, login: registryAuth });
  const client = connectClient({ kafka, schemas, name, log, fleetIds, ...(hooks && { hooks }) });
  const methods = methodsOf(client);
  const verifiers: Verifier[] = [];
  const readers: EventReader[] = [];
  return {
    ...methods,
    verifier(wanted) {
      const inspect = (accessToken: string) => methods.session.inspect({ accessToken });
      const verifier = makeVerifier({ kafka, name, log, clock: systemClock, inspect, keys: client.keys }, wanted);
      verifiers.push(verifier);
      return verifier;
    },
    events(read, { group = `${name}.events`, only } = {}) {
      const codec = new Codec(makeSchemaStore([schemas], systemClock.monotonic), eventsBySubject());
      const reader = readEvents({ kafka, codec, group, log }, read, only);
      readers.push(reader);
      return reader;
    },
    request: (topic, input, options) => client.request(topic, input, options),
    ready: () => client.ready(),
    get healthy() {
      return client.healthy;
    },
    get pending() {
      return client.pending;
    },
    async close(drainMs?: number) {
      // Everything is closed, whatever fails; the first failure is thrown.
      const ended = await Promise.allSettled([
        client.close(drainMs),
        ...readers.map((reader) => reader.close(drainMs)),
      ]);
      ended.push(...(await Promise.allSettled(verifiers.map((verifier) => verifier.close()))));
      await kafka.close();
      for (const each of ended) if (each.status === "rejected") throw each.reason;
    },
  };
}

const eventsBySubject = (): Record<string, object> =>
  Object.fromEntries(Object.entries(eventSchemas).map(([name, schema]) => [`auth.event.${name}`, schema]));

function check(options: ConnectOptions): ConnectOptions {
  const { brokers, registry, name } = options;
  if (!Array.isArray(brokers) || brokers.length === 0) throw new TypeError('"brokers" must be a list of host:port');
  const { driver = "kafkajs" } = options;
  if (!isDriverName(driver)) throw new TypeError('"driver" must be kafkajs or platformatic');
  if (!URL.canParse(registry)) throw new TypeError('"registry" must be a URL');
  if (!/^[a-z0-9][a-z0-9-]*$/.test(name)) throw new TypeError('"name" must be lower-case letters, digits and dashes');
  return options;
}

function fleetIdsOf({ fleetId }: ConnectOptions): readonly string[] | undefined {
  if (fleetId === undefined) return undefined;
  try {
    return readFleetIds(typeof fleetId === "string" ? fleetId.split(",") : fleetId);
  } catch (error) {
    throw new TypeError(`"fleetId" ${(error as Error).message}`);
  }
}
