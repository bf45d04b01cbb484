// The library for services, published as authfleet-client (clients/typescript): `import { connect } from
// "authfleet-client"`.
//
//   const auth = connect({ brokers: ["localhost:9092"], registry: "http://localhost:8081/apis/ccompat/v7", name:
// "gateway" });
//   const { tokens } = await auth.session.login({ login: "alice", password: "correct horse" }, { timeoutMs: 5000 });
//   const verifier = auth.verifier();                                  // checks access tokens here, without asking
// anybody
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
/** Who calls, in the requests that take a `client`; `Client` itself is what connect() returns. */
export type { Client as RequestClient } from "../protocol/generated/schemas.ts";
export type { AuthEvent, EventReader, EventsOptions } from "./events.ts";
export type { Methods } from "./methods.ts";
export type { AuthClient, CallHooks, CallOptions, Topic } from "./types.ts";
export type { StalePolicy, Verified, Verifier, VerifierOptions, VerifyOptions } from "./verifier.ts";

export interface ConnectOptions {
  /** host:port of Kafka brokers to start from. */
  brokers: string[];
  /**
   * What speaks to Kafka: kafkajs (default), or platformatic: the package @platformatic/kafka, to be installed beside
   * this one, under Node 22.22 or later.
   */
  driver?: KafkaSettings["driver"];
  /** URL of the Schema Registry, with the path of its Confluent-compatible API. */
  registry: string;
  /**
   * Name of the calling service; replies come on auth.reply.<name>, which `migrate` creates for AUTH_REPLY_SERVICES.
   */
  name: string;
  /** Credentials of the registry (HTTP Basic). */
  registryAuth?: { username: string; password: string };
  tls?: KafkaSettings["tls"];
  sasl?: KafkaSettings["sasl"];
  /**
   * What the fleet is known by (AUTH_FLEET_ID): what `authctl keys root` prints there, one thumbprint, or two while the
   * root key turns. No key without that root key's certificate is sealed to, and no token of one is accepted:
   * UNAVAILABLE with details.reason `uncertified-key`. Without it whoever can write to the topic auth.key can stand in
   * for the fleet.
   */
  fleetId?: string | string[];
  /** Tracing and metrics of the caller: see CallHooks. */
  hooks?: CallHooks;
  /** AUTH_TOPIC_PREFIX of the fleet, if it has one. */
  topicPrefix?: string;
  /** silent (default), error, warn, info or debug; JSON lines on standard output. */
  logLevel?: string;
}

export type Client = AuthClient &
  Methods & {
    /** Reads the fleet's keys and revocations from now on; closed with the client. One per process is enough. */
    verifier(options?: VerifierOptions): Verifier;
    /** Reads the fleet's events until it, or the client, is closed. See AuthEvent for what there is. */
    events(read: (event: AuthEvent) => Promise<void>, options?: EventsOptions): EventReader;
  };

/**
 * Connects a service to the fleet; calls may be made at once and wait until replies can be received.
 * @throws TypeError where an option is missing or of a wrong form, Error where this Node is too old or
 * the driver is not installed
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
      // All is closed, whatever fails meanwhile; the first failure is told.
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
