// Binds a reply to its request. Each sealed request contains 32 random bytes that only the fleet can read, and every
// reply to an opened request carries an HMAC with them. So write access to a reply topic is not enough to forge an
// answer or to move one to another call. The HMAC covers the reply topic, the correlation id, the code and all bytes of
// the value, and is compared in constant time.
import { createHmac, randomFillSync, timingSafeEqual } from "node:crypto";

/** The member of a sealed request that holds the reply secret. */
export const replySecretName = "$reply";
const secretBytes = 32;

/** The input of a mac. */
export interface MacInput {
  /** As in kafka_replyTopic: without the deployment's topic prefix. */
  replyTopic: string;
  /** As in the request; a missing one counts as empty. */
  correlationId: Buffer | undefined;
  /** `ok`, or the refusal's code. */
  code: string;
  /** The reply record's value. */
  value: Buffer;
}

/**
 * The header's value: base64url of HMAC-SHA-256 over the four inputs, each prefixed with its 4-byte big-endian length.
 */
export function replyMac(secret: Buffer, { replyTopic, correlationId, code, value }: MacInput): string {
  const hmac = createHmac("sha256", secret);
  for (const part of [Buffer.from(replyTopic), correlationId ?? Buffer.alloc(0), Buffer.from(code), value]) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    hmac.update(length).update(part);
  }
  return hmac.digest("base64url");
}

/** Compares in constant time. @param given the header's value */
export function isReplyMac(given: Buffer | undefined, secret: Buffer, input: MacInput): boolean {
  const right = Buffer.from(replyMac(secret, input));
  return given !== undefined && given.length === right.length && timingSafeEqual(given, right);
}

const pool = Buffer.alloc(128 * secretBytes);
let used = pool.length;

/** A new reply secret, from a pool of random bytes: a system call for each cost 3 us. */
export function makeReplySecret(): Buffer {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const secret = Buffer.from(pool.subarray(used, used + secretBytes)); // a copy, because the pool is refilled
  pool.fill(0, used, used + secretBytes);
  used += secretBytes;
  return secret;
}
