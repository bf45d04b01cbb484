// The audit's cryptography: the rows that a commit leaves for the relay, the rows of the chain, and what is stored
// encrypted beside them. Everything encrypted here uses data keys of the purpose audit, with additional data that names
// what it is. Nothing here reads the database.
//   intake    a row that waits to be chained, encrypted as a whole: whoever can only write to the database can neither
//             read, change nor forge one
//   chain     SHA-256(chain value of the row before || bytes of the row); anybody can compute it, so only signed heads
//             protect it
//   head      a JWS by the fleet's signing key over {partition, count, chain, at}
//   personal  the personal part of a row, encrypted with its user's key: without the key it is unreadable, and the
//             chain can still be verified
import {
  createHash,
  createHmac,
  createPublicKey,
  createSecretKey,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import type { SigningKey } from "./access-tokens.ts";
import type { DataCipher, DataKeys } from "./envelope.ts";
import { UnknownDataKey } from "./envelope.ts";
import { signCompact, verifyPlain } from "./jws.ts";
import { xaesDecrypt, xaesEncrypt } from "./xaes.ts";

/** What a commit reports to the audit. */
export interface AuditEntry {
  eventId: string;
  /** Unix ms, by the worker's clock. */
  at: number;
  event: string;
  actor: string;
  userId: number | null;
  outcome: string;
  traceparent: string | null;
  /** Not personal: stored in clear, for as long as the audit. */
  details: Record<string, unknown>;
  personal: Record<string, unknown> | null;
}

/** A row of the chain. Times in Unix µs, the precision of the database. */
export interface ChainRow {
  number: number;
  chainedAt: number;
  eventId: string;
  at: number;
  event: string;
  actor: string;
  userId: number | null;
  outcome: string;
  traceparent: string | null;
  /** The exact JSON text. */
  details: string;
  personal: Buffer | null;
}

/** The end of a chain. */
export interface ChainEnd {
  number: number;
  chain: Buffer;
  /** Of the last row: its time in µs, and its partition. */
  at: number;
  partition: string;
}

export const noChain: ChainEnd = { number: 0, chain: Buffer.alloc(32), at: 0, partition: "" };

const cipherOf = (keys: DataKeys): DataCipher => keys.cipher("audit");
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const parsed = <T>(bytes: Buffer): T => JSON.parse(bytes.toString("utf8")) as T;

export function encryptEntry(keys: DataKeys, entry: AuditEntry): Buffer {
  return cipherOf(keys).encrypt(json(entry), "intake");
}

/** "forged": not encrypted with a data key of this fleet. "later": its data key is not loaded yet. */
export function decryptEntry(keys: DataKeys, encrypted: Buffer): AuditEntry | "forged" | "later" {
  try {
    return parsed<AuditEntry>(cipherOf(keys).decrypt(encrypted, "intake"));
  } catch (error) {
    return error instanceof UnknownDataKey ? "later" : "forged";
  }
}

/**
 * The chain value of a row. The row's bytes are a JSON array, so no two rows have the same bytes, and any language can
 * compute them (docs/audit.md).
 */
export function link(previous: Buffer, row: ChainRow): Buffer {
  const { number, chainedAt, eventId, at, event, actor, userId, outcome, traceparent, details, personal } = row;
  const base64 = personal === null ? null : personal.toString("base64");
  const fields = [number, chainedAt, eventId, at, event, actor, userId, outcome, traceparent, details, base64];
  return createHash("sha256").update(previous).update(json(fields)).digest();
}

export function encryptEnd(keys: DataKeys, { chain, ...rest }: ChainEnd): Buffer {
  return cipherOf(keys).encrypt(json({ ...rest, chain: chain.toString("base64") }), "end");
}

/** @throws Error where the fleet did not encrypt it */
export function decryptEnd(keys: DataKeys, encrypted: Buffer): ChainEnd {
  const { chain, ...rest } = parsed<Omit<ChainEnd, "chain"> & { chain: string }>(
    cipherOf(keys).decrypt(encrypted, "end"),
  );
  return { ...rest, chain: Buffer.from(chain, "base64") };
}

export interface UserKey {
  key: Buffer;
  encrypted: Buffer;
}

export function newUserKey(keys: DataKeys, userId: number): UserKey {
  const key = randomBytes(32);
  return { key, encrypted: cipherOf(keys).encrypt(key, `subject ${userId}`) };
}

export function decryptUserKey(keys: DataKeys, userId: number, encrypted: Buffer): Buffer {
  return cipherOf(keys).decrypt(encrypted, `subject ${userId}`);
}

/** With the user's key; a row without a user with the data key. */
export function encryptPersonal(keys: DataKeys, userKey: Buffer | null, { eventId, personal }: AuditEntry): Buffer {
  const plaintext = json(personal);
  if (userKey === null) return cipherOf(keys).encrypt(plaintext, eventId);
  return xaesEncrypt(userKey, { plaintext, aad: Buffer.from(eventId) });
}

/** @param userKey decrypted; null for a row without a user */
export function decryptPersonal(
  keys: DataKeys,
  userKey: Buffer | null,
  { eventId, personal }: { eventId: string; personal: Buffer },
): Record<string, unknown> {
  if (userKey === null) return parsed(cipherOf(keys).decrypt(personal, eventId));
  return parsed(xaesDecrypt(userKey, { encrypted: personal, aad: Buffer.from(eventId) }));
}

/**
 * Names in an audit row: `digests` (in its personal part) holds the digests of the account aspects that the event
 * changed, `aspects` (in clear) which aspects these are.
 */
export const stateField = { digests: "$state", aspects: "state" } as const;

/**
 * The digest of an aspect of an account. It tells whether two states are equal, and nothing more without the master
 * key. It uses the oldest data key, because old digests must stay comparable; the audit's data keys are never deleted.
 */
export function stateDigest(keys: DataKeys, aspect: string, value: unknown): string {
  const oldest = keys.all("audit").at(-1);
  if (oldest === undefined) throw new Error("there is no data key for audit: run migrate");
  const mac = createHmac("sha256", createSecretKey(oldest.key))
    .update("account state\n")
    .update(json([aspect, value]));
  return mac.digest().subarray(0, 16).toString("base64url");
}

/** Removes the digests, which only audit verify needs. */
export function withoutState(said: Record<string, unknown> | null): Record<string, unknown> | null {
  if (said === null) return null;
  const { [stateField.digests]: _, ...rest } = said;
  return rest;
}

/** The payload of a head. */
export interface Head {
  /** Of the last row it covers. */
  partition: string;
  /** The number of that row, and so of all rows ever chained. */
  count: number;
  /** Its chain value, base64url. */
  chain: string;
  /** When it was signed, Unix ms. */
  at: number;
}

const headType = "audit-head+jwt";

export function signHead({ kid, alg, key }: SigningKey, head: Head): string {
  return signCompact({ alg, typ: headType, kid }, head, key);
}

/** The public half of a key that signs heads, encrypted for audit_keys. */
export function encryptHeadKey(keys: DataKeys, { kid, alg, key }: SigningKey): Buffer {
  return cipherOf(keys).encrypt(json({ alg, jwk: createPublicKey(key).export({ format: "jwk" }) }), `key ${kid}`);
}

export interface HeadKey {
  alg: string;
  key: KeyObject;
}

/** @throws Error where the fleet did not encrypt it */
export function decryptHeadKey(keys: DataKeys, kid: string, encrypted: Buffer): HeadKey {
  const { alg, jwk } = parsed<{ alg: string; jwk: JsonWebKey }>(cipherOf(keys).decrypt(encrypted, `key ${kid}`));
  return { alg, key: createPublicKey({ key: jwk, format: "jwk" }) };
}

/** The payload of a head with a valid signature. */
export function readHead(jws: string, keyOf: (kid: string) => HeadKey | undefined): Head | undefined {
  const read = verifyPlain(jws, ({ alg, kid, typ }) => {
    const found = keyOf(kid);
    return typ === headType && found?.alg === alg ? found.key : undefined;
  });
  return read?.payload as Head | undefined;
}
