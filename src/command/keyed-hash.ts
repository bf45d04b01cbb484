// Hashes under which attempts, devices, networks and logins are kept: whoever reads the database learns neither logins
// nor addresses by trying them.
import { createHmac, createSecretKey } from "node:crypto";
import type { DataKeys } from "../crypto/envelope.ts";

export type KeyedHash = (...parts: (string | Buffer)[]) => Buffer;

/** For counts that live for a day or so: when another key follows, they begin anew. */
export const keyedHash = (keys: DataKeys): KeyedHash => hashUnder(keys.current("attempts").key);

/**
 * For what is looked up by its hash for months, known devices and logins that were given up: its key stays the same
 * (keys/data-keys.ts).
 */
export const lastingHash = (keys: DataKeys): KeyedHash => hashUnder(keys.current("lookup").key);

/** Each part with its length before it, so that no two lists of parts are hashed alike. 16 bytes. */
function hashUnder(key: Buffer): KeyedHash {
  const secret = createSecretKey(key);
  return (...parts) => {
    const hmac = createHmac("sha256", secret);
    for (const part of parts)
      hmac
        .update(String(Buffer.byteLength(part)))
        .update(":")
        .update(part);
    return hmac.digest().subarray(0, 16);
  };
}

/** What a login that was given up is found by. */
export const loginHash = (keys: DataKeys, loginKey: string): Buffer => lastingHash(keys)("login", loginKey);
