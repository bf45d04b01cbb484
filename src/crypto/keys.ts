// The fleet's key pairs: `sig` keys sign tokens, `enc` keys open sealed requests. A row holds the public JWK in clear
// and the private one encrypted. A kid is the RFC 7638 thumbprint of its public key, so one kid never names two keys.
//
// The states of a key: next (published and unused, until everybody knows it) -> active (signs, or is sealed to) ->
// retired (still verifies or opens what is in flight) -> its row is deleted (gone). A keyring ignores time: all keys in
// its rows are in force, and whoever changes the states watches the times. Keyrings never change; load a new one
// instead. The root key certifies the public halves of the others (protocol/fleet-cert.ts) and does nothing else.
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { calculateJwkThumbprint, exportJWK, type GenerateKeyPairOptions, generateKeyPair, type JWK } from "jose";
import type { Clock } from "../lib/clock.ts";
import type { RootKey } from "../protocol/fleet-cert.ts";
import type { SigningKey, VerificationKeys } from "./access-tokens.ts";
import type { DataCipher, DataKeys } from "./envelope.ts";

export type KeyUse = "sig" | "enc";
export type SigningAlg = "ES256" | "EdDSA" | "RS256";
type SealingAlg = "ECDH-ES+A256KW";
type KeyState = "next" | "active" | "retired";

export interface KeyRow {
  kid: string;
  use: KeyUse;
  alg: SigningAlg | SealingAlg;
  state: KeyState;
  publicJwk: object;
  encryptedPrivateKey: Buffer;
  /** Times in Unix ms. */
  createdAt: number;
  activeAt: number | null;
  retiredAt: number | null;
  /** Rises with every change of the state. */
  version: number;
  /** null: not certified yet. */
  cert: string | null;
  certifiedAt: number | null;
}

/** next: its thumbprint is being distributed to requesters; active: it certifies. */
export interface RootRow {
  kid: string;
  state: "next" | "active";
  publicJwk: object;
  encryptedPrivateKey: Buffer;
  createdAt: number;
}

/** A decrypted key pair, for node:crypto and for jose. */
export interface FleetKey {
  kid: string;
  use: KeyUse;
  alg: SigningAlg | SealingAlg;
  state: KeyState;
  activeAt: number | null;
  cert: string | null;
  /** Public members only. */
  publicJwk: JWK;
  publicKey: KeyObject;
  privateKey: KeyObject;
}

/** A key as `jwks()` and auth.key.list return it. */
type PublishedJwk = JWK & { kid: string; use: KeyUse; alg: string; cert?: string };

export interface Keyring extends VerificationKeys {
  /** The key that signs. @throws Error where no signing key is active */
  signing(): SigningKey;
  /** The private half of an encryption key of any state. */
  opening(kid: string): KeyObject | undefined;
  /** The key to seal to. @throws Error where no encryption key is active */
  sealing(): PublishedJwk;
  /** All keys: the active ones first, then next, then retired, so that taking the first one of a use is right. */
  jwks(): { keys: PublishedJwk[] };
}

// RS256 with 2,048 bits: NIST SP 800-57 allows them until 2030, and a token lives 15 minutes; with 3,072 bits half as
// many signatures are made per second.
const pairs: Record<KeyRow["alg"], GenerateKeyPairOptions> = {
  ES256: {},
  EdDSA: { crv: "Ed25519" },
  RS256: { modulusLength: 2048 },
  "ECDH-ES+A256KW": { crv: "P-256" },
};

/** The members of a public JWK that make up the key (RFC 7638, 3.2). */
function publicMembers(jwk: JWK): JWK {
  const { kty, crv, x, y, n, e } = jwk;
  const members = Object.entries({ kty, crv, x, y, n, e }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(members);
}

async function generatePair(alg: KeyRow["alg"], cipher: DataCipher) {
  const { privateKey } = await generateKeyPair(alg, { ...pairs[alg], extractable: true });
  const privateJwk = await exportJWK(privateKey);
  const publicJwk = publicMembers(privateJwk);
  const kid = await calculateJwkThumbprint(publicJwk);
  return { kid, publicJwk, encryptedPrivateKey: cipher.encrypt(Buffer.from(JSON.stringify(privateJwk)), kid) };
}

/** A new key pair in the state next; its use follows from alg. @param cipher of purpose signing */
export async function generateKeyRow(alg: KeyRow["alg"], cipher: DataCipher, clock: Clock): Promise<KeyRow> {
  return {
    ...(await generatePair(alg, cipher)),
    use: alg === "ECDH-ES+A256KW" ? "enc" : "sig",
    alg,
    state: "next",
    createdAt: clock.now(),
    activeAt: null,
    retiredAt: null,
    version: 1,
    cert: null,
    certifiedAt: null,
  };
}

/** @param cipher of purpose signing */
export async function generateRootRow(state: RootRow["state"], cipher: DataCipher, clock: Clock): Promise<RootRow> {
  return { ...(await generatePair("ES256", cipher)), state, createdAt: clock.now() };
}

/** The row of a key that comes into use. A new fleet's first keys are active at once: nobody has an older set. */
export function activated(row: KeyRow, clock: Clock): KeyRow {
  return { ...row, state: "active", activeAt: clock.now() };
}

/**
 * Decrypts a row. The public half is taken from the encrypted part, so that write access to the database does not
 * suffice to publish a key.
 * @throws Error where it cannot be decrypted or holds another key than the kid names
 */
export async function decryptKeyRow(row: KeyRow, dataKeys: DataKeys): Promise<FleetKey> {
  const { kid, use, alg, state, activeAt, cert } = row;
  const { publicJwk, privateKey } = await decryptPair(row, dataKeys);
  const publicKey = createPublicKey({ key: publicJwk, format: "jwk" });
  return { kid, use, alg, state, activeAt, cert, publicJwk, publicKey, privateKey };
}

/** @throws Error as openKeyRow does */
export async function decryptRootRow(row: RootRow, dataKeys: DataKeys): Promise<RootKey> {
  return decryptPair(row, dataKeys);
}

async function decryptPair(
  { kid, encryptedPrivateKey }: Pick<KeyRow, "kid" | "encryptedPrivateKey">,
  dataKeys: DataKeys,
) {
  const privateJwk: JWK = JSON.parse(dataKeys.cipher("signing").decrypt(encryptedPrivateKey, kid).toString());
  const publicJwk = publicMembers(privateJwk);
  if ((await calculateJwkThumbprint(publicJwk)) !== kid) throw new Error(`the row of key ${kid} holds another key`);
  return { publicJwk, privateKey: createPrivateKey({ key: privateJwk, format: "jwk" }) };
}

function published({ publicJwk, kid, use, alg, cert }: FleetKey): PublishedJwk {
  return { ...publicJwk, kid, use, alg, ...(cert !== null && { cert }) };
}

/** During a rotation two keys of one use may be active: the later one counts. */
function activeOf(keys: readonly FleetKey[], use: KeyUse): FleetKey {
  const active = keys.filter((each) => each.use === use && each.state === "active");
  const [latest] = active.sort((left, right) => (right.activeAt ?? 0) - (left.activeAt ?? 0));
  if (latest === undefined) throw new Error(`no ${use} key is active: run migrate`);
  return latest;
}

const states: KeyState[] = ["active", "next", "retired"];

/** A keyring of decrypted keys. */
function makeKeyring(keys: readonly FleetKey[]): Keyring {
  const byKid = new Map(keys.map((each) => [each.kid, each]));
  const find = (kid: string, use: KeyUse): FleetKey | undefined => {
    const key = byKid.get(kid);
    return key?.use === use ? key : undefined;
  };
  return {
    signing() {
      const { kid, alg, privateKey } = activeOf(keys, "sig");
      return { kid, alg, key: privateKey };
    },
    verification(kid) {
      const key = find(kid, "sig");
      return key && { kid, alg: key.alg, key: key.publicKey };
    },
    opening: (kid) => find(kid, "enc")?.privateKey,
    sealing: () => published(activeOf(keys, "enc")),
    jwks: () => ({ keys: states.flatMap((state) => keys.filter((key) => key.state === state)).map(published) }),
  };
}

/**
 * The keyring of these rows. @throws Error where one cannot be decrypted: a partial keyring would refuse valid tokens
 */
export async function loadKeyring(rows: readonly KeyRow[], dataKeys: DataKeys): Promise<Keyring> {
  return makeKeyring(await Promise.all(rows.map((row) => decryptKeyRow(row, dataKeys))));
}
