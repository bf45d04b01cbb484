// Schemas as others rely on them: every version that was ever released is in schemas/released.json and stays readable.
// The registry itself is the judge: it gets all released versions in order, then what is in the tree, with the
// compatibility of the subject.
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import pg from "pg";
import { connectRegistry, type Registry } from "../../src/bus/avro/schema-store.ts";
import { type SubjectSpec, subjects } from "../../src/processes/topic-specs.ts";
import { commandSchemas } from "../../src/protocol/generated/schemas.ts";
import { readReleased } from "../../tools/release/released.ts";
import { type RecordSchema, withRefusal } from "../../tools/schemas.ts";
import { sharedFleet } from "../support/fleet-addresses.ts";
import { testStack } from "../support/stack.ts";

const released = readReleased(join(import.meta.dirname, "..", "..")).schemas;

let registry: Registry;
beforeAll(() => {
  registry = connectRegistry({ url: testStack().registry });
});

const configOf = async (subject: string): Promise<string> => {
  const answer = await fetch(`${testStack().registry}/config/${subject}`);
  return ((await answer.json()) as { compatibilityLevel: string }).compatibilityLevel;
};

describe("in the registry", () => {
  test("requests are BACKWARD compatible, replies and events FORWARD", async () => {
    const found = await Promise.all(subjects().map(async ({ subject }) => [subject, await configOf(subject)]));
    expect(found).toEqual(subjects().map(({ subject, compatibility }) => [subject, compatibility]));
  });

  test.each(subjects())("$subject is compatible with every released version", async (spec) => {
    const trial = { ...spec, subject: `trial-${randomBytes(6).toString("hex")}-${spec.subject}` };
    for (const schema of [...(released[spec.subject] ?? []), spec.schema])
      await registry.register(trial.subject, schema, trial.compatibility);
    expect(await configOf(trial.subject)).toBe(spec.compatibility);
  });

  test.each([
    [
      "a request with a new field without a default",
      changed("auth.session.logout-value", { name: "why", type: "string", doc: "Why." }),
    ],
    ["a reply that loses a field", without("auth.session.InspectReply", "login")],
  ])("%s is refused", async (_what, { before, after }) => {
    const subject = `trial-${randomBytes(6).toString("hex")}`;
    await registry.register(subject, before.schema, before.compatibility);
    await expect(registry.register(subject, after, before.compatibility)).rejects.toThrow(/incompatible|compatib/i);
  });
});

interface Loose {
  fields: { name: string; type: unknown; doc?: string }[];
}

function find(subject: string): SubjectSpec {
  return subjects().find((spec) => spec.subject === subject)!;
}

function changed(subject: string, field: Loose["fields"][number]): { before: SubjectSpec; after: object } {
  const before = find(subject);
  const after = structuredClone(before.schema) as Loose;
  after.fields.push(field);
  return { before, after };
}

function without(subject: string, field: string): { before: SubjectSpec; after: object } {
  const before = find(subject);
  const after = structuredClone(before.schema) as Loose;
  const result = (after.fields[0]!.type as Loose[])[0]!;
  result.fields = result.fields.filter((each) => each.name !== field);
  return { before, after };
}

describe("auth.Refusal", () => {
  const folder = join(import.meta.dirname, "..", "..", "schemas");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".avsc"));
  const textOf = (file: string): string => JSON.stringify(JSON.parse(readFileSync(join(folder, file), "utf8")));
  const refusal = textOf("refusal.avsc");
  const writtenOut = (texts: readonly string[]): number => texts.filter((text) => /"name":"Refusal"/.test(text)).length;

  test("is written in one file, and named by every reply", () => {
    expect(writtenOut(files.map(textOf))).toBe(1);
    expect(writtenOut([refusal, refusal])).toBe(2); // the control
    const replies = files.filter((file) => file.endsWith(".reply.avsc"));
    expect(replies.filter((file) => !textOf(file).includes(',"auth.Refusal"]'))).toEqual([]);
    expect(replies).toHaveLength(Object.keys(commandSchemas).length);
  });

  test("is in full, and nothing else is changed, in the replies that are generated and registered", () => {
    for (const [topic, { reply }] of Object.entries(commandSchemas)) {
      const file = `${topic.split(".").slice(1).join("/")}.reply.avsc`;
      const expanded = textOf(file).replace('"auth.Refusal"', refusal);
      expect(JSON.stringify(reply)).toBe(expanded);
      expect(JSON.stringify(find(`${reply.namespace}.${reply.name}`).schema)).toBe(expanded);
    }
  });

  test("must be in a reply: the generator says which one lacks it", () => {
    const parsed = JSON.parse(refusal) as RecordSchema;
    const reply = JSON.parse(textOf("session/logout.reply.avsc")) as RecordSchema;
    expect(withRefusal(reply, parsed).fields[0]!.type).toContainEqual(parsed);
    const [outcome] = reply.fields;
    const without = { ...reply, fields: [{ ...outcome!, type: [(outcome!.type as unknown[])[0]] }] };
    expect(() => withRefusal(without, parsed)).toThrow(
      'auth.session.LogoutReply must have one field, a union of its result and "auth.Refusal"',
    );
  });
});

describe("schemas/released.json", () => {
  // Written at a release, by `npm run release-schemas`. test/release/released.test.ts has the numbers of proto/.
  test("names no subject that is gone: its readers would be left alone", () => {
    const known = new Set(subjects().map(({ subject }) => subject));
    const gone = (names: string[]): string[] => names.filter((name) => !known.has(name));
    expect(gone(Object.keys(released))).toEqual([]);
    expect(gone(["auth.no.such-value"])).toEqual(["auth.no.such-value"]);
  });
});

/** By path, each field of a record, of records within it too, with its default. */
function defaultsIn(type: unknown, path = ""): Map<string, unknown> {
  if (Array.isArray(type)) return new Map(type.flatMap((branch) => [...defaultsIn(branch, path)]));
  if (typeof type !== "object" || type === null) return new Map();
  const { fields = [], items } = type as {
    fields?: { name: string; type: unknown; default?: unknown }[];
    items?: unknown;
  };
  const inItems = items === undefined ? [] : [...defaultsIn(items, path)];
  return new Map([
    ...inItems,
    ...fields.flatMap((field): [string, unknown][] => {
      const name = `${path}.${field.name}`;
      return [[name, field.default], ...defaultsIn(field.type, name)];
    }),
  ]);
}

/** Fields that the later of two versions adds with another default than null. */
function addedWithDefault([before, after]: readonly [object, object]): string[] {
  const known = defaultsIn(before);
  return [...defaultsIn(after)].filter(([path, value]) => !known.has(path) && value !== null).map(([path]) => path);
}

describe("a field that a request gets after its release", () => {
  const requests = subjects().filter(
    ({ subject }) => subject.endsWith("-value") && subject.slice(0, -6) in commandSchemas,
  );

  test("has the default null: a repeated request must keep the fingerprint that its answer is stored under", () => {
    expect(requests).toHaveLength(Object.keys(commandSchemas).length);
    const added = requests.flatMap(({ subject, schema }) => {
      const versions = [...(released[subject] ?? []), schema];
      const pairs = versions.slice(1).map((after, index) => [versions[index]!, after] as const);
      return pairs.flatMap(addedWithDefault).map((path) => `${subject}${path}`);
    });
    expect(added).toEqual([]);
  });

  test("is seen where it has another one (the control)", () => {
    const record = (...fields: object[]) => ({ type: "record", name: "R", fields });
    const [flag, note] = [
      { name: "flag", default: false },
      { name: "note", default: null },
    ];
    const client = (...fields: object[]) => ({ name: "client", type: ["null", record(...fields)] });
    expect(addedWithDefault([record(client()), record(client(flag, note), note)])).toEqual([".client.flag"]);
    expect(addedWithDefault([record(flag), record(flag, note)])).toEqual([]);
  });
});

describe("the table schemas", () => {
  let client: pg.Client;
  beforeAll(async () => {
    client = new pg.Client({ connectionString: sharedFleet().env["AUTH_DATABASE_URL"] });
    await client.connect();
  });
  afterAll(() => client.end());

  test("holds what the registry holds, under the same ids", async () => {
    const { rows } = await client.query<{ id: number; subject: string }>(
      'SELECT id, subject FROM schemas ORDER BY subject COLLATE "C"',
    );
    const ids = await Promise.all(
      subjects().map(async ({ subject, schema }) => ({ id: await registry.idOf(subject, schema), subject })),
    );
    expect(rows).toEqual(ids.sort((a, b) => (a.subject < b.subject ? -1 : 1)));
  });
});
