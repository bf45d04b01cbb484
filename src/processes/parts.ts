// What several processes are built from: connections, keys, codec, client. Each opened resource registers its release
// (runtime/lifecycle.ts).

import { Codec } from "../bus/avro/codec.ts";
import { connectRegistry, makeSchemaStore, type Registry } from "../bus/avro/schema-store.ts";
import { type DeadLetters, makeDeadLetters } from "../bus/dead-letter-sender.ts";
import { makeReplies } from "../bus/replies.ts";
import { makeSender } from "../bus/sender.ts";
import { type ConnectedClient, connectClient } from "../client/connect.ts";
import type { Config } from "../config/read.ts";
import { isTransient } from "../db/faults.ts";
import { type DatabasePool, openPool } from "../db/pool.ts";
import { savedSchemas } from "../db/schemas.ts";
import { agreedClock, type BrokerClock, makeBrokerClock } from "../kafka/broker-clock.ts";
import { connectKafka, type KafkaPort, type KafkaSettings } from "../kafka/kafka.ts";
import { type FleetKeys, type KeyDeps, keyRulesOf, loadFleetKeys } from "../keys/fleet-keys.ts";
import { type Clock, systemClock } from "../lib/clock.ts";
import { busNames } from "../protocol/bus-names.ts";
import type { Problem } from "../runtime/http.ts";
import { type Lifecycle, untilAnswered } from "../runtime/lifecycle.ts";
import type { Logger } from "../runtime/log.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { schemasBySubject } from "./topic-specs.ts";

export interface ProcessContext {
  config: Config;
  log: Logger;
  metrics: Metrics;
  lifecycle: Lifecycle;
  clock?: Clock;
}

/** What a running process reports about itself. */
export interface Running {
  ready(): Problem[];
  /** Logged when the process is up. */
  address?: string;
  /** The content of /.well-known/jwks.json. */
  jwks?(): { keys: object[] };
}

/** What a process may want to know about its Kafka. */
export interface KafkaOptions extends Pick<KafkaSettings, "appended"> {
  metrics?: Metrics;
}

export function kafkaOf(
  config: Config,
  processName: string,
  log: Logger,
  { appended, metrics }: KafkaOptions = {},
): KafkaPort {
  const passedOver = metrics?.counter(
    "auth_kafka_passed_over_total",
    "Times that records were passed over because they cannot be read.",
    ["topic", "reason"],
  );
  const { AUTH_KAFKA_TLS_CA: ca, AUTH_KAFKA_TLS_CERT: cert, AUTH_KAFKA_TLS_KEY: key } = config;
  const mechanism = config.AUTH_KAFKA_SASL_MECHANISM;
  const username = config.AUTH_KAFKA_SASL_USERNAME ?? "";
  const password = config.AUTH_KAFKA_SASL_PASSWORD ?? "";
  return connectKafka(
    {
      driver: config.AUTH_KAFKA_DRIVER,
      appended,
      passedOver: ({ topic, reason }) => passedOver?.inc({ topic, reason }),
      unpackedBytes: config.AUTH_KAFKA_UNPACKED_BYTES,
      brokers: config.AUTH_KAFKA_BROKERS ?? [],
      clientId: `authfleet-${processName}`,
      prefix: config.AUTH_TOPIC_PREFIX,
      tls: config.AUTH_KAFKA_TLS ? { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) } : undefined,
      sasl: mechanism === "none" ? undefined : { mechanism, username, password },
    },
    log,
  );
}

/** Sends dead letters, through a sender of its own: no reply waits behind them. */
export function deadLettersOf(
  { config, log, metrics, clock = systemClock }: ProcessContext,
  kafka: KafkaPort,
): DeadLetters {
  const { monotonic } = clock;
  const replies = makeReplies({ kafka, sender: makeSender(kafka), log, monotonic, lost: () => undefined });
  const letters = metrics.counter("auth_dead_letters_total", "Dead letters that were sent, by reason.", ["reason"]);
  const leftOut = metrics.counter(
    "auth_dead_letters_dropped_total",
    "Dead letters left out, by reason: their requester had its share of the minute (AUTH_DEAD_LETTERS_PER_MINUTE).",
    ["reason"],
  );
  return makeDeadLetters({
    send: (record, signal) => replies.send(record, signal),
    perMinute: config.AUTH_DEAD_LETTERS_PER_MINUTE,
    monotonic,
    log,
    observe: (reason, outcome) => (outcome === "sent" ? letters : leftOut).inc({ reason }),
  });
}

export interface WatchedClock {
  broker: BrokerClock;
  /** Called with each time reported by the database's clock. */
  databaseTime(at: number): void;
}

/**
 * The broker's clock, estimated from what the process produces, and metrics of how far other clocks are off. The
 * deadlines of requests, the ages of feeds and signed times are judged by the broker's clock.
 */
export function brokerClockOf({
  metrics,
  clock = systemClock,
}: Pick<ProcessContext, "metrics" | "clock">): WatchedClock {
  const broker = makeBrokerClock(clock);
  const skew = metrics.gauge(
    "auth_clock_skew_seconds",
    "How much a clock is ahead of the broker's: this machine's, or the database's.",
    ["clock"],
    (gauge) => gauge.set({ clock: "machine" }, broker.skew / 1000),
  );
  return { broker, databaseTime: (at) => skew.set({ clock: "database" }, (at - broker.now()) / 1000) };
}

export function registryOf(config: Config): Registry | undefined {
  const { AUTH_REGISTRY_URL: url, AUTH_REGISTRY_USERNAME: username, AUTH_REGISTRY_PASSWORD: password } = config;
  if (url === undefined) return undefined;
  return connectRegistry({ url, login: username && password ? { username, password } : undefined });
}

export async function poolOf({ config, log, lifecycle }: ProcessContext, processName: string): Promise<DatabasePool> {
  const options = {
    url: config.AUTH_DATABASE_URL ?? "",
    size: config.AUTH_DATABASE_POOL,
    applicationName: `authfleet ${processName}`,
  };
  const pool = await untilAnswered(() => openPool(options), {
    what: "PostgreSQL",
    isTransient: isTransient,
    log,
    signal: lifecycle.stopping,
  });
  pool.on("error", (error) => log.debug({ err: error }, "a connection to PostgreSQL was lost"));
  lifecycle.onStop(() => pool.end());
  return pool;
}

export async function keysOf({ config, log, lifecycle }: ProcessContext, pool: DatabasePool): Promise<FleetKeys> {
  const keys = await untilAnswered(() => loadFleetKeys(pool, config.AUTH_MASTER_KEY ?? [], log), {
    what: "PostgreSQL",
    isTransient: isTransient,
    log,
    signal: lifecycle.stopping,
  });
  lifecycle.onStop(() => Promise.resolve(keys.stop()));
  return keys;
}

/** For processes that change the fleet's keys: migrate, the relay's schedule, authctl. */
export function keyDepsFor(
  { config, clock = systemClock }: Pick<ProcessContext, "config" | "clock">,
  pool: DatabasePool,
): KeyDeps {
  return { pool, master: config.AUTH_MASTER_KEY ?? [], rules: keyRulesOf(config), clock };
}

/**
 * A codec for all our schemas, loaded: the table `schemas` is asked before the registry, so a process starts while the
 * registry is down.
 */
export async function codecOf(
  { config, log, lifecycle, clock = systemClock }: ProcessContext,
  pool: DatabasePool,
): Promise<Codec> {
  const registry = registryOf(config);
  const store = makeSchemaStore([savedSchemas(pool), ...(registry ? [registry] : [])], clock.monotonic);
  const codec = new Codec(store, schemasBySubject(), busNames.setupCommand);
  await untilAnswered(() => codec.warm(), {
    what: "PostgreSQL",
    isTransient: isTransient,
    log,
    signal: lifecycle.stopping,
  });
  return codec;
}

/** A requester: the bridge, authctl. */
export function clientOf(
  { config, log, metrics, clock }: Pick<ProcessContext, "config" | "log" | "metrics" | "clock">,
  name: string,
): { client: ConnectedClient; kafka: KafkaPort; agreed: Clock; close(): Promise<void> } {
  const registry = registryOf(config);
  if (registry === undefined) throw new Error("AUTH_REGISTRY_URL is not set.");
  const { broker } = brokerClockOf({ metrics, ...(clock && { clock }) });
  const kafka = kafkaOf(config, name, log, { metrics, appended: broker.sample });
  const late = metrics.counter("auth_replies_late_total", "Replies that nobody waited for any more.");
  const ignored = metrics.counter("auth_replies_ignored_total", "Replies without the mac of their request.");
  const client = connectClient({
    kafka,
    schemas: registry,
    name,
    log,
    clock: clock ?? systemClock,
    late: () => late.inc(),
    ignored: () => ignored.inc(),
    fleetIds: config.AUTH_FLEET_ID,
  });
  return {
    client,
    kafka,
    agreed: agreedClock(clock ?? systemClock, broker),
    async close() {
      await client.close(config.AUTH_DRAIN_TIMEOUT);
      await kafka.close();
    },
  };
}
