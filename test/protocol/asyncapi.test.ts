// docs/asyncapi.yaml: a document by AsyncAPI's own schema, complete, and with references that lead somewhere. Whether
// it is up to date is guarded with all that is generated (test/architecture.test.ts).
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { Ajv } from "ajv";
import avsc from "avsc";
import { parse } from "yaml";
import { readConfig } from "../../src/config/read.ts";
import { topics } from "../../src/processes/topic-specs.ts";
import { commandSchemas, eventSchemas } from "../../src/protocol/generated/schemas.ts";

const docs = join(import.meta.dirname, "..", "..", "docs");
const document = parse(readFileSync(join(docs, "asyncapi.yaml"), "utf8")) as Document;
const spec = createRequire(import.meta.url)("@asyncapi/specs/schemas/3.0.0-without-$id.json") as object;

interface Document {
  channels: Record<string, { address: string; messages: Record<string, Ref> }>;
  operations: Record<
    string,
    { action: string; messages: Ref[]; reply?: { address: object; channel: Ref; messages: Ref[] } }
  >;
  components: { messages: Record<string, { correlationId?: object; payload?: { schema?: unknown } }> };
}
interface Ref {
  $ref: string;
}

/** What AsyncAPI's schema has against it. */
function faultsOf(candidate: object): string[] {
  const validate = new Ajv({ strict: false, logger: false, validateFormats: false }).compile(spec);
  return validate(candidate) ? [] : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
}

function refs(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  const own = (value as Partial<Ref>).$ref;
  return [...(typeof own === "string" ? [own] : []), ...Object.values(value).flatMap(refs)];
}

const inside = (ref: string): unknown =>
  ref
    .slice(2)
    .split("/")
    .reduce<unknown>((part, name) => (part as Record<string, unknown> | undefined)?.[name], document);

test("is a document by AsyncAPI 3.0", () => {
  expect(faultsOf(document)).toEqual([]);
  expect(faultsOf({ ...document, channels: { "auth.x": { adress: "auth.x" } } })).not.toEqual([]); // the control
});

test("has a channel for every topic, and replies in one for all services", () => {
  const all = topics(readConfig({}, "ctl")).map(({ topic }) => topic);
  const addresses = Object.values(document.channels).map(({ address }) => address);
  expect(addresses.sort()).toEqual(
    [...all.filter((topic) => !topic.startsWith("auth.reply.")), "auth.reply.{service}"].sort(),
  );
  for (const { messages } of Object.values(document.channels)) expect(Object.keys(messages).length).toBeGreaterThan(0);
});

test("has an operation for every command, whose reply goes where the request says, and knows it again", () => {
  for (const topic of Object.keys(commandSchemas)) {
    const { action, messages, reply } = document.operations[topic]!;
    expect([action, reply?.address]).toEqual(["receive", { location: "$message.header#/kafka_replyTopic" }]);
    for (const { $ref } of [...messages, ...reply!.messages]) {
      const { $ref: message } = inside($ref) as Ref;
      expect(inside(message)).toMatchObject({ correlationId: { location: "$message.header#/kafka_correlationId" } });
    }
  }
});

test("has every reply as the registry has it", () => {
  for (const [topic, { reply }] of Object.entries(commandSchemas)) {
    const { schema } = document.components.messages[`${topic}.reply`]!.payload!;
    expect(JSON.stringify(schema)).toBe(JSON.stringify(reply));
  }
});

describe("its references", () => {
  test("within it lead somewhere", () => {
    const own = refs(document).filter((ref) => ref.startsWith("#/"));
    expect(own.length).toBeGreaterThan(100);
    expect(own.filter((ref) => inside(ref) === undefined)).toEqual([]);
    expect(inside("#/components/messages/nothing")).toBeUndefined(); // the control
  });

  test("to schemas/ lead to every schema of a request and an event, and to nothing that does not parse", () => {
    const files = [...new Set(refs(document).filter((ref) => !ref.startsWith("#/")))];
    const avro = files.filter((file) => file.endsWith(".avsc"));
    const names = avro.map((file) => avsc.Type.forSchema(JSON.parse(readFileSync(join(docs, file), "utf8"))).name);
    const requests = Object.values(commandSchemas).map(({ request }) => request);
    const wanted = [...requests, ...Object.values(eventSchemas)].map(({ namespace, name }) => `${namespace}.${name}`);
    expect(names.sort()).toEqual([...wanted, "auth.Mail"].sort());
    for (const file of files.filter((each) => each.endsWith(".json")))
      expect(JSON.parse(readFileSync(join(docs, file), "utf8"))).toMatchObject({ type: "object" });
  });
});
