// The real registry: ids, schemas, and the compatibility that keeps old and new processes talking.
import { randomBytes } from "node:crypto";
import { Codec } from "../../../src/bus/avro/codec.ts";
import { connectRegistry, makeSchemaStore, type Registry } from "../../../src/bus/avro/schema-store.ts";
import { testStack } from "../../support/stack.ts";

const run = randomBytes(4).toString("hex");
const registry: Registry = connectRegistry({ url: testStack().registry });

type Field = { name: string; type: unknown; default?: unknown; doc?: string };
const name = { name: "name", type: "string" };

/** A record of this run: other runs' schemas are others. */
const record = (...fields: Field[]) => ({ type: "record", namespace: `test.r${run}`, name: "Greeting", fields });
const subjectOf = (what: string): string => `test.r${run}.${what}-value`;

async function compatibilityOf(subject: string): Promise<string | undefined> {
  const response = await fetch(`${testStack().registry}/config/${subject}`);
  return ((await response.json()) as { compatibilityLevel?: string }).compatibilityLevel;
}

test("what is registered has an id, by which it is found again; registered twice it has the same", async () => {
  const schema = record(name, { name: "times", type: "int", default: 1 });
  const id = await registry.register(subjectOf("twice"), schema, "BACKWARD");
  expect(await registry.register(subjectOf("twice"), schema, "BACKWARD")).toBe(id);
  expect(await registry.idOf(subjectOf("twice"), schema)).toBe(id);
  const anew = connectRegistry({ url: testStack().registry });
  expect(await anew.schemaOf(id)).toMatchObject({
    type: "record",
    name: `test.r${run}.Greeting`,
    fields: [
      { name: "name", type: "string" },
      { name: "times", type: "int", default: 1 },
    ],
  });
});

test("what is not registered has none: another schema, another subject, another id", async () => {
  await registry.register(subjectOf("known"), record(name), "BACKWARD");
  expect(await registry.idOf(subjectOf("known"), record(name))).toEqual(expect.any(Number)); // the control
  expect(await registry.idOf(subjectOf("known"), record({ ...name, name: "login" }))).toBeUndefined();
  expect(await registry.idOf(subjectOf("never"), record(name))).toBeUndefined();
  expect(await registry.schemaOf(2_000_000_000)).toBeUndefined();
  expect(await registry.versionOf(subjectOf("known"), 2_000_000_000)).toBeUndefined();
});

test("a schema is a version of the subjects it was registered in, and of no other", async () => {
  const shared = record(name, { name: "shared", type: "string" });
  const id = await registry.register(subjectOf("one"), shared, "BACKWARD");
  expect(await registry.register(subjectOf("two"), shared, "BACKWARD")).toBe(id);
  const known = async (what: string) => (await registry.versionOf(subjectOf(what), id)) !== undefined;
  expect([await known("one"), await known("two"), await known("three")]).toEqual([true, true, false]);
});

describe.each([
  {
    compatibility: "BACKWARD" as const,
    why: "a new reader reads what old writers wrote",
    taken: { before: [name], after: [name, { name: "times", type: "int", default: 1 }] },
    refused: { before: [name], after: [name, { name: "times", type: "int" }] },
  },
  {
    compatibility: "FORWARD" as const,
    why: "an old reader reads what new writers write",
    taken: { before: [name], after: [name, { name: "times", type: "int" }] },
    refused: { before: [name, { name: "times", type: "int" }], after: [name] },
  },
])("$compatibility: $why", ({ compatibility, taken, refused }) => {
  test("is set on a new subject", async () => {
    const subject = subjectOf(`${compatibility}-set`);
    await registry.register(subject, record(name), compatibility);
    expect(await compatibilityOf(subject)).toBe(compatibility);
  });

  test("takes a change that keeps it, as another id", async () => {
    const subject = subjectOf(`${compatibility}-taken`);
    const first = await registry.register(subject, record(...taken.before), compatibility);
    const second = await registry.register(subject, record(...taken.after), compatibility);
    expect(second).not.toBe(first);
    expect(await registry.idOf(subject, record(...taken.before))).toBe(first);
  });

  test("refuses a change that breaks it, and nothing is registered", async () => {
    const subject = subjectOf(`${compatibility}-refused`);
    await registry.register(subject, record(...refused.before), compatibility);
    await expect(registry.register(subject, record(...refused.after), compatibility)).rejects.toMatchObject({
      status: 409,
    });
    expect(await registry.idOf(subject, record(...refused.after))).toBeUndefined();
  });
});

test("what registering would find is told, and nothing is registered", async () => {
  const subject = subjectOf("judged");
  expect(await registry.judge(subject, record(name))).toMatchObject({ exists: false, faults: [] });
  await registry.register(subject, record(name), "BACKWARD");
  const more = record(name, { name: "more", type: "string" });
  const optional = record(name, { name: "more", type: "string", default: "" });
  expect(await registry.judge(subject, optional)).toEqual({ exists: true, compatibility: "BACKWARD", faults: [] });
  const judged = await registry.judge(subject, more);
  expect(judged).toMatchObject({ exists: true, compatibility: "BACKWARD" });
  expect(judged.faults.join()).toMatch(/default|incompatible/i);
  expect(await registry.idOf(subject, optional)).toBeUndefined();
});

test("a subject keeps the compatibility it has", async () => {
  await registry.register(subjectOf("kept"), record(name), "BACKWARD");
  await expect(registry.register(subjectOf("kept"), record(name), "FORWARD")).rejects.toThrow(/FORWARD != BACKWARD/);
});

test("two versions of a process understand each other through it, defaults and all", async () => {
  const subject = subjectOf("versions");
  const older = record(name);
  const newer = record(name, {
    name: "mood",
    type: { type: "enum", name: "Mood", symbols: ["CALM"] },
    default: "CALM",
  });
  for (const schema of [older, newer]) await registry.register(subject, schema, "BACKWARD");
  const codecOf = async (schema: object) => {
    const store = makeSchemaStore([connectRegistry({ url: testStack().registry })], () => performance.now());
    const codec = new Codec(store, { [subject]: schema });
    await codec.warm();
    return codec;
  };
  const [old, fresh] = [await codecOf(older), await codecOf(newer)];
  expect({ ...(await fresh.decode(subject, old.encode(subject, { name: "ada" }))) }).toEqual({
    name: "ada",
    mood: "CALM",
  });
  expect({ ...(await old.decode(subject, fresh.encode(subject, { name: "ada", mood: "CALM" }))) }).toEqual({
    name: "ada",
  });
});
