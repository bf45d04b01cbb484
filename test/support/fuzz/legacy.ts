// Records of the platform's JSON topics.
import type { FuzzRecord, Header } from "./draft.ts";
import type { Material } from "./material.ts";
import type { Random } from "./random.ts";
import { oddJson, oddText } from "./values.ts";

const mostBodyBytes = 65_536;
/**
 * What is nested by the thousand may be no JSON to its reader, or be; and what is longer than a body may be is none.
 */
const shallow = (json: string): string =>
  /[[{]{40}|(\{"a":){40}/.test(json) || Buffer.byteLength(json) > mostBodyBytes - 100 ? "0" : json;

/** JSON as the platform sends it, and as nobody should. */
export function legacyRecord(random: Random, { legacy }: Material): FuzzRecord {
  const { topic, partitions } = random.pick(legacy);
  const id = random.between(10 ** 12, 10 ** 13);
  const right = [
    `{"id":${id}}`,
    `{"id":${id},"more":${shallow(oddJson(random))}}`,
    `{"id":-1}`,
    `{"id":1.5}`,
    `{"id":1e300}`,
    ` {"id" : ${id} } `,
  ];
  const deep = 50_000;
  const wrong = [
    "",
    "null",
    "[]",
    "garbage",
    `{"id":"${id}"}`,
    `{"id":null}`,
    `{"id":[${id}]}`,
    `{"ID":${id}}`,
    `[{"id":${id}}]`,
    "{",
    "\0",
    "[".repeat(deep),
    `{"id":${id}}${" ".repeat(mostBodyBytes)}`,
    "\ufeff{}",
    `{"__proto__":{"id":${id}}}`,
  ];
  const isRight = random.chance(0.5);
  const body = random.chance(0.02) ? null : random.pick(isRight ? right : wrong);
  const headers: Header[] = [
    ["traceparent", oddText(random)],
    ["x", random.bytes(5)],
  ];
  return {
    topic,
    partition: random.below(partitions),
    key: random.pick([null, Buffer.from(String(id)), oddText(random)]),
    value: body === null ? null : Buffer.from(body),
    headers: random.chance(0.3) ? headers : [],
    what: `${topic}: ${body?.slice(0, 40)}`,
    replyId: "",
    replySecret: Buffer.alloc(0),
    expects: isRight && body !== null ? "nothing" : "letter",
  };
}
