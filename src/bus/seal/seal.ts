// Seals: the secret fields of a record as a JWE that only the fleet (request) or only the requester (reply) can open,
// so that a broker's disk holds no secrets. There is one form only (compact, ECDH-ES+A256KW on P-256, A256GCM, no
// compression). A request's seal must match its record - topic, reply topic, reply key, idempotency key and all fields
// - or it is refused. The caller provides the keys, and checks that there is a reply key where the reply needs one.
// jwe.ts makes seals and quickly opens those of the plainest form; jose opens or refuses all others.
//
// SEAL_INVALID has the reason in details.reason: jwe (form, algorithms, does not open, not a JSON object inside),
// unknown-kid, top, rpt, rkt, jti, exp, reply (the reply secret inside), fields (with details.field), reply-key.
import { createHash, createPublicKey, KeyObject } from "node:crypto";
import { type CryptoKey, compactDecrypt, type JWK } from "jose";
import { LruCache } from "../../lib/lru.ts";
import type { AnyRefusal } from "../../lib/refusal.ts";
import type { BusNames } from "../names.ts";
import { refuse } from "../refusals.ts";
import { alg, enc, isBase64url32, openPlain, type PlainJwe, readPlain, sealCompact } from "./jwe.ts";
import { replySecretName } from "./reply-mac.ts";
import { checkSealed, type Fields, isFields, parseFields, reconcile, toJson } from "./sealed-fields.ts";

export { type Fields, mergeSealed, splitSealed } from "./sealed-fields.ts";

/** A request's seal expires at most this far ahead, in seconds, which limits how long it can be replayed. */
const longestSeconds = 3600;
/** Tolerated difference between clocks, in seconds. */
const leeway = 5;

type SealFault = "jwe" | "unknown-kid" | "top" | "rpt" | "rkt" | "jti" | "exp" | "reply" | "reply-key";

function broken(reason: SealFault, message: string): AnyRefusal {
  return refuse("SEAL_INVALID", { message, details: { reason } });
}

/**
 * A private key that opens seals. A CryptoKey cannot be exported, so only jose can use it: some 500 us instead of 25.
 */
export type OpeningKey = KeyObject | CryptoKey;

/** A checked public key to seal to. */
export interface ReplyKey {
  /** The four members that make up the key. */
  jwk: JWK;
  /** RFC 7638. */
  thumbprint: string;
  key: KeyObject;
}

/** RFC 7638 thumbprint (SHA-256) of an EC key. */
export function thumbprint({ crv, kty, x, y }: JWK): string {
  return createHash("sha256").update(JSON.stringify({ crv, kty, x, y })).digest("base64url");
}

/**
 * Node checks that the point is on the curve: with a point off it, an answer would reveal parts of our key.
 * @throws Error
 */
function sealingKey(jwk: JWK): ReplyKey {
  const { kty, crv, x, y } = jwk;
  if (kty !== "EC" || crv !== "P-256" || !isBase64url32(x) || !isBase64url32(y))
    throw new Error("not an EC key on P-256");
  if ("d" in jwk) throw new Error("it has a private part");
  const members = { crv, kty, x, y };
  return { jwk: members, thumbprint: thumbprint(members), key: createPublicKey({ key: members, format: "jwk" }) };
}

/** Cached, because requesters repeat one key in every record, and checking it costs more than all other headers. */
const keysToSealTo = new LruCache<string, ReplyKey>(1000);

function remembered(text: string, jwkOf: () => JWK): ReplyKey {
  const known = keysToSealTo.get(text);
  if (known !== undefined) return known;
  const key = sealingKey(jwkOf());
  keysToSealTo.set(text, key);
  return key;
}

/**
 * The header with the reply key: a JWK, EC on P-256, public.
 * @param header its name, for the message. @throws Refusal SEAL_INVALID, reason reply-key
 */
export function parseSealingKey(text: string, header = "reply key"): ReplyKey {
  try {
    if (text.length > 1024) throw new Error("longer than 1,024 characters");
    return remembered(text, () => {
      const jwk: unknown = JSON.parse(text);
      if (!isFields(jwk)) throw new Error("not an object");
      return jwk;
    });
  } catch {
    throw broken("reply-key", `${header}: must be a JWK, a public EC key on P-256`);
  }
}

function encrypt(fields: object, recipient: KeyObject, header: { kid: string; [name: string]: unknown }): string {
  return sealCompact(Buffer.from(JSON.stringify(toJson(fields))), { recipient, header });
}

export interface RequestToSeal {
  /** All fields of the request, including the sealed ones. */
  fields: object;
  topic: string;
  /** Without the deployment's topic prefix. */
  replyTopic: string;
  /** Of the record's reply key; undefined where it has none. */
  replyKeyThumbprint: string | undefined;
  /** In the form of jtiOf() (bus/headers.ts). */
  idempotencyKey: string | undefined;
  /** 32 random bytes for this request alone: replies carry a mac with them. Undefined: without macs. */
  replySecret?: Buffer | undefined;
  /** A fleet key of use enc. @throws Error from sealRequest where it is not a public EC key on P-256 */
  key: JWK & { kid: string };
  /** Unix ms, at most an hour ahead, rounded to seconds. */
  expiresAt: number;
}

/** The field `sealed` of a request. */
export async function sealRequest(request: RequestToSeal): Promise<string> {
  const { fields, key, topic, replyTopic, replyKeyThumbprint, idempotencyKey, replySecret, expiresAt } = request;
  const recipient = remembered(JSON.stringify(key), () => key);
  const bound = { top: topic, rpt: replyTopic, rkt: replyKeyThumbprint, jti: idempotencyKey };
  const inside = replySecret === undefined ? fields : { ...fields, [replySecretName]: replySecret };
  return encrypt(inside, recipient.key, { kid: key.kid, ...bound, exp: Math.floor(expiresAt / 1000) });
}

/** The field `sealed` of a reply. @param fields the secret ones, see splitSealed */
export async function sealFor(fields: object, replyKey: ReplyKey): Promise<string> {
  return encrypt(fields, replyKey.key, { kid: replyKey.thumbprint });
}

/** The same without encryption: for a request without a reply key, where seals are not required. */
export function bareReply(fields: object): string {
  return JSON.stringify(toJson(fields));
}

interface SealHeader {
  kid: string;
  top?: unknown;
  rpt?: unknown;
  rkt?: unknown;
  jti?: unknown;
  exp?: unknown;
}

interface Seal {
  text: string;
  header: SealHeader;
  /** Present where it has the plain form. */
  plain: PlainJwe | undefined;
}

function readSeal(text: string): Seal {
  const plain = readPlain(text);
  return { text, plain, header: plain?.header ?? headerOf(text) };
}

/** jose would also accept padding, a byte order mark and repeated members. */
const compactForm = /^[\w-]+\.[\w-]+\.[\w-]+\.[\w-]*\.[\w-]+$/;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The protected header of a seal. @throws Refusal SEAL_INVALID, reason jwe */
function headerOf(sealed: string): SealHeader {
  let header: Fields;
  try {
    if (!compactForm.test(sealed)) throw new Error("not five parts of base64url");
    header = parseFields(utf8.decode(Buffer.from(sealed.slice(0, sealed.indexOf(".")), "base64url")));
  } catch {
    throw broken("jwe", "sealed: is not a JWE in compact form");
  }
  const { epk, kid } = header;
  if (header["alg"] !== alg || header["enc"] !== enc || "zip" in header) {
    throw broken("jwe", `sealed: must be ${alg} and ${enc}, without zip`);
  }
  if (!isFields(epk) || epk["kty"] !== "EC" || epk["crv"] !== "P-256" || typeof kid !== "string") {
    throw broken("jwe", "sealed: must name its key (kid) and have an epk on P-256");
  }
  return { ...header, kid };
}

async function decrypt({ text, plain }: Seal, key: OpeningKey): Promise<Fields> {
  try {
    // jose does not try again what does not open here: garbage must not cost twenty times as much as a valid seal.
    const quick = plain !== undefined && key instanceof KeyObject;
    const bytes = quick ? openPlain(plain, key) : await decryptByJose(text, key);
    if (bytes === undefined) throw new Error("it does not open");
    return parseFields(utf8.decode(bytes));
  } catch {
    // The key is ours and was checked when it was loaded, so the fault is in the text.
    throw broken("jwe", "sealed: does not open");
  }
}

async function decryptByJose(sealed: string, key: OpeningKey): Promise<Uint8Array> {
  const options = { keyManagementAlgorithms: [alg], contentEncryptionAlgorithms: [enc], maxDecompressedLength: 0 };
  return (await compactDecrypt(sealed, key, options)).plaintext;
}

export interface RequestToOpen {
  /** The record's field `sealed`. */
  sealed: string;
  /** The record's other fields. */
  clear: object;
  topic: string;
  /** As in kafka_replyTopic. */
  replyTopic: string;
  /** Of the record's reply key; undefined where it has none. */
  replyKeyThumbprint: string | undefined;
  /**
   * The record's idempotency key in the form of jtiOf() (bus/headers.ts), from its header or else the correlation id;
   * undefined where it has none.
   */
  idempotencyKey: string | undefined;
  /** The fleet's private key of use enc by kid. */
  keys: (kid: string) => OpeningKey | undefined;
  /** False: `sealed` may hold the bare JSON object. */
  requireSealed: boolean;
  /** Dotted paths from the schema; each must be inside the seal, as a text. */
  sealedFields: readonly string[];
  /**
   * Defaults of the schema's fields by dotted path: a field with its default may be missing inside, because an older
   * requester does not know it.
   */
  defaults?: Readonly<Record<string, unknown>>;
  /** The record's broker time, Unix ms: a redelivery is judged like the first delivery. */
  receivedAt: number;
  /**
   * Unix ms by our own clock: the seal must expire within this range, whatever the broker's clock says. Otherwise
   * whoever controls that clock could replay a request after its stored answer has expired.
   */
  endsBetween?: readonly [number, number];
  /** Called with the reply secret as soon as it is known: every later reply carries a mac, refusals too. */
  opened?(replySecret: Buffer): void;
  /** The names of the two headers, for messages. */
  headers?: Pick<BusNames["headers"], "replyKey" | "idempotencyKey">;
}

const plainNames = { replyKey: "reply key", idempotencyKey: "idempotency key" };

/** Compares the header with the record; a missing member must have no counterpart. */
function checkHeader({ top, rpt, rkt, jti, exp }: SealHeader, request: RequestToOpen): void {
  const { topic, replyTopic, replyKeyThumbprint, idempotencyKey } = request;
  if (top !== topic) throw broken("top", "sealed: for another topic");
  if (rpt !== replyTopic) throw broken("rpt", "sealed: for another reply topic");
  if (rkt !== replyKeyThumbprint)
    throw broken("rkt", `sealed: for another ${(request.headers ?? plainNames).replyKey}`);
  if (jti !== idempotencyKey) throw broken("jti", "sealed: for another idempotency key");
  checkEnd(exp, request);
}

function checkEnd(exp: unknown, { receivedAt, endsBetween: [from, to] = everAfter }: RequestToOpen): void {
  const end = typeof exp === "number" && Number.isInteger(exp) ? exp : Number.NaN;
  const ahead = end - receivedAt / 1000;
  if (!(ahead > -leeway && ahead <= longestSeconds + leeway)) {
    throw broken("exp", `sealed: exp must be Unix seconds, not past and at most ${longestSeconds} s ahead`);
  }
  if (end * 1000 < from || end * 1000 > to) throw broken("exp", "sealed: the broker's clock is too far off");
}

const everAfter = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] as const;

async function openSealed(request: RequestToOpen): Promise<Fields> {
  const seal = readSeal(request.sealed);
  const { header } = seal;
  if (request.idempotencyKey === undefined) throw keyless((request.headers ?? plainNames).idempotencyKey);
  const key = request.keys(header.kid);
  if (key === undefined) throw broken("unknown-kid", "sealed: for a key the fleet does not have (any more)");
  checkHeader(header, request); // before the elliptic curve, so that a replay is cheap; decryption then authenticates the header
  return await decrypt(seal, key);
}

/** Without a key a copy would not be recognised, and each copy would count as a new request. */
function keyless(header: string): AnyRefusal {
  const message = `header ${header}: a sealed request needs one, or a correlation id with 128 random bits`;
  return refuse("INVALID_INPUT", { message, details: { header } });
}

/** Removes the reply secret: later code never sees it. @throws Refusal SEAL_INVALID, reason reply */
function takeReplySecret(inside: Fields): Buffer | undefined {
  if (!Object.hasOwn(inside, replySecretName)) return undefined;
  const text = inside[replySecretName];
  delete inside[replySecretName];
  if (!isBase64url32(text)) throw broken("reply", `sealed: ${replySecretName} must be base64url of 32 bytes`);
  return Buffer.from(text, "base64url");
}

function openBare({ sealed, requireSealed }: RequestToOpen): Fields {
  if (requireSealed) throw refuse("SEAL_REQUIRED");
  try {
    return parseFields(sealed);
  } catch {
    throw broken("jwe", "sealed: is neither a JWE nor a JSON object");
  }
}

/**
 * The whole request, with types as in its clear fields; reconcile() says what may differ.
 * @throws Refusal SEAL_REQUIRED where secrets are not sealed but must be, SEAL_INVALID with details.reason,
 *   INVALID_INPUT where a copy could not be recognised
 */
export async function openRequest(request: RequestToOpen): Promise<Fields> {
  const bare = isBare(request.sealed);
  const inside = bare ? openBare(request) : await openSealed(request);
  const replySecret = takeReplySecret(inside);
  if (replySecret !== undefined) request.opened?.(replySecret);
  checkSealed(inside, request.sealedFields);
  return reconcile({ ...request.clear }, inside, { bare, defaults: request.defaults ?? {} });
}

const isBare = (sealed: string): boolean => sealed === "" || sealed.trimStart().startsWith("{");

/** The kid of the key that a seal is to. @throws Refusal SEAL_INVALID, reason jwe */
export function sealedTo(sealed: string): string {
  return readSeal(sealed).header.kid;
}

/** The secret fields of a reply; see mergeSealed. @throws Refusal SEAL_INVALID, reason jwe */
export async function openSeal(sealed: string, privateKey: OpeningKey): Promise<Fields> {
  return await decrypt(readSeal(sealed), privateKey);
}
