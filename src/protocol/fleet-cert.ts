// Certificates of the fleet's public keys. The root key signs each key, and a requester that knows the root key's
// thumbprint (AUTH_FLEET_ID) accepts no key without a certificate, whoever can write to Kafka. A certificate is a
// compact JWS (ES256, typ `fleet-key+jwt`) with the root's public key in its header; docs/protocol.md has its form and
// an example. Both sides are here, signing and checking, with node:crypto's synchronous calls, so that records of
// auth.key are judged in order. Only the plain form is accepted.
import { createHash, createPublicKey, type JsonWebKey, type KeyObject, sign, verify } from "node:crypto";
import { readJsonObject } from "../lib/json-object.ts";

export interface KeyCert {
  /** The key's own public members, and `alg`. */
  jwk: JsonWebKey;
  use: string;
  /** Rises with every change of the key's state. */
  version: number;
  state: string;
  /** Unix seconds. */
  iat: number;
  exp: number;
}

export interface RootKey {
  publicJwk: JsonWebKey;
  privateKey: KeyObject;
}

const alg = "ES256";
const certType = "fleet-key+jwt";
const hour = 3600;
/** Renewed daily, so relays may be down for a day. */
const goodForSeconds = 48 * hour;
/** A JSON number that every reader can represent exactly. */
export const mostVersion = 2 ** 52;

/** The members of each key type, in the order in which they are hashed (RFC 7638, 3.2; RFC 8037, 2). */
const members: Record<string, string[]> = {
  EC: ["crv", "kty", "x", "y"],
  OKP: ["crv", "kty", "x"],
  RSA: ["e", "kty", "n"],
};

/** The members that make up the public key; undefined for an unknown type. */
export function publicMembers(jwk: JsonWebKey): JsonWebKey | undefined {
  const names = Object.hasOwn(members, jwk.kty ?? "") ? members[jwk.kty ?? ""] : undefined;
  return names && Object.fromEntries(names.map((name) => [name, jwk[name]]));
}

/** The RFC 7638 thumbprint (SHA-256) of a public key; undefined for an unknown type. */
export function keyThumbprint(jwk: JsonWebKey): string | undefined {
  const own = publicMembers(jwk);
  return own && createHash("sha256").update(JSON.stringify(own)).digest("base64url");
}

/** 32 bytes as canonical base64url. */
export const isThumbprint = (text: unknown): text is string =>
  typeof text === "string" && /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/.test(text);

/** AUTH_FLEET_ID. @throws Error, to be read after the name of its source */
export function readFleetIds(texts: readonly string[]): readonly string[] {
  const bad = texts.find((each) => !isThumbprint(each));
  if (bad === undefined && (texts.length === 1 || texts.length === 2)) return texts;
  const what = bad ?? (texts.length === 0 ? "empty" : `${texts.length} of them`);
  throw new Error(
    `must be the thumbprint that \`authctl keys root\` prints, or two while the root key turns (${what})`,
  );
}

export const isVersion = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 1 && Number(value) <= mostVersion;

/** The next version. There is none after the last, where the time decides (client/key-feed.ts). */
export const nextVersion = (version: number): number => Math.min(version + 1, mostVersion);

const mostRecordBytes = 16_384;

/** A record of auth.key; undefined where it is not a JSON object, or longer than any of ours. */
export function readKeyRecord(value: Buffer | null): Record<string, unknown> | undefined {
  return readJsonObject(value, mostRecordBytes);
}

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** @param now Unix ms */
export function makeCert(root: RootKey, key: Pick<KeyCert, "jwk" | "use" | "version" | "state">, now: number): string {
  const { jwk, use, version, state } = key;
  const iat = Math.floor(now / 1000);
  const own = { ...publicMembers(jwk), alg: jwk.alg };
  const header = { alg, typ: certType, jwk: publicMembers(root.publicJwk) };
  const input = `${encoded(header)}.${encoded({ jwk: own, use, version, state, iat, exp: iat + goodForSeconds })}`;
  const signature = sign("sha256", Buffer.from(input), { key: root.privateKey, dsaEncoding: "ieee-p1363" });
  return `${input}.${signature.toString("base64url")}`;
}

const form = /^([A-Za-z0-9_-]{2,2048})\.([A-Za-z0-9_-]{2,4096})\.([A-Za-z0-9_-]{86})$/;

/**
 * The content of a certificate that one of these roots signed; its times are not checked.
 * @param fleetIds thumbprints
 */
export function readCert(text: unknown, fleetIds: ReadonlySet<string>): KeyCert | undefined {
  const [, head = "", body = "", signature = ""] = form.exec(typeof text === "string" ? text : "") ?? [];
  const root = head === "" ? undefined : rootOf(head, fleetIds);
  if (root === undefined) return undefined;
  const input = Buffer.from(`${head}.${body}`);
  const key = { key: root, dsaEncoding: "ieee-p1363" as const };
  return verify("sha256", input, key, Buffer.from(signature, "base64url")) ? certOf(objectOf(body)) : undefined;
}

const roots = new Map<string, KeyObject>();

/** The key in a certificate's header, if it is one of these. Only these are cached, which bounds the cache. */
function rootOf(head: string, fleetIds: ReadonlySet<string>): KeyObject | undefined {
  const { jwk, typ, alg: named, ...more } = objectOf(head) ?? {};
  if (named !== alg || typ !== certType || !isObject(jwk) || Object.keys(more).length > 0) return undefined;
  const { kty, crv, x, y, ...other } = jwk as JsonWebKey;
  if (kty !== "EC" || crv !== "P-256" || Object.keys(other).length > 0) return undefined;
  const id = keyThumbprint(jwk);
  if (id === undefined || !fleetIds.has(id)) return undefined;
  try {
    const key = roots.get(id) ?? createPublicKey({ key: { kty, crv, x: x!, y: y! }, format: "jwk" });
    roots.set(id, key);
    return key;
  } catch {
    return undefined;
  }
}

function certOf(payload: Record<string, unknown> | undefined): KeyCert | undefined {
  if (payload === undefined) return undefined;
  const { jwk, use, version, state, iat, exp } = payload;
  if (!isObject(jwk) || typeof use !== "string" || typeof state !== "string" || !isVersion(version)) return undefined;
  if (!Number.isInteger(iat) || !Number.isInteger(exp)) return undefined;
  return { jwk: jwk as JsonWebKey, use, version, state, iat: iat as number, exp: exp as number };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function objectOf(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
