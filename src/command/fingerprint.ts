// What the inbox keeps of a request beside its answer: the id of a data key, and an HMAC with that key over the opened
// request. It tells the same request, sealed anew or delivered again, from another one under the same idempotency key;
// nobody without the key can try passwords against it. The id, because by then another key may be the current one.
// A request whose actor signs a token for each try (an operator) has a second HMAC, in which the token's subject stands
// for its text: with a token made anew it is the same request. By that one alone no answer is given before the new
// token is verified.
import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto";
import type { DataKey, DataKeys } from "../crypto/envelope.ts";
import { peekOperator } from "../crypto/operators.ts";

/** Over the opened request: the same request sealed twice has different bytes. */
export function requestFingerprint(keys: DataKeys, request: object): Buffer {
  const key = keys.current("fingerprint");
  const head = Buffer.alloc(headLength);
  head.writeUInt32BE(key.id);
  const bySubject = withSubject(request);
  return Buffer.concat([head, macOf(key, request), ...(bySubject === undefined ? [] : [macOf(key, bySubject)])]);
}

/** renewed: the same but for the text of the actor's token, which is to be verified. */
export type Sameness = "same" | "renewed" | "other";

/** @throws UnknownDataKey */
export function compareFingerprint(keys: DataKeys, fingerprint: Buffer, request: object): Sameness {
  const key = keys.get("fingerprint", fingerprint.readUInt32BE());
  const [whole, bySubject] = [macIn(fingerprint, 0), macIn(fingerprint, 1)];
  if (equal(whole, macOf(key, request))) return "same";
  const renewed = withSubject(request);
  return renewed !== undefined && equal(bySubject, macOf(key, renewed)) ? "renewed" : "other";
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

/** undefined where the actor's token has a text that stays. */
function withSubject(request: object): object | undefined {
  const { actorToken } = request as { actorToken?: unknown };
  const name = typeof actorToken === "string" ? peekOperator(actorToken)?.name : undefined;
  return name === undefined ? undefined : { ...request, actorToken: { operator: name } };
}

/**
 * JSON with sorted names, so that a schema's field order does not matter, and without fields that are null: one that a
 * later version adds, and its requester does not know, makes no other request of the one that an earlier worker has
 * answered.
 */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value ?? null);
  const given = Object.entries(value).filter(([, each]) => each !== null && each !== undefined);
  const entries = given.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, each]) => `${JSON.stringify(name)}:${canonical(each)}`).join(",")}}`;
}
