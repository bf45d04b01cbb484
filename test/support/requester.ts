// A requester as a process of its own, for tests that stop or kill one: asks for the fleet's keys without end, so many
// calls at a time, and writes a line of figures about once a second. Its environment, a fleet's, says where and with
// which driver.

import { connectRegistry } from "../../src/bus/avro/schema-store.ts";
import { connectClient } from "../../src/client/connect.ts";
import { connectKafka, type KafkaDriverName } from "../../src/kafka/kafka.ts";
import { makeLogger } from "../../src/runtime/log.ts";

const {
  AUTH_KAFKA_BROKERS: brokers,
  AUTH_KAFKA_DRIVER: driver,
  AUTH_REGISTRY_URL: url,
  AUTH_TOPIC_PREFIX: prefix,
  AUTH_FLEET_ID: fleetId,
} = process.env;
const atATime = Number(process.argv[2]);
const log = makeLogger("silent", {});
const kafka = connectKafka(
  { driver: driver as KafkaDriverName, brokers: brokers!.split(","), clientId: "requester", prefix: prefix! },
  log,
);
const fleetIds = fleetId?.split(",");
const client = connectClient({ kafka, schemas: connectRegistry({ url: url! }), name: "test", log, fleetIds });
await client.ready();

let answered = 0;
const failed: string[] = [];
const ask = async (): Promise<void> => {
  for (;;) {
    await client.request("auth.key.list", {}, { timeoutMs: 60_000 }).then(
      () => (answered += 1),
      (error: unknown) => failed.push(String(error)),
    );
  }
};
setInterval(() => process.stdout.write(`${JSON.stringify({ answered, failed })}\n`), 500);
process.once("disconnect", () => process.exit(0)); // whoever started it is gone
await Promise.all(Array.from({ length: atATime }, ask));
