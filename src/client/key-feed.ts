// The fleet's keys as the compacted topic auth.key tells them: what verifies access tokens, and what JWKS over HTTP shows.
import { createPublicKey, type KeyObject } from "node:crypto";
import type { JWK } from "jose";
import type { InRecord } from "../bus/records.ts";
import { isPinned, type KeyPins } from "./key-pins.ts";

export interface VerificationKey {
  kid: string;
  alg: string;
  key: KeyObject;
}

export interface KeyFeed {
  take(records: InRecord[]): void;
  verification(kid: string): VerificationKey | undefined;
  /** The signing keys, the one in use first (RFC 7517). */
  jwks(): { keys: JWK[] };
  readonly size: number;
  /** The fleet signs with it, and it is not pinned. */
  isUnpinned(kid: string): boolean;
  /** One that the fleet signs with and that is not pinned, where no key is. */
  readonly onlyUnpinned: string | undefined;
}

export interface KeyFeedOptions {
  pins: KeyPins | undefined;
  /** Told of each signing key that is not pinned, once. */
  unpinned(kid: string): void;
}

interface Known extends VerificationKey {
  jwk: JWK;
  state: string;
}

export function makeKeyFeed({ pins, unpinned }: KeyFeedOptions): KeyFeed {
  const keys = new Map<string, Known>();
  const others = new Set<string>();

  const takeOne = ({ key, value }: InRecord): void => {
    const kid = key?.toString("utf8") ?? "";
    if (value === null) {
      keys.delete(kid);
      others.delete(kid);
      return;
    }
    const known = read(kid, value);
    if (known === undefined) return;
    if (isPinned({ ...known.jwk, kid }, pins)) {
      keys.set(kid, known);
    } else if (!others.has(kid)) {
      others.add(kid);
      unpinned(kid);
    }
  };

  return {
    take: (records) => records.forEach(takeOne),
    verification: (kid) => keys.get(kid),
    jwks: () => ({
      keys: ["active", "next", "retired"].flatMap((state) =>
        [...keys.values()].filter((key) => key.state === state).map(({ jwk }) => jwk),
      ),
    }),
    get size() {
      return keys.size;
    },
    isUnpinned: (kid) => others.has(kid),
    get onlyUnpinned() {
      return keys.size === 0 ? others.values().next().value : undefined;
    },
  };
}

/** The key type, and curve, that an algorithm needs: alg says what a key is for, the key must be fit for it (RFC 8725, 3.1). */
const fit: Record<string, { kty: string; crv?: string }> = {
  ES256: { kty: "EC", crv: "P-256" },
  EdDSA: { kty: "OKP", crv: "Ed25519" },
  RS256: { kty: "RSA" },
};

/** undefined for what is no signing key of a kind that we know: a probe, a sealing key, a later version's. */
function read(kid: string, value: Buffer): Known | undefined {
  try {
    const { state, use, alg, kty, crv, x, y, n, e } = JSON.parse(value.toString("utf8")) as JWK & { state: string };
    if (use !== "sig" || alg === undefined || !Object.hasOwn(fit, alg)) return undefined;
    if (fit[alg]?.kty !== kty || fit[alg]?.crv !== crv) return undefined;
    const members = Object.entries({ kty, crv, x, y, n, e }).filter(([, member]) => member !== undefined);
    const jwk = { ...Object.fromEntries(members), kid, use, alg } as JWK;
    return { kid, alg, key: createPublicKey({ key: jwk, format: "jwk" }), jwk, state };
  } catch {
    return undefined;
  }
}
