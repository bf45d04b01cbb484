// Turns schemas/**/*.avsc into one TypeScript file: a type for each record as a handler or caller sees it (sealed
// fields are ordinary fields there), and the schema texts themselves, so that no file is read at run time. A request
// type has all fields; its Input form leaves out what has a default. Sealed fields are strings, or in a reply lists of
// strings (`sealedLists`).
// A reply names `auth.Refusal`, which is written once, in schemas/refusal.avsc: the schemas that are generated and
// registered have it in full, since a reader of the registry gets one schema and nothing beside it.

import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

/** What travels only inside `sealed`; the name is dotted where it is part of a record within. */
interface SealedField {
  name: string;
  doc: string;
}

export interface RecordSchema {
  type: "record";
  namespace: string;
  name: string;
  doc: string;
  sealedFields?: SealedField[];
  /** Which of them are lists. */
  sealedLists?: string[];
  fields: { name: string; type: unknown; doc: string; default?: unknown }[];
}

const notAreas = new Set(["event", "legacy", "mail"]);

/** @returns the text of src/protocol/generated/schemas.ts */
export function generateSchemas(folder: string): string {
  const types = new Map<string, string>();
  const commands = commandsIn(folder);
  const commandRows = commands.map((command) => describeCommand(command, types));
  const events = readdirSync(join(folder, "event"))
    .sort()
    .map((file) => readRecord(join(folder, "event", file)));
  const eventRows = events.map((event) => describeEvent(event, types));
  const mail = readRecord(join(folder, "mail", "mail.avsc"));
  return [
    "// Generated from schemas/ by `npm run generate`. Do not edit.",
    "",
    ...types.values(),
    "/** Every command by its topic: what a caller gives, what the handler sees, what the caller gets. */",
    "export interface Commands {",
    ...commandRows.map((row) => row.type),
    "}",
    "",
    "/** Every event by its name. */",
    "export interface Events {",
    ...eventRows.map((row) => row.type),
    "}",
    "",
    "export const commandSchemas = {",
    ...commandRows.map((row) => row.value),
    "} as const;",
    "",
    "export const eventSchemas = {",
    ...eventRows.map((row) => row.value),
    "} as const;",
    "",
    `export const mailSchema = ${JSON.stringify(mail)} as const;`,
    "",
  ].join("\n");
}

/** Every command: its topic and its two schemas. */
export function commandsIn(folder: string): { topic: string; request: RecordSchema; reply: RecordSchema }[] {
  return areas(folder).flatMap((area) => commandsOf(folder, area));
}

function areas(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !notAreas.has(entry.name))
    .map((entry) => entry.name)
    .sort();
}

function commandsOf(folder: string, area: string) {
  const refusal = readRecord(join(folder, "refusal.avsc"));
  return readdirSync(join(folder, area))
    .filter((file) => file.endsWith(".request.avsc"))
    .sort()
    .map((file) => {
      const command = basename(file, ".request.avsc");
      return {
        topic: `auth.${area}.${command}`,
        request: readRecord(join(folder, area, file)),
        reply: withRefusal(readRecord(join(folder, area, `${command}.reply.avsc`)), refusal),
      };
    });
}

/** @returns the reply with the refusal in full. @throws Error where it is not a union of a result and the refusal */
export function withRefusal(reply: RecordSchema, refusal: RecordSchema): RecordSchema {
  const [outcome, ...others] = reply.fields;
  const [result, second, ...more] = Array.isArray(outcome?.type) ? (outcome.type as unknown[]) : [];
  const named = `${refusal.namespace}.${refusal.name}`;
  if (others.length > 0 || more.length > 0 || second !== named)
    throw new Error(`${reply.namespace}.${reply.name} must have one field, a union of its result and "${named}"`);
  return { ...reply, fields: [{ ...outcome!, type: [result, refusal] }] };
}

function readRecord(path: string): RecordSchema {
  return JSON.parse(readFileSync(path, "utf8"));
}

function describeCommand(command: ReturnType<typeof commandsOf>[number], types: Map<string, string>) {
  const { topic, request, reply } = command;
  const result = (reply.fields[0]!.type as RecordSchema[])[0]!;
  const name = typeName(request);
  const resultName = typeName(result);
  define(types, request, name, "full");
  define(types, request, `${name}Input`, "input");
  define(types, result, resultName, "full");
  return {
    type: `  "${topic}": { input: ${name}Input; request: ${name}; result: ${resultName} };`,
    value: `  "${topic}": {\n    request: ${JSON.stringify(request)},\n    reply: ${JSON.stringify(reply)},\n  },`,
  };
}

function describeEvent(event: RecordSchema, types: Map<string, string>) {
  define(types, event, `${event.name}Event`, "full");
  return { type: `  ${event.name}: ${event.name}Event;`, value: `  ${event.name}: ${JSON.stringify(event)},` };
}

/** auth.session.LoginRequest -> SessionLoginRequest, auth.Client -> Client */
function typeName(record: RecordSchema): string {
  const area = record.namespace.split(".").slice(1);
  return [...area, record.name].map((word) => word[0]!.toUpperCase() + word.slice(1)).join("");
}

type Shape = "full" | "input";

function define(types: Map<string, string>, record: RecordSchema, name: string, shape: Shape): void {
  if (types.has(name)) return;
  const body = members(types, record, shape);
  types.set(name, `/** ${record.doc} */\nexport interface ${name} {\n${body.join("\n")}\n}\n`);
}

function members(types: Map<string, string>, record: RecordSchema, shape: Shape): string[] {
  const { sealedFields = [], sealedLists = [] } = record;
  const clear = record.fields
    .filter((field) => field.name !== "sealed")
    .map((field) => {
      const optional = shape === "input" && "default" in field ? "?" : "";
      const inner = within(sealedFields, field.name);
      return `  /** ${field.doc} */\n  ${field.name}${optional}: ${typeOf(types, field.type, inner, shape)};`;
    });
  const secret = sealedFields
    .filter(({ name }) => !name.includes("."))
    .map(({ name, doc }) => `  /** Sealed. ${doc} */\n  ${name}: string${sealedLists.includes(name) ? "[]" : ""};`);
  return [...clear, ...secret];
}

/** Of the sealed fields those of the record that stands in `field`. */
function within(sealedFields: SealedField[], field: string): SealedField[] {
  const prefix = `${field}.`;
  return sealedFields
    .filter(({ name }) => name.startsWith(prefix))
    .map((each) => ({ ...each, name: each.name.slice(prefix.length) }));
}

const primitives: Record<string, string> = {
  null: "null",
  boolean: "boolean",
  int: "number",
  long: "number",
  float: "number",
  double: "number",
  string: "string",
  bytes: "Buffer",
};

function typeOf(types: Map<string, string>, type: unknown, sealed: SealedField[], shape: Shape): string {
  if (Array.isArray(type)) return type.map((branch) => typeOf(types, branch, sealed, shape)).join(" | ");
  if (typeof type === "string") return primitives[type] ?? fail(`no type for ${type}: write the record out`);
  const schema = type as Omit<RecordSchema, "type"> & { items?: unknown; values?: unknown; type: string };
  if (schema.type === "array") return `${typeOf(types, schema.items, sealed, shape)}[]`;
  if (schema.type === "map") return `Record<string, ${typeOf(types, schema.values, [], shape)}>`;
  if (schema.type !== "record") return typeOf(types, schema.type, [], shape);
  const withSealed = { ...schema, type: "record" as const, sealedFields: sealed };
  const name = `${typeName(withSealed)}${shape === "input" ? "Input" : ""}`;
  define(types, withSealed, name, shape);
  return name;
}

function fail(message: string): never {
  throw new Error(message);
}
