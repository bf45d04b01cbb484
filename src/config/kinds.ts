// The kinds of configuration variable: how each text is parsed, and the message where it is wrong. Nothing here knows a
// variable by name.
import { createPublicKey } from "node:crypto";
import { readFleetIds } from "../protocol/fleet-cert.ts";

export type ProcessName = "worker" | "relay" | "bridge" | "mailer" | "migrate" | "ctl" | "dev";

export interface Variable<T> {
  meaning: string;
  range: string;
  /** Absent: not set. A function where the default depends on the machine; `shown` describes it. */
  default?: string | (() => string);
  shown?: string;
  secret?: true;
  /** NAME_FILE must not be empty: without a value, something would be trusted that must not be. */
  neverEmpty?: true;
  /** Processes that refuse to start without it. */
  needed?: ProcessName[];
  /** @throws Error with the problem, to be read after the variable's name */
  parse: (text: string) => T;
}

/** A variable that always has a value. */
export type Settled<T> = Variable<T> & { default: string | (() => string) };

export function text(meaning: string, more: { secret?: true } = {}): Variable<string> {
  return { meaning, range: "text", parse: oneLine, ...more };
}

export function settledText(meaning: string, fallback: string): Settled<string> {
  return { meaning, range: "text", parse: oneLine, default: fallback };
}

/** These texts are used in headers, URLs and logs. */
function oneLine(value: string): string {
  if (/\p{Cc}/u.test(value)) throw new Error("must be one line, without control characters");
  return value;
}

/** Certificates or a key. Tools that allow only one line may write line ends as `\n`. */
export function pem(meaning: string, more: { secret?: true } = {}): Variable<string> {
  const parse = (value: string): string => {
    const lines = value.includes("\n") ? value : value.replaceAll("\\n", "\n");
    if (!/^-----BEGIN [A-Z0-9 ]+-----$[\s\S]+^-----END [A-Z0-9 ]+-----$/m.test(lines.replaceAll("\r", "")))
      throw new Error("must be PEM: from -----BEGIN …----- to -----END …-----");
    return lines;
  };
  return { meaning, range: "PEM", parse, ...more };
}

export function oneOf<T extends string>(meaning: string, choices: readonly T[], fallback: T): Settled<T> {
  const parse = (value: string): T => {
    const choice = choices.find((each) => each.toLowerCase() === value.toLowerCase()); // SCRAM-SHA-512 is Kafka's own spelling
    if (choice === undefined) throw new Error(`must be one of ${choices.join(", ")}`);
    return choice;
  };
  return { meaning, range: choices.join(", "), default: fallback, parse };
}

export function flag(meaning: string, fallback: boolean): Settled<boolean> {
  const parse = (value: string): boolean => {
    const word = value.toLowerCase();
    if (["true", "on", "yes", "1"].includes(word)) return true;
    if (["false", "off", "no", "0"].includes(word)) return false;
    throw new Error("must be true or false (or on, off, yes, no)");
  };
  return { meaning, range: "true, false", default: String(fallback), parse };
}

interface Span {
  min: number;
  max: number;
  default: string | (() => string);
  shown?: string;
}

export function whole(meaning: string, span: Span): Settled<number> {
  const parse = (value: string): number => {
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= span.min && number <= span.max)) {
      throw new Error(`must be a whole number from ${span.min} to ${span.max}`);
    }
    return number;
  };
  const { min, max, ...rest } = span;
  return { meaning, range: `${min} to ${max}`, parse, ...rest };
}

const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration in milliseconds, from a text such as 500ms, 10s, 15m, 24h or 30d. @throws Error */
export function parseDuration(value: string): number {
  const match = /^(\d+)(ms|s|m|h|d)$/.exec(value);
  if (match === null) throw new Error("must be a duration such as 500ms, 10s, 15m, 24h or 30d");
  return Number(match[1]) * units[match[2]!]!;
}

export function duration(meaning: string, min: string, max: string, fallback: string): Settled<number> {
  const parse = (value: string): number => {
    const ms = parseDuration(value);
    if (ms < parseDuration(min) || ms > parseDuration(max)) throw new Error(`must be from ${min} to ${max}`);
    return ms;
  };
  return { meaning, range: `${min} to ${max}`, default: fallback, parse };
}

/** A burst, forgotten evenly within a time. */
export interface RateValue {
  most: number;
  perMs: number;
}

/** `300/1h`: 300 at once, and one more per 300th of an hour; `off`: no limit. */
export function rate(meaning: string, fallback: string): Settled<RateValue | "off"> {
  const parse = (value: string): RateValue | "off" => {
    if (value === "off") return value;
    const [, count, time] = /^(\d{1,6})\/(\d+(?:ms|s|m|h|d))$/.exec(value) ?? [];
    const [most, perMs] = [Number(count), time === undefined ? 0 : parseDuration(time)];
    if (!(most >= 1) || perMs < 1000 || perMs > 86_400_000)
      throw new Error("must be off, or a count from 1 to 999999 and a time from 1s to 24h, such as 300/1h");
    return { most, perMs };
  };
  return { meaning, range: "count/time, or off", default: fallback, parse };
}

/** A list's members, without the spaces around them. */
export const list = (value: string): string[] =>
  value
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");

export interface MasterKey {
  kid: string;
  /** 32 bytes. */
  key: Buffer;
}

export function masterKeys(value: string): MasterKey[] {
  const keys = list(value).map((pair) => {
    const match = /^([A-Za-z0-9._-]{1,32}):([A-Za-z0-9+/_-]{43}=?)$/.exec(pair);
    if (match === null) throw new Error("must be kid:base64 pairs of 32 bytes, separated by commas");
    return { kid: match[1]!, key: Buffer.from(match[2]!, "base64") };
  });
  if (keys.length === 0) throw new Error("must have at least one kid:base64 pair");
  if (new Set(keys.map(({ kid }) => kid)).size < keys.length) throw new Error("has two keys with the same kid");
  return keys;
}

/**
 * Thumbprints (RFC 7638) of the root key and, during its rotation, of the next one; client/key-feed.ts compares them.
 */
export function fleetIds(value: string): readonly string[] {
  return readFleetIds(list(value));
}

/** A public key on P-256, as the JSON of a JWK. @returns the four members that make up the key */
export function sealingKey(value: string): { kty: string; crv: string; x: string; y: string } {
  let jwk: Record<string, unknown>;
  try {
    jwk = JSON.parse(value);
    const { kty, crv, x = "", y = "" } = createPublicKey({ key: jwk, format: "jwk" }).export({ format: "jwk" });
    if (kty !== "EC" || crv !== "P-256") throw new Error("another kind of key");
    if ("d" in jwk) throw new PrivateKeyGiven();
    return { kty, crv, x, y };
  } catch (error) {
    if (error instanceof PrivateKeyGiven) throw error;
    throw new Error('must be a public key on P-256 as a JWK: {"kty":"EC","crv":"P-256","x":"…","y":"…"}');
  }
}

class PrivateKeyGiven extends Error {
  constructor() {
    super("has the private part of the key (d): whoever sends the mails keeps that, and gives kty, crv, x and y");
  }
}

/** Keys of the HMAC before Argon2. Ids are short, because the PHC form of a hash has room for 8 bytes. */
export function peppers(value: string): { id: string; key: Buffer }[] {
  const keys = list(value).map((pair) => {
    const match = /^([A-Za-z0-9._-]{1,8}):([A-Za-z0-9+/_-]{43}=?)$/.exec(pair);
    if (match === null)
      throw new Error("must be id:base64 pairs of 32 bytes, separated by commas; an id has 1 to 8 characters");
    return { id: match[1]!, key: Buffer.from(match[2]!, "base64") };
  });
  if (keys.length === 0) throw new Error("must have at least one id:base64 pair");
  if (new Set(keys.map(({ id }) => id)).size < keys.length) throw new Error("has two keys with the same id");
  return keys;
}

/** Words or names in natural language. */
export const words = (value: string): string[] => list(value);

export type PartitionRule = { pattern: RegExp; partitions: number };

/** A glob over topics as a regular expression: `*` matches anything, dots included. */
export function globToRegExp(glob: string): RegExp {
  const escaped = glob.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
  return new RegExp(`^${escaped}$`);
}

export function partitions(value: string): PartitionRule[] {
  return list(value).map((rule) => {
    const match = /^([a-z0-9.*_-]+)=(\d{1,4})$/.exec(rule);
    if (match === null || Number(match[2]) < 1) throw new Error(`must be glob=count,glob=count (${rule})`);
    return { pattern: globToRegExp(match[1]!), partitions: Number(match[2]) };
  });
}

/** Full names of topics, not patterns. */
export function topics(value: string): string[] {
  const found = list(value);
  const bad = found.find((each) => !/^[a-z0-9][a-z0-9._-]{0,248}$/.test(each));
  if (bad !== undefined) throw new Error(`must be names of topics such as auth.reply.bridge (${bad})`);
  return found;
}

/** Names of services: each has the reply topic auth.reply.<name>. */
export function services(value: string): string[] {
  const found = list(value);
  const bad = found.find((each) => !/^[a-z0-9][a-z0-9-]*$/.test(each));
  if (bad !== undefined) throw new Error(`must be names of lower-case letters, digits and dashes (${bad})`);
  return found;
}

export function globs(value: string): string[] {
  const found = list(value);
  const bad = found.find((each) => !/^!?[a-z0-9.*-]+$/.test(each));
  if (found.length === 0 || bad !== undefined) throw new Error(`must be globs, !glob to leave out (${bad ?? "empty"})`);
  return found;
}

export function regularExpression(value: string): RegExp {
  try {
    return new RegExp(value);
  } catch {
    throw new Error("must be a regular expression");
  }
}
