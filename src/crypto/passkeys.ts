// Passkeys: WebAuthn (Level 3) by @simplewebauthn/server. Makes the options of navigator.credentials and checks its
// results. Attestations are neither requested nor checked: the maker of a passkey does not matter here, and verifying
// one would fetch revocation lists that the caller's certificate names. A challenge is derived from the secret of its
// row, so it is bound to that row and needs no storage. Whatever is received, the result is a value or undefined, never
// an exception.
import { createHash, createHmac, createSecretKey } from "node:crypto";
import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from "@simplewebauthn/server";
import { decodeAttestationObject, isoCBOR } from "@simplewebauthn/server/helpers";

export interface RelyingParty {
  /** The domain of the passkeys. */
  id: string;
  /** The name that users' devices show. */
  name: string;
  /** The origins of pages that may use them. */
  origins: string[];
}

/** COSE: EdDSA, ES256, RS256. */
const algorithms = [-8, -7, -257];

/** The WebAuthn challenge of a row with this 32-byte secret. */
function challengeOf(secret: Buffer): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(createHash("sha256").update("webauthn challenge\n").update(secret).digest());
}

/** The user handle: opaque, constant for a user. 32 bytes, base64url. */
export function userHandle(key: Buffer, userId: number): string {
  return createHmac("sha256", createSecretKey(key)).update(`user handle\n${userId}`).digest("base64url");
}

/**
 * Made-up credential ids for a login without a passkey: one or sometimes two, always the same, so that nobody learns
 * who has passkeys.
 */
export function decoyCredentials(key: Buffer, loginKey: string): string[] {
  const made = (label: string): Buffer =>
    createHmac("sha256", createSecretKey(key)).update(`decoy ${label}\n${loginKey}`).digest();
  return [made("1"), ...(made("count")[0]! < 64 ? [made("2")] : [])].map((id) => id.toString("base64url"));
}

export interface RegistrationFor {
  party: RelyingParty;
  secret: Buffer;
  timeoutMs: number;
  user: { handle: string; login: string };
  /** Credential ids that the user has already. */
  known: string[];
}

/** PublicKeyCredentialCreationOptions as JSON. */
export async function registrationOptions({ party, secret, timeoutMs, user, known }: RegistrationFor): Promise<string> {
  const options = await generateRegistrationOptions({
    rpID: party.id,
    rpName: party.name,
    userID: Uint8Array.from(Buffer.from(user.handle, "base64url")),
    userName: user.login,
    userDisplayName: user.login,
    challenge: challengeOf(secret),
    timeout: timeoutMs,
    attestationType: "none",
    excludeCredentials: known.map((id) => ({ id })),
    authenticatorSelection: { residentKey: "preferred", userVerification: "preferred" },
    supportedAlgorithmIDs: algorithms,
  });
  return JSON.stringify(options);
}

export interface LoginFor {
  party: RelyingParty;
  secret: Buffer;
  timeoutMs: number;
  /** undefined: any passkey that the device has for this domain. */
  allowed: string[] | undefined;
  /** Whether the device must verify its user. */
  verification: "required" | "discouraged";
}

/** PublicKeyCredentialRequestOptions as JSON. */
export async function loginOptions({ party, secret, timeoutMs, allowed, verification }: LoginFor): Promise<string> {
  const options = await generateAuthenticationOptions({
    rpID: party.id,
    challenge: challengeOf(secret),
    timeout: timeoutMs,
    userVerification: verification,
    ...(allowed && { allowCredentials: allowed.map((id) => ({ id })) }),
  });
  return JSON.stringify(options);
}

/** Longest credential id (WebAuthn, section 4: 1023 bytes) in base64url. */
const longestId = 1364;
const longestResponse = 16_384;

/** A result of navigator.credentials as JSON; undefined where it is not one. */
export function parseCredential(text: string): { id: string; response: object } | undefined {
  if (text.length > longestResponse) return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    const { id, response } = (parsed ?? {}) as { id?: unknown; response?: unknown };
    const named = typeof id === "string" && id.length <= longestId && /^[\w-]+$/.test(id);
    return named && typeof response === "object" && response !== null
      ? (parsed as { id: string; response: object })
      : undefined;
  } catch {
    return undefined;
  }
}

export interface RegisteredCredential {
  credentialId: string;
  publicKey: Buffer;
  signCount: number;
  transports: string[];
  /** Whether it may exist on several devices. */
  synced: boolean;
}

/** @returns undefined where the response does not answer this secret's challenge for this party */
export async function judgeRegistration(
  credential: { id: string; response: object },
  { party, secret }: Pick<RegistrationFor, "party" | "secret">,
): Promise<RegisteredCredential | undefined> {
  try {
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response: withoutAttestation(credential as unknown as RegistrationResponseJSON),
      expectedChallenge: Buffer.from(challengeOf(secret)).toString("base64url"),
      expectedOrigin: party.origins,
      expectedRPID: party.id,
      requireUserVerification: false,
      supportedAlgorithmIDs: algorithms,
    });
    if (!verified) return undefined;
    const { credential: made, credentialDeviceType } = registrationInfo;
    return {
      credentialId: made.id,
      publicKey: Buffer.from(made.publicKey),
      signCount: made.counter,
      transports: transportsOf(credential.response),
      synced: credentialDeviceType === "multiDevice",
    };
  } catch {
    return undefined; // the library throws a plain Error for each thing that may be wrong
  }
}

function withoutAttestation(credential: RegistrationResponseJSON): RegistrationResponseJSON {
  const object = decodeAttestationObject(
    Uint8Array.from(Buffer.from(credential.response.attestationObject, "base64url")),
  );
  const entries: [string, string | Uint8Array | Map<never, never>][] = [
    ["fmt", "none"],
    ["attStmt", new Map<never, never>()],
    ["authData", object.get("authData")],
  ];
  const attestationObject = Buffer.from(isoCBOR.encode(new Map(entries))).toString("base64url");
  return { ...credential, response: { ...credential.response, attestationObject } };
}

const knownTransports = ["ble", "cable", "hybrid", "internal", "nfc", "smart-card", "usb"];

function transportsOf(response: object): string[] {
  const { transports } = response as { transports?: unknown };
  return Array.isArray(transports) ? knownTransports.filter((each) => transports.includes(each)) : [];
}

export type Assertion = { signCount: number; userVerified: boolean } | "wrong" | "counter";

/**
 * The key for an answer to made-up credential ids (begin-login): checking it costs the same signature as a real one, so
 * that timing reveals nothing. A COSE key (RFC 9053, section 7.1.1) with the base point of P-256. Anybody can sign for
 * it, so its verdict must never let anybody in.
 */
export const dummyPublicKey = Buffer.from(
  "a5010203262001215820" +
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" +
    "225820" +
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
  "hex",
);

export interface AssertionFor extends Pick<LoginFor, "party" | "secret"> {
  credentialId: string;
  publicKey: Buffer;
  signCount: number;
  handle: string;
  verified: boolean;
}

/**
 * Whether the credential's owner signed this secret's challenge. "counter": the signature is valid but its count has
 * not grown, so the key may have been copied (WebAuthn, section 6.1.1). Authenticators that always report 0, as synced
 * passkeys do, are exempt.
 */
export async function judgeAssertion(
  credential: { id: string; response: object },
  expected: AssertionFor,
): Promise<Assertion> {
  const { party, secret, credentialId, publicKey, signCount, handle, verified: verification } = expected;
  const response = credential as unknown as AuthenticationResponseJSON;
  if (response.response.userHandle && response.response.userHandle !== handle) return "wrong";
  try {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response,
      expectedChallenge: Buffer.from(challengeOf(secret)).toString("base64url"),
      expectedOrigin: party.origins,
      expectedRPID: party.id,
      requireUserVerification: verification,
      // 0, because the library checks the count before the signature, and only a signed count means anything.
      credential: { id: credentialId, publicKey: Uint8Array.from(publicKey), counter: 0 },
    });
    if (!verified) return "wrong";
    const { newCounter, userVerified } = authenticationInfo;
    const counts = newCounter > 0 || signCount > 0;
    return counts && newCounter <= signCount ? "counter" : { signCount: newCounter, userVerified };
  } catch {
    return "wrong";
  }
}
