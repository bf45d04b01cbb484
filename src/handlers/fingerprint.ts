// What the inbox keeps of a request beside its answer: the id of a data key, and an HMAC with that key over the opened request. It tells the
// same request, sealed anew or delivered again, from another one under the same idempotency key; nobody without the key can try passwords
// against it. The id, because by then another key may be the current one.
import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto";
import type { DataKey, DataKeys } from "../crypto/envelope.ts";

/** Over the opened request: the same request sealed twice has different bytes. */
export function fingerprintOf(keys: DataKeys, request: object): Buffer {
  return fingerprintWith(keys.current("fingerprint"), request);
}

/** @throws UnknownDataKey */
export function isFingerprintOf(keys: DataKeys, fingerprint: Buffer, request: object): boolean {
  const own = fingerprintWith(keys.get("fingerprint", fingerprint.readUInt32BE()), request);
  return own.length === fingerprint.length && timingSafeEqual(own, fingerprint);
}

function fingerprintWith({ id, key }: DataKey, request: object): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(id);
  return Buffer.concat([head, createHmac("sha256", createSecretKey(key)).update(canonical(request)).digest()]);
}

/**
 * JSON with sorted names, so that a schema's field order does not matter, and without fields that are null: one that a later version adds, and
 * its requester does not know, makes no other request of the one that an earlier worker has answered.
 */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value ?? null);
  const given = Object.entries(value).filter(([, each]) => each !== null && each !== undefined);
  const entries = given.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, each]) => `${JSON.stringify(name)}:${canonical(each)}`).join(",")}}`;
}
