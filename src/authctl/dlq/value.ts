// What a dead letter holds, as far as it may be seen. Secrets never: a seal stays closed, what stands in the field `sealed` without one is
// withheld (AUTH_REQUIRE_SEALED=false lets it be bare), and of bytes that do not decode only the first five are shown, the registry's wire
// format header: a secret may follow in clear. Of a foreign JSON body the values are shown that can be no token; of headers those that do not sound like one.
import { type Codec, CodecFault } from "../../bus/avro/codec.ts";
import type { Registry } from "../../bus/avro/schema-store.ts";
import type { InRecord } from "../../kafka/records.ts";
import { asError } from "../../lib/errors.ts";
import { schemasBySubject } from "../../processes/topic-specs.ts";
import { isoTime, textOf } from "./letters.ts";
import { kindOf, sealIn } from "./replayable.ts";

export interface ShownValue {
  bytes: number;
  /** The fields, where the value decodes. */
  fields?: Record<string, unknown>;
  /** Its first bytes in hex, where it does not, and why not. */
  begins?: string;
  undecoded?: string;
}

export type ShownBytes = { text: string } | { hex: string; bytes: number } | { withheld: true; bytes: number };

const shownBytes = 5;
const longestShown = 1000;
const longestHarmless = 20;
const soundsSecret = /authorization|cookie|passw|secret|token|credential|api-?key/i;
const looksLikeToken = /eyJ[\w-]{8,}\.[\w-]+/;

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
    const fields = kindOf(topic) === "legacy" ? jsonFields(value) : await avroFields({ topic, value, reading });
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
  const subject = kindOf(topic) === "request" ? `${topic}-value` : await subjectOf(value, reading.schemas);
  const record = { ...(await reading.codec.decode(subject, value)) } as Record<string, unknown>;
  return typeof record["sealed"] === "string" ? { ...record, sealed: sealText(record["sealed"]) } : record;
}

/** Events and mails stand under the full name of their record. */
async function subjectOf(value: Buffer, schemas: Reading["schemas"]): Promise<string> {
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

export function shownHeaders({ headers }: InRecord): Record<string, ShownBytes | ShownBytes[]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      const each = [value ?? []].flat().map((bytes) => shownHeader(name, bytes));
      return [name, each.length === 1 ? each[0]! : each];
    }),
  );
}

function shownHeader(name: string, bytes: Buffer): ShownBytes {
  const secret = soundsSecret.test(name) || looksLikeToken.test(bytes.toString("latin1", 0, 4 * longestShown));
  return secret ? { withheld: true, bytes: bytes.length } : shownBinary(bytes);
}

/** As text where it is text that can be shown, else in hex; a long one is cut. */
export function shownBinary(bytes: Buffer): ShownBytes {
  const text = textOf(bytes);
  if (text !== undefined && text.length <= longestShown) return { text };
  if (text !== undefined) return { text: `${text.slice(0, longestShown)}... (${bytes.length} bytes)` };
  return { hex: bytes.subarray(0, longestShown / 2).toString("hex"), bytes: bytes.length };
}

export function bytesText(shown: ShownBytes): string {
  if ("text" in shown) return shown.text;
  if ("hex" in shown) return `0x${shown.hex}${shown.hex.length < 2 * shown.bytes ? `... (${shown.bytes} bytes)` : ""}`;
  return `(withheld: ${shown.bytes} bytes)`;
}

/** JSON whatever Avro gave: longs beyond what a number holds, and bytes. */
export function jsonText(fields: object): string {
  return JSON.stringify(fields, (_, each: unknown) => (typeof each === "bigint" ? String(each) : each));
}
