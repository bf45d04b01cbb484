// Hashes under which attempts, devices and networks are kept: whoever reads the database learns neither logins nor addresses by trying them.
import { createHmac, createSecretKey } from "node:crypto";
import type { DataKeys } from "../crypto/envelope.ts";

export type KeyedHash = (...parts: (string | Buffer)[]) => Buffer;

/** Each part with its length before it, so that no two lists of parts are hashed alike. 16 bytes. */
export function keyedHash(keys: DataKeys): KeyedHash {
  const secret = createSecretKey(keys.current("attempts").key);
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
