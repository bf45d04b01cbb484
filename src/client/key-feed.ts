// The fleet's keys as the compacted topic auth.key tells them: those to seal to, those that verify access tokens, what
// JWKS over HTTP shows. Promises: where the fleet's id is known, no key counts without a certificate of that root key
// which fits the record and has not expired; a key under another name than its thumbprint never counts; and a record
// that comes late takes back nothing, neither a change of a key's state nor the word that it is gone. What anybody else
// writes there is passed over, but for that word: it has no certificate. So it never is the last: in the same version a
// later certificate counts, and of keys that were never seen so many ends only are remembered.
import { createPublicKey, type JsonWebKey, type KeyObject } from "node:crypto";
import type { JWK } from "jose";
import type { InRecord } from "../kafka/records.ts";
import {
  isThumbprint,
  isVersion,
  type KeyCert,
  keyThumbprint,
  publicMembers,
  readCert,
  readKeyRecord,
} from "../protocol/fleet-cert.ts";

export type SealingJwk = JWK & { kid: string };

interface VerificationKey {
  kid: string;
  alg: string;
  key: KeyObject;
}

export interface KeyFeed {
  take(records: InRecord[]): void;
  verification(kid: string): VerificationKey | undefined;
  /** The key to seal to: the active one, and where two are, the one that was certified last. */
  sealing(): SealingJwk | undefined;
  /** The signing keys, the one in use first (RFC 7517). */
  jwks(): { keys: JWK[] };
  /** Signing keys that count. */
  readonly size: number;
  /** A key that does not count for want of a certificate that holds; for whoever has to say why there is none. */
  readonly uncertified: string | undefined;
}

export interface KeyFeedOptions {
  /** Thumbprints of the fleet's root key; undefined: any key counts. */
  fleetIds: ReadonlySet<string> | undefined;
  /** Unix ms. */
  now(): number;
  /** Told of each key without a certificate that holds, once. */
  rejected(kid: string): void;
}

/** What is known of a key; `key` undefined: it is gone. */
interface Known {
  version: number;
  /**
   * Unix ms: when the broker took the word that it is gone, or its certificate was made; 0 where certificates are not
   * looked at.
   */
  at: number;
  key: LiveKey | undefined;
}

interface LiveKey extends VerificationKey {
  use: string;
  jwk: JsonWebKey;
  state: string;
  /** Unix ms: when it was certified last or, where certificates are not looked at, came into use. */
  since: number;
  /** Unix ms; 0 where certificates are not looked at. */
  certifiedAt: number;
  /** Unix ms; of its certificate. */
  until: number;
}

const leewayMs = 5000;
/** Names of keys that were told of: who may write to the topic must not fill the memory. */
const mostRejected = 100;
const mostGoneUnseen = 10_000;

export function makeKeyFeed(options: KeyFeedOptions): KeyFeed {
  return new Feed(options);
}

class Feed implements KeyFeed {
  readonly #options: KeyFeedOptions;
  readonly #known = new Map<string, Known>();
  readonly #rejected = new Set<string>();
  #goneUnseen = 0;

  constructor(options: KeyFeedOptions) {
    this.#options = options;
  }

  take(records: InRecord[]): void {
    for (const { key, value, timestamp } of records)
      this.#takeOne(key?.toString("utf8") ?? "", readKeyRecord(value), timestamp);
  }

  verification(kid: string): VerificationKey | undefined {
    const key = this.#known.get(kid)?.key;
    return key?.use === "sig" && this.#isGood(key) ? key : undefined;
  }

  sealing(): SealingJwk | undefined {
    const [first] = inOrder(this.#good("enc"));
    return first && ({ ...publicMembers(first.jwk), kid: first.kid } as SealingJwk);
  }

  jwks(): { keys: JWK[] } {
    return { keys: inOrder(this.#good("sig")).map(({ jwk }) => jwk as JWK) };
  }

  get size(): number {
    return this.#good("sig").length;
  }

  get uncertified(): string | undefined {
    const [expired] = [...this.#known].find(([, { key }]) => key !== undefined && !this.#isGood(key)) ?? [];
    return this.#rejected.values().next().value ?? expired;
  }

  #takeOne(kid: string, record: Record<string, unknown> | undefined, timestamp: number): void {
    if (record === undefined || record["kid"] !== kid || !isVersion(record["version"])) return;
    const { version } = record as { version: number };
    const key = record["gone"] === true ? undefined : this.#liveKey(kid, record);
    if (key === undefined && record["gone"] !== true) return;
    const next: Known = { version, at: key === undefined ? timestamp : key.certifiedAt, key };
    const before = this.#known.get(kid);
    if (before === undefined ? !this.#mayAdd(kid, next) : isLate(next, before)) return;
    this.#known.set(kid, next);
    if (key !== undefined) this.#rejected.delete(kid);
  }

  /** Anybody who may write to the topic can name keys that are gone, without end. */
  #mayAdd(kid: string, { key }: Known): boolean {
    if (key !== undefined) return true;
    if (!isThumbprint(kid) || this.#goneUnseen >= mostGoneUnseen) return false;
    this.#goneUnseen += 1;
    return true;
  }

  #liveKey(kid: string, record: Record<string, unknown>): LiveKey | undefined {
    const { fleetIds } = this.#options;
    const key = readKey(kid, record);
    if (key === undefined) return undefined;
    const { activeAt } = record;
    if (fleetIds === undefined)
      return {
        ...key,
        since: typeof activeAt === "number" ? activeAt : 0,
        certifiedAt: 0,
        until: Number.POSITIVE_INFINITY,
      };
    const cert = readCert(record["cert"], fleetIds);
    if (cert !== undefined && isOf(cert, record)) {
      const at = cert.iat * 1000;
      return { ...key, since: at, certifiedAt: at, until: cert.exp * 1000 };
    }
    this.#reject(kid);
    return undefined;
  }

  #reject(kid: string): void {
    if (this.#rejected.has(kid) || this.#rejected.size >= mostRejected) return;
    this.#rejected.add(kid);
    this.#options.rejected(kid);
  }

  #good(use: string): LiveKey[] {
    return [...this.#known.values()].flatMap(({ key }) => (key?.use === use && this.#isGood(key) ? [key] : []));
  }

  #isGood({ until }: LiveKey): boolean {
    return this.#options.now() < until + leewayMs;
  }
}

/** In the same version what was said later counts, and of both at a time that the key is gone. */
function isLate(next: Known, before: Known): boolean {
  if (next.version !== before.version) return next.version < before.version;
  return before.key === undefined && next.key !== undefined ? next.at <= before.at : next.at < before.at;
}

const states = ["active", "next", "retired"];

function inOrder(keys: LiveKey[]): LiveKey[] {
  const rank = ({ state }: LiveKey): number => states.indexOf(state);
  return keys.filter((key) => rank(key) >= 0).sort((a, b) => rank(a) - rank(b) || b.since - a.since);
}

/**
 * The key type, and curve, that an algorithm needs: alg says what a key is for, the key must be fit for it (RFC 8725,
 * 3.1).
 */
const fit: Record<string, { use: string; kty: string; crv?: string }> = {
  ES256: { use: "sig", kty: "EC", crv: "P-256" },
  EdDSA: { use: "sig", kty: "OKP", crv: "Ed25519" },
  RS256: { use: "sig", kty: "RSA" },
  "ECDH-ES+A256KW": { use: "enc", kty: "EC", crv: "P-256" },
};

/**
 * undefined for what is no key of a kind that we know, such as a later version's, or has another name than its
 * thumbprint.
 */
function readKey(
  kid: string,
  record: Record<string, unknown>,
): Omit<LiveKey, "since" | "certifiedAt" | "until"> | undefined {
  const { state, use, alg, kty, crv } = record as JsonWebKey & { state: unknown; use: unknown };
  if (typeof alg !== "string" || typeof state !== "string" || !Object.hasOwn(fit, alg)) return undefined;
  const wanted = fit[alg]!;
  if (wanted.use !== use || wanted.kty !== kty || wanted.crv !== crv) return undefined;
  const own = publicMembers(record as JsonWebKey);
  if (own === undefined || keyThumbprint(own) !== kid) return undefined;
  try {
    const key = createPublicKey({ key: own, format: "jwk" });
    return { kid, alg, key, use, state, jwk: { ...own, kid, use, alg } };
  } catch {
    return undefined;
  }
}

/** Whether a certificate says what the record says. */
function isOf(cert: KeyCert, record: Record<string, unknown>): boolean {
  const { jwk, use, version, state } = cert;
  if (use !== record["use"] || version !== record["version"] || state !== record["state"]) return false;
  if (jwk.alg !== record["alg"]) return false;
  return keyThumbprint(jwk) === record["kid"]; // which the record's own key has too
}
