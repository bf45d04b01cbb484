// Verifies access tokens locally: signature and claims with the keys of auth.key, revocations with auth.revocation
// (feeds.ts). It knows how old this data is. If it is too old, or a token names an unknown key, the caller's policy
// decides: ask the fleet, refuse, or accept and report that the result is not fresh. A known revocation counts under
// every policy. States: reading -> fresh <-> stale -> closed. With a fleet id, only keys certified by its root key are
// accepted, and the fleet's answers only with the mac of their request. Verified signatures are cached, verdicts are
// not: expiry, key and revocations are checked each time.
import { decodeProtectedHeader } from "jose";
import { type AccessClaims, longestToken, makeAccessVerifier, peekAccess } from "../crypto/access-tokens.ts";
import type { KafkaPort } from "../kafka/kafka.ts";
import type { Clock } from "../lib/clock.ts";
import { LruCache } from "../lib/lru.ts";
import { invalid, Refusal, refuse } from "../protocol/errors.ts";
import type { Logger } from "../runtime/log.ts";
import { Feeds } from "./feeds.ts";
import type { KeyReader } from "./key-reader.ts";

export type StalePolicy = "ask" | "refuse" | "accept";

export interface VerifierOptions {
  /** Older data, ms, is not fresh. Default 10,000. */
  maxAgeMs?: number;
  /**
   * What to do with a valid token while not fresh: ask the fleet (default), refuse UNAVAILABLE, or accept and report
   * it.
   */
  whenStale?: StalePolicy;
  /**
   * The claims iss and aud that a token must have: the fleet's AUTH_ISSUER and AUTH_AUDIENCE. Defaults "auth" and
   * "platform".
   */
  issuer?: string;
  audience?: string;
  /** Verified signatures to cache; 0: none. Default 10,000, some 2 KB each. */
  cache?: number;
  /**
   * The longest lifetime of an access token, ms: revocations are kept that long, or longer if the fleet reports a
   * longer one. Default 24 h, the maximum of AUTH_ACCESS_TTL.
   */
  tokenLifeMs?: number;
}

/** Asks the fleet for the identity of a token: auth.session.inspect. */
type Inspect = (accessToken: string) => Promise<Omit<Verified, "by" | "fresh" | "ageMs">>;

export interface VerifyOptions {
  whenStale?: StalePolicy;
  /** Asks the fleet, where the policy says so; default: a call of the client. */
  inspect?: Inspect;
}

/** The identity of a token, and how reliable it is. Times in Unix ms. */
export interface Verified {
  userId: number;
  login: string;
  roles: string[];
  sessionId: string;
  expiresAt: number;
  /** local: by the feeds; fleet: by asking. */
  by: "local" | "fleet";
  /** Whether every revocation up to maxAgeMs ago was considered. */
  fresh: boolean;
  /** The age of the data, ms; Infinity before the feeds were read. */
  ageMs: number;
}

export interface Verifier {
  /**
   * @throws Refusal INVALID_INPUT (empty), TOKEN_INVALID, TOKEN_EXPIRED (also after a change of rights: refresh),
   *   SESSION_REVOKED, UNAVAILABLE (not fresh, and the policy is to refuse or the fleet does not answer; details.reason
   *   `stale`, `unknown-kid` or `uncertified-key`)
   */
  verify(token: string, options?: VerifyOptions): Promise<Verified>;
  /**
   * Resolves when it is fresh for the first time.
   * @throws Refusal UNAVAILABLE where no key on auth.key has the fleet's certificate, or it is closed
   */
  ready(): Promise<void>;
  readonly fresh: boolean;
  readonly ageMs: number;
  /** Revocations in memory. */
  readonly revocations: number;
  /** The fleet's signing keys as a JSON Web Key Set. */
  jwks(): { keys: object[] };
  /** Ends the session of an access token here at once, for a caller that has just logged it out. */
  end(token: string): void;
  close(): Promise<void>;
}

export interface VerifierDeps {
  kafka: KafkaPort;
  name: string;
  log: Logger;
  clock: Clock;
  inspect: Inspect;
  /** Started and shared; its creator closes it. */
  keys: KeyReader;
}

const day = 86_400_000;
const leewayMs = 5000;
const lookMs = 50;
/** Per second, the most questions about tokens with unknown keys: anybody can make such tokens. */
const unknownKeyAsks = 20;

export function makeVerifier(parts: VerifierDeps, options: VerifierOptions = {}): Verifier {
  checkNumbers(options);
  return new FeedVerifier(parts, options);
}

/** Methods of the interface are arrow functions: a service may pass `verifier.verify` on as a function. */
class FeedVerifier implements Verifier {
  readonly #deps: VerifierDeps;
  readonly #whenStale: StalePolicy;
  readonly #feeds: Feeds;
  readonly #verifySignature: (token: string) => Promise<AccessClaims>;
  readonly #mayAskUnknownKey: () => boolean;
  #closed = false as boolean;

  constructor(deps: VerifierDeps, options: VerifierOptions) {
    const { maxAgeMs = 10_000, whenStale = "ask", tokenLifeMs = day } = options;
    this.#deps = deps;
    this.#whenStale = whenStale;
    this.#feeds = new Feeds({ ...deps, maxAgeMs, keepMs: tokenLifeMs + 60_000 });
    this.#verifySignature = makeSignatureVerifier(this.#feeds, deps, options);
    this.#mayAskUnknownKey = perSecond(unknownKeyAsks, deps.clock.monotonic);
  }

  verify = async (token: string, options: VerifyOptions = {}): Promise<Verified> => {
    checkLength(token);
    const { whenStale = this.#whenStale, inspect = this.#deps.inspect } = options;
    let claims: AccessClaims;
    try {
      claims = standing(await this.#verifySignature(token), this.#feeds);
    } catch (error) {
      if (!isInvalid(error) || !this.#namesUnknownKey(token)) throw error;
      this.#checkUnknownKey(whenStale);
      return byFleet(await inspect(token));
    }
    const fresh = this.#feeds.isFresh();
    if (fresh || whenStale === "accept") return { ...identityOf(claims), by: "local", fresh, ageMs: this.#feeds.age() };
    if (whenStale !== "ask")
      throw refuse("UNAVAILABLE", {
        message: "The data about revocations is not fresh.",
        details: { reason: "stale" },
      });
    await inspect(token);
    return byFleet(claims); // signed by the fleet: inspect only says whether the token is revoked
  };

  ready = async (): Promise<void> => {
    const feeds = this.#feeds;
    while (!(feeds.isFresh() && feeds.keys().size > 0)) {
      if (this.#closed) throw refuse("UNAVAILABLE", { message: "The verifier is closed." });
      if (feeds.isFresh() && this.#deps.keys.objection !== undefined) throw this.#deps.keys.objection;
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
  };

  get fresh(): boolean {
    return this.#feeds.isFresh();
  }

  get ageMs(): number {
    return this.#feeds.age();
  }

  get revocations(): number {
    return this.#feeds.revocations.size;
  }

  jwks = (): { keys: object[] } => this.#feeds.keys().jwks();

  end = (token: string): void => {
    const session = peekAccess(token)?.sessionId;
    if (session !== undefined) this.#feeds.revocations.end(session, this.#feeds.now());
  };

  close = async (): Promise<void> => {
    this.#closed = true;
    await this.#feeds.close();
  };

  #namesUnknownKey(token: string): boolean {
    const kid = keyIdOf(token);
    if (kid === undefined || this.#feeds.revocations.isRevokedKey(kid)) return false;
    return this.#feeds.keys().verification(kid) === undefined;
  }

  /** For a token with an unknown key: it may be new, or made up. @throws Refusal UNAVAILABLE */
  #checkUnknownKey(whenStale: StalePolicy): void {
    const details = { reason: "unknown-kid" };
    if (whenStale !== "ask")
      throw refuse("UNAVAILABLE", { message: "The token's key is not known here yet.", details });
    if (!this.#mayAskUnknownKey())
      throw refuse("UNAVAILABLE", { message: "Too many tokens of unknown keys.", details, retryAfterMs: 1000 });
  }
}

/** Caches verified signatures; key and expiry, which may change, are checked each time. */
function makeSignatureVerifier(feeds: Feeds, { keys, clock }: VerifierDeps, options: VerifierOptions) {
  const { issuer = "auth", audience = "platform", cache = 10_000 } = options;
  const verified = new LruCache<string, AccessClaims>(cache);
  const now = (): number => feeds.now();
  const access = makeAccessVerifier({ keyring: () => feeds.keys(), issuer, audience, clock: { ...clock, now } });

  const verifyNow = async (token: string): Promise<AccessClaims> => {
    const known = verified.get(token);
    if (known !== undefined && feeds.keys().verification(known.keyId) !== undefined) return alive(known, now());
    const claims = await access.verifyAccess(token);
    verified.set(token, claims);
    return claims;
  };

  /** Its key may be read, or become valid again, during the look-up. @throws Refusal TOKEN_INVALID, TOKEN_EXPIRED */
  return async (token: string): Promise<AccessClaims> => {
    const { changes } = keys;
    try {
      return await verifyNow(token);
    } catch (error) {
      if (!isInvalid(error) || keys.changes === changes) throw error;
      return verifyNow(token);
    }
  };
}

/** @throws Refusal TOKEN_INVALID, SESSION_REVOKED, TOKEN_EXPIRED where the token was revoked or outdated */
function standing(claims: AccessClaims, { revocations }: Feeds): AccessClaims {
  switch (revocations.judge(claims)) {
    case "key":
      throw refuse("TOKEN_INVALID");
    case "over":
      throw refuse("SESSION_REVOKED");
    case "outdated":
      throw refuse("TOKEN_EXPIRED", { details: { reason: "generation" } });
    case "good":
      return claims;
  }
}

/** The same limit as the fleet's. @throws Refusal INVALID_INPUT */
function checkLength(token: string): void {
  if (token === "") throw invalid("accessToken", "must not be empty");
  if (token.length > longestToken) throw invalid("accessToken", `must have at most ${longestToken} bytes of UTF-8`);
}

/** With NaN, data would never be fresh, or never be dropped. @throws TypeError */
function checkNumbers({ maxAgeMs, cache, tokenLifeMs }: VerifierOptions): void {
  for (const [name, value] of Object.entries({ maxAgeMs, cache, tokenLifeMs }))
    if (value !== undefined && !(typeof value === "number" && value >= 0))
      throw new TypeError(`"${name}" must be a number, 0 or more`);
}

const identityOf = ({ userId, login, roles, sessionId, expiresAt }: Awaited<ReturnType<Inspect>>) => ({
  userId,
  login,
  roles,
  sessionId,
  expiresAt,
});

const byFleet = (identity: Awaited<ReturnType<Inspect>>): Verified => ({
  ...identityOf(identity),
  by: "fleet",
  fresh: true,
  ageMs: 0,
});

/** @throws Refusal TOKEN_EXPIRED: a cached signature stays valid, its token does not */
function alive(claims: AccessClaims, now: number): AccessClaims {
  if (now >= claims.expiresAt + leewayMs) throw refuse("TOKEN_EXPIRED");
  return claims;
}

const isInvalid = (error: unknown): boolean => error instanceof Refusal && error.code === "TOKEN_INVALID";

/** The key id in a token's header; undefined where it does not have the form of a token. */
function keyIdOf(token: string): string | undefined {
  try {
    const { kid, typ } = decodeProtectedHeader(token);
    return typ === "at+jwt" && typeof kid === "string" ? kid : undefined;
  } catch {
    return undefined;
  }
}

function perSecond(most: number, monotonic: () => number): () => boolean {
  let since = monotonic();
  let used = 0;
  return () => {
    if (monotonic() - since >= 1000) {
      since = monotonic();
      used = 0;
    }
    used += 1;
    return used <= most;
  };
}
