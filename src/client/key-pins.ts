// Pins: thumbprints (RFC 7638) of the fleet's keys that a requester was given by another way than Kafka (contract, section 4). Where there
// are pins, no other key is sealed to and no other key's signature counts, whatever auth.key.list, auth.key or the fleet's answers say.
//
// Both kinds of key are pinned. Who can write to the brokers could put a key of his own before either reader: before the one that seals, to
// read passwords and tokens; before the verifier, to make tokens of any user. Pins by use were rejected: a pin that is forgotten must fail
// on the first day and not on the day of the attack. What pins do not do: an answer is sealed, not signed, so a writer can still make up
// refusals, and results without tokens. ACLs hold him off from that.
import { createHash } from "node:crypto";
import type { JWK } from "jose";

export type KeyPins = ReadonlySet<string>;

/** 32 bytes in their one spelling. */
const form = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

/** @throws Error, to be read after the name of what holds the pins */
export function readPins(thumbprints: readonly string[]): KeyPins {
  const bad = thumbprints.find((each) => typeof each !== "string" || !form.test(each));
  if (thumbprints.length === 0 || bad !== undefined) {
    throw new Error(`must be thumbprints of keys as \`authctl keys list\` shows them (${bad ?? "empty"})`);
  }
  return new Set(thumbprints);
}

/** What makes a key of each type, in the order that is hashed (RFC 7638, 3.2; RFC 8037, 2). */
const members: Record<string, (keyof JWK)[]> = {
  EC: ["crv", "kty", "x", "y"],
  OKP: ["crv", "kty", "x"],
  RSA: ["e", "kty", "n"],
};

/** The RFC 7638 thumbprint (SHA-256) of a public key; undefined for a type that we do not know. */
export function keyThumbprint(jwk: JWK): string | undefined {
  const names = Object.hasOwn(members, jwk.kty ?? "") ? members[jwk.kty ?? ""] : undefined;
  if (names === undefined) return undefined;
  const text = JSON.stringify(Object.fromEntries(names.map((name) => [name, jwk[name]])));
  return createHash("sha256").update(text).digest("base64url");
}

/** Whether the key may be trusted. Its kid must be its own thumbprint: under another name it would outlive its revocation. */
export function isPinned(jwk: JWK & { kid: string }, pins: KeyPins | undefined): boolean {
  return pins === undefined || (pins.has(jwk.kid) && keyThumbprint(jwk) === jwk.kid);
}

/** What to do about a key that is not pinned, for whoever reads the refusal or the log. */
export const pinAdvice =
  "compare it with `authctl keys list` at the fleet and, where it is there, add its kid to AUTH_KEY_PINS (keyPins of connect())";
