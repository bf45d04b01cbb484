// Operators' keys and tokens. An operator signs a token of 60 s with their own key (JWS, typ operator+jwt, ES256 or
// EdDSA, RFC 8725). The fleet finds the public key in the operator's encrypted row by name and kid alone (jku, jwk and
// x5c are ignored). The caller passes the current time: for a request, the broker time of its record. An invalid token
// is always a Refusal, and TOKEN_EXPIRED is only returned where everything else is valid.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type JsonWebKey, type KeyObject } from "node:crypto";
import { calculateJwkThumbprint, errors as joseErrors, jwtVerify } from "jose";
import { z } from "zod";
import { refuse } from "../protocol/errors.ts";
import type { DataCipher } from "./envelope.ts";
import { isCanonical, signCompact } from "./jws.ts";

type OperatorAlg = "ES256" | "EdDSA";

export interface OperatorKey {
  /** RFC 7638 thumbprint. */
  kid: string;
  alg: OperatorAlg;
  jwk: JsonWebKey;
  /** Unix ms. */
  addedAt: number;
}

export interface Operator {
  name: string;
  /** Their permissions; `*`: all. */
  permissions: string[];
  keys: OperatorKey[];
}

export const everything = "*";

const nameForm = /^[A-Za-z0-9._@-]{1,64}$/;
const prefix = "operator:";
const tokenType = "operator+jwt";
const tokenLife = 60;
/** Tolerated difference between clocks, in seconds. */
const leeway = 5;
/** Our tokens have some 400 characters; longer ones are not parsed. */
const longest = 8192;

export function isOperatorName(name: string): boolean {
  return nameForm.test(name);
}

const operatorContent = z.object({
  permissions: z.array(z.string()),
  keys: z.array(
    z.object({
      kid: z.string(),
      alg: z.enum(["ES256", "EdDSA"]),
      jwk: z.record(z.string(), z.string()),
      addedAt: z.number(),
    }),
  ),
});

/** Encrypts an operator's row; it can only be decrypted for this name. */
export function encryptOperator(cipher: DataCipher, { name, permissions, keys }: Operator): Buffer {
  return cipher.encrypt(Buffer.from(JSON.stringify({ permissions, keys })), name);
}

/** @throws UnknownDataKey; Error where this fleet has not encrypted it for the name */
export function decryptOperator(cipher: DataCipher, name: string, encrypted: Buffer): Operator {
  return { name, ...operatorContent.parse(JSON.parse(cipher.decrypt(encrypted, name).toString("utf8"))) };
}

const wanted = "must be a public key for ES256 (EC, P-256) or EdDSA (OKP, Ed25519) as a JWK";

type PublicKey = Omit<OperatorKey, "addedAt">;

/** @param text JSON of a public JWK @throws Error with the reason, which never quotes the key */
export async function publicKeyOf(text: string): Promise<PublicKey> {
  const jwk = jwkIn(text, wanted);
  if ("d" in jwk) throw new Error("has the private part of the key (d): whoever signs with it keeps that");
  return describeKey(keyFrom(() => createPublicKey({ key: jwk, format: "jwk" }), wanted));
}

/** The public half of a public or private key. @param text PEM, or JSON of a JWK @throws Error as publicKeyOf */
export async function publicHalfOf(text: string): Promise<PublicKey> {
  const make = () =>
    isJson(text) ? createPublicKey({ key: jwkIn(text, wanted), format: "jwk" }) : createPublicKey(text);
  return describeKey(keyFrom(make, wanted));
}

export interface OperatorSigner extends PublicKey {
  privateKey: KeyObject;
}

const wantedPrivate = "must be a private key for ES256 (EC, P-256) or EdDSA (Ed25519), as PEM (PKCS #8) or as a JWK";

/** @param text PEM (PKCS #8), or JSON of a JWK @throws Error with the reason, which never quotes the key */
export async function signerFrom(text: string): Promise<OperatorSigner> {
  const make = () =>
    isJson(text) ? createPrivateKey({ key: jwkIn(text, wantedPrivate), format: "jwk" }) : createPrivateKey(text);
  const privateKey = keyFrom(make, wantedPrivate);
  return { ...(await describeKey(createPublicKey(privateKey))), privateKey };
}

/** A new private key, as JSON of a JWK with the operator's name in the member `operator`. */
export function newSigner(name: string): string {
  const { privateKey } = generateKeyPairSync("ed25519");
  return JSON.stringify({ operator: name, ...privateKey.export({ format: "jwk" }) });
}

/** The operator's name in a key, if it has one. */
export function operatorOfKey(text: string): string | undefined {
  if (!isJson(text)) return undefined;
  const { operator } = jwkIn(text, wantedPrivate) as { operator?: unknown };
  return typeof operator === "string" ? operator : undefined;
}

const isJson = (text: string): boolean => text.trimStart().startsWith("{");

function jwkIn(text: string, sentence: string): JsonWebKey {
  const jwk = keyFrom(() => JSON.parse(text) as unknown, sentence);
  if (typeof jwk !== "object" || jwk === null) throw new Error(sentence);
  return jwk as JsonWebKey;
}

/** Replaces the errors of node:crypto and JSON, which may quote the key. */
function keyFrom<T>(make: () => T, sentence: string): T {
  try {
    return make();
  } catch {
    throw new Error(sentence);
  }
}

async function describeKey(key: KeyObject): Promise<PublicKey> {
  const { kty, crv, x, y } = key.export({ format: "jwk" });
  const jwk = { kty, crv, x, ...(y !== undefined && { y }) } as JsonWebKey;
  const alg = kty === "EC" && crv === "P-256" ? "ES256" : kty === "OKP" && crv === "Ed25519" ? "EdDSA" : undefined;
  if (alg === undefined) throw new Error(wanted);
  return { kid: await calculateJwkThumbprint(jwk), alg, jwk };
}

/** A token for the operator. @param issuer AUTH_ISSUER of the fleet @param now Unix ms */
export function signOperatorToken(
  { kid, alg, privateKey }: OperatorSigner,
  { name, issuer, now }: { name: string; issuer: string; now: number },
): string {
  const iat = Math.floor(now / 1000);
  const sub = `${prefix}${name}`;
  return signCompact(
    { alg, typ: tokenType, kid },
    { iss: sub, sub, aud: issuer, iat, exp: iat + tokenLife },
    privateKey,
  );
}

/** The name and kid of a token, WITHOUT verifying it. */
export interface OperatorClaim {
  /** undefined: not a possible name. */
  name: string | undefined;
  kid: string | undefined;
}

/** undefined where it does not claim to be an operator's token: it may be a user's. */
export function peekOperator(token: string): OperatorClaim | undefined {
  if (token.length > longest) return undefined;
  const [head = "", body = "", ...rest] = token.split(".", 4);
  const header = rest.length === 1 ? objectIn(head) : undefined;
  if (header?.["typ"] !== tokenType) return undefined;
  const { kid } = header;
  const sub = objectIn(body)?.["sub"];
  const name = typeof sub === "string" && sub.startsWith(prefix) ? sub.slice(prefix.length) : "";
  return { name: isOperatorName(name) ? name : undefined, kid: typeof kid === "string" ? kid : undefined };
}

const claims = z.object({
  aud: z.union([z.string(), z.tuple([z.string()])]),
  iat: z.number().int().nonnegative(),
  exp: z.number().int().nonnegative(),
});

export interface OperatorVerifying {
  /** The name that the token claims. */
  name: string;
  key: OperatorKey;
  issuer: string;
  /** Unix ms. */
  now: number;
}

/** @throws Refusal TOKEN_INVALID, TOKEN_EXPIRED */
export async function verifyOperatorToken(
  token: string,
  { name, key: { alg, jwk }, issuer, now }: OperatorVerifying,
): Promise<void> {
  if (!isCanonical(token) || token.split(".", 2).some(repeatsName)) throw refuse("TOKEN_INVALID"); // RFC 7519, section 4
  const subject = `${prefix}${name}`;
  try {
    const { payload } = await jwtVerify(token, createPublicKey({ key: jwk, format: "jwk" }), {
      algorithms: [alg],
      typ: tokenType,
      issuer: subject,
      subject,
      audience: issuer,
      requiredClaims: ["iat", "exp"],
      clockTolerance: leeway,
      currentDate: new Date(now),
    });
    const { iat, exp } = claims.parse(payload);
    if (exp <= iat || exp - iat > tokenLife || iat > now / 1000 + leeway) throw refuse("TOKEN_INVALID");
  } catch (error) {
    if (error instanceof joseErrors.JWTExpired && isShort(error.payload)) throw refuse("TOKEN_EXPIRED");
    if (error instanceof joseErrors.JOSEError || error instanceof z.ZodError) throw refuse("TOKEN_INVALID");
    throw error;
  }
}

/** Whether an expired token had a permitted lifetime: jose checks expiry before that is checked here. */
function isShort(payload: unknown): boolean {
  const parsed = claims.safeParse(payload);
  return parsed.success && parsed.data.exp > parsed.data.iat && parsed.data.exp - parsed.data.iat <= tokenLife;
}

function textIn(part: string): string {
  return Buffer.from(part, "base64url").toString("utf8");
}

function objectIn(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(textIn(part));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a JSON object repeats one of its names; JSON.parse silently keeps the last one. */
function repeatsName(part: string): boolean {
  const names = new Set<string>();
  let depth = 0;
  for (const [token, string, colon] of textIn(part).matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[[\]{}]/g)) {
    if (string === undefined) depth += token === "{" || token === "[" ? 1 : -1;
    else if (colon !== undefined && depth === 1) {
      const name = JSON.stringify(nameIn(string));
      if (names.has(name)) return true;
      names.add(name);
    }
  }
  return false;
}

function nameIn(string: string): unknown {
  try {
    return JSON.parse(string); // "\u0073ub" is "sub"
  } catch {
    return string;
  }
}
