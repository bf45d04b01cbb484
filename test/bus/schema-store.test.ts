// The store of schemas: what it asks for and what it remembers. And the registry's client, before a registry that misbehaves.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { connectRegistry, isRegistryAway, makeSchemaStore, type SchemaSource } from "../../src/bus/schema-store.ts";

const schema = { type: "record", name: "A", fields: [] };
const time = { ms: 0 };
beforeEach(() => {
  time.ms = 0;
});

/** A source that writes down what it is asked, and answers by the rule. */
function source(answer: (id: number) => Promise<object | undefined>, ids: Record<string, number> = {}) {
  const asked: (number | string)[] = [];
  const made: SchemaSource = {
    async idOf(subject) {
      asked.push(subject);
      return ids[subject];
    },
    schemaOf(id) {
      asked.push(id);
      return answer(id);
    },
  };
  return { ...made, asked };
}

const storeOver = (...sources: SchemaSource[]) => makeSchemaStore(sources, () => time.ms);

test("50 questions at a time are one call, and so are later ones", async () => {
  const gate = Promise.withResolvers<object>();
  const registry = source(() => gate.promise);
  const store = storeOver(registry);
  const answers = Array.from({ length: 50 }, () => store.schemaOf(1));
  gate.resolve(schema);
  expect(new Set(await Promise.all(answers))).toEqual(new Set([schema]));
  time.ms += 365 * 86_400_000;
  await store.schemaOf(1);
  expect(registry.asked).toEqual([1]);
});

test("an id that does not exist is remembered for 10 s, then asked for again", async () => {
  let there: object | undefined;
  const registry = source(async () => there);
  const store = storeOver(registry);
  expect(await store.schemaOf(1)).toBeUndefined();
  there = schema;
  time.ms = 9999;
  expect(await store.schemaOf(1)).toBeUndefined();
  time.ms = 10_000;
  expect(await store.schemaOf(1)).toBe(schema);
  expect(registry.asked).toEqual([1, 1]);
});

test("a failure reaches all who ask at that time, and is not remembered", async () => {
  let answer: () => Promise<object> = () => Promise.reject(new Error("down"));
  const registry = source(() => answer());
  const store = storeOver(registry);
  const answers = await Promise.allSettled([store.schemaOf(1), store.schemaOf(1)]);
  expect(answers.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(registry.asked).toEqual([1]);
  answer = async () => schema;
  expect(await store.schemaOf(1)).toBe(schema);
});

test("ids of schemas are asked for once per subject and schema", async () => {
  const registry = source(async () => undefined, { "a-value": 7 });
  const store = storeOver(registry);
  expect(await Promise.all([1, 2].map(() => store.idOf("a-value", schema)))).toEqual([7, 7]);
  expect(registry.asked).toEqual(["a-value"]);
  await store.idOf("a-value", { ...schema, name: "B" });
  await store.idOf("b-value", schema);
  expect(registry.asked).toEqual(["a-value", "a-value", "b-value"]);
});

test("garbage ids do not fill the memory: what is remembered is bounded", async () => {
  const registry = source(async () => undefined);
  const store = storeOver(registry);
  const askAll = async (from: number, to: number) => {
    for (let id = from; id < to; id += 1) await store.schemaOf(id);
  };
  await askAll(0, 5000);
  await store.schemaOf(0);
  expect(registry.asked).toHaveLength(5000); // the control: up to the bound all is remembered
  await askAll(5000, 5001);
  await store.schemaOf(0);
  expect(registry.asked).toHaveLength(5002);
});

test("sources are asked in order; a later one only for what the earlier have not", async () => {
  const table = source(async (id) => (id === 1 ? schema : undefined), { "a-value": 1 });
  const registry = source(async () => ({ ...schema, name: "B" }), { "a-value": 1, "b-value": 2 });
  const store = storeOver(table, registry);
  expect(await store.schemaOf(1)).toBe(schema);
  expect(await store.schemaOf(2)).toMatchObject({ name: "B" });
  expect([await store.idOf("a-value", schema), await store.idOf("b-value", schema)]).toEqual([1, 2]);
  expect(table.asked).toEqual([1, 2, "a-value", "b-value"]);
  expect(registry.asked).toEqual([2, "b-value"]);
});

describe("a registry", () => {
  let server: Server;
  let calls: string[];
  let answer: (path: string) => { status: number; body: string } | undefined;

  beforeEach(async () => {
    calls = [];
    server = createServer((request, response) => {
      calls.push(`${request.method} ${request.url}`);
      const given = answer(request.url ?? "");
      if (given === undefined) return; // never answers
      response.writeHead(given.status, { "content-type": "application/vnd.schemaregistry.v1+json" });
      response.end(given.body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const port = () => (server.address() as AddressInfo).port;
  const registry = () => connectRegistry({ url: `http://127.0.0.1:${port()}`, timeoutMs: 300 });
  const both = async (): Promise<string[]> => {
    const asked = registry();
    const answers = await Promise.allSettled([asked.schemaOf(1), asked.idOf("a-value", schema)]);
    return answers.map((each) => (each.status === "fulfilled" ? String(each.value) : "failed"));
  };

  test("that says 404 has none", async () => {
    answer = () => ({ status: 404, body: '{"error_code":40403,"message":"Schema 1 not found"}' });
    expect(await both()).toEqual(["undefined", "undefined"]);
  });

  test.each([
    [500, "Not found: the database"],
    [503, "404 upstreams"],
    [401, "user not found"],
  ])("that says %d is none that has none, whatever its words (%s)", async (status, message) => {
    answer = () => ({ status, body: JSON.stringify({ message }) });
    expect(await both()).toEqual(["failed", "failed"]);
  });

  test("that is not there is none that has none, though its port be 40404", async () => {
    const nowhere = connectRegistry({ url: "http://127.0.0.1:40404", timeoutMs: 300 });
    await expect(nowhere.schemaOf(1)).rejects.toThrow("40404");
    await expect(nowhere.idOf("a-value", schema)).rejects.toThrow("40404");
  });

  test("that is not there is told from one that refuses, so that who starts before it can wait for it", async () => {
    const away = connectRegistry({ url: "http://127.0.0.1:1" });
    const error: unknown = await away.register("a", schema, "BACKWARD").catch((thrown: unknown) => thrown);
    expect(isRegistryAway(error)).toBe(true);
    // The control: an answer that says no is no absence.
    answer = () => ({ status: 422, body: '{"error_code":42201,"message":"Invalid schema"}' });
    const refused: unknown = await registry()
      .register("a", schema, "BACKWARD")
      .catch((thrown: unknown) => thrown);
    expect(isRegistryAway(refused)).toBe(false);
  });

  test("that takes a question and never answers is given up", async () => {
    answer = () => undefined;
    expect(await both()).toEqual(["failed", "failed"]);
    expect(calls.length).toBeGreaterThan(0);
  });

  test("whose schema is no Avro that we can read has none", async () => {
    answer = () => ({ status: 200, body: JSON.stringify({ schema: '{"type":"planet"}' }) });
    await expect(registry().schemaOf(1)).resolves.toBeUndefined();
    answer = () => ({ status: 200, body: JSON.stringify({ schema: "{}", schemaType: "JSON" }) });
    await expect(registry().schemaOf(2)).resolves.toBeUndefined();
    answer = () => ({ status: 200, body: JSON.stringify({ schema: JSON.stringify(schema) }) });
    await expect(registry().schemaOf(3)).resolves.toMatchObject({ type: "record", name: "A" });
  });
});
