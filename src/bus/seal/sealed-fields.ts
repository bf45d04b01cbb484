// The JSON inside a seal: its form, its comparison with the clear fields, and the split of a record into clear and
// sealed fields. Pure data; seal.ts does the cryptography.
//
// JSON forms: whole numbers as decimal strings (JSON in other languages loses the precision of a long), bytes as
// base64url, everything else unchanged.
import { isDeepStrictEqual } from "node:util";
import { refuse } from "../refusals.ts";

export type Fields = Record<string, unknown>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

/** A JSON object without repeated members, which other readers might interpret differently. @throws Error */
export function parseFields(text: string): Fields {
  const fields: unknown = JSON.parse(text);
  if (!isFields(fields)) throw new Error("not a JSON object");
  // Most senders write exactly what we would write; then nothing has to be counted.
  if (JSON.stringify(fields) !== text && membersWritten(text) !== membersOf(fields)) {
    throw new Error("a member is given twice");
  }
  return fields;
}

/** Counts strings before a colon, in valid JSON. */
function membersWritten(text: string): number {
  let count = 0;
  for (const [, colon] of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)) if (colon !== undefined) count += 1;
  return count;
}

function membersOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const within = Object.values(value).reduce<number>((sum, each) => sum + membersOf(each), 0);
  return Array.isArray(value) ? within : within + Object.keys(value).length;
}

const bytesText = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");

/** A value in its JSON form. */
export function toJson(value: unknown): unknown {
  if (typeof value === "bigint" || Number.isInteger(value)) return String(value);
  if (value instanceof Uint8Array) return bytesText(value);
  if (Array.isArray(value)) return value.map(toJson);
  if (isFields(value)) return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, toJson(each)]));
  return value;
}

export interface Reconciliation {
  /** Without a seal: fields missing in the bare object are taken from the clear. */
  bare: boolean;
  /** Defaults of the schema, by dotted path. */
  defaults: Readonly<Record<string, unknown>>;
}

function differs(path: string): Error {
  return refuse("SEAL_INVALID", {
    message: `${path}: what is sealed and what stands beside it differ`,
    details: { reason: "fields", field: path },
  });
}

/**
 * The request: every field that is inside, with the type of its clear field if there is one.
 *
 * A clear field must be inside with the same value. It may be missing inside only if it is null or has the schema's
 * default: then it comes from a newer schema than the requester's, and nobody can have written anything else there.
 * With a bare object it may be missing anyway. Fields that are only inside stay: sealed fields, and fields of a newer
 * schema than this process's.
 * @throws Refusal SEAL_INVALID, reason fields, with the field's path
 */
export function reconcile(clear: Fields, inside: Fields, how: Reconciliation): Fields {
  return agreeFields(clear, inside, { how, path: "" });
}

interface FieldPath {
  how: Reconciliation;
  path: string;
}

function agreeFields(clear: Fields, inside: Fields, { how, path }: FieldPath): Fields {
  const agreed = Object.entries(clear).map(([name, value]) => {
    const at = { how, path: path === "" ? name : `${path}.${name}` };
    return [name, agree(value, Object.hasOwn(inside, name) ? inside[name] : undefined, at)];
  });
  // Spread and fromEntries define members and never call setters: a field named __proto__ is only a field.
  return { ...inside, ...Object.fromEntries(agreed) };
}

function agree(clear: unknown, inside: unknown, at: FieldPath): unknown {
  const { how, path } = at;
  if (inside === undefined) {
    const empty = clear === null || clear === undefined || isDeepStrictEqual(toJson(clear), toJson(how.defaults[path]));
    if (how.bare || empty) return clear;
    throw differs(path);
  }
  if (Array.isArray(clear) && Array.isArray(inside) && clear.length === inside.length) {
    return clear.map((each, at) => agree(each, inside[at], { how, path: `${path}.${at}` }));
  }
  if (isFields(clear) && isFields(inside)) return agreeFields(clear, inside, at);
  const numeric = typeof clear === "number" || typeof clear === "bigint";
  const equal =
    inside === clear ||
    (numeric && inside === String(clear)) ||
    (clear instanceof Uint8Array && inside === bytesText(clear));
  if (!equal) throw differs(path);
  return clear;
}

/**
 * Every sealed field must be inside, as a text; a null parent has no fields.
 * @throws Refusal SEAL_INVALID, reason fields
 */
export function checkSealed(inside: Fields, sealedFields: readonly string[]): void {
  for (const path of sealedFields) {
    const names = path.split(".");
    const leaf = names.pop()!;
    let parent: unknown = inside;
    for (const name of names) parent = isFields(parent) && Object.hasOwn(parent, name) ? parent[name] : null;
    if (parent === null) continue;
    const held = isFields(parent) && Object.hasOwn(parent, leaf) ? parent[leaf] : undefined;
    if (typeof held !== "string") {
      const message = `${path}: is not inside the seal as a text`;
      throw refuse("SEAL_INVALID", { message, details: { reason: "fields", field: path } });
    }
  }
}

/** Moves `names` from `from` to `to`; copies the objects on the path, so that the caller's record is not changed. */
function move(from: Fields, to: Fields, names: readonly string[]): void {
  const [name, ...rest] = names;
  if (name === undefined || !Object.hasOwn(from, name)) return;
  const value = from[name];
  if (rest.length === 0) {
    to[name] = value;
    delete from[name];
    return;
  }
  if (Array.isArray(value)) {
    const moved = value.map((each, at) => within(each, (to[name] as unknown[] | undefined)?.[at], rest));
    from[name] = moved.map(({ clear }) => clear);
    to[name] = moved.map(({ secret }) => secret);
    return;
  }
  if (!isFields(value)) return;
  const { clear, secret } = within(value, to[name], rest);
  from[name] = clear;
  if (Object.keys(secret).length > 0) to[name] = secret;
}

/** @param held the part of it that is sealed already */
function within(value: unknown, held: unknown, names: readonly string[]): { clear: unknown; secret: Fields } {
  const [clear, secret] = [isFields(value) ? { ...value } : value, isFields(held) ? held : {}];
  if (isFields(clear)) move(clear, secret, names);
  return { clear, secret };
}

/**
 * Splits a record into clear and sealed fields. Paths are dotted (`tokens.accessToken`), from the schema's
 * `sealedFields`. A null parent has no fields. Under an array, the rest of the path applies to each of its records
 * (`users.email`), and the sealed array has the same length. The record is not changed.
 */
export function splitSealed(record: object, sealedFields: readonly string[]): { clear: Fields; secret: Fields } {
  const [clear, secret]: [Fields, Fields] = [{ ...record }, {}];
  for (const path of sealedFields) move(clear, secret, path.split("."));
  return { clear, secret };
}

/** Joins the parts into the whole record. Under a null in the clear part nothing is inserted. */
export function mergeSealed(clear: object, secret: object): Fields {
  const whole: Fields = { ...clear };
  const additions = Object.entries(secret).map(([name, value]) => {
    const beside = Object.hasOwn(whole, name) ? whole[name] : undefined;
    if (isFields(beside) && isFields(value)) return [name, mergeSealed(beside, value)];
    if (Array.isArray(beside) && Array.isArray(value)) return [name, mergeEach(beside, value)];
    return [name, beside === null && isFields(value) ? null : value];
  });
  return { ...whole, ...Object.fromEntries(additions) };
}

/** Joins records with their sealed parts, by index. */
function mergeEach(clear: readonly unknown[], secret: readonly unknown[]): unknown[] {
  return clear.map((each, at) => {
    const more = secret[at];
    return isFields(each) && isFields(more) ? mergeSealed(each, more) : each;
  });
}
