// Binds a reply to its request. Inside each sealed request stand 32 random bytes that only the fleet can read; every
// reply to a request that was opened carries an HMAC under them. So whoever writes to a reply topic can neither make an
// answer up nor move one to another call. Promises: what is compared covers where the reply goes, which call it is for,
// its code and all its bytes; the time of a comparison tells nothing of the mac. It does not know what a request or a
// reply means.
import { createHmac, randomFillSync, timingSafeEqual } from "node:crypto";

/** Name of the member inside a sealed request that holds the reply secret. */
export const replySecretName = "$reply";
const secretBytes = 32;

/** What a mac is made over. */
export interface MacInput {
  /** As in kafka_replyTopic: without the prefix that a deployment puts before topics. */
  replyTopic: string;
  /** As the request had it; none counts as empty. */
  correlationId: Buffer | undefined;
  /** `ok`, or the refusal's code. */
  code: string;
  /** The reply record's value. */
  value: Buffer;
}

/** The value of the header: base64url of HMAC-SHA-256 over the four, each after its length as 4 bytes, big-endian. */
export function replyMac(secret: Buffer, { replyTopic, correlationId, code, value }: MacInput): string {
  const hmac = createHmac("sha256", secret);
  for (const part of [Buffer.from(replyTopic), correlationId ?? Buffer.alloc(0), Buffer.from(code), value]) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    hmac.update(length).update(part);
  }
  return hmac.digest("base64url");
}

/** Compares in constant time. @param given the header, as it came */
export function isReplyMac(given: Buffer | undefined, secret: Buffer, input: MacInput): boolean {
  const right = Buffer.from(replyMac(secret, input));
  return given !== undefined && given.length === right.length && timingSafeEqual(given, right);
}

const pool = Buffer.alloc(128 * secretBytes);
let used = pool.length;

/** A new reply secret. Taken from a pool that is filled at once: a call to the system for each cost 3 us. */
export function makeReplySecret(): Buffer {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const secret = Buffer.from(pool.subarray(used, used + secretBytes)); // a copy: the pool is filled again
  pool.fill(0, used, used + secretBytes);
  used += secretBytes;
  return secret;
}
