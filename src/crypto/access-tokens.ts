// Verifies access tokens (RFC 9068: JWT, typ at+jwt) with public keys alone; tokens.ts issues them. Verification
// follows RFC 8725: only listed algorithms, and only the one the key was made for; typ, issuer, audience and expiry are
// always checked; the key is found by kid among the fleet's keys and nowhere else (jku, jwk, x5u and x5c are ignored).
// An invalid token is always a Refusal, and TOKEN_EXPIRED is only returned for a valid signature. Revocations are
// checked by the caller.
import type { KeyObject } from "node:crypto";
import { decodeJwt, decodeProtectedHeader, type JWTPayload, errors as joseErrors, jwtVerify } from "jose";
import { z } from "zod";
import type { Clock } from "../lib/clock.ts";
import { refuse } from "../protocol/errors.ts";
import { isUuid } from "./ids.ts";
import { isCanonical, verifyPlain } from "./jws.ts";

const algorithms = ["ES256", "EdDSA", "RS256"];
export const accessType = "at+jwt";
/** Tolerated difference between clocks, in seconds. */
const leeway = 5;
/** Our tokens have some 700 characters; longer ones are not parsed. */
export const longestToken = 8192;

/** The user and session of an access token. */
export interface AccessSubject {
  userId: number;
  login: string;
  roles: string[];
  sessionId: string;
  /** Tokens below the user's minGeneration are revoked. */
  generation: number;
  /** How the user proved who they are (RFC 8176). */
  amr: string[];
  /** When the user did so, Unix ms. */
  authTime: number;
}

/** The claims of a verified access token; times in Unix ms, whole seconds. */
export interface AccessClaims extends AccessSubject {
  tokenId: string;
  /** The key that signed it. */
  keyId: string;
  issuedAt: number;
  expiresAt: number;
}

interface AccessVerifier {
  /** @throws Refusal TOKEN_INVALID or TOKEN_EXPIRED, for any text */
  verifyAccess(token: string): Promise<AccessClaims>;
}

export interface AccessReader extends AccessVerifier {
  /** Also accepts an expired token, for what only takes rights away. @throws Refusal TOKEN_INVALID */
  verifyGenuine(token: string): Promise<AccessClaims>;
}

/** A signing key, or its public half. */
export interface SigningKey {
  kid: string;
  alg: string;
  key: KeyObject;
}

/** The signing keys of any state that may verify. */
export interface VerificationKeys {
  verification(kid: string): SigningKey | undefined;
}

export interface AccessVerifierOptions {
  /** Called for every token, so that a key rotation needs no new verifier. */
  keyring: () => VerificationKeys;
  issuer: string;
  audience: string;
  clock: Clock;
}

const seconds = z.number().int().nonnegative();
const texts = z.array(z.string());

const accessForm = z.object({
  sub: z.string().regex(/^[1-9]\d{0,15}$/),
  login: z.string(),
  roles: texts,
  sid: z.string().refine(isUuid),
  gen: seconds,
  amr: texts,
  auth_time: seconds,
  iat: seconds,
  exp: seconds,
  jti: z.string(),
  client_id: z.string(),
});

/**
 * User and session of an access token WITHOUT verifying it, to choose a partition; undefined where it has none. Never
 * decide anything by it.
 */
export function peekAccess(token: string): { userId: number; sessionId: string } | undefined {
  if (token.length > longestToken) return undefined;
  try {
    const { sub, sid } = accessForm.pick({ sub: true, sid: true }).parse(decodeJwt(token));
    return Number.isSafeInteger(Number(sub)) ? { userId: Number(sub), sessionId: sid } : undefined;
  } catch {
    return undefined;
  }
}

interface Judging extends Omit<AccessVerifierOptions, "keyring"> {
  keyring: VerificationKeys;
  /** Whether to accept an expired token. */
  evenExpired: boolean;
}

/** The payload of a valid token of the plain form (jws.ts); undefined leaves the decision to jose. */
function plainlyVerified(
  token: string,
  typ: string,
  { issuer, audience, clock, keyring, evenExpired }: Judging,
): JWTPayload | undefined {
  const keyOf = ({ kid, alg }: { kid: string; alg: string }) => {
    const found = keyring.verification(kid);
    return found?.alg === alg ? found.key : undefined;
  };
  const plain = verifyPlain(token, keyOf);
  if (plain === undefined || plain.header.typ !== typ) return undefined;
  const { iss, aud, exp, iat, nbf } = plain.payload;
  const ours = iss === issuer && aud === audience && nbf === undefined && typeof iat === "number";
  if (!ours || typeof exp !== "number") return undefined;
  return evenExpired || exp > Math.floor(clock.now() / 1000) - leeway ? plain.payload : undefined;
}

/** The payload of a valid token. @throws Refusal */
async function verified(
  token: string,
  typ: string,
  { evenExpired = false, ...options }: AccessVerifierOptions & { evenExpired?: boolean },
): Promise<JWTPayload> {
  if (token.length > longestToken || !isCanonical(token)) throw refuse("TOKEN_INVALID");
  const judging = { ...options, evenExpired, keyring: options.keyring() }; // outside of try: a missing keyring is our fault, not the token's
  return plainlyVerified(token, typ, judging) ?? (await verifiedByJose(token, typ, judging));
}

async function verifiedByJose(token: string, typ: string, judging: Judging): Promise<JWTPayload> {
  const { issuer, audience, clock, keyring, evenExpired } = judging;
  const keyOf = ({ kid, alg }: { kid?: string; alg?: string }) => {
    const found = typeof kid === "string" ? keyring.verification(kid) : undefined;
    if (found === undefined || found.alg !== alg) throw refuse("TOKEN_INVALID");
    return found.key;
  };
  const claims = { requiredClaims: ["exp"], clockTolerance: leeway, currentDate: new Date(clock.now()) };
  try {
    const { payload } = await jwtVerify(token, keyOf, { algorithms, typ, issuer, audience, ...claims });
    return payload;
  } catch (error) {
    if (error instanceof joseErrors.JWTExpired) {
      if (evenExpired) return error.payload; // jose checks exp last, so everything else is valid
      throw refuse("TOKEN_EXPIRED");
    }
    if (error instanceof joseErrors.JOSEError) throw refuse("TOKEN_INVALID");
    throw error;
  }
}

/** Verifies access tokens with public keys alone. */
export function makeAccessVerifier(options: AccessVerifierOptions): AccessReader {
  return {
    verifyAccess: async (token) => accessClaims(token, await verified(token, accessType, options)),
    verifyGenuine: async (token) =>
      accessClaims(token, await verified(token, accessType, { ...options, evenExpired: true })),
  };
}

/** @throws Refusal TOKEN_INVALID */
function accessClaims(token: string, payload: JWTPayload): AccessClaims {
  const parsed = accessForm.safeParse(payload);
  const userId = Number(parsed.data?.sub);
  if (!parsed.success || !Number.isSafeInteger(userId)) throw refuse("TOKEN_INVALID");
  const { login, roles, amr, sid, gen, jti, auth_time, iat, exp } = parsed.data;
  const times = { authTime: auth_time * 1000, issuedAt: iat * 1000, expiresAt: exp * 1000 };
  const keyId = String(decodeProtectedHeader(token).kid);
  return { userId, login, roles, amr, sessionId: sid, generation: gen, tokenId: jti, keyId, ...times };
}
