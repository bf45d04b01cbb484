// Seals: the secret fields of a record as a JWE that only the fleet (request) or only the requester (reply) can open,
// so that a broker's disk holds nothing to read. Promises: one form only (compact, ECDH-ES+A256KW on P-256, A256GCM, no
// compression), and a request's seal fits exactly the record it came in - topic, reply topic, reply key, idempotency
// key and all fields - or is refused. Knows no command, holds no key of its own, and leaves it to the caller to look
// for a reply key where a reply will need one. jwe.ts makes seals and opens those of the plainest form, fast; every
// other text is jose's to open or refuse.
//
// SEAL_INVALID says why in details.reason: jwe (form, algorithms, does not open, no JSON object inside), unknown-kid,
// top, rpt, rkt, jti, exp, reply (the reply secret inside), fields (with details.field), reply-key.
import { createHash, createPublicKey, KeyObject } from "node:crypto";
import { type CryptoKey, compactDecrypt, type JWK } from "jose";
import type { AnyRefusal } from "../../lib/refusal.ts";
import type { BusNames } from "../names.ts";
import { refuse } from "../refusals.ts";
import { alg, enc, isBase64url32, openPlain, type PlainJwe, readPlain, sealCompact } from "./jwe.ts";
import { replySecretName } from "./reply-mac.ts";
import { checkSealed, type Fields, isFields, parseFields, reconcile, toJson } from "./sealed-fields.ts";

export { type Fields, mergeSealed, splitSealed } from "./sealed-fields.ts";

/** How far ahead a request's seal may end; a requester seals anew, and nothing older can be replayed. */
const longestSeconds = 3600;
/** Seconds by which clocks may differ. */
const leeway = 5;

type SealFault = "jwe" | "unknown-kid" | "top" | "rpt" | "rkt" | "jti" | "exp" | "reply" | "reply-key";

function broken(reason: SealFault, message: string): AnyRefusal {
  return refuse("SEAL_INVALID", { message, details: { reason } });
}

/**
 * A private key that opens seals. A CryptoKey, which cannot be exported, opens by jose alone: some 500 us instead of
 * 25.
 */
export type OpeningKey = KeyObject | CryptoKey;

/** A public key that was checked and is fit to seal to. */
export interface ReplyKey {
  /** The four members that make the key. */
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
 * Node checks that the point lies on the curve: with one that does not, an answer would tell parts of our key.
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

/** Requesters repeat one key in every record: checking and importing it costs more than the rest of a header. */
const known = new Map<string, ReplyKey>();
const knownLimit = 1000;

function remembered(text: string, jwkOf: () => JWK): ReplyKey {
  const found = known.get(text) ?? sealingKey(jwkOf());
  known.delete(text); // and set again: the map's order is that of last use
  known.set(text, found);
  if (known.size > knownLimit) known.delete(known.keys().next().value!);
  return found;
}

/**
 * The header that names the key of a reply: a JWK, EC on P-256, public.
 * @param header its name, for the message. @throws Refusal SEAL_INVALID, reason reply-key
 */
export function parseReplyKey(text: string, header = "reply key"): ReplyKey {
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
  /** All fields of the request, the sealed ones included. */
  fields: object;
  topic: string;
  /** Without the prefix that a deployment puts before topics. */
  replyTopic: string;
  /** Of the reply key that goes with the record; undefined where none does. */
  replyKeyThumbprint: string | undefined;
  /** As jtiOf() writes it (headers.ts). */
  idempotencyKey: string | undefined;
  /** 32 random bytes that are this request's alone: replies carry a mac under them. Undefined: they carry none. */
  replySecret?: Buffer | undefined;
  /** A fleet key of use enc. @throws Error from sealRequest where it is not a public EC key on P-256 */
  key: JWK & { kid: string };
  /** Unix ms, at most an hour ahead; whole seconds count. */
  expiresAt: number;
}

/** The text for the field `sealed` of a request. */
export async function sealRequest(request: RequestToSeal): Promise<string> {
  const { fields, key, topic, replyTopic, replyKeyThumbprint, idempotencyKey, replySecret, expiresAt } = request;
  const recipient = remembered(JSON.stringify(key), () => key);
  const bound = { top: topic, rpt: replyTopic, rkt: replyKeyThumbprint, jti: idempotencyKey };
  const inside = replySecret === undefined ? fields : { ...fields, [replySecretName]: replySecret };
  return encrypt(inside, recipient.key, { kid: key.kid, ...bound, exp: Math.floor(expiresAt / 1000) });
}

/** The text for the field `sealed` of a reply. @param fields the secret ones, see splitSealed */
export async function sealReply(fields: object, replyKey: ReplyKey): Promise<string> {
  return encrypt(fields, replyKey.key, { kid: replyKey.thumbprint });
}

/** The same, readable by anybody: for a bare request without a reply key, where seals are not required. */
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
  /** Where it is of the plain form. */
  plain: PlainJwe | undefined;
}

function readSeal(text: string): Seal {
  const plain = readPlain(text);
  return { text, plain, header: plain?.header ?? headerOf(text) };
}

/** jose alone would read more than one spelling: padding, a byte order mark, members given twice. */
const compactForm = /^[\w-]+\.[\w-]+\.[\w-]+\.[\w-]*\.[\w-]+$/;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The protected header of a seal of the one form there is. @throws Refusal SEAL_INVALID, reason jwe */
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
    // What does not open here is not tried by jose as well: a writer's garbage must not cost twenty times what a good
    // seal does.
    const quick = plain !== undefined && key instanceof KeyObject;
    const bytes = quick ? openPlain(plain, key) : await decryptByJose(text, key);
    if (bytes === undefined) throw new Error("it does not open");
    return parseFields(utf8.decode(bytes));
  } catch {
    // The key is ours and was checked when it was loaded: whatever goes wrong here lies in the text.
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
   * The record's idempotency key as jtiOf() writes it (headers.ts), the header's or else the correlation id; undefined
   * where it has none.
   */
  idempotencyKey: string | undefined;
  /** The fleet's private key of use enc by kid. */
  keys: (kid: string) => OpeningKey | undefined;
  /** False: `sealed` may hold the bare JSON object. */
  requireSealed: boolean;
  /** Dotted paths, from the schema; each must be inside, as a text. */
  sealedFields: readonly string[];
  /**
   * Defaults of the schema's fields by dotted path: a field that an older requester does not know may be missing inside
   * if it has its default.
   */
  defaults?: Readonly<Record<string, unknown>>;
  /** The record's broker time, Unix ms: by it a redelivery is judged as the first delivery was. */
  receivedAt: number;
  /**
   * Unix ms by a clock that is not the broker's: the seal must end between the two, whatever the broker says. Else
   * whoever sets the broker's clock could have a request carried out again when its stored answer is gone.
   */
  endsBetween?: readonly [number, number];
  /** Gets the reply secret as soon as it is known: every reply from then on carries a mac, refusals too. */
  opened?(replySecret: Buffer): void;
  /** What the two headers are called, for messages. */
  headers?: Pick<BusNames["headers"], "replyKey" | "idempotencyKey">;
}

const plainNames = { replyKey: "reply key", idempotencyKey: "idempotency key" };

/** Compares the header with the record; a member that is absent must have no counterpart. */
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
  checkHeader(header, request); // before the elliptic curve: a replay costs nothing; decryption then proves the header
  return await decrypt(seal, key);
}

/** Nothing would know its copy again, so each copy would count as a request. */
function keyless(header: string): AnyRefusal {
  const message = `header ${header}: a sealed request needs one, or a correlation id with 128 random bits`;
  return refuse("INVALID_INPUT", { message, details: { header } });
}

/** Takes the reply secret out: nothing behind this knows of it. @throws Refusal SEAL_INVALID, reason reply */
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
 * The whole request, typed as its clear fields are. See reconcile for what may differ.
 * @throws Refusal SEAL_REQUIRED where the secrets are not sealed but must be, SEAL_INVALID with details.reason,
 *   INVALID_INPUT where nothing would know a copy again
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
export async function openReply(sealed: string, privateKey: OpeningKey): Promise<Fields> {
  return await decrypt(readSeal(sealed), privateKey);
}
