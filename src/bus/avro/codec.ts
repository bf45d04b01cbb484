// Avro in the registry's wire format: a zero byte, the schema's 4-byte id, the record (Confluent wire format). avsc
// reads with the writer's schema, which must be a version of the same subject, and our own. walk.ts checks the bytes
// before, because avsc trusts counts and lengths.
import { isUtf8 } from "node:buffer";
import avsc from "avsc";
import { asError } from "../../lib/errors.ts";
import type { SchemaSource } from "./schema-store.ts";
import { type AvroType, type AvroWalk, makeAvroWalk } from "./walk.ts";

/** What is wrong with incoming bytes. "unreachable" is not the sender's fault: retry. */
export type CodecFaultKind = "not-avro" | "unknown-schema" | "incompatible" | "malformed" | "unreachable";

export class CodecFault extends Error {
  override readonly name = "CodecFault";
  readonly kind: CodecFaultKind;

  constructor(kind: CodecFaultKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

const magic = 0;
const headerBytes = 5;
const usualBytes = 2048;
/** Making a reader of a schema of 64 KiB takes 15 ms; our longest has 3 KiB. */
const maxSchemaLength = 64 * 1024;

export class Codec {
  readonly #store: SchemaSource;
  readonly #schemas: Record<string, object>;
  readonly #setupCommand: string | undefined;
  readonly #types: Map<string, avsc.Type>;
  /** Of our own schemas, by subject. */
  readonly #ids = new Map<string, number>();
  /** By subject and id of the writer's schema. Faults are cached too: finding one again costs milliseconds. */
  readonly #writers = new Map<string, Writer | CodecFault>();
  #scratch = Buffer.alloc(usualBytes);

  /** @param setupCommand the command that registers schemas, for the error where one is missing */
  constructor(store: SchemaSource, schemas: Record<string, object>, setupCommand?: string) {
    this.#store = store;
    this.#schemas = schemas;
    this.#setupCommand = setupCommand;
    this.#types = new Map(
      Object.entries(schemas).map(([subject, schema]) => [
        subject,
        avsc.Type.forSchema(schema as avsc.Schema, { typeHook }),
      ]),
    );
  }

  /** Whether the ids of all schemas are known. */
  get isWarm(): boolean {
    return this.#ids.size === this.#types.size;
  }

  /** Looks up the ids of all schemas. @throws Error where one is not registered */
  async warm(): Promise<void> {
    const missing = [...this.#types.keys()].filter((subject) => !this.#ids.has(subject));
    await Promise.all(missing.map((subject) => this.#lookUp(subject)));
  }

  async #lookUp(subject: string): Promise<void> {
    const id = await this.#store.idOf(subject, this.#schemas[subject]!);
    const hint = this.#setupCommand === undefined ? "" : `: run ${this.#setupCommand} first`;
    if (id === undefined) throw new Error(`The schema of ${subject} is not registered${hint}.`);
    this.#ids.set(subject, id);
  }

  /** @param subject one of the codec's own; its id must be warm */
  encode(subject: string, value: object): Buffer {
    const id = this.#ids.get(subject);
    if (id === undefined) throw new Error(`no schema id for ${subject}: warm() comes first`);
    const type = this.#types.get(subject)!;
    let end = type.encode(value, this.#scratch, headerBytes);
    if (end < 0) {
      this.#scratch = Buffer.alloc(this.#scratch.length - end); // as much as was missing; larger values are rare
      end = type.encode(value, this.#scratch, headerBytes);
    }
    this.#scratch.writeUInt8(magic, 0);
    this.#scratch.writeInt32BE(id, 1);
    return Buffer.from(this.#scratch.subarray(0, end));
  }

  /** Reads the bytes as the subject's record. @throws CodecFault */
  async decode(subject: string, bytes: Buffer | null): Promise<object> {
    if (bytes === null || bytes.length < headerBytes || bytes[0] !== magic) {
      throw new CodecFault("not-avro", "the value is not in the registry's wire format");
    }
    const id = bytes.readInt32BE(1);
    if (id < 1) throw unknownSchema(subject, id); // no registry gives such an id
    const type = this.#types.get(subject)!;
    const { walk, resolver } = await this.#writerFor(subject, type, id);
    const value = bytes.subarray(headerBytes);
    try {
      walk(value);
      return type.fromBuffer(value, resolver) as object;
    } catch (error) {
      throw new CodecFault("malformed", `the value does not decode: ${(error as Error).message}`);
    }
  }

  async #writerFor(subject: string, type: avsc.Type, id: number): Promise<Writer> {
    const key = `${subject}#${id}`;
    let writer = this.#writers.get(key);
    if (writer === undefined) {
      const schema = this.#ids.get(subject) === id ? this.#schemas[subject]! : await this.#foreignSchema(subject, id);
      writer = makeWriter(schema, type, `schema ${id} is not one of ${subject}`);
      this.#writers.set(key, writer);
    }
    if (writer instanceof CodecFault) throw writer;
    return writer;
  }

  async #foreignSchema(subject: string, id: number): Promise<object> {
    const schema = await this.#store.versionOf(subject, id).catch((error: unknown) => {
      throw new CodecFault("unreachable", asError(error).message);
    });
    if (schema === undefined) throw unknownSchema(subject, id);
    return schema;
  }
}

function unknownSchema(subject: string, id: number): CodecFault {
  return new CodecFault("unknown-schema", `there is no schema ${id} of ${subject}`);
}

interface Writer {
  resolver: avsc.Resolver;
  walk: AvroWalk;
}

/** Reads records of this schema as our own type; a fault where that is impossible. */
function makeWriter(schema: object, type: avsc.Type, problem: string): Writer | CodecFault {
  try {
    if (JSON.stringify(schema).length > maxSchemaLength) throw new Error(`it is longer than ${maxSchemaLength}`);
    const written = avsc.Type.forSchema(schema as avsc.Schema);
    return { resolver: type.createResolver(written), walk: makeAvroWalk(written as unknown as AvroType) };
  } catch (error) {
    return new CodecFault("incompatible", `${problem}: ${(error as Error).message}`);
  }
}

/** The part of avsc's reader that is used here. */
interface Tap {
  buf: Buffer;
  pos: number;
  readString(): string | undefined;
}

/**
 * avsc replaces bytes that are not UTF-8 by replacement characters, which would change the text. Here each becomes half
 * of a surrogate pair, which UTF-8 cannot contain: the text check then refuses the field, by name.
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
