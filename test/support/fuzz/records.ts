// The records of a run: requests as a caller may send them, right ones and wrong ones of every kind, and the platform's
// JSON. Each knows what has to become of it: one reply at its address, or one dead letter, or nothing where the address
// does not exist. What is wrong in a request is put in before it is sealed, and the seal is the fleet's own, so that it
// is met behind the seal too.
import { type At, draftOf, type FuzzRecord, finished, invalid, type RecordOptions, textFields } from "./draft.ts";
import { legacyRecord } from "./legacy.ts";
import type { Material } from "./material.ts";
import type { Random } from "./random.ts";
import { oddJson, oddText } from "./values.ts";
import { brokenAvro, brokenSeal, impostor, oddContent } from "./wrong-bytes.ts";
import { headerChange } from "./wrong-headers.ts";

/** How often each kind is made. More than half of all must pass Avro, and a tenth the seal. */
const weights = {
  plain: 4,
  header: 8,
  key: 4,
  schema: 6,
  avro: 14,
  clear: 5,
  inside: 16,
  spelling: 8,
  seal: 15,
  noSeal: 15,
  legacy: 5,
};

type Kind = keyof typeof weights;

export interface RecordMaker {
  next(index: number): FuzzRecord;
}

export function recordMaker(random: Random, material: Material, options: RecordOptions): RecordMaker {
  const kinds = (options.kinds ?? weights) as Record<Kind, number>;
  return {
    next(index) {
      const kind = random.weighted(kinds);
      return kind === "legacy" ? legacyRecord(random, material) : makers[kind](random, material, { index, options });
    },
  };
}

type Maker = (random: Random, material: Material, at: At) => FuzzRecord;

const makers: Record<Exclude<Kind, "legacy">, Maker> = {
  plain: (random, material, at) => {
    const draft = draftOf(random, material, at);
    return finished(random, material, draft, { what: "nothing" });
  },
  header: (random, material, at) => {
    const draft = draftOf(random, material, at);
    const change = headerChange(random, material, draft);
    return { ...finished(random, material, draft, { what: `header: ${change.what}` }), ...change };
  },
  key: (random, material, at) => {
    const draft = draftOf(random, material, at);
    const key = random.pick([
      null,
      Buffer.alloc(0),
      Buffer.alloc(1025, "k"),
      Buffer.alloc(200_000, "k"),
      oddText(random),
      random.bytes(20),
    ]);
    return { ...finished(random, material, draft, { what: "key" }), key };
  },
  schema: (random, material, at) => {
    const draft = draftOf(random, material, at);
    const made = finished(random, material, draft, { what: "schema" });
    if (random.chance(0.3)) return impostor(material, made);
    const id = random.pick([0, -1, 2 ** 31 - 1, random.between(1, 500), random.pick(material.foreignIds)]);
    const value = Buffer.from(made.value!);
    value.writeInt32BE(id, 1);
    return id === draft.shape.id
      ? made
      : { ...made, value, what: `schema id ${id}`, codes: [...invalid, "UNSUPPORTED_SCHEMA"] };
  },
  avro: (random, material, at) => brokenAvro(random, material, at),
  clear: (random, material, at) => {
    const draft = draftOf(random, material, at);
    const field = random.pick(textFields(draft.shape, (name) => !draft.shape.sealed.includes(name)));
    if (field === undefined) return finished(random, material, draft, { what: "nothing" });
    const text = oddText(random);
    return withText(finished(random, material, draft, { what: `clear ${field}`, clear: { [field]: text } }), text);
  },
  inside: (random, material, at) => {
    const draft = draftOf(random, material, at);
    const field = random.pick(textFields(draft.shape, () => true));
    if (field === undefined) return finished(random, material, draft, { what: "nothing" });
    const text = oddText(random);
    draft.fields[field] = text.toString("utf8");
    return withText(finished(random, material, draft, { what: `text ${field}` }), text);
  },
  spelling: (random, material, at) => {
    const draft = draftOf(random, material, at);
    const content = oddContent(random, draft);
    return finished(random, material, draft, { what: `inside the seal: ${content.slice(0, 60)}`, content });
  },
  seal: (random, material, at) => {
    const draft = draftOf(random, material, at);
    return finished(random, material, draft, { what: "seal", spoil: (sealed) => brokenSeal(random, sealed) });
  },
  noSeal: (random, material, at) => {
    const draft = draftOf(random, material, at);
    const sealed = random.pick(["", "garbage", "{}", "a.b.c.d.e", "ey".repeat(200), `{"a":${oddJson(random)}}`]);
    return finished(random, material, draft, { what: "no seal", spoil: () => Buffer.from(sealed) });
  },
};

/** No text of any command may hold a NUL: that is looked for before anything else. */
const withText = (made: FuzzRecord, text: Buffer): FuzzRecord =>
  text.includes(0) ? { ...made, what: `${made.what} with a NUL`, codes: invalid } : made;
