// Checks the texts of a request before anything else is done with them, by the attributes of the request's schema:
//   maxBytes  of a text field: the most bytes of UTF-8, before normalising; default 1,024
//   text      line (no control characters, the default), lines (newline and tab allowed), json (must parse), secret
//             (any character)
//   maxItems  of an array or a map; default 100
// The attributes are on the Avro field whose type contains the text, and in the objects of `sealedFields`. No text may
// contain a NUL, which PostgreSQL cannot store, or half of a surrogate pair, by which the codec marks bytes that are
// not UTF-8. What a field means (that it must be an address) is for its handler; codec and seal check types.
import { invalid } from "../refusals.ts";

export interface TextGate {
  /** Checks the record before its seal is opened. @throws Refusal INVALID_INPUT with details.field */
  checkRecord(record: object): void;
  /** Checks the whole request, including its sealed fields. @throws Refusal INVALID_INPUT with details.field */
  checkRequest(request: object): void;
}

interface TextAttributes {
  maxBytes?: number;
  text?: string;
  maxItems?: number;
}

interface FieldSchema extends TextAttributes {
  name: string;
  type: unknown;
}

export interface GatedSchema {
  fields: readonly FieldSchema[];
  sealedFields?: readonly (TextAttributes & { name: string })[];
}

/** @param path dotted path of the field with the value */
type Check = (value: unknown, path: string) => void;

const defaultMaxBytes = 1024;
const defaultMaxItems = 100;
/**
 * For a request with fields of later versions, and for JSON in a text: deeper nesting could exhaust its readers' stack.
 */
const maxDepth = 32;

/** @throws Error where the schema has an unknown attribute */
export function makeTextGate(schema: GatedSchema): TextGate {
  const clear = recordCheck(schema.fields);
  const inside = recordCheck(schema.fields.filter(({ name }) => name !== "sealed"));
  const sealed = (schema.sealedFields ?? []).map((field) => checkAt(field.name.split("."), textCheck(field)));
  return {
    checkRecord: (record) => clear(record, ""),
    checkRequest(request) {
      const fault = depthProblem(request);
      if (fault !== undefined) throw invalid("sealed", fault); // only what came inside a seal can be of a type that no schema has
      inside(request, "");
      for (const check of sealed) check(request, "");
    },
  };
}

/** A text field of a request's schema with its rules, for documents and tests. */
export interface TextField {
  path: string;
  maxBytes: number;
  text: string;
  sealed: boolean;
  /** Of the array or map that contains it. */
  maxItems: number | undefined;
}

export function textFieldsOf({ fields, sealedFields = [] }: GatedSchema): TextField[] {
  const field = (path: string, given: TextAttributes, more: Pick<TextField, "sealed" | "maxItems">): TextField => ({
    path,
    maxBytes: given.maxBytes ?? defaultMaxBytes,
    text: given.text ?? "line",
    ...more,
  });
  const within = (type: unknown, at: string, given: TextAttributes, maxItems?: number): TextField[] => {
    if (Array.isArray(type)) return type.flatMap((branch) => within(branch, at, given, maxItems));
    const { type: kind, items, values, fields: inner } = shapeOf(type);
    if (kind === "string") return [field(at, given, { sealed: false, maxItems })];
    if (kind === "array" || kind === "map")
      return within(items ?? values, at, given, given.maxItems ?? defaultMaxItems);
    return kind === "record" ? inner!.flatMap((each) => within(each.type, `${at}.${each.name}`, each)) : [];
  };
  return [
    ...fields.flatMap((each) => within(each.type, each.name, each)),
    ...sealedFields.map((each) => field(each.name, each, { sealed: true, maxItems: undefined })),
  ];
}

interface AvroShape {
  type: unknown;
  items?: unknown;
  values?: unknown;
  fields?: readonly FieldSchema[];
}

function shapeOf(type: unknown): AvroShape {
  return typeof type === "object" && type !== null ? (type as AvroShape) : { type };
}

function recordCheck(fields: readonly FieldSchema[]): Check {
  const checks = fields.flatMap((field) => {
    const check = typeCheck(field.type, field);
    return check === undefined ? [] : [checkAt([field.name], check)];
  });
  return (value, path) => {
    for (const check of checks) check(value, path);
  };
}

/** Applies the check to the value at `names` of a record, if there is one; in an array, to each of its records. */
function checkAt([name = "", ...rest]: readonly string[], check: Check): Check {
  const next = rest.length === 0 ? check : checkAt(rest, check);
  return (record, path) => {
    if (Array.isArray(record)) {
      for (const each of record) checkAt([name, ...rest], check)(each, path);
    } else if (typeof record === "object" && record !== null && Object.hasOwn(record, name)) {
      next((record as Record<string, unknown>)[name], path === "" ? name : `${path}.${name}`);
    }
  };
}

function typeCheck(type: unknown, attributes: TextAttributes): Check | undefined {
  if (Array.isArray(type)) {
    const checks = type.map((branch) => typeCheck(branch, attributes)).filter((check) => check !== undefined);
    return (value, path) => {
      for (const check of checks) check(value, path);
    };
  }
  const shape = shapeOf(type);
  switch (shape.type) {
    case "string":
      return textCheck(attributes);
    case "array":
      return itemsCheck(typeCheck(shape.items, attributes), attributes);
    case "map":
      return itemsCheck(typeCheck(shape.values, attributes), attributes);
    case "record":
      return recordCheck(shape.fields!);
    default:
      return undefined;
  }
}

function itemsCheck(
  checkItem: Check = () => undefined,
  { maxItems = defaultMaxItems, ...attributes }: TextAttributes,
): Check {
  const checkName = textCheck(attributes);
  return (value, path) => {
    if (typeof value !== "object" || value === null) return;
    const names = Array.isArray(value) ? [] : Object.keys(value);
    const items = Array.isArray(value) ? value : Object.values(value);
    if (items.length > maxItems) throw invalid(path, `must have at most ${maxItems} items`);
    for (const name of names) checkName(name, path);
    for (const item of items) checkItem(item, path);
  };
}

type Problem = (text: string) => string | undefined;

const problems: Record<string, Problem> = {
  line: (text) => (/\p{Cc}/u.test(text) ? "must not have control characters" : undefined),
  lines: (text) =>
    /[^\P{Cc}\n\t]/u.test(text) ? "must not have control characters other than newline and tab" : undefined,
  secret: () => undefined,
  json: jsonProblem,
};

function textCheck({ maxBytes = defaultMaxBytes, text: kind = "line" }: TextAttributes): Check {
  const problem = Object.hasOwn(problems, kind) ? problems[kind] : undefined;
  if (problem === undefined) throw new Error(`no such kind of text: ${kind}`);
  return (value, path) => {
    if (typeof value !== "string") return;
    // UTF-8 has at least as many bytes as UTF-16 has units, so the longest texts cost only a comparison.
    if (value.length > maxBytes || Buffer.byteLength(value) > maxBytes)
      throw invalid(path, `must have at most ${maxBytes} bytes of UTF-8`);
    const fault = unstorable(value) ?? problem(value);
    if (fault !== undefined) throw invalid(path, fault);
  };
}

function unstorable(text: string): string | undefined {
  if (!text.isWellFormed()) return "must be UTF-8";
  return text.includes("\0") ? "must not have NUL characters" : undefined;
}

function jsonProblem(text: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "must be JSON";
  }
  return (
    depthProblem(value) ??
    textsIn(value)
      .map(unstorable)
      .find((problem) => problem !== undefined)
  );
}

/** Without recursion, which deep values would exhaust. */
function depthProblem(root: unknown): string | undefined {
  let level: unknown[] = [root];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > maxDepth) return `must not be nested deeper than ${maxDepth}`;
    level = level.flatMap((value) => (isNested(value) ? Object.values(value) : [])).filter(isNested);
  }
  return undefined;
}

const isNested = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !(value instanceof Uint8Array);

/** All texts in a value that is not too deep, including names. */
function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return isNested(value) ? Object.entries(value).flatMap(([name, each]) => [name, ...textsIn(each)]) : [];
}
