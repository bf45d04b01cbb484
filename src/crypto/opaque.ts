// Refresh tokens and one-time tokens: `<id>.<32 random bytes in base64url>`. The id finds the row, which holds only the
// SHA-256 of the secret: 256 random bits need no slow hash. The row knows what a token is for.
//
// Refresh tokens form a chain: the successor of a secret is HMAC-SHA256(refresh data key, secret). So without a stored
// history, the immediate parent can be given the very same successor again, and a presented secret that leads to the
// current one in a few steps is an OLD token of this session (reuse: the session ends). A secret that leads nowhere was
// never issued; it is refused and ends nothing, or anybody who knows a session id could end it. The chain cannot be
// followed without the data key, in either direction.
import { createHash, createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from "node:crypto";
import { isUuid } from "./ids.ts";

export interface OpaqueToken {
  /** UUID of the row. */
  id: string;
  /** 32 bytes. */
  secret: Buffer;
}

/** A new token for the row `id`: its text for the bearer, its secret to be hashed. */
export function newOpaque(id: string): { token: string; secret: Buffer } {
  const secret = randomBytes(32);
  return { token: formatOpaque({ id, secret }), secret };
}

export function formatOpaque({ id, secret }: OpaqueToken): string {
  return `${id}.${secret.toString("base64url")}`;
}

/** The parts of a token, or undefined for any other text. Each token has exactly one text. */
export function parseOpaque(token: string): OpaqueToken | undefined {
  const [id = "", encoded = ""] = token.length === 80 ? token.split(".") : [];
  const secret = Buffer.from(encoded, "base64url");
  // The last character has two spare bits: other texts of the same bytes are refused.
  if (!isUuid(id) || secret.length !== 32 || formatOpaque({ id, secret }) !== token) return undefined;
  return { id, secret };
}

/** SHA-256, the form of the secret in a row. */
export function hashSecret(secret: Buffer): Buffer {
  return createHash("sha256").update(secret).digest();
}

/** Whether this is the hash of the secret, compared in constant time. */
export function isSecretOf(hash: Buffer, secret: Buffer): boolean {
  const presented = hashSecret(secret);
  return hash.length === presented.length && timingSafeEqual(hash, presented);
}

/** The next secret of the chain. @param refreshKey data key of purpose refresh, 32 bytes */
export function successor(refreshKey: Buffer, secret: Buffer): Buffer {
  return step(createSecretKey(refreshKey), secret);
}

/** A KeyObject, because an HMAC given a Buffer takes 20 us, not 3 (measured, Node 24). */
function step(refreshKey: KeyObject, secret: Buffer): Buffer {
  return createHmac("sha256", refreshKey).update(secret).digest();
}

/**
 * How many steps lead from the presented secret to the one whose hash is current: 0 is the current one, 1 its parent;
 * undefined: not an ancestor within `max` steps. A step takes 8 us of the event loop, so pass the session's own number
 * of rotations as `max`.
 */
export function ancestorDistance(
  presented: Buffer,
  currentHash: Buffer,
  { refreshKey, max }: { refreshKey: Buffer; max: number },
): number | undefined {
  const key = createSecretKey(refreshKey);
  let secret = presented;
  for (let distance = 0; distance <= max; distance++) {
    if (isSecretOf(currentHash, secret)) return distance;
    secret = step(key, secret);
  }
  return undefined;
}
