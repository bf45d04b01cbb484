// A request as it is made: right in all its parts, with whatever is to be wrong put in before it is sealed, and the
// seal to the fleet's own key.
import { randomBytes } from "node:crypto";
import { forge } from "../seals.ts";
import type { Field, Material, RequestShape, Victim } from "./material.ts";
import type { Random } from "./random.ts";

export type Header = [name: string, value: Buffer | null];

export interface FuzzRecord {
  topic: string;
  partition: number;
  key: Buffer | null;
  value: Buffer | null;
  headers: Header[];
  /** What was done to it. */
  what: string;
  /** By what its reply is known: the correlation id in hex, or else its trace. */
  replyId: string;
  expects: "reply" | "letter" | "nothing";
  /** Of the reply, where only these are right. */
  codes?: readonly string[];
  /** What a mac on the reply has to be made with. */
  replySecret: Buffer;
}

export interface RecordOptions {
  /** Four bytes that make the ids of this run others than those of any other. */
  run: Buffer;
  /** Largest count that a list claims to have. */
  mostClaimed: number;
  /** Instead of how often each is made usually. */
  kinds?: Record<string, number> | undefined;
}

export interface At {
  index: number;
  options: RecordOptions;
}

/** A request that is being made. */
export interface Draft {
  shape: RequestShape;
  who: Victim;
  /** All fields, as texts, numbers, booleans, null, lists. */
  fields: Record<string, unknown>;
  headers: Header[];
  idempotencyKey: string;
  replySecret: Buffer;
}

export const invalid = ["INVALID_INPUT"];

/** Hashing costs a thousand times what a refusal costs: those commands come seldom. */
const seldom = new Set([
  "auth.session.login",
  "auth.account.register",
  "auth.account.confirm",
  "auth.password.reset",
  "auth.password.change",
  "auth.account.change-email",
  "auth.account.delete",
]);
const mostSeldom = 0.1;

export function draftOf(random: Random, material: Material, { index, options }: At): Draft {
  let shape = random.pick(material.requests);
  if (seldom.has(shape.topic) && !random.chance(mostSeldom))
    shape = random.pick(material.requests.filter(({ topic }) => !seldom.has(topic)));
  const who = random.pick(material.victims);
  const names = [
    ...shape.fields.filter(({ name }) => name !== "sealed"),
    ...shape.sealed.map((name): Field => ({ name, type: "string" })),
  ];
  const fields = Object.fromEntries(names.map((field) => [field.name, fieldValue(random, field, who)]));
  const id = Buffer.alloc(16);
  id.writeUInt32BE(index, 0);
  options.run.copy(id, 4);
  random.bytes(8).copy(id, 8);
  const idempotencyKey = `key-${id.toString("base64url")}`;
  const text = (value: string): Buffer => Buffer.from(value);
  const headers: Header[] = [
    ["kafka_correlationId", random.chance(0.5) ? id : text(id.toString("hex"))],
    ["kafka_replyTopic", text(material.replyTopic)],
    ["auth-idempotency-key", text(idempotencyKey)],
    ["auth-reply-key", text(material.replyKey.text)],
    ["traceparent", text(`00-${id.toString("hex")}-${"1".repeat(16)}-01`)],
  ];
  if (random.chance(0.5)) headers.push(["kafka_replyPartition", text(String(random.below(material.replyPartitions)))]);
  return { shape, who, fields, headers, idempotencyKey, replySecret: random.bytes(32) };
}

function fieldValue(random: Random, { name, type }: Field, who: Victim): unknown {
  const known: Record<string, unknown> = {
    login: who.login,
    password: random.chance(0.1) ? who.password : "wrong",
    currentPassword: "wrong",
    accessToken: random.chance(0.8) ? who.accessToken : "garbage",
    actorToken: who.accessToken,
    refreshToken: who.refreshToken,
    email: who.email,
    newEmail: `x${who.email}`,
    username: who.login,
    target: who.login,
    role: "fuzzed",
    cursor: type === "string" ? "" : null,
  };
  if (Object.hasOwn(known, name)) return known[name];
  if (type === "string") return `${randomBytes(6).toString("hex")}.${randomBytes(32).toString("base64url")}`;
  if (type === "boolean") return random.chance(0.5);
  if (type === "int" || type === "long") return random.between(0, 100);
  return (type as { type?: unknown }).type === "array" ? ["fuzzed"] : null;
}

export const textFields = (shape: RequestShape, fits: (name: string) => boolean): string[] =>
  [...shape.fields.filter(({ type }) => type === "string").map(({ name }) => name), ...shape.sealed].filter(
    (name) => name !== "sealed" && fits(name),
  );

interface Finish {
  what: string;
  /** Bytes in place of texts that stand in clear. */
  clear?: Record<string, Buffer>;
  /** The JSON inside the seal, in place of what the fields make. */
  content?: string;
  spoil?(sealed: string): Buffer;
}

export function finished(random: Random, material: Material, draft: Draft, finish: Finish): FuzzRecord {
  const { shape, fields, headers } = draft;
  const correlationId = headers.find(([name]) => name === "kafka_correlationId")![1]!;
  return {
    topic: shape.topic,
    partition: random.below(shape.partitions),
    key: keyOf(shape, fields),
    value: valueBytes(material, draft, finish),
    headers,
    what: `${shape.topic}: ${finish.what}`,
    replyId: correlationId.toString("hex"),
    expects: "reply",
    replySecret: draft.replySecret,
  };
}

function keyOf({ keyKind, keyField }: RequestShape, fields: Record<string, unknown>): Buffer | null {
  const text = String(fields[keyField ?? ""] ?? "");
  const claims = (): Record<string, unknown> => {
    try {
      return JSON.parse(Buffer.from(text.split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;
    } catch {
      return {};
    }
  };
  switch (keyKind) {
    case "login":
    case "email":
      return Buffer.from(text.normalize("NFKC").toLowerCase());
    case "user":
      return Buffer.from(String(claims()["sub"] ?? ""));
    case "session":
      return Buffer.from(String(claims()["sid"] ?? text.split(".")[0]));
    case "token":
      return Buffer.from(text.split(".")[0]!);
    default:
      return null;
  }
}

/** Marks where bytes go that are no text. */
const placeholder = (at: number): string => `\u0001place ${at}\u0001`;

function valueBytes(material: Material, draft: Draft, { clear = {}, content, spoil }: Finish): Buffer {
  const { shape, fields } = draft;
  const record: Record<string, unknown> = {};
  const places: [string, Buffer][] = [];
  for (const { name, type } of shape.fields) {
    if (name === "sealed") continue;
    const bytes = clear[name];
    if (bytes !== undefined) places.push([placeholder(places.length).padEnd(Math.max(bytes.length, 12), "."), bytes]);
    record[name] = bytes === undefined ? fitting(type, fields[name]) : places.at(-1)![0];
  }
  if (shape.sealed.length > 0) {
    const sealed = sealOf(material, draft, content ?? JSON.stringify(jsonOf(draft)));
    const malformed = spoil?.(sealed);
    record["sealed"] = malformed === undefined ? sealed : malformed.toString("latin1");
  }
  let body = shape.type.toBuffer(record);
  for (const [text, bytes] of places) body = replaced(body, Buffer.from(text), bytes);
  const header = Buffer.alloc(5);
  header.writeInt32BE(shape.id, 1);
  return Buffer.concat([header, body]);
}

/** What the schema takes: a text where the draft has something else. */
function fitting(type: unknown, value: unknown): unknown {
  return type === "string" && typeof value !== "string" ? String(value) : value;
}

/** Avro's text, its length before it, by other bytes. */
function replaced(body: Buffer, text: Buffer, bytes: Buffer): Buffer {
  const at = body.indexOf(text);
  const before = varint(text.length).length;
  return Buffer.concat([body.subarray(0, at - before), varint(bytes.length), bytes, body.subarray(at + text.length)]);
}

export function varint(length: number): Buffer {
  const bytes: number[] = [];
  let left = 2 * length;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) | 0x80);
  return Buffer.from([...bytes, left]);
}

export const jsonOf = ({ fields, replySecret }: Draft): object => ({
  ...Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, typeof value === "number" ? String(value) : value]),
  ),
  $reply: replySecret.toString("base64url"),
});

function sealOf(
  { sealTo, ephemeral, replyKey, replyTopic }: Material,
  { shape, idempotencyKey }: Draft,
  content: string,
): string {
  const exp = Math.floor(Date.now() / 1000) + 300;
  const header = {
    kid: sealTo.kid,
    top: shape.topic,
    rpt: replyTopic,
    rkt: replyKey.thumbprint,
    jti: idempotencyKey,
    exp,
  };
  return forge({ header, content, recipient: sealTo, ephemeral });
}
