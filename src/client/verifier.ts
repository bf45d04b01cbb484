// Checks access tokens where they are used, without asking anybody: signature and claims by the keys of auth.key,
// revocations by auth.revocation (feeds.ts). It knows how old its knowledge is and says so; what happens when that is
// too old, or a token names a key it has not read yet, is the caller's policy: ask the fleet, refuse, or accept and say
// that it is not fresh. A revocation that is known counts under every policy. States: reading -> fresh <-> stale ->
// closed. Where the fleet's id is known, only a key that its root key has certified makes a token good, and the fleet's
// answer to a question counts only with the mac of that question. A verified signature is remembered, a verdict never:
// expiry, key and revocations are looked at each time.
import { decodeProtectedHeader } from "jose";
import { type AccessClaims, longestToken, makeAccessVerifier, peekAccess } from "../crypto/access-tokens.ts";
import type { KafkaPort } from "../kafka/kafka.ts";
import type { Clock } from "../lib/clock.ts";
import { invalid, Refusal, refuse } from "../protocol/errors.ts";
import type { Logger } from "../runtime/log.ts";
import { makeFeeds } from "./feeds.ts";
import type { KeyReader } from "./key-reader.ts";

export type StalePolicy = "ask" | "refuse" | "accept";

export interface VerifierOptions {
  /** Knowledge older than this, ms, is not fresh. Default 10,000. */
  maxAgeMs?: number;
  /**
   * What to do with a good token while not fresh: ask the fleet (default), refuse UNAVAILABLE, or accept and say so.
   */
  whenStale?: StalePolicy;
  /**
   * Claims iss and aud that a token must have: AUTH_ISSUER and AUTH_AUDIENCE of the fleet. Defaults "auth" and
   * "platform".
   */
  issuer?: string;
  audience?: string;
  /** Verified signatures to remember; 0: none. Default 10,000, some 2 KB each. */
  cache?: number;
  /**
   * The longest life of an access token, ms: revocations are kept so long, and longer where the fleet says that tokens
   * ever lived longer. Default 24 h, the most that AUTH_ACCESS_TTL can be.
   */
  tokenLifeMs?: number;
}

/** Asks the fleet whom a token speaks for: auth.session.inspect. */
type Inspect = (accessToken: string) => Promise<Omit<Verified, "by" | "fresh" | "ageMs">>;

export interface VerifyOptions {
  whenStale?: StalePolicy;
  /** Asks the fleet where that is the policy; default: the client's own call. */
  inspect?: Inspect;
}

/** Whom a token speaks for, and how sure that is. Times in Unix ms. */
export interface Verified {
  userId: number;
  login: string;
  roles: string[];
  sessionId: string;
  expiresAt: number;
  /** local: by what the feeds said; fleet: somebody was asked. */
  by: "local" | "fleet";
  /** Whether every revocation up to maxAgeMs ago is considered. */
  fresh: boolean;
  /** How old the knowledge is, ms; Infinity before the feeds were read. */
  ageMs: number;
}

export interface Verifier {
  /**
   * @throws Refusal INVALID_INPUT (empty), TOKEN_INVALID, TOKEN_EXPIRED (also: rights have changed, refresh),
   *   SESSION_REVOKED, UNAVAILABLE (not fresh, and the policy is to refuse, or the fleet does not answer;
   *   details.reason `stale`, `unknown-kid` or `uncertified-key`)
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
  /**
   * Ends the session of an access token here at once, for who has just logged it out and does not wait for the feed.
   */
  end(token: string): void;
  close(): Promise<void>;
}

export interface VerifierDeps {
  kafka: KafkaPort;
  name: string;
  log: Logger;
  clock: Clock;
  inspect: Inspect;
  /** Started and shared; whoever made it closes it. */
  keys: KeyReader;
}

const day = 86_400_000;
const leewayMs = 5000;
const lookMs = 50;
/** Tokens of keys that were not read yet are asked about so often a second at most: anybody can make such tokens. */
const unknownKeyAsks = 20;

export function makeVerifier(parts: VerifierDeps, options: VerifierOptions = {}): Verifier {
  const { clock } = parts;
  checkNumbers(options);
  const { maxAgeMs = 10_000, whenStale = "ask", cache = 10_000, tokenLifeMs = day } = options;
  const feeds = makeFeeds({ ...parts, maxAgeMs, keepMs: tokenLifeMs + 60_000 });
  const { revocations, age, isFresh } = feeds;
  const known = remembering<AccessClaims>(cache);
  const rate = perSecond(unknownKeyAsks, clock.monotonic);
  const signatures = makeAccessVerifier({
    keyring: feeds.keys,
    issuer: options.issuer ?? "auth",
    audience: options.audience ?? "platform",
    clock: { ...clock, now: feeds.now },
  });
  let closed = false;

  const signed = async (token: string): Promise<AccessClaims> => {
    const remembered = known.get(token);
    if (remembered !== undefined && feeds.keys().verification(remembered.keyId) !== undefined)
      return alive(remembered, feeds.now());
    const claims = await signatures.verifyAccess(token);
    known.set(token, claims);
    return claims;
  };

  /** Its key may come, or count again, while it is looked for. */
  const signedNow = async (token: string): Promise<AccessClaims> => {
    const { changes } = parts.keys;
    try {
      return await signed(token);
    } catch (error) {
      if (!isInvalid(error) || parts.keys.changes === changes) throw error;
      return signed(token);
    }
  };

  const local = (claims: AccessClaims, fresh: boolean): Verified => ({
    ...identityOf(claims),
    by: "local",
    fresh,
    ageMs: age(),
  });

  /** @param claims of a token whose signature holds: they stand, the fleet only says whether they still count */
  const ask = async (token: string, inspect: Inspect, claims?: AccessClaims): Promise<Verified> => {
    const answer = await inspect(token);
    return { ...identityOf(claims ?? answer), by: "fleet", fresh: true, ageMs: 0 };
  };

  /** The token names a key that we have not read: perhaps a new one, perhaps nobody's. */
  const unknownKey = async (
    token: string,
    { whenStale: policy, inspect }: Required<VerifyOptions>,
  ): Promise<Verified> => {
    const details = { reason: "unknown-kid" };
    if (policy !== "ask") throw refuse("UNAVAILABLE", { message: "The token's key is not known here yet.", details });
    if (!rate())
      throw refuse("UNAVAILABLE", { message: "Too many tokens of unknown keys.", details, retryAfterMs: 1000 });
    return ask(token, inspect);
  };

  const judged = (claims: AccessClaims): AccessClaims => {
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
  };

  return {
    async verify(token, { whenStale: policy = whenStale, inspect = parts.inspect } = {}) {
      // As the fleet says it.
      if (token === "") throw invalid("accessToken", "must not be empty");
      if (token.length > longestToken) throw invalid("accessToken", `must have at most ${longestToken} bytes of UTF-8`);
      let claims: AccessClaims;
      try {
        claims = judged(await signedNow(token));
      } catch (error) {
        if (isInvalid(error) && namesUnknownKey(token)) return unknownKey(token, { whenStale: policy, inspect });
        throw error;
      }
      if (isFresh()) return local(claims, true);
      if (policy === "accept") return local(claims, false);
      if (policy === "ask") return ask(token, inspect, claims);
      throw refuse("UNAVAILABLE", { message: "Revocations are not known well enough.", details: { reason: "stale" } });
    },
    async ready() {
      while (!(isFresh() && feeds.keys().size > 0)) {
        if (closed) throw refuse("UNAVAILABLE", { message: "The verifier is closed." });
        if (isFresh() && parts.keys.objection !== undefined) throw parts.keys.objection;
        await new Promise((resolve) => setTimeout(resolve, lookMs));
      }
    },
    get fresh() {
      return isFresh();
    },
    get ageMs() {
      return age();
    },
    get revocations() {
      return revocations.size;
    },
    jwks: () => feeds.keys().jwks(),
    end(token) {
      const session = peekAccess(token)?.sessionId;
      if (session !== undefined) revocations.end(session, feeds.now());
    },
    async close() {
      closed = true;
      await feeds.close();
    },
  };

  function namesUnknownKey(token: string): boolean {
    const kid = keyIdOf(token);
    if (kid === undefined || revocations.isRevokedKey(kid)) return false;
    return feeds.keys().verification(kid) === undefined;
  }
}

/** NaN would look like knowledge that is never fresh, or never forgotten. @throws TypeError */
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

/** @throws Refusal TOKEN_EXPIRED: a signature holds for ever, a token does not */
function alive(claims: AccessClaims, now: number): AccessClaims {
  if (now >= claims.expiresAt + leewayMs) throw refuse("TOKEN_EXPIRED");
  return claims;
}

const isInvalid = (error: unknown): boolean => error instanceof Refusal && error.code === "TOKEN_INVALID";

/** The key that a token of ours names; undefined where it has not even the form of one. */
function keyIdOf(token: string): string | undefined {
  try {
    const { kid, typ } = decodeProtectedHeader(token);
    return typ === "at+jwt" && typeof kid === "string" ? kid : undefined;
  } catch {
    return undefined;
  }
}

/** Remembers so many, and forgets whom it met first. */
function remembering<T>(most: number) {
  const entries = new Map<string, T>();
  return {
    get: (key: string): T | undefined => entries.get(key),
    set(key: string, value: T): void {
      if (most <= 0) return;
      if (entries.size >= most) entries.delete(entries.keys().next().value!);
      entries.set(key, value);
    },
  };
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
