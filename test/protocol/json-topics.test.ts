// The JSON topics as somebody reads them who knows docs/asyncapi.yaml alone: each record of a real fleet fits its
// description there, and has no field that is not described.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Ajv } from "ajv";
import { parse } from "yaml";
import { shared } from "../../src/kafka/assigner.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { until } from "../support/until.ts";
import { newUser } from "../support/users.ts";

const topics = ["auth.fleet", "auth.key", "auth.revocation", "auth.audit"];
const document = parse(readFileSync(join(import.meta.dirname, "..", "..", "docs", "asyncapi.yaml"), "utf8")) as {
  components: { messages: Record<string, { payload: object }> };
};
const records = new Map<string, object[]>(topics.map((topic) => [topic, []]));

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await testFleet();
  fleet.kafka.consume({
    group: `test.${randomBytes(8).toString("hex")}`,
    topics,
    from: "earliest",
    assign: shared(() => ({})),
    onAssigned: () => undefined,
    onRecords(batch, { topic }) {
      for (const { value } of batch) if (value !== null) records.get(topic)!.push(JSON.parse(String(value)) as object);
    },
  });
  await fleet.client.request("auth.account.register", newUser()); // a row for the audit to sign
}, 60_000);
afterAll(() => fleet.close());

/** The same schema, which takes no field that it does not name. */
function closed(schema: unknown): unknown {
  if (typeof schema !== "object" || schema === null) return schema;
  if (Array.isArray(schema)) return schema.map(closed);
  const parts = Object.fromEntries(Object.entries(schema).map(([name, part]) => [name, closed(part)]));
  return "properties" in parts ? { additionalProperties: false, ...parts } : parts;
}

/** What the description of the topic has against a record. */
function faultsOf(topic: string, record: object): string[] {
  const validate = new Ajv({ strict: false, logger: false }).compile(
    closed(document.components.messages[topic]!.payload) as object,
  );
  return validate(record)
    ? []
    : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`);
}

test.each(topics)(
  "%s: every record fits its description",
  async (topic) => {
    await until(`a record in ${topic}`, () => records.get(topic)!.length > 0, 90_000);
    const seen = records.get(topic)!;
    expect(seen.flatMap((record) => faultsOf(topic, record)).slice(0, 5)).toEqual([]);
    expect(faultsOf(topic, { ...seen[0], unheardOf: 1 })).not.toEqual([]); // the control
  },
  100_000,
);
