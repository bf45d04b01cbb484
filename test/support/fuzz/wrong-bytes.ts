// What may be wrong in the bytes of a request: its Avro, its schema, its seal, and the JSON inside.
import { withParts } from "../seals.ts";
import { type At, type Draft, draftOf, type FuzzRecord, finished, invalid, jsonOf, varint } from "./draft.ts";
import type { Material } from "./material.ts";
import type { Random } from "./random.ts";
import { oddJson } from "./values.ts";

/** One field with a value of another type, the object in another spelling, or no object at all. */
export function oddContent(random: Random, draft: Draft): string {
  const json = JSON.stringify(jsonOf(draft));
  const name = random.pick([...Object.keys(draft.fields), "$reply"]);
  switch (random.below(8)) {
    case 0:
      return `${json.slice(0, -1)},${JSON.stringify(random.pick([name, "more", "__proto__", ""]))}:${oddJson(random)}}`;
    case 1:
      return random.pick(["", "null", "[]", '"a"', "1", "{", "garbage", `\ufeff${json}`, `${json}x`, ` ${json}\n`]);
    case 2:
      return oddJson(random);
    default: {
      const others = Object.entries(jsonOf(draft)).filter(([each]) => each !== name);
      const members = others.map(([each, value]) => `${JSON.stringify(each)}:${JSON.stringify(value)}`);
      return `{${[...members, `${JSON.stringify(name)}:${oddJson(random)}`].join()}}`;
    }
  }
}

export function brokenSeal(random: Random, sealed: string): Buffer {
  const flip = (part: string): string => {
    const bytes = Buffer.from(part, "base64url");
    if (bytes.length === 0) return "AA";
    bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
    return bytes.toString("base64url");
  };
  const changes: ((parts: string[]) => string[])[] = [
    (parts) => parts.map((part, at) => (at === random.below(5) ? flip(part) : part)),
    (parts) => parts.slice(0, random.between(1, 4)),
    (parts) => [...parts, "AA"],
    (parts) => parts.map((part) => `${part}=`),
    (parts) => [Buffer.from('{"alg":"none"}').toString("base64url"), ...parts.slice(1)],
    (parts) => [
      Buffer.from(`{"alg":"ECDH-ES+A256KW","enc":"A256GCM","epk":${oddJson(random)}}`).toString("base64url"),
      ...parts.slice(1),
    ],
    (parts) => [parts[0]!, "", parts[2]!, "", parts[4]!],
    ([head, ...parts]) => [head!.slice(0, -3), ...parts],
  ];
  return Buffer.from(withParts(sealed, random.pick(changes)));
}

/** A schema that somebody registered under a request's name, and a list in it that never ends. */
export function impostor({ impostor: { topic, id, value } }: Material, made: FuzzRecord): FuzzRecord {
  const header = Buffer.alloc(5);
  header.writeInt32BE(id, 1);
  return {
    ...made,
    topic,
    partition: 0,
    key: null,
    value: Buffer.concat([header, value]),
    what: "impostor's schema",
    codes: ["UNSUPPORTED_SCHEMA"],
  };
}

const listTopics = ["auth.admin.set-roles", "auth.admin.change-role"];

export function brokenAvro(random: Random, material: Material, at: At): FuzzRecord {
  const draft = draftOf(random, material, at);
  const made = finished(random, material, draft, { what: "avro" });
  const body = made.value!.subarray(5);
  const withBody = (what: string, bytes: Buffer, codes?: readonly string[]): FuzzRecord => ({
    ...made,
    value: Buffer.concat([made.value!.subarray(0, 5), bytes]),
    what: `avro: ${what}`,
    ...(codes && { codes }),
  });
  switch (random.below(7)) {
    case 0:
      return {
        ...made,
        ...random.pick([{ value: null }, { value: Buffer.alloc(0) }, { value: Buffer.from("garbage") }]),
        what: "no avro",
        codes: invalid,
      };
    case 1:
      return body.length === 0 ? made : withBody("cut off", body.subarray(0, random.below(body.length)), invalid);
    case 2:
      return withBody("bytes behind it", Buffer.concat([body, random.bytes(random.between(1, 20))]), invalid);
    case 3: {
      const changed = Buffer.from(body);
      for (let left = random.between(1, 4); left > 0 && changed.length > 0; left -= 1)
        changed[random.below(changed.length)] = random.below(256);
      return withBody("bytes changed", changed);
    }
    case 4:
      return withBody("random bytes", random.bytes(random.between(0, 200)));
    case 5:
      return withBody(
        "a text that is longer than the value",
        Buffer.concat([varint(random.pick([2 ** 31, 2 ** 40, 100_000])), random.bytes(3)]),
      );
    default:
      return endlessList(random, material, at);
  }
}

/** Own schemas have lists of texts: one that claims more items than there are bytes. */
function endlessList(random: Random, material: Material, { options, ...at }: At): FuzzRecord {
  const topic = random.pick(listTopics);
  const shape = material.requests.find((each) => each.topic === topic)!;
  const draft = { ...draftOf(random, material, { options, ...at }), shape, fields: {} };
  const count = random.pick([1000, 1_000_000, options.mostClaimed]);
  const before = topic === "auth.admin.change-role" ? Buffer.from([0, 0]) : Buffer.alloc(0); // role, create
  const header = Buffer.alloc(5);
  header.writeInt32BE(shape.id, 1);
  const block = random.chance(0.5)
    ? longBytes(count)
    : Buffer.concat([longBytes(-count), longBytes(random.pick([3, -3, 0]))]);
  const value = Buffer.concat([header, before, block, Buffer.from([2, 0x61, 0])]);
  const correlationId = draft.headers.find(([name]) => name === "kafka_correlationId")![1]!;
  return {
    topic,
    partition: random.below(shape.partitions),
    key: null,
    value,
    headers: draft.headers,
    what: `avro: a list of ${count}`,
    replyId: correlationId.toString("hex"),
    expects: "reply",
    codes: invalid,
    replySecret: draft.replySecret,
  };
}

function longBytes(value: number): Buffer {
  const bytes: number[] = [];
  let left = value >= 0 ? 2n * BigInt(value) : -2n * BigInt(value) - 1n;
  for (; left >= 0x80n; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(left)]);
}
