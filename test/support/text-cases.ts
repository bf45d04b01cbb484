// Every text field of every command with texts that it must not hold, and requests whose texts are good; derived from
// the schemas.
import avsc from "avsc";
import { type GatedSchema, type TextField, textFieldsOf } from "../../src/bus/avro/text-gate.ts";
import { commandSchemas } from "../../src/protocol/generated/schemas.ts";

export type Fields = Record<string, unknown>;

export interface RequestSchema extends GatedSchema {
  fields: { name: string; type: unknown; default?: unknown }[];
}

export const schemas = Object.entries(commandSchemas).map(
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
export function put(record: Fields, path: string, value: unknown): void {
  const names = path.split(".");
  const last = names.pop()!;
  const holder = names.reduce((inner, name) => inner[name] as Fields, record);
  if (Array.isArray(holder[last])) holder[last][0] = value;
  else holder[last] = value;
}

export interface Case {
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
export function goodRequest(schema: RequestSchema, text = "x"): Fields {
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

export const cases = schemas.flatMap(([topic, schema]) => casesOf(topic, schema));

/** The record as a requester without our library writes it: the bare form, texts as bytes. */
export function recordOf({ topic, path, request, bytes }: Case): Buffer {
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
