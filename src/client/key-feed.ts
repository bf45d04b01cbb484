// The fleet's keys on the compacted topic auth.key: for seals, for verifying access tokens, and for JWKS over HTTP.
// With a fleet id, a key is only accepted with an unexpired certificate by that root key that matches the record. A key
// under another name than its thumbprint is never accepted, and a late record undoes nothing, neither a change of a
// key's state nor its removal. Other records are ignored, except removals, which have no certificate. A removal is
// therefore not final: a later certificate of the same version restores the key. The number of remembered removals of
// unknown keys is bounded.
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
  /** The key to seal to: the active one, or of two active ones the one certified last. */
  sealing(): SealingJwk | undefined;
  /** The signing keys, the one in use first (RFC 7517). */
  jwks(): { keys: JWK[] };
  /** The number of accepted signing keys. */
  readonly size: number;
  /** A key that was rejected for its certificate, to explain why none is accepted. */
  readonly uncertified: string | undefined;
}

export interface KeyFeedOptions {
  /** Thumbprints of the fleet's root key; undefined: certificates are not checked. */
  fleetIds: ReadonlySet<string> | undefined;
  /** Unix ms. */
  now(): number;
  /** Called once for each key without a valid certificate. */
  rejected(kid: string): void;
}

/** A known key; `key` undefined: it was removed. */
interface Known {
  version: number;
  /**
   * Unix ms: the broker time of its removal, or when its certificate was made; 0 where certificates are not checked.
   */
  at: number;
  key: LiveKey | undefined;
}

interface LiveKey extends VerificationKey {
  use: string;
  jwk: JsonWebKey;
  state: string;
  /** Unix ms: when it was certified last, or, where certificates are not checked, came into use. */
  since: number;
  /** Unix ms; 0 where certificates are not checked. */
  certifiedAt: number;
  /** The expiry of its certificate, Unix ms. */
  until: number;
}

const leewayMs = 5000;
/** Reported keys. Bounded, because anybody who can write to the topic can invent names. */
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

  /** Anybody who can write to the topic can invent removed keys without end. */
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

/** Of two records of one version the later one wins, and of two of the same time the removal. */
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
 * The key type and curve that an algorithm requires: alg says what a key is for, and the key must fit it (RFC 8725,
 * 3.1).
 */
const fit: Record<string, { use: string; kty: string; crv?: string }> = {
  ES256: { use: "sig", kty: "EC", crv: "P-256" },
  EdDSA: { use: "sig", kty: "OKP", crv: "Ed25519" },
  RS256: { use: "sig", kty: "RSA" },
  "ECDH-ES+A256KW": { use: "enc", kty: "EC", crv: "P-256" },
};

/** undefined where it is not a key of a known kind, or its name is not its thumbprint. */
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

/** Whether the certificate matches the record. */
function isOf(cert: KeyCert, record: Record<string, unknown>): boolean {
  const { jwk, use, version, state } = cert;
  if (use !== record["use"] || version !== record["version"] || state !== record["state"]) return false;
  if (jwk.alg !== record["alg"]) return false;
  return keyThumbprint(jwk) === record["kid"]; // the record's own key has the same thumbprint
}
