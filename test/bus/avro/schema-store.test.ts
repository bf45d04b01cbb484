// The store of schemas: what it asks for and what it remembers. And the registry's client, before a registry that
// misbehaves.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
  connectRegistry,
  isRegistryAway,
  makeSchemaStore,
  RegistryFault,
  type SchemaSource,
} from "../../../src/bus/avro/schema-store.ts";

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
    versionOf(_subject, id) {
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
  const answers = Array.from({ length: 50 }, () => store.versionOf("a-value", 1));
  gate.resolve(schema);
  expect(new Set(await Promise.all(answers))).toEqual(new Set([schema]));
  time.ms += 365 * 86_400_000;
  await store.versionOf("a-value", 1);
  expect(registry.asked).toEqual([1]);
});

test("an id that does not exist is remembered for 10 s, then asked for again", async () => {
  let there: object | undefined;
  const registry = source(async () => there);
  const store = storeOver(registry);
  expect(await store.versionOf("a-value", 1)).toBeUndefined();
  there = schema;
  time.ms = 9999;
  expect(await store.versionOf("a-value", 1)).toBeUndefined();
  time.ms = 10_000;
  expect(await store.versionOf("a-value", 1)).toBe(schema);
  expect(registry.asked).toEqual([1, 1]);
});

test("a failure reaches all who ask at that time, and is not remembered", async () => {
  let answer: () => Promise<object> = () => Promise.reject(new Error("down"));
  const registry = source(() => answer());
  const store = storeOver(registry);
  const answers = await Promise.allSettled([store.versionOf("a-value", 1), store.versionOf("a-value", 1)]);
  expect(answers.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(registry.asked).toEqual([1]);
  answer = async () => schema;
  expect(await store.versionOf("a-value", 1)).toBe(schema);
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

test("garbage ids do not fill the memory, and do not make what is known forgotten", async () => {
  const registry = source(async (id) => (id === 1 ? schema : undefined));
  const store = storeOver(registry);
  const askAll = async (from: number, to: number) => {
    for (let id = from; id < to; id += 1) await store.versionOf("a-value", id);
  };
  await askAll(1, 2502);
  await store.versionOf("a-value", 2);
  expect(registry.asked).toHaveLength(2501); // the control: within half of the bound all is remembered
  await askAll(2502, 7502);
  await store.versionOf("a-value", 2);
  await store.versionOf("a-value", 1);
  expect(registry.asked).toHaveLength(7502);
});

test("an id is one question for each subject, and no more than eight go out at a time", async () => {
  let running = 0;
  let most = 0;
  const store = storeOver({
    idOf: async () => undefined,
    async versionOf() {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return undefined;
    },
  });
  await Promise.all(Array.from({ length: 100 }, (_, id) => store.versionOf("a-value", id)));
  expect(most).toBe(8);
  const asked: string[] = [];
  const named = storeOver({
    idOf: async () => undefined,
    async versionOf(subject, id) {
      asked.push(`${subject} ${id}`);
      return subject === "a-value" ? schema : undefined;
    },
  });
  expect([await named.versionOf("a-value", 1), await named.versionOf("b-value", 1)]).toEqual([schema, undefined]);
  expect(asked).toEqual(["a-value 1", "b-value 1"]);
});

test("sources are asked in order; a later one only for what the earlier have not", async () => {
  const table = source(async (id) => (id === 1 ? schema : undefined), { "a-value": 1 });
  const registry = source(async () => ({ ...schema, name: "B" }), { "a-value": 1, "b-value": 2 });
  const store = storeOver(table, registry);
  expect(await store.versionOf("a-value", 1)).toBe(schema);
  expect(await store.versionOf("a-value", 2)).toMatchObject({ name: "B" });
  expect([await store.idOf("a-value", schema), await store.idOf("b-value", schema)]).toEqual([1, 2]);
  expect(table.asked).toEqual([1, 2, "a-value", "b-value"]);
  expect(registry.asked).toEqual([2, "b-value"]);
});

describe("a registry", () => {
  let server: Server;
  let calls: string[];
  let answer: (path: string) => { status: number; body: string; type?: string } | undefined;

  beforeEach(async () => {
    calls = [];
    server = createServer((request, response) => {
      calls.push(`${request.method} ${request.url}`);
      const given = answer(request.url ?? "");
      if (given === undefined) return; // never answers
      response.writeHead(given.status, { "content-type": given.type ?? "application/vnd.schemaregistry.v1+json" });
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
    const answers = await Promise.allSettled([asked.versionOf("a-value", 1), asked.idOf("a-value", schema)]);
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
    await expect(nowhere.versionOf("a-value", 1)).rejects.toThrow("40404");
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

  const page = "<html><h1>404 Not Found</h1>\u001b[31m</html>";
  const oneSentence = (said: string) => new RegExp(`^The schema registry at 127\\.0\\.0\\.1:\\d+ ${said}`);
  test.each<[string, { status: number; body: string; type?: string } | undefined, string, boolean]>([
    [
      "a proxy's page",
      { status: 404, body: page, type: "text/html" },
      "does not answer: what answers is no schema registry \\(404\\)",
      true,
    ],
    [
      "a page that is well",
      { status: 200, body: page, type: "text/html" },
      "does not answer: what answers is no schema registry \\(200\\)",
      true,
    ],
    [
      "a proxy's 404 in JSON",
      { status: 404, body: '{"detail":"Not Found"}' },
      "does not answer: what answers is no schema registry \\(404\\)",
      true,
    ],
    [
      "nothing but 404",
      { status: 404, body: "" },
      "does not answer: what answers is no schema registry \\(404\\)",
      true,
    ],
    ["nothing at all", undefined, "does not answer: (Timeout|.* aborted due to timeout)", true],
    ["that it is ill", { status: 503, body: page, type: "text/html" }, "cannot answer now \\(503\\): <html>", true],
    [
      "that it is busy",
      { status: 429, body: '{"message":"slow down"}' },
      "cannot answer now \\(429\\): slow down",
      true,
    ],
    ["who may come in", { status: 401, body: '{"message":"who?"}' }, "does not let us in \\(401\\): who\\?", false],
    ["no", { status: 422, body: '{"error_code":42201,"message":"bad"}' }, "refuses \\(422\\): bad", false],
  ])("that says %s is told as such, whatever it is asked", async (_, given, said, isAway) => {
    answer = () => given;
    const url = `http://user:of-the-registry@127.0.0.1:${port()}`;
    const asked = connectRegistry({ url, timeoutMs: 300 });
    const faults = await Promise.all(
      [
        asked.schemaOf(1),
        asked.versionOf("a-value", 1),
        asked.idOf("a-value", schema),
        asked.register("a-value", schema, "BACKWARD"),
        asked.judge("a-value", schema),
      ].map((each) => each.then(String, (error: unknown) => error)),
    );
    for (const fault of faults) {
      expect(fault).toBeInstanceOf(RegistryFault);
      expect((fault as Error).message).toMatch(oneSentence(said));
      expect((fault as Error).message).not.toMatch(/status 400|Confluent|of-the-registry/);
      expect((fault as Error).message).toMatch(/^[\x20-\x7e]+$/);
      expect(isRegistryAway(fault)).toBe(isAway);
    }
  });

  test("that is not there, or speaks another protocol, is told as such", async () => {
    const faultOf = (url: string) =>
      connectRegistry({ url, timeoutMs: 300 })
        .schemaOf(1)
        .catch((error: Error) => error.message);
    expect(await faultOf("http://127.0.0.1:1")).toMatch(oneSentence("does not answer: connect ECONNREFUSED"));
    expect(await faultOf(`https://127.0.0.1:${port()}`)).toMatch(oneSentence("does not answer: "));
    expect(await faultOf("http://no-such-host.invalid")).toMatch(
      /^The schema registry at no-such-host\.invalid does not answer: getaddrinfo /,
    );
  });

  test("that takes a question and never answers is given up", async () => {
    answer = () => undefined;
    expect(await both()).toEqual(["failed", "failed"]);
    expect(calls.length).toBeGreaterThan(0);
  });

  /** One in which the schema is a version of a-value. */
  const answerWith = (schema: object) => (path: string) => ({
    status: 200,
    body: JSON.stringify(path.endsWith("/versions") ? [{ subject: "a-value", version: 1 }] : schema),
  });

  test("whose schema is no Avro that we can read has none", async () => {
    answer = answerWith({ schema: '{"type":"planet"}' });
    expect(await registry().versionOf("a-value", 1)).toBeUndefined();
    answer = answerWith({ schema: "{}", schemaType: "JSON" });
    expect(await registry().versionOf("a-value", 2)).toBeUndefined();
    answer = answerWith({ schema: JSON.stringify(schema) });
    expect(await registry().versionOf("a-value", 3)).toMatchObject({ type: "record", name: "A" });
  });

  test("is not asked for a schema that is a version of another subject", async () => {
    answer = answerWith({ schema: JSON.stringify(schema) });
    expect(await registry().versionOf("b-value", 3)).toBeUndefined();
    expect(calls).toEqual(["GET /schemas/ids/3/versions"]);
  });

  test("does not give a schema that is nobody's version any more, as where all of them were deleted", async () => {
    answer = (path) => ({ status: 200, body: path.endsWith("/versions") ? "[]" : JSON.stringify({ schema: "{}" }) });
    expect(await registry().versionOf("a-value", 3)).toBeUndefined();
    expect(calls).toEqual(["GET /schemas/ids/3/versions"]);
  });

  test("is asked again where it is ill for a moment, and not where it refuses", async () => {
    const well = answerWith({ schema: JSON.stringify(schema) });
    let ill = 2;
    answer = (path) => {
      ill -= 1;
      return ill >= 0 ? { status: 502, body: "<html>" } : well(path);
    };
    expect(await registry().versionOf("a-value", 3)).toMatchObject({ name: "A" });
    calls = [];
    answer = () => ({ status: 403, body: '{"error_code":40301}' });
    await expect(registry().versionOf("a-value", 4)).rejects.toThrow("403");
    expect(calls).toHaveLength(1);
  });

  test("that is hidden by a proxy's page is none that has none", async () => {
    answer = () => ({ status: 404, body: "<html>not here</html>" });
    await expect(registry().versionOf("a-value", 1)).rejects.toThrow("is no schema registry (404)");
    answer = () => ({ status: 404, body: '{"error_code":404}' });
    await expect(registry().versionOf("a-value", 1)).rejects.toThrow("404");
  });
});
