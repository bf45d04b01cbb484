// Avro in the registry's wire format: a zero byte, the schema's 4-byte id, the record (Confluent wire format). Bytes
// are written and read by avsc with our own schema on our side and the writer's on the other, where that is a version
// of the same subject. Before avsc reads them they are walked through once (walk.ts): it believes counts and lengths.
import { isUtf8 } from "node:buffer";
import avsc from "avsc";
import type { SchemaSource } from "./schema-store.ts";
import { type AvroType, type AvroWalk, makeAvroWalk } from "./walk.ts";

/** What is wrong with bytes that came in. "unreachable" is not the sender's fault: ask again. */
export type CodecFaultKind = "not-avro" | "unknown-schema" | "incompatible" | "malformed" | "unreachable";

export class CodecFault extends Error {
  override readonly name = "CodecFault";
  readonly kind: CodecFaultKind;

  constructor(kind: CodecFaultKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

export interface Codec {
  /** Whether the ids of all schemas are known. */
  readonly isWarm: boolean;
  /** Looks up the ids of all schemas. @throws Error where one is not registered */
  warm(): Promise<void>;
  /** @param subject one of the codec's own; its id must be warm */
  encode(subject: string, value: object): Buffer;
  /** Reads the bytes as the subject's record. @throws CodecFault */
  decode(subject: string, bytes: Buffer | null): Promise<object>;
}

const magic = 0;
const headerBytes = 5;
const usualBytes = 2048;
/** To make a reader of 64 KiB of schema takes 15 ms; the longest of ours has 3. */
const maxSchemaLength = 64 * 1024;

/** @param setupCommand what registers schemas, for the error where one is missing */
export function makeCodec(store: SchemaSource, schemas: Record<string, object>, setupCommand?: string): Codec {
  const hint = setupCommand === undefined ? "" : `: run ${setupCommand} first`;
  const types = new Map(
    Object.entries(schemas).map(([subject, schema]) => [
      subject,
      avsc.Type.forSchema(schema as avsc.Schema, { typeHook }),
    ]),
  );
  const ids = new Map<string, number>();
  let scratch = Buffer.alloc(usualBytes);
  const writers = new Map<string, Writer | CodecFault>();

  const writerFor = async (subject: string, type: avsc.Type, id: number): Promise<Writer> => {
    const key = `${subject}#${id}`;
    const known = writers.get(key);
    if (known instanceof CodecFault) throw known;
    if (known !== undefined) return known;
    const schema = ids.get(subject) === id ? schemas[subject]! : await writerSchema(store, subject, id);
    try {
      if (JSON.stringify(schema).length > maxSchemaLength) throw new Error(`it is longer than ${maxSchemaLength}`);
      const written = avsc.Type.forSchema(schema as avsc.Schema);
      const writer = { resolver: type.createResolver(written), walk: makeAvroWalk(written as unknown as AvroType) };
      writers.set(key, writer);
      return writer;
    } catch (error) {
      // Remembered: to find it out again for each record costs milliseconds.
      const fault = new CodecFault(
        "incompatible",
        `schema ${id} is not one of ${subject}: ${(error as Error).message}`,
      );
      writers.set(key, fault);
      throw fault;
    }
  };

  return {
    get isWarm() {
      return ids.size === types.size;
    },
    async warm() {
      if (ids.size === types.size) return;
      const missing = [...types.keys()].filter((subject) => !ids.has(subject));
      await Promise.all(
        missing.map(async (subject) => {
          const id = await store.idOf(subject, schemas[subject]!);
          if (id === undefined) throw new Error(`The schema of ${subject} is not registered${hint}.`);
          ids.set(subject, id);
        }),
      );
    },
    encode(subject, value) {
      const id = ids.get(subject);
      if (id === undefined) throw new Error(`no schema id for ${subject}: warm() comes first`);
      const type = types.get(subject)!;
      let end = type.encode(value, scratch, headerBytes);
      if (end < 0) {
        scratch = Buffer.alloc(scratch.length - end); // it says what is missing; larger values are rare, so this size stays
        end = type.encode(value, scratch, headerBytes);
      }
      scratch.writeUInt8(magic, 0);
      scratch.writeInt32BE(id, 1);
      return Buffer.from(scratch.subarray(0, end));
    },
    async decode(subject, bytes) {
      if (bytes === null || bytes.length < headerBytes || bytes[0] !== magic) {
        throw new CodecFault("not-avro", "the value is not in the registry's wire format");
      }
      const type = types.get(subject)!;
      const id = bytes.readInt32BE(1);
      if (id < 1) throw new CodecFault("unknown-schema", `there is no schema ${id} of ${subject}`); // no registry gives such an id
      const { walk, resolver } = await writerFor(subject, type, id);
      const value = bytes.subarray(headerBytes);
      try {
        walk(value);
        return type.fromBuffer(value, resolver) as object;
      } catch (error) {
        throw new CodecFault("malformed", `the value does not decode: ${(error as Error).message}`);
      }
    },
  };
}

/** As much as is used of what avsc reads from. */
interface Tap {
  buf: Buffer;
  pos: number;
  readString(): string | undefined;
}

/**
 * avsc reads bytes that are no UTF-8 as replacement characters, so that another text arrives than was sent. Here half
 * of a surrogate pair stands for each, which no UTF-8 holds: the text gate refuses the field, and says which.
 */
class Utf8Type extends avsc.types.StringType {
  _read(tap: Tap): string | undefined {
    let start = tap.pos;
    const text = tap.readString();
    if (text === undefined || !text.includes("\ufffd")) return text;
    while (tap.buf[start]! >= 0x80) start += 1; // the text's length comes first, in seven bits a byte
    return isUtf8(tap.buf.subarray(start + 1, tap.pos)) ? text : text.replaceAll("\ufffd", "\udfff");
  }
}

function typeHook(schema: unknown): avsc.Type | undefined {
  const type = typeof schema === "string" ? schema : (schema as { type?: unknown }).type;
  return type === "string" ? new Utf8Type() : undefined;
}

interface Writer {
  resolver: avsc.Resolver;
  walk: AvroWalk;
}

async function writerSchema(store: SchemaSource, subject: string, id: number): Promise<object> {
  let schema: object | undefined;
  try {
    schema = await store.versionOf(subject, id);
  } catch (error) {
    throw new CodecFault("unreachable", (error as Error).message);
  }
  if (schema === undefined) throw new CodecFault("unknown-schema", `there is no schema ${id} of ${subject}`);
  return schema;
}
