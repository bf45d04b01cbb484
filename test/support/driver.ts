// The Kafka driver of a test run.
import type { KafkaDriverName } from "../../src/kafka/kafka.ts";

/**
 * What the fleets and the clients of the tests speak to Kafka with: AUTH_TEST_KAFKA_DRIVER, by default what users get
 * by default.
 */
export function testDriver(): KafkaDriverName {
  const name = process.env["AUTH_TEST_KAFKA_DRIVER"] || "kafkajs";
  if (name === "kafkajs" || name === "platformatic") return name;
  throw new Error(`AUTH_TEST_KAFKA_DRIVER must be kafkajs or platformatic, not ${name}`);
}
