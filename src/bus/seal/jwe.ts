// The one form of JWE that seals have (compact, ECDH-ES+A256KW on P-256, A256GCM), with node:crypto's synchronous
// calls. Any JOSE library can open what it makes. It opens only the plainest texts of that form and leaves all others
// to jose (seal.ts), so nothing opens here that jose would refuse. A plain text that does not open is refused at once:
// asking jose too would make garbage cost five times as much as a request of a new sender (890 us of CPU against 185,
// on a busy machine).
//
// The reason (CPU per core, Node 24): jose takes 480 us to seal and 510 us to open, nine tenths of it WebCrypto's
// promises and key imports; these take 25 us with a cached key agreement and 90 us without. A sender keeps its
// ephemeral key for one recipient up to an hour (docs/protocol.md, Seals) and the opening side caches the agreed key,
// so that neither pays an elliptic curve operation per record. The content key and the nonce are new in every record.
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { LruCache } from "../../lib/lru.ts";
import { isFields, parseFields } from "./sealed-fields.ts";

export const alg = "ECDH-ES+A256KW";
export const enc = "A256GCM";

const hourMs = 3_600_000;
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/** Concat KDF with SHA-256 (RFC 7518, 4.6.2), one round: algorithm id, empty PartyUInfo and PartyVInfo, 256 bits. */
const otherInfo = Buffer.concat([uint32(alg.length), Buffer.from(alg), uint32(0), uint32(0), uint32(256)]);

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** The key that wraps content keys between two parties. */
function agree(privateKey: KeyObject, publicKey: KeyObject): KeyObject {
  const shared = diffieHellman({ privateKey, publicKey });
  return createSecretKey(createHash("sha256").update(uint32(1)).update(shared).update(otherInfo).digest());
}

const wrapNonce = Buffer.alloc(8, 0xa6); // RFC 3394, 2.2.3.1

function wrap(kek: KeyObject, contentKey: Buffer): Buffer {
  const cipher = createCipheriv("id-aes256-wrap", kek, wrapNonce);
  return Buffer.concat([cipher.update(contentKey), cipher.final()]);
}

function unwrap(kek: KeyObject, wrapped: Buffer): Buffer {
  const decipher = createDecipheriv("id-aes256-wrap", kek, wrapNonce);
  return Buffer.concat([decipher.update(wrapped), decipher.final()]);
}

interface Agreement {
  /** The ephemeral public key's members. */
  epk: { x: string; crv: string; kty: string; y: string };
  kek: KeyObject;
  /** Monotonic ms. */
  until: number;
}

/** By recipient; the ephemeral private key itself is dropped at once. */
const agreements = new WeakMap<KeyObject, Agreement>();

function agreementWith(recipient: KeyObject, clock: Clock): Agreement {
  const known = agreements.get(recipient);
  if (known !== undefined && known.until > clock.monotonic()) return known;
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  const epk = { x, crv: "P-256", kty: "EC", y };
  const made = { epk, kek: agree(privateKey, recipient), until: clock.monotonic() + hourMs };
  agreements.set(recipient, made);
  return made;
}

/** A compact JWE. @param recipient a public key on P-256 @param header further members of the protected header */
export function sealCompact(
  plaintext: Buffer,
  { recipient, header }: { recipient: KeyObject; header: object },
  clock: Clock = systemClock,
): string {
  const { epk, kek } = agreementWith(recipient, clock);
  const head = Buffer.from(JSON.stringify({ ...header, alg, enc, epk })).toString("base64url");
  const random = randomBytes(keyBytes + nonceBytes);
  const [contentKey, nonce] = [random.subarray(0, keyBytes), random.subarray(keyBytes)];
  const cipher = createCipheriv("aes-256-gcm", createSecretKey(contentKey), nonce);
  cipher.setAAD(Buffer.from(head, "latin1"));
  const text = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return [head, ...[wrap(kek, contentKey), nonce, text, cipher.getAuthTag()].map(base64url)].join(".");
}

const base64url = (bytes: Buffer): string => bytes.toString("base64url");

/** A JWE of the plain form, parsed and not yet opened. */
export interface PlainJwe {
  header: { kid: string; [name: string]: unknown };
  epk: { x: string; y: string };
  /** The exact text of the header, which is authenticated. */
  head: string;
  wrapped: string;
  nonce: string;
  text: string;
  tag: string;
}

const plainForm =
  /^([A-Za-z0-9_-]{2,4096})\.([A-Za-z0-9_-]{54})\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]{22})$/;
const knownMembers = new Set(["alg", "enc", "kid", "epk", "top", "rpt", "rkt", "jti", "exp"]);

/** undefined: not the plain form; jose decides whether it is a valid JWE. */
export function readPlain(sealed: string): PlainJwe | undefined {
  const [, head = "", wrapped = "", nonce = "", text = "", tag = ""] = plainForm.exec(sealed) ?? [];
  if (head === "" || head.length % 4 === 1 || text.length % 4 === 1) return undefined;
  const header = parseHeader(head);
  const epk = header && plainEpk(header["epk"]);
  if (header === undefined || epk === undefined) return undefined;
  const { kid } = header;
  if (header["alg"] !== alg || header["enc"] !== enc || typeof kid !== "string") return undefined;
  if (!Object.keys(header).every((name) => knownMembers.has(name))) return undefined;
  return { header: { ...header, kid }, epk, head, wrapped, nonce, text, tag };
}

function parseHeader(head: string): Record<string, unknown> | undefined {
  const text = Buffer.from(head, "base64url").toString("utf8");
  if (text.includes("\ufffd")) return undefined; // may be invalid UTF-8
  try {
    return parseFields(text);
  } catch {
    return undefined;
  }
}

function plainEpk(epk: unknown): { x: string; y: string } | undefined {
  if (!isFields(epk) || Object.keys(epk).length !== 4) return undefined;
  const { kty, crv, x, y } = epk;
  if (kty !== "EC" || crv !== "P-256" || !isBase64url32(x) || !isBase64url32(y)) return undefined;
  return { x, y };
}

/** 32 bytes as canonical base64url: a coordinate of P-256, a reply secret. */
export function isBase64url32(text: unknown): text is string {
  if (typeof text !== "string" || text.length !== 43) return false;
  const bytes = Buffer.from(text, "base64url");
  return bytes.length === keyBytes && bytes.toString("base64url") === text;
}

/**
 * Key agreements with senders whose seals opened, by their ephemeral key and ours. A sender that makes an ephemeral key
 * for every record pays for each. At some 500 bytes each the bound is 5 MB.
 */
const opened = new LruCache<string, { own: KeyObject; kek: KeyObject }>(10_000);

function kekFor({ header, epk }: PlainJwe, own: KeyObject): KeyObject {
  const known = opened.get(nameOf(header.kid, epk));
  if (known?.own.equals(own)) return known.kek;
  const { x, y } = epk;
  return agree(own, createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" })); // refuses a point that is not on the curve
}

const nameOf = (kid: string, { x, y }: { x: string; y: string }): string => `${x}.${y}.${kid}`;

/** The plaintext, or undefined where it does not open. @param own a private key on P-256 */
export function openPlain(jwe: PlainJwe, own: KeyObject): Buffer | undefined {
  try {
    const kek = kekFor(jwe, own);
    const contentKey = createSecretKey(unwrap(kek, Buffer.from(jwe.wrapped, "base64url")));
    const nonce = Buffer.from(jwe.nonce, "base64url");
    const decipher = createDecipheriv("aes-256-gcm", contentKey, nonce, { authTagLength: tagBytes });
    decipher.setAAD(Buffer.from(jwe.head, "latin1")).setAuthTag(Buffer.from(jwe.tag, "base64url"));
    const plaintext = Buffer.concat([decipher.update(Buffer.from(jwe.text, "base64url")), decipher.final()]);
    opened.set(nameOf(jwe.header.kid, jwe.epk), { own, kek }); // only valid ones: garbage must not evict good senders
    return plaintext;
  } catch {
    return undefined;
  }
}
