// Keyed hashes of logins, devices, networks and addresses: the database holds only these, so reading it does not allow
// testing guesses.
import { createHmac, createSecretKey } from "node:crypto";
import type { DataKeys } from "../crypto/envelope.ts";

export type KeyedHash = (...parts: (string | Buffer)[]) => Buffer;

/** For counters that live about a day: they start from zero when the key rotates. */
export const keyedHash = (keys: DataKeys): KeyedHash => hashUnder(keys.current("attempts").key);

/**
 * For what is looked up by its hash for months, known devices and quarantined logins: this key never changes
 * (keys/data-keys.ts).
 */
export const lastingHash = (keys: DataKeys): KeyedHash => hashUnder(keys.current("lookup").key);

/** Prefixes each part with its length, so that no two lists of parts hash alike. 16 bytes. */
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

/** The hash that a quarantined login is stored under. */
export const loginHash = (keys: DataKeys, loginKey: string): Buffer => lastingHash(keys)("login", loginKey);
