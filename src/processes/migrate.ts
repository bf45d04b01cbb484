// The process `migrate`: brings database, keys, topics and schemas to this version, reports what it did, and ends. It
// may run again at any time, and beside a running fleet.
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isRegistryAway, type Registry } from "../bus/avro/schema-store.ts";
import type { Config } from "../config/read.ts";
import { uuidv7 } from "../crypto/ids.ts";
import { isTransient } from "../db/faults.ts";
import { migrateDatabase } from "../db/migrate.ts";
import { type DatabasePool, openPool } from "../db/pool.ts";
import { saveSchema } from "../db/schemas.ts";
import { raiseTokenLife } from "../db/token-life.ts";
import { KafkaFault } from "../kafka/faults.ts";
import type { KafkaPort } from "../kafka/kafka.ts";
import { ensureKeys, fleetIds, keyTruth } from "../keys/fleet-keys.ts";
import type { Clock } from "../lib/clock.ts";
import { goneRecord, keyRecord, keyTopic } from "../protocol/key-records.ts";
import { untilAnswered } from "../runtime/lifecycle.ts";
import type { Logger } from "../runtime/log.ts";
import { packageRoot } from "../runtime/package-root.ts";
import { kafkaOf, keyDepsFor, registryOf } from "./parts.ts";
import { subjects, topics } from "./topic-specs.ts";

export interface Migrating {
  config: Config;
  log: Logger;
  clock: Clock;
  signal: AbortSignal;
  /** Called with a sentence for each thing done. */
  report(line: string): void;
}

const registrations = 4;

export async function migrate(migrating: Migrating): Promise<void> {
  const { config, log, clock, signal, report } = migrating;
  const options = { url: config.AUTH_DATABASE_URL ?? "", size: 4, applicationName: "authfleet migrate" };
  const pool = await untilAnswered(() => openPool(options), {
    what: "PostgreSQL",
    isTransient: isTransient,
    log,
    signal,
  });
  try {
    for (const name of await migrateDatabase(pool, join(packageRoot, "migrations"))) report(`applied ${name}`);
    for (const line of await ensureKeys(keyDepsFor({ config, clock }, pool))) report(line);
    await writeFleetId(migrating, pool);
    await Promise.all([migrateTopics(migrating, pool), migrateSchemas(migrating, pool)]);
  } finally {
    await pool.end();
  }
}

/** For processes with AUTH_FLEET_ID_FILE; written atomically. */
async function writeFleetId({ config, report }: Migrating, pool: DatabasePool): Promise<void> {
  const file = config.AUTH_FLEET_ID_OUT;
  if (file === undefined) return;
  const ids = (await fleetIds(pool)).join();
  writeFileSync(`${file}.new`, `${ids}\n`);
  renameSync(`${file}.new`, file);
  report(`wrote AUTH_FLEET_ID (${ids}) to ${file}`);
}

async function migrateTopics({ config, log, clock, signal, report }: Migrating, pool: DatabasePool): Promise<void> {
  const { longestMs } = await raiseTokenLife(pool, config.AUTH_ACCESS_TTL);
  const kafka = kafkaOf(config, "migrate", log);
  // A broker may not know yet what its controller has just created; a retry then finds everything.
  const isTransient = (error: unknown): boolean =>
    error instanceof KafkaFault && (error.kind === "unavailable" || error.kind === "unknown-topic");
  try {
    const done = await untilAnswered(() => kafka.ensureTopics(topics(config, longestMs)), {
      what: "Kafka",
      isTransient,
      log,
      signal,
    });
    for (const line of done) report(line);
    await untilAnswered(() => publishKeys(kafka, pool, clock), { what: "Kafka", isTransient, log, signal });
  } finally {
    await kafka.close();
  }
}

/**
 * Writes every key to auth.key, so that requesters find them before a relay runs, and in a topic that was recreated. If
 * a relay publishes a change meanwhile, versions show which record is newer, and the relay publishes it again if ours
 * came last (keys/key-topic.ts).
 */
async function publishKeys(kafka: KafkaPort, pool: DatabasePool, clock: Clock): Promise<void> {
  const { rows, gone } = await keyTruth(pool);
  const records = [...rows.map(keyRecord), ...gone.map(goneRecord)];
  await kafka.produce(
    records.map((body) => ({
      topic: keyTopic,
      key: Buffer.from(String(body["kid"])),
      value: Buffer.from(JSON.stringify(body)),
      headers: { "auth-event-id": uuidv7(clock) },
    })),
  );
}

async function migrateSchemas({ config, log, signal, report }: Migrating, pool: DatabasePool): Promise<void> {
  const registry = registryOf(config);
  if (registry === undefined) throw new Error("AUTH_REGISTRY_URL is not set.");
  const queue = subjects();
  const total = queue.length;
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift())
      await registerOne(registry, next, { log, signal, pool });
  };
  await Promise.all(Array.from({ length: registrations }, work));
  report(`${total} schemas are registered`);
}

async function registerOne(
  registry: Registry,
  { subject, schema, compatibility }: ReturnType<typeof subjects>[number],
  { log, signal, pool }: Pick<Migrating, "log" | "signal"> & { pool: DatabasePool },
): Promise<void> {
  const id = await untilAnswered(() => registry.register(subject, schema, compatibility), {
    what: "the schema registry",
    isTransient: isRegistryAway,
    log,
    signal,
  });
  await saveSchema(pool, { id, subject, schema });
}
