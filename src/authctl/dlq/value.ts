// The value of a dead letter, as far as it may be seen. Secrets never: a seal stays closed, a field `sealed` that holds
// no seal is withheld (AUTH_REQUIRE_SEALED=false accepts such), and of bytes that do not decode only the first five are
// shown, the header of the registry's wire format: a secret may follow in clear. Of a foreign JSON body, the values are
// shown that cannot be a token.
import { type Codec, CodecFault } from "../../bus/avro/codec.ts";
import type { Registry } from "../../bus/avro/schema-store.ts";
import { asError } from "../../lib/errors.ts";
import { schemasBySubject } from "../../processes/topic-specs.ts";
import { isoTime } from "./letters.ts";
import { sealIn, topicKind } from "./replayable.ts";
import { soundsSecret } from "./shown-bytes.ts";

export interface ShownValue {
  bytes: number;
  /** The fields, where the value decodes. */
  fields?: Record<string, unknown>;
  /** Its first bytes in hex, where it does not, and why not. */
  begins?: string;
  undecoded?: string;
}

const shownBytes = 5;
const longestHarmless = 20;

export interface Reading {
  codec: Codec;
  schemas: Pick<Registry, "schemaOf">;
}

export async function shownValue(
  topic: string,
  value: Buffer | null,
  reading: Reading | undefined,
): Promise<ShownValue> {
  if (value === null) return { bytes: 0, undecoded: "there is no value" };
  try {
    const fields = topicKind(topic) === "legacy" ? jsonFields(value) : await avroFields({ topic, value, reading });
    return { bytes: value.length, fields };
  } catch (error) {
    const begins = value.subarray(0, shownBytes).toString("hex");
    return { bytes: value.length, begins, undecoded: asError(error).message };
  }
}

function jsonFields(value: Buffer): Record<string, unknown> {
  let body: unknown;
  try {
    body = JSON.parse(value.toString("utf8"));
  } catch {
    throw new Error("the value is no JSON"); // the parser's own words repeat what stands there
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw new Error("the value is no JSON object");
  return Object.fromEntries(Object.entries(body).map(([name, each]) => [name.slice(0, 100), harmless(name, each)]));
}

function harmless(name: string, value: unknown): unknown {
  const plain = value === null || typeof value === "number" || typeof value === "boolean";
  if (plain && !soundsSecret.test(name)) return value;
  if (typeof value === "string" && value.length <= longestHarmless && !soundsSecret.test(name)) return value;
  return typeof value === "string" ? `(withheld: ${value.length} characters)` : "(withheld)";
}

interface AvroValue {
  topic: string;
  value: Buffer;
  reading: Reading | undefined;
}

/** @throws Error, CodecFault */
async function avroFields({ topic, value, reading }: AvroValue): Promise<Record<string, unknown>> {
  if (reading === undefined) throw new Error("no registry is named (AUTH_REGISTRY_URL)");
  const subject = topicKind(topic) === "request" ? `${topic}-value` : await subjectFromSchema(value, reading.schemas);
  const record = { ...(await reading.codec.decode(subject, value)) } as Record<string, unknown>;
  return typeof record["sealed"] === "string" ? { ...record, sealed: sealText(record["sealed"]) } : record;
}

/** Subjects of events and mails are the full names of their records. */
async function subjectFromSchema(value: Buffer, schemas: Reading["schemas"]): Promise<string> {
  if (value.length < shownBytes || value[0] !== 0) {
    throw new CodecFault("not-avro", "the value is not in the registry's wire format");
  }
  const schema = (await schemas.schemaOf(value.readInt32BE(1))) as { namespace?: string; name?: string } | undefined;
  const [namespace, name] = schema?.namespace
    ? [schema.namespace, schema.name]
    : (schema?.name ?? "").split(/\.(?=[^.]*$)/);
  const subject = `${namespace}.${name}`;
  if (!Object.hasOwn(schemasBySubject(), subject)) {
    throw new CodecFault("unknown-schema", `schema ${value.readInt32BE(1)} is none of ours`);
  }
  return subject;
}

function sealText(sealed: string): string {
  const seal = sealIn(Buffer.from(sealed));
  if (seal === undefined) return `(withheld: ${sealed.length} characters, not a seal)`;
  const until = typeof seal["exp"] === "number" ? `, until ${isoTime(seal["exp"] * 1000)}` : "";
  return `(sealed: ${sealed.length} characters, for the key ${String(seal["kid"]).slice(0, 100)}${until})`;
}
