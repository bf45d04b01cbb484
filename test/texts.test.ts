// Every text field of every command, with what it must not hold and with one byte too many: refused by the worker and
// by the client library, for that field, without a trace. The cases are derived from the schemas, the bytes are made
// without our codec. Then the longest texts that come through and those that do not, and how long they keep an event
// loop.

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import avsc from "avsc";
import { sql } from "slonik";
import { makeCodec } from "../src/bus/avro/codec.ts";
import { type GatedSchema, makeTextGate, type TextField, textFieldsOf } from "../src/bus/avro/text-gate.ts";
import type { BusCommand, Call } from "../src/bus/command.ts";
import { type Executed, makeExecute } from "../src/bus/execute.ts";
import { type RequestToSeal, sealRequest } from "../src/bus/seal/seal.ts";
import { connectClient } from "../src/client/connect.ts";
import type { Topic } from "../src/client/types.ts";
import type { KafkaPort } from "../src/kafka/kafka.ts";
import { busNames } from "../src/protocol/bus-names.ts";
import type { Refusal } from "../src/protocol/errors.ts";
import { commandSchemas } from "../src/protocol/generated/schemas.ts";
import { normalize, type RecordKeyRule, recordKey } from "../src/protocol/record-key.ts";
import { connectGateway } from "./bridge/gateway.ts";
import { quiet, sharedFleet } from "./support/fleet.ts";
import { type HandlerHarness, handlerHarness } from "./support/handlers.ts";

type Fields = Record<string, unknown>;

interface RequestSchema extends GatedSchema {
  fields: { name: string; type: unknown; default?: unknown }[];
}

const schemas = Object.entries(commandSchemas).map(
  ([topic, { request }]) => [topic, request as unknown as RequestSchema] as const,
);

/** A value of an Avro type in which every text is `text`, and every array has one item. */
function example(type: unknown, text: unknown): unknown {
  if (Array.isArray(type)) return example(type.at(-1), text);
  const shape = typeof type === "object" && type !== null ? (type as Fields) : { type };
  switch (shape["type"]) {
    case "string":
      return text;
    case "boolean":
      return false;
    case "array":
      return [example(shape["items"], text)];
    case "record":
      return Object.fromEntries(
        (shape["fields"] as RequestSchema["fields"]).map((field) => [field.name, example(field.type, text)]),
      );
    default:
      return 1;
  }
}

/** Sets what lies at a dotted path; in an array, its first item. */
function put(record: Fields, path: string, value: unknown): void {
  const names = path.split(".");
  const last = names.pop()!;
  const holder = names.reduce((inner, name) => inner[name] as Fields, record);
  if (Array.isArray(holder[last])) holder[last][0] = value;
  else holder[last] = value;
}

interface Case {
  topic: string;
  path: string;
  what: string;
  request: Fields;
  /** In place of the text that the clear record has at the path. */
  bytes?: Buffer;
}

/** What no text, or no text of its kind, may hold. */
function badTexts({ maxBytes, text, sealed }: TextField): Record<string, string> {
  return {
    NUL: "a\0b",
    ...(sealed && { "a lone surrogate": "a\ud800b" }), // JSON can hold it, UTF-8 cannot
    "one byte too many": text === "json" ? `"${"x".repeat(maxBytes - 1)}"` : "x".repeat(maxBytes + 1),
    "a character too many that is 33 bytes when it is normalised": "\ufdfa".repeat(maxBytes),
    "63,000 bytes": "\ufdfa".repeat(21_000),
    ...(text !== "secret" && { "a C0 control": "a\x1bb", "a C1 control": "a\x85b" }),
    ...(text === "line" && { "a newline": "a\nb" }),
    ...(text === "json" && { "no JSON": "{", "NUL within": '{"a":"\\u0000"}', depth: "[".repeat(40) + "]".repeat(40) }),
  };
}

/** A request in which each text is a good one. */
function goodRequest(schema: RequestSchema, text = "x"): Fields {
  const request: Fields = {};
  for (const { name, type } of schema.fields) if (name !== "sealed") request[name] = example(type, text);
  for (const field of schema.sealedFields ?? []) put(request, field.name, text);
  for (const { path, text: kind } of textFieldsOf(schema)) {
    if (kind === "json") put(request, path, "{}");
    if (path === "client.ip") put(request, path, "192.0.2.1");
  }
  return request;
}

function casesOf(topic: string, schema: RequestSchema): Case[] {
  return textFieldsOf(schema)
    .filter(({ path }) => path !== "sealed")
    .flatMap((field) => {
      const { path, sealed, maxItems } = field;
      const bad = Object.entries(badTexts(field)).map(([what, text]) => {
        const request = goodRequest(schema);
        put(request, path, text);
        return { topic, path, what, request };
      });
      const none = { topic, path, what: "bytes that are no UTF-8", request: goodRequest(schema) };
      const many = { topic, path, what: "an item too many", request: goodRequest(schema) };
      if (maxItems !== undefined) many.request[path] = Array(maxItems + 1).fill("x");
      return [
        ...bad,
        ...(sealed ? [] : [{ ...none, bytes: Buffer.from([0x61, 0xff]) }]),
        ...(maxItems === undefined ? [] : [many]),
      ];
    });
}

const cases = schemas.flatMap(([topic, schema]) => casesOf(topic, schema));

/** The record as a requester without our library writes it: the bare form, texts as bytes. */
function recordOf({ topic, path, request, bytes }: Case): Buffer {
  const schema = commandSchemas[topic as keyof typeof commandSchemas].request as unknown as RequestSchema;
  const asBytes = JSON.parse(JSON.stringify(schema).replaceAll('"string"', '"bytes"')) as avsc.Schema;
  const sealedFields = schema.sealedFields ?? [];
  const clear = structuredClone(request);
  for (const { name } of sealedFields) delete clear[name];
  const fields = toBytes(sealedFields.length === 0 ? clear : { ...clear, sealed: JSON.stringify(request) }) as Fields;
  if (bytes !== undefined) put(fields, path, bytes);
  return Buffer.concat([Buffer.of(0, 0, 0, 0, 1), avsc.Type.forSchema(asBytes).toBuffer(fields)]);
}

function toBytes(value: unknown): unknown {
  if (typeof value === "string") return Buffer.from(value);
  if (Array.isArray(value)) return value.map(toBytes);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, toBytes(each)]));
}

let harness: HandlerHarness;
beforeAll(async () => {
  harness = await handlerHarness({ cheapHashes: true });
}, 60_000);
afterAll(() => harness.close());

const replyTypes = new Map<string, avsc.Type>();

/** The worker's way of a request from its bytes to its reply, on the real handlers and database. */
function worker(change: (command: BusCommand) => BusCommand = (command) => command) {
  const codecs = new Map(
    Object.entries(commandSchemas).map(([topic, { request, reply }]) => {
      const subjects = { [`${topic}-value`]: request, [`${reply.namespace}.${reply.name}`]: reply };
      return [topic, makeCodec({ idOf: async () => 1, versionOf: async () => request }, subjects)];
    }),
  );
  return async ({ topic }: Pick<Case, "topic">, value: Buffer): Promise<Executed & { refusal: Fields | undefined }> => {
    const codec = codecs.get(topic)!;
    await codec.warm();
    const execute = makeExecute({
      protocol: { names: busNames },
      codec,
      lanes: harness.lanes,
      log: quiet,
      monotonic: () => performance.now(),
      sealsEndBetween: () => [0, Number.POSITIVE_INFINITY],
      openingKey: () => undefined,
      requireSealed: false,
      isTransient: () => false,
    });
    const reply = { topic: "auth.reply.test", partition: undefined, correlationId: undefined };
    const envelope = { reply, idempotencyKey: randomBytes(16), callerKey: undefined } as unknown as Call["envelope"];
    const record = { topic, partition: 0, offset: 0n, timestamp: 0, key: null, value, headers: {} };
    const call = { topic, envelope, recordedAt: Date.now(), deadline: performance.now() + 30_000 };
    const done = await execute(record, change(harness.commands.get(topic)!), call, false);
    return { ...done, refusal: refusalIn(topic, done.reply.value!) };
  };
}

function refusalIn(topic: string, value: Buffer): Fields | undefined {
  const { reply } = commandSchemas[topic as keyof typeof commandSchemas];
  const type = replyTypes.get(topic) ?? avsc.Type.forSchema(reply as unknown as avsc.Schema);
  replyTypes.set(topic, type);
  return ((type.fromBuffer(value.subarray(5)) as Fields)["outcome"] as Fields)["auth.Refusal"] as Fields | undefined;
}

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

function isRefused(check: () => void): boolean {
  try {
    check();
    return false;
  } catch {
    return true;
  }
}

describe("an event loop", () => {
  const fillings: Record<string, (bytes: number) => string> = {
    "a character of 33 bytes when it is normalised": (bytes) => "\ufdfa".repeat(bytes / 3),
    "marks to be put in order": (bytes) => `a${"\u0301\u0323".repeat((bytes - 1) / 4)}`,
    "capitals that grow": (bytes) => "\u0130".repeat(bytes / 2),
    "dots, signs and digits": (bytes) => "id:1.@x%".repeat(bytes / 8),
    "a token of dots": (bytes) => `a.${"b".repeat(bytes - 4)}.c`,
    braces: (bytes) => `${"[".repeat(bytes / 2)}${"]".repeat(bytes / 2)}`,
  };

  /** A request whose texts, all or one, are as long as they may be, or so many times as long. */
  function longest(schema: RequestSchema, fill: (bytes: number) => string, times: number): Fields {
    const request = goodRequest(schema);
    for (const { path, maxBytes } of textFieldsOf(schema))
      if (path !== "sealed") put(request, path, fill(maxBytes * times));
    return request;
  }

  /**
   * ms that the event loop's thread computes for it, the least of three tries: never less than it is kept from other
   * work for, and not more where other processes want the machine, too.
   */
  async function computedMs(work: () => Promise<unknown>): Promise<number> {
    let least = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < 3 && least > 50; tries += 1) {
      const before = process.threadCpuUsage();
      await work();
      const { user, system } = process.threadCpuUsage(before);
      least = Math.min(least, (user + system) / 1000);
    }
    return least;
  }

  /** As long as they may be, of every kind; and far too long. */
  const tries = (schema: RequestSchema): Fields[] => [
    ...Object.values(fillings).map((fill) => longest(schema, fill, 1)),
    longest(schema, fillings["marks to be put in order"]!, 60),
  ];

  test("of a worker is not kept from its work for 50 ms by the longest texts of any command", async () => {
    const ask = worker();
    const slow: string[] = [];
    for (const [topic, schema] of schemas) {
      for (const request of tries(schema)) {
        const value = recordOf({ topic, path: "", what: "", request });
        const ms = await computedMs(() => ask({ topic }, value));
        if (ms > 50) slow.push(`${topic}: ${ms} ms`);
      }
    }
    expect(slow).toEqual([]);
  }, 120_000);

  test("of a requester is not, from the call until the request is sealed", async () => {
    const key = { ...generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" }), kid: "k" };
    const took: [topic: string, ms: number][] = [];
    for (const [topic, schema] of schemas) {
      const gate = makeTextGate(schema);
      for (const request of tries(schema)) {
        const ms = await computedMs(async () => {
          if (isRefused(() => gate.checkRequest(request))) return;
          recordKey((schema as { recordKey?: RecordKeyRule }).recordKey, request);
          const seal = { topic, replyKeyThumbprint: undefined, idempotencyKey: "x", expiresAt: 0, key };
          await sealRequest({ fields: request, ...seal } as RequestToSeal);
        });
        took.push([topic, ms]);
      }
    }
    expect(took.filter(([, ms]) => ms > 50)).toEqual([]);
  }, 120_000);

  test("of the bridge is not: 63,000 bytes that are 693,000 when they are normalised are refused in milliseconds", async () => {
    const gateway = await connectGateway(sharedFleet().grpc);
    const long = "\ufdfa".repeat(21_000);
    const calls: [method: string, request: object][] = [
      ["Authenticate", { login: long, password: "a password" }],
      ["Authenticate", { login: "ada.lovelace", password: long }],
      ["CreateUser", { login: long, username: "ada.lovelace", email: "ada@example.com", password: "a password" }],
      ["CreateUser", { login: "ada.lovelace", username: long, email: "ada@example.com", password: "a password" }],
      ["CreateUser", { login: "ada.lovelace", username: "ada.lovelace", email: long, password: "a password" }],
      ["RegistrationUser", { token_pod: long }],
      ["RefreshToken", { refresh_token: long }],
      ["CurrentUser", { access_token: long }],
      ["LogOutUser", { token_pod: long }],
    ];
    for (const [method, request] of calls) {
      const tries: number[] = [];
      for (let each = 0; each < 3; each += 1) {
        const began = performance.now();
        expect(await gateway.call(method, request)).toMatchObject({
          status: "INVALID_ARGUMENT",
          code: "INVALID_INPUT",
        });
        tries.push(performance.now() - began);
      }
      if (Math.min(...tries) > 250) throw new Error(`${method} took ${tries.join(", ")} ms`); // a busy machine's, not a minute
    }
    gateway.close();
  });

  test("would be, were such a text normalised (the control)", () => {
    const normalizedMs = (bytes: number): number => {
      const marks = fillings["marks to be put in order"]!(bytes);
      const before = process.threadCpuUsage();
      normalize(marks);
      const { user, system } = process.threadCpuUsage(before);
      return (user + system) / 1000;
    };
    // Twice as long takes four times as long; how fast the machine is says where it begins, and a record has room for 1
    // MB.
    let bytes = 30_000;
    while (normalizedMs(bytes) <= 50) bytes *= 2;
    expect(bytes).toBeLessThan(1_000_000);
  }, 60_000);
});
