// Every text field of every command, with what it must not hold and with one byte too many: refused by the worker and
// by the client library, for that field, without a trace. The bytes are made without our codec.
import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { sql } from "slonik";
import { makeTextGate, textFieldsOf } from "../src/bus/avro/text-gate.ts";
import type { BusCommand } from "../src/bus/command.ts";
import { type RequestToSeal, sealRequest } from "../src/bus/seal/seal.ts";
import { connectClient } from "../src/client/connect.ts";
import type { Topic } from "../src/client/types.ts";
import type { KafkaPort } from "../src/kafka/kafka.ts";
import type { Refusal } from "../src/protocol/errors.ts";
import { commandSchemas } from "../src/protocol/generated/schemas.ts";
import { quiet } from "./support/logger.ts";
import { type Case, cases, goodRequest, put, type RequestSchema, recordOf, schemas } from "./support/text-cases.ts";
import { harness, worker } from "./support/text-worker.ts";

/** Rows of every table there is. */
async function rows(): Promise<Record<string, number>> {
  const tables = await harness.pool.any(
    sql.unsafe`SELECT c.relname AS name FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace`,
  );
  const counts = await Promise.all(
    (tables as { name: string }[]).map(async ({ name }) => [
      name,
      Number(await harness.pool.oneFirst(sql.unsafe`SELECT count(*) FROM ${sql.identifier([name])}`)),
    ]),
  );
  return Object.fromEntries(counts) as Record<string, number>;
}

const problems = async (some: Case[], change?: (command: BusCommand) => BusCommand): Promise<string[]> => {
  const ask = worker(change);
  const before = await rows();
  const wrong: string[] = [];
  for (const each of some) {
    const done = await ask(each, recordOf(each));
    const field = (done.refusal?.["details"] as Record<string, string> | undefined)?.["field"];
    const right = done.outcome === "INVALID_INPUT" && done.deadLetterReason === undefined && field === each.path;
    if (!right)
      wrong.push(`${each.topic} ${each.path}: ${each.what}: ${done.outcome} ${field} ${done.deadLetterReason ?? "-"}`);
  }
  for (const [table, count] of Object.entries(await rows()))
    if (count !== before[table]) wrong.push(`${table} has ${count - before[table]!} rows more`);
  return wrong;
};

test("the schemas say of every text what it may hold, and there are texts to try", () => {
  expect(schemas.length).toBeGreaterThan(40);
  expect(cases.length).toBeGreaterThan(900);
  const kinds = new Set(schemas.flatMap(([, schema]) => textFieldsOf(schema).map(({ text }) => text)));
  expect([...kinds].sort()).toEqual(["json", "line", "lines", "secret"]);
  expect(() => makeTextGate({ fields: [{ name: "a", type: "string", text: "verse" }] })).toThrow(
    "no such kind of text",
  );
});

/** Without the gate. */
const open = (command: BusCommand): BusCommand => ({
  ...command,
  texts: { checkRecord: () => undefined, checkRequest: () => undefined },
});

test("the longest texts of any command find room in its seal", async () => {
  const key = { ...generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" }), kid: "k" };
  for (const [topic, schema] of schemas) {
    const fields = textFieldsOf(schema);
    const bound = fields.find(({ path }) => path === "sealed")?.maxBytes;
    if (bound === undefined) continue; // auth.key.list has no field
    const request = goodRequest(schema);
    for (const { path, maxBytes, maxItems } of fields.filter(({ path: each }) => each !== "sealed")) {
      if (maxItems === undefined) put(request, path, "x".repeat(maxBytes));
      else request[path] = Array(maxItems).fill("x".repeat(maxBytes));
    }
    const seal = { topic, replyKeyThumbprint: undefined, idempotencyKey: "x", expiresAt: 0, key };
    const { length } = await sealRequest({ fields: request, ...seal } as RequestToSeal);
    expect([topic, length <= bound]).toEqual([topic, true]);
  }
});

describe("a bad text in any field of any command", () => {
  test("is refused by the worker for that field, is no dead letter, and leaves nothing behind", async () => {
    expect(await problems(cases)).toEqual([]);
    expect(harness.attempts).toEqual([]);
  }, 120_000);

  test("would not be, were there no gate (the control)", async () => {
    const some = cases.filter(({ topic }) => /session.login$|register$|password.reset/.test(topic));
    const wrong = await problems(some, open);
    for (const what of new Set(some.map((each) => each.what)))
      expect([what, wrong.filter((line) => line.includes(what)).length]).not.toEqual([what, 0]);
  }, 120_000);
});

/** A client of a broker and a registry that never answer. */
function silentClient() {
  const never = () => new Promise<never>(() => undefined);
  const nothing = async (): Promise<void> => undefined;
  const consume = () => ({ joined: never(), healthy: false, commit: nothing, pause() {}, resume() {}, close: nothing });
  const kafka = { produce: never, consume, partitionsOf: never, endOffsets: never } as unknown as KafkaPort;
  return connectClient({ kafka, schemas: { idOf: never, versionOf: never }, name: "test", log: quiet });
}

test("a value that PostgreSQL does not take is no dead letter either, where no gate has seen it", async () => {
  const nul = cases.filter(
    ({ topic, path, what }) => topic === "auth.session.login" && path === "login" && what === "NUL",
  );
  expect(nul).toHaveLength(1);
  for (const each of nul) {
    const { outcome, deadLetterReason } = await worker(open)(each, recordOf(each));
    expect([outcome, deadLetterReason]).toEqual(["INVALID_INPUT", undefined]);
  }
});

describe("the client library", () => {
  test("refuses it for that field at once, though neither broker nor registry can be reached", async () => {
    const client = silentClient();
    const wrong: string[] = [];
    for (const { topic, path, what, request } of cases.filter(({ bytes }) => bytes === undefined)) {
      const refusal = await client.request(topic as Topic, request as never, { timeoutMs: 300 }).then(
        () => undefined,
        (error: unknown) => error as Refusal,
      );
      if (refusal?.code !== "INVALID_INPUT" || refusal.details["field"] !== path)
        wrong.push(`${topic} ${path}: ${what}: ${refusal?.message}`);
    }
    // The control: a good one waits for a broker that is not there.
    const good = goodRequest(commandSchemas["auth.session.login"].request as unknown as RequestSchema);
    await expect(client.request("auth.session.login", good as never, { timeoutMs: 50 })).rejects.not.toMatchObject({
      code: "INVALID_INPUT",
    });
    await client.close(0);
    expect(wrong).toEqual([]);
  }, 30_000);
});
