// The fingerprint of a request, stored with its answer: a data key's id and an HMAC under that key over the opened
// request. It recognises the same request when it is sealed again or redelivered, and tells it from a different request
// under the same idempotency key. Without the key nobody can test passwords against it. The id is stored because the
// current key may change before the request is repeated. An operator signs a new token for each attempt, so such a
// request has a second HMAC, over the operator's name in place of the token. If only the second one matches, the new
// token is verified before the stored answer is returned.
import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto";
import type { DataKey, DataKeys } from "../crypto/envelope.ts";
import { peekOperator } from "../crypto/operators.ts";

/** Over the opened request: sealing the same request twice gives different bytes. */
export function requestFingerprint(keys: DataKeys, request: object): Buffer {
  const key = keys.current("fingerprint");
  const head = Buffer.alloc(headLength);
  head.writeUInt32BE(key.id);
  const byOperator = withOperatorName(request);
  return Buffer.concat([head, macOf(key, request), ...(byOperator === undefined ? [] : [macOf(key, byOperator)])]);
}

/** renewed: equal except for the actor's token, which must be verified. */
export type Sameness = "same" | "renewed" | "other";

/** @throws UnknownDataKey */
export function compareFingerprint(keys: DataKeys, fingerprint: Buffer, request: object): Sameness {
  const key = keys.get("fingerprint", fingerprint.readUInt32BE());
  const [whole, byOperator] = [macIn(fingerprint, 0), macIn(fingerprint, 1)];
  if (equal(whole, macOf(key, request))) return "same";
  const renewed = withOperatorName(request);
  return renewed !== undefined && equal(byOperator, macOf(key, renewed)) ? "renewed" : "other";
}

const headLength = 4;
const macLength = 32;

function macOf({ key }: DataKey, request: object): Buffer {
  return createHmac("sha256", createSecretKey(key)).update(canonical(request)).digest();
}

function macIn(fingerprint: Buffer, place: number): Buffer {
  return fingerprint.subarray(headLength + place * macLength, headLength + (place + 1) * macLength);
}

const equal = (one: Buffer, other: Buffer): boolean => one.length === other.length && timingSafeEqual(one, other);

/** undefined where the actor's token does not change between attempts. */
function withOperatorName(request: object): object | undefined {
  const { actorToken } = request as { actorToken?: unknown };
  const name = typeof actorToken === "string" ? peekOperator(actorToken)?.name : undefined;
  return name === undefined ? undefined : { ...request, actorToken: { operator: name } };
}

/**
 * JSON with sorted names, so that the order of fields in a schema does not matter, and without null fields: a field
 * that a later version adds must not change the fingerprint of a request that an earlier worker has answered.
 */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value ?? null);
  const given = Object.entries(value).filter(([, each]) => each !== null && each !== undefined);
  const entries = given.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, each]) => `${JSON.stringify(name)}:${canonical(each)}`).join(",")}}`;
}
