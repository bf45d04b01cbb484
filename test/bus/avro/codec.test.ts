// Avro in the registry's wire format, against schemas of other versions and against bytes that are none.
import avsc from "avsc";
import { Codec, CodecFault } from "../../../src/bus/avro/codec.ts";
import type { SchemaSource } from "../../../src/bus/avro/schema-store.ts";

const subject = "auth.session.greet-value";
const named = { type: "record", namespace: "auth.session", name: "GreetRequest" } as const;
const schema = {
  ...named,
  fields: [
    { name: "login", type: "string" },
    { name: "times", type: "int", default: 1 },
  ],
} as const;
const older = { ...named, fields: [{ name: "login", type: "string" }] } as const;
const newer = {
  ...named,
  fields: [
    { name: "loud", type: "boolean" },
    ...schema.fields,
    { name: "mood", type: { type: "enum", name: "Mood", symbols: ["CALM", "WILD"] }, default: "CALM" },
  ],
} as const;
const foreign = { type: "record", namespace: "shop", name: "Order", fields: [{ name: "id", type: "long" }] } as const;
const badly = { ...named, fields: [{ name: "login", type: { type: "map", values: "int" } }] } as const;

const registered = new Map<number, object>([
  [1, schema],
  [2, older],
  [3, newer],
  [4, foreign],
  [5, badly],
  [6, { type: "string" }],
  [7, { ...older, doc: "long ".repeat(20_000) }],
  [0, schema],
  [-1, schema],
]);

function codecOver(source: Partial<SchemaSource> = {}) {
  const store: SchemaSource = {
    idOf: async () => 1,
    versionOf: async (_subject, id) => registered.get(id),
    ...source,
  };
  return new Codec(store, { [subject]: schema });
}

function wire(id: number, writer: object, value: unknown): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(id, 1);
  return Buffer.concat([header, avsc.Type.forSchema(writer as avsc.Schema).toBuffer(value)]);
}

async function kindOf(decoding: Promise<object>): Promise<string> {
  try {
    return `decoded ${JSON.stringify(await decoding)}`;
  } catch (error) {
    if (error instanceof CodecFault) return error.kind;
    throw error;
  }
}

const good = wire(1, schema, { login: "ada", times: 2 });

test("writes a zero byte, the id in four bytes, and the record", async () => {
  const codec = codecOver({ idOf: async () => 0x01020304 });
  await codec.warm();
  const bytes = codec.encode(subject, { login: "ada", times: 2 });
  expect([...bytes]).toEqual([0, 1, 2, 3, 4, 6, 0x61, 0x64, 0x61, 4]);
});

test("reads what it wrote", async () => {
  const codec = codecOver();
  await codec.warm();
  const value = { login: "ädä", times: -7 };
  expect({ ...(await codec.decode(subject, codec.encode(subject, value))) }).toEqual(value);
});

test("an older writer's record gets the default of what it lacks", async () => {
  const bytes = wire(2, older, { login: "ada" });
  expect({ ...(await codecOver().decode(subject, bytes)) }).toEqual({ login: "ada", times: 1 });
});

test("a newer writer's record loses what we do not know, wherever it stands", async () => {
  const bytes = wire(3, newer, { loud: true, login: "ada", times: 3, mood: "WILD" });
  expect({ ...(await codecOver().decode(subject, bytes)) }).toEqual({ login: "ada", times: 3 });
});

test.each<[string, Buffer | null, string]>([
  ["no value", null, "not-avro"],
  ["no byte", Buffer.alloc(0), "not-avro"],
  ["four bytes", Buffer.alloc(4), "not-avro"],
  ["JSON", Buffer.from('{"login":"ada"}'), "not-avro"],
  ["another magic byte", Buffer.concat([Buffer.of(1), good.subarray(1)]), "not-avro"],
  ["the header alone", good.subarray(0, 5), "malformed"],
  ["the last byte missing", good.subarray(0, -1), "malformed"],
  ["a byte too many", Buffer.concat([good, Buffer.of(0)]), "malformed"],
  [
    "a text longer than the record",
    Buffer.concat([good.subarray(0, 5), Buffer.of(0xfe, 0xff, 0xff, 0x7f)]),
    "malformed",
  ],
  ["a text of negative length", Buffer.concat([good.subarray(0, 5), Buffer.of(1, 2)]), "malformed"],
  ["a number that never ends", Buffer.concat([good.subarray(0, 5), Buffer.alloc(12, 0xff)]), "malformed"],
  ["id 0", wire(0, schema, { login: "ada", times: 2 }), "unknown-schema"],
  ["an id nobody has given", wire(99, schema, { login: "ada", times: 2 }), "unknown-schema"],
  ["an id above 2^31", wire(4_294_967_295, schema, { login: "ada", times: 2 }), "unknown-schema"],
  ["a foreign record", wire(4, foreign, { id: 7 }), "incompatible"],
  ["our name, another type", wire(5, badly, { login: { a: 1 } }), "incompatible"],
  ["our name, in a schema of 100 KB", wire(7, older, { login: "ada" }), "incompatible"],
  ["no record at all", wire(6, { type: "string" }, "ada"), "incompatible"],
])("%s", async (_what, bytes, kind) => {
  expect(await kindOf(codecOver().decode(subject, bytes))).toBe(kind);
});

test("what cannot be an id is not asked for; the highest that can is", async () => {
  const asked: number[] = [];
  const codec = codecOver({
    versionOf: async (_subject, id) => {
      asked.push(id);
      return undefined;
    },
  });
  for (const id of [0, 2_147_483_648, 4_294_967_295, 2_147_483_647])
    expect(await kindOf(codec.decode(subject, wire(id, older, { login: "ada" })))).toBe("unknown-schema");
  expect(asked).toEqual([2_147_483_647]);
});

test("a schema counts only where it is a version of the record's own subject", async () => {
  const asked: string[] = [];
  const codec = codecOver({
    versionOf: async (of, id) => {
      asked.push(`${of} ${id}`);
      return id === 2 ? older : undefined; // 3 is there as well, of another subject
    },
  });
  expect(await kindOf(codec.decode(subject, wire(2, older, { login: "ada" })))).toBe(
    'decoded {"login":"ada","times":1}',
  );
  const value = { loud: true, login: "ada", times: 1, mood: "WILD" };
  expect(await kindOf(codec.decode(subject, wire(3, newer, value)))).toBe("unknown-schema");
  expect(asked).toEqual([`${subject} 2`, `${subject} 3`]);
});

test("the codec's own schema needs nobody to be asked for it", async () => {
  const codec = codecOver({ versionOf: () => Promise.reject(new Error("away")) });
  await codec.warm();
  expect(await kindOf(codec.decode(subject, good))).toBe('decoded {"login":"ada","times":2}');
});

test("a registry that does not answer is not the sender's fault, and the next record is tried anew", async () => {
  let ask: SchemaSource["versionOf"] = () => Promise.reject(new Error("refused"));
  const codec = codecOver({ versionOf: (...asked) => ask(...asked) });
  expect(await kindOf(codec.decode(subject, good))).toBe("unreachable");
  ask = async (_subject, id) => registered.get(id);
  expect(await kindOf(codec.decode(subject, good))).toBe('decoded {"login":"ada","times":2}');
});

test("a writer's schema that does not fit is not asked for again either", async () => {
  const asked: number[] = [];
  const codec = codecOver({
    versionOf: async (_subject, id) => {
      asked.push(id);
      return registered.get(id);
    },
  });
  const bytes = wire(4, foreign, { id: 7 });
  expect(await Promise.all([1, 2].map(() => kindOf(codec.decode(subject, bytes))))).toEqual(
    Array(2).fill("incompatible"),
  );
  expect(await kindOf(codec.decode(subject, bytes))).toBe("incompatible");
  expect(asked).toEqual([4, 4]); // two at a time, and none later
});

test("a writer's schema that is read once is not asked for again", async () => {
  const asked: number[] = [];
  const codec = codecOver({
    versionOf: async (_subject, id) => {
      asked.push(id);
      return registered.get(id);
    },
  });
  for (let times = 0; times < 3; times += 1) await codec.decode(subject, good);
  await kindOf(codec.decode(subject, wire(99, schema, { login: "ada", times: 2 })));
  await kindOf(codec.decode(subject, wire(99, schema, { login: "ada", times: 2 })));
  expect(asked).toEqual([1, 99, 99]); // what is not there is the store's to remember
});

describe("warm", () => {
  test("fails with the way out where a schema is not registered, and asks only for what is missing the next time", async () => {
    const asked: string[] = [];
    const ids: Record<string, number> = { one: 1 };
    const store: SchemaSource = {
      idOf: async (name) => {
        asked.push(name);
        return ids[name];
      },
      versionOf: async () => undefined,
    };
    const codec = new Codec(store, { one: schema, two: older }, "the setup");
    await expect(codec.warm()).rejects.toThrow("The schema of two is not registered: run the setup first.");
    ids["two"] = 2;
    await codec.warm();
    expect(asked).toEqual(["one", "two", "two"]);
  });

  test("comes before encode", () => {
    expect(() => codecOver().encode(subject, { login: "ada", times: 1 })).toThrow("warm() comes first");
  });
});

test("what does not fit our own schema is not written", async () => {
  const codec = codecOver();
  await codec.warm();
  expect(() => codec.encode(subject, { login: 7, times: 1 })).toThrow();
});

describe("bytes that are no UTF-8 in a text", () => {
  const texts = {
    type: "record",
    name: "Texts",
    fields: [
      { name: "plain", type: "string" },
      { name: "maybe", type: ["null", { type: "string" }] },
      { name: "list", type: { type: "array", items: "string" } },
      { name: "inner", type: { type: "record", name: "Inner", fields: [{ name: "text", type: "string" }] } },
    ],
  } as const;
  const asBytes = JSON.parse(JSON.stringify(texts).replaceAll('"string"', '"bytes"')) as object;
  const codec = new Codec({ idOf: async () => 7, versionOf: async () => texts }, { texts });
  const decoded = (text: Buffer) =>
    codec.decode("texts", wire(7, asBytes, { plain: text, maybe: text, list: [text], inner: { text } }));

  test.each([
    ["a byte that begins nothing", Buffer.from([0x61, 0xff])],
    ["a character that ends too early", Buffer.from([0xf0, 0x9f, 0x98])],
    ["a surrogate", Buffer.from([0xed, 0xa0, 0x80])],
    ["an overlong NUL", Buffer.from([0xc0, 0x80])],
    ["one among 300 bytes", Buffer.from([...Buffer.from("x".repeat(300)), 0x80])],
  ])("are read as what no UTF-8 can hold, wherever a text stands: %s", async (_what, bytes) => {
    const { plain, maybe, list, inner } = (await decoded(bytes)) as Record<string, string> & { list: string[] } & {
      inner: Record<string, string>;
    };
    expect([plain, maybe, list[0], inner["text"]].map((text) => text!.isWellFormed())).toEqual(Array(4).fill(false));
  });

  test.each(["", "héllo", "\ufffd", "a\ufffd😀", "\ufeffx"])("are not seen where there are none: %j", async (text) => {
    expect(await decoded(Buffer.from(text))).toEqual({ plain: text, maybe: text, list: [text], inner: { text } });
  });
});
