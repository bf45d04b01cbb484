// Seals made by hand, with whatever is wrong in them, by nothing but node:crypto: neither jose nor src/bus/seal/jwe.ts,
// which keep to the rules, stands between a test and the bytes.
import {
  createCipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
} from "node:crypto";

export interface Forgery {
  /** Of the protected header: beside alg, enc and epk, or instead of them; undefined leaves one out. */
  header: object;
  /** The header's JSON, spelled in another way. */
  spelled?: (header: string) => string;
  content: string | Buffer;
  /** Public, on P-256. */
  recipient: JsonWebKey;
  /** The sender's ephemeral pair. */
  ephemeral?: { publicKey: KeyObject; privateKey: KeyObject };
  /** What both sides agree on, where the epk of the header is none that could be agreed with. */
  shared?: Buffer;
}

const alg = "ECDH-ES+A256KW";

export const ephemeralPair = () => generateKeyPairSync("ec", { namedCurve: "P-256" });

export function forge({ header, spelled, content, recipient, ephemeral = ephemeralPair(), shared }: Forgery): string {
  const { kty, crv, x, y } = ephemeral.publicKey.export({ format: "jwk" });
  const json = JSON.stringify({ alg, enc: "A256GCM", epk: { kty, crv, x, y }, ...header });
  const head = Buffer.from(spelled === undefined ? json : spelled(json)).toString("base64url");
  const agreed = shared ?? agree(ephemeral.privateKey, recipient);
  const [contentKey, nonce] = [randomBytes(32), randomBytes(12)];
  const cipher = createCipheriv("aes-256-gcm", contentKey, nonce).setAAD(Buffer.from(head, "latin1"));
  const text = Buffer.concat([cipher.update(content), cipher.final()]);
  const parts = [wrapped(contentKey, derived(agreed)), nonce, text, cipher.getAuthTag()];
  return [head, ...parts.map((part) => part.toString("base64url"))].join(".");
}

function agree(privateKey: KeyObject, recipient: JsonWebKey): Buffer {
  return diffieHellman({ privateKey, publicKey: createPublicKey({ key: recipient, format: "jwk" }) });
}

/** Concat KDF, one round (RFC 7518, section 4.6.2). */
function derived(shared: Buffer): Buffer {
  const number = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer).swap32();
  const info = [number(alg.length), Buffer.from(alg), number(0), number(0), number(256)];
  return createHash("sha256")
    .update(Buffer.concat([number(1), shared, ...info]))
    .digest();
}

/** AES key wrap (RFC 3394). */
function wrapped(contentKey: Buffer, kek: Buffer): Buffer {
  const cipher = createCipheriv("id-aes256-wrap", kek, Buffer.alloc(8, 0xa6));
  return Buffer.concat([cipher.update(contentKey), cipher.final()]);
}

/** A seal with some of its five parts replaced. */
export function withParts(sealed: string, change: (parts: string[]) => string[]): string {
  return change(sealed.split(".")).join(".");
}
