// What a test file asks a fleet with: a client, a port to Kafka, the mails it sends, a database connection.
import pg from "pg";
import { connectRegistry } from "../../src/bus/avro/schema-store.ts";
import { connectClient } from "../../src/client/connect.ts";
import type { AuthClient } from "../../src/client/types.ts";
import { connectKafka, type KafkaDriverName, type KafkaPort } from "../../src/kafka/kafka.ts";
import { testDriver } from "./driver.ts";
import { type FleetAddresses, sharedFleet } from "./fleet-addresses.ts";
import { quiet } from "./logger.ts";
import { type Mailbox, mailbox } from "./mailbox.ts";

/** A fleet, and a test file's own connections to it. */
export interface TestFleet extends FleetAddresses {
  client: AuthClient;
  kafka: KafkaPort;
  mails: Mailbox;
  /** One connection: what is asked of it at once is done one after the other. */
  sql: pg.Pool;
  /** The token in the latest confirmation mail to the account with this username. */
  confirmationToken(username: string): Promise<string>;
  close(): Promise<void>;
}

/**
 * A pool of one: transactions work as on a client, and queries may be made side by side, which pg deprecates on a
 * client.
 */
export function oneConnection(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 1, idleTimeoutMillis: 0, connectionTimeoutMillis: 30_000 });
  pool.on("error", () => undefined); // a test that stops PostgreSQL loses the connection; the next query makes another
  return pool;
}

/** Connects a test file to the shared fleet, or to one of its own. */
export async function testFleet(
  addresses: FleetAddresses = sharedFleet(),
  driver: KafkaDriverName = testDriver(),
): Promise<TestFleet> {
  const { env, prefix } = addresses;
  const settings = {
    driver,
    brokers: env["AUTH_KAFKA_BROKERS"]!.split(","),
    clientId: "test",
    prefix,
    tls: undefined,
    sasl: undefined,
  };
  const kafka = connectKafka(settings, quiet);
  const schemas = connectRegistry({ url: env["AUTH_REGISTRY_URL"]! });
  const fleetIds = env["AUTH_FLEET_ID"]!.split(",");
  const client = connectClient({ kafka, schemas, name: "test", log: quiet, fleetIds });
  const legacy = env["AUTH_LEGACY_TOPICS"] === "false" ? [] : ["auth", "registration"];
  const mails = mailbox(kafka, [...legacy, "auth.mail", "auth.event", "auth.dead-letter"]);
  const sql = oneConnection(env["AUTH_DATABASE_URL"]!);
  await Promise.all([client.ready(), mails.ready, sql.query("SELECT 1")]);
  const fleet: TestFleet = {
    ...addresses,
    client,
    kafka,
    mails,
    sql,
    async confirmationToken(username) {
      const mail = await mails.last("auth", (record) => record.json?.["username"] === username);
      return String(mail.json?.["token"]);
    },
    async close() {
      await client.close(1000);
      await kafka.close();
      await fleet.sql.end(); // another one where PostgreSQL was away
    },
  };
  return fleet;
}
