// The audit's cryptography: what a commit leaves for the relay, what a row of the chain is made of, and what stands
// sealed beside it. Boxes are of the purpose audit; each opens only as what it was sealed for. Nothing here reads the
// database.
//   intake   a row that waits to be chained, whole: who can only write to the database can neither read, change nor
//            forge one
//   chain    SHA-256(chain of the row before || bytes of the row); anybody can compute it, so it is worth what its
//            heads are worth
//   head     a JWS by the fleet's signing key over {partition, count, chain, at}
//   personal what is personal in a row, under a key of its subject: without that key it is noise, and the chain holds
//   all the same
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
import type { DataKeys, SecretBox } from "./envelope.ts";
import { UnknownDataKey } from "./envelope.ts";
import { signCompact, verifyPlain } from "./jws.ts";
import { xaesOpen, xaesSeal } from "./xaes.ts";

/** What a commit says for the audit. */
export interface AuditEntry {
  eventId: string;
  /** Unix ms, by the worker's clock. */
  at: number;
  event: string;
  actor: string;
  userId: number | null;
  outcome: string;
  traceparent: string | null;
  /** Nobody's personal data. */
  details: Record<string, unknown>;
  personal: Record<string, unknown> | null;
}

/** A row as it is chained. Times in Unix µs, as exact as the database keeps them. */
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
  /** JSON, the very text. */
  details: string;
  personal: Buffer | null;
}

/** Where a chain stands. */
export interface ChainEnd {
  number: number;
  chain: Buffer;
  /** Of its last row: µs, and the partition. */
  at: number;
  partition: string;
}

export const noChain: ChainEnd = { number: 0, chain: Buffer.alloc(32), at: 0, partition: "" };

const boxOf = (keys: DataKeys): SecretBox => keys.box("audit");
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const parsed = <T>(bytes: Buffer): T => JSON.parse(bytes.toString("utf8")) as T;

export function sealEntry(keys: DataKeys, entry: AuditEntry): Buffer {
  return boxOf(keys).seal(json(entry), "intake");
}

/** "forged": no data key of ours sealed it so. "later": its data key is not loaded yet. */
export function openEntry(keys: DataKeys, box: Buffer): AuditEntry | "forged" | "later" {
  try {
    return parsed<AuditEntry>(boxOf(keys).open(box, "intake"));
  } catch (error) {
    return error instanceof UnknownDataKey ? "later" : "forged";
  }
}

/**
 * Chain value of a row. Its bytes are a JSON array, so no two rows have the same, and any language can make them
 * (docs/audit.md).
 */
export function link(previous: Buffer, row: ChainRow): Buffer {
  const { number, chainedAt, eventId, at, event, actor, userId, outcome, traceparent, details, personal } = row;
  const sealed = personal === null ? null : personal.toString("base64");
  const fields = [number, chainedAt, eventId, at, event, actor, userId, outcome, traceparent, details, sealed];
  return createHash("sha256").update(previous).update(json(fields)).digest();
}

export function sealEnd(keys: DataKeys, { chain, ...rest }: ChainEnd): Buffer {
  return boxOf(keys).seal(json({ ...rest, chain: chain.toString("base64") }), "end");
}

/** @throws Error where it was not sealed by the fleet */
export function openEnd(keys: DataKeys, box: Buffer): ChainEnd {
  const { chain, ...rest } = parsed<Omit<ChainEnd, "chain"> & { chain: string }>(boxOf(keys).open(box, "end"));
  return { ...rest, chain: Buffer.from(chain, "base64") };
}

export interface SubjectKey {
  key: Buffer;
  box: Buffer;
}

export function newSubjectKey(keys: DataKeys, userId: number): SubjectKey {
  const key = randomBytes(32);
  return { key, box: boxOf(keys).seal(key, `subject ${userId}`) };
}

export function openSubjectKey(keys: DataKeys, userId: number, box: Buffer): Buffer {
  return boxOf(keys).open(box, `subject ${userId}`);
}

/** Under the subject's key; where the row is nobody's, under the data key. */
export function sealPersonal(keys: DataKeys, subject: Buffer | null, { eventId, personal }: AuditEntry): Buffer {
  const plaintext = json(personal);
  if (subject === null) return boxOf(keys).seal(plaintext, eventId);
  return xaesSeal(subject, { plaintext, aad: Buffer.from(eventId) });
}

/** @param subject the key, opened; null for a row that is nobody's */
export function openPersonal(
  keys: DataKeys,
  subject: Buffer | null,
  { eventId, personal }: { eventId: string; personal: Buffer },
): Record<string, unknown> {
  if (subject === null) return parsed(boxOf(keys).open(personal, eventId));
  return parsed(xaesOpen(subject, { sealed: personal, aad: Buffer.from(eventId) }));
}

/**
 * By this name digests of what an event made of its user's account stand among what is personal, and its aspects among
 * what is not.
 */
export const stateField = { digests: "$state", aspects: "state" } as const;

/**
 * Of an aspect of an account, for its audit: tells whether two states are the same, and nothing to who has not the
 * master key. By the oldest data key, because digests from before must stay comparable; keys of the audit are never
 * removed.
 */
export function stateDigest(keys: DataKeys, aspect: string, value: unknown): string {
  const oldest = keys.all("audit").at(-1);
  if (oldest === undefined) throw new Error("there is no data key for audit: run migrate");
  const mac = createHmac("sha256", createSecretKey(oldest.key))
    .update("account state\n")
    .update(json([aspect, value]));
  return mac.digest().subarray(0, 16).toString("base64url");
}

/** Without the digests, which are for audit verify alone. */
export function withoutState(said: Record<string, unknown> | null): Record<string, unknown> | null {
  if (said === null) return null;
  const { [stateField.digests]: _, ...rest } = said;
  return rest;
}

/** What a head says. */
export interface Head {
  /** Of the last row it covers. */
  partition: string;
  /** Number of that row: so many were ever chained. */
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

/** The public half of a key that signs heads, for audit_keys. */
export function sealHeadKey(keys: DataKeys, { kid, alg, key }: SigningKey): Buffer {
  return boxOf(keys).seal(json({ alg, jwk: createPublicKey(key).export({ format: "jwk" }) }), `key ${kid}`);
}

export interface HeadKey {
  alg: string;
  key: KeyObject;
}

/** @throws Error where it was not sealed by the fleet */
export function openHeadKey(keys: DataKeys, kid: string, box: Buffer): HeadKey {
  const { alg, jwk } = parsed<{ alg: string; jwk: JsonWebKey }>(boxOf(keys).open(box, `key ${kid}`));
  return { alg, key: createPublicKey({ key: jwk, format: "jwk" }) };
}

/** What the head says, where its signature holds. */
export function readHead(jws: string, keyOf: (kid: string) => HeadKey | undefined): Head | undefined {
  const read = verifyPlain(jws, ({ alg, kid, typ }) => {
    const found = keyOf(kid);
    return typ === headType && found?.alg === alg ? found.key : undefined;
  });
  return read?.payload as Head | undefined;
}
