// The fleet's key pairs: `sig` keys sign tokens, `enc` keys open what requesters seal. A row holds the public JWK in
// clear and the private one in a SecretBox; a kid is the RFC 7638 thumbprint of its public key, so that a kid cannot be
// given to another key.
//
// A key's life: next (published, not used yet: everybody must know it first) -> active (the one that signs, or that
// requesters seal to) -> retired (still verifies or opens what is under way) -> its row is deleted: gone. A keyring
// never judges by time: what is in the rows it was made from is in force, whoever moves the states knows the times.
// Keyrings never change; load a new one instead. The root key certifies the public halves of the others (fleet-cert.ts)
// and does nothing else.
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { calculateJwkThumbprint, exportJWK, type GenerateKeyPairOptions, generateKeyPair, type JWK } from "jose";
import type { Clock } from "../lib/clock.ts";
import type { RootKey } from "../protocol/fleet-cert.ts";
import type { SigningKey, VerificationKeys } from "./access-tokens.ts";
import type { DataKeys, SecretBox } from "./envelope.ts";

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
  privateBox: Buffer;
  /** Times in Unix ms. */
  createdAt: number;
  activeAt: number | null;
  retiredAt: number | null;
  /** Rises with every change of the state. */
  version: number;
  /** null: it has none yet. */
  cert: string | null;
  certifiedAt: number | null;
}

/** next: its thumbprint is being given to requesters; active: it certifies. */
export interface RootRow {
  kid: string;
  state: "next" | "active";
  publicJwk: object;
  privateBox: Buffer;
  createdAt: number;
}

/** A key pair, opened; both halves fit for node:crypto and for jose. */
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

/** As `jwks()` and auth.key.list show a key. */
type PublishedJwk = JWK & { kid: string; use: KeyUse; alg: string; cert?: string };

export interface Keyring extends VerificationKeys {
  /** The key that signs. @throws Error where no signing key is active */
  signing(): SigningKey;
  /** The private half of a sealing key of any state. */
  opening(kid: string): KeyObject | undefined;
  /** The key to seal to. @throws Error where no sealing key is active */
  sealing(): PublishedJwk;
  /**
   * Every key of the rows: the active ones first, then next, then retired, so that who takes the first of a use takes
   * the right one.
   */
  jwks(): { keys: PublishedJwk[] };
}

// RS256 with 2,048 bits: NIST SP 800-57 allows them until 2030, and a token lives 15 minutes; 3,072 halve the signs a
// second.
const pairs: Record<KeyRow["alg"], GenerateKeyPairOptions> = {
  ES256: {},
  EdDSA: { crv: "Ed25519" },
  RS256: { modulusLength: 2048 },
  "ECDH-ES+A256KW": { crv: "P-256" },
};

/** The members of a public JWK that make the key (RFC 7638, 3.2); everything else in a JWK is a remark. */
function publicMembers(jwk: JWK): JWK {
  const { kty, crv, x, y, n, e } = jwk;
  const members = Object.entries({ kty, crv, x, y, n, e }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(members);
}

async function generatePair(alg: KeyRow["alg"], box: SecretBox) {
  const { privateKey } = await generateKeyPair(alg, { ...pairs[alg], extractable: true });
  const privateJwk = await exportJWK(privateKey);
  const publicJwk = publicMembers(privateJwk);
  const kid = await calculateJwkThumbprint(publicJwk);
  return { kid, publicJwk, privateBox: box.seal(Buffer.from(JSON.stringify(privateJwk)), kid) };
}

/** A new key pair in the state next; its use follows from alg. @param box of purpose signing */
export async function generateKeyRow(alg: KeyRow["alg"], box: SecretBox, clock: Clock): Promise<KeyRow> {
  return {
    ...(await generatePair(alg, box)),
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

/** @param box of purpose signing */
export async function generateRootRow(state: RootRow["state"], box: SecretBox, clock: Clock): Promise<RootRow> {
  return { ...(await generatePair("ES256", box)), state, createdAt: clock.now() };
}

/** The row as it is when its key comes into use. A fleet's first keys are active at once: nobody holds an older set. */
export function activated(row: KeyRow, clock: Clock): KeyRow {
  return { ...row, state: "active", activeAt: clock.now() };
}

/**
 * Opens a row. The public half is taken from the box, not from the row: who can only write to the database cannot
 * publish a key of theirs.
 * @throws Error where the box does not open or holds another key than the kid names
 */
export async function openKeyRow(row: KeyRow, dataKeys: DataKeys): Promise<FleetKey> {
  const { kid, use, alg, state, activeAt, cert } = row;
  const { publicJwk, privateKey } = await openPair(row, dataKeys);
  const publicKey = createPublicKey({ key: publicJwk, format: "jwk" });
  return { kid, use, alg, state, activeAt, cert, publicJwk, publicKey, privateKey };
}

/** @throws Error as openKeyRow does */
export async function openRootRow(row: RootRow, dataKeys: DataKeys): Promise<RootKey> {
  return openPair(row, dataKeys);
}

async function openPair({ kid, privateBox }: Pick<KeyRow, "kid" | "privateBox">, dataKeys: DataKeys) {
  const privateJwk: JWK = JSON.parse(dataKeys.box("signing").open(privateBox, kid).toString());
  const publicJwk = publicMembers(privateJwk);
  if ((await calculateJwkThumbprint(publicJwk)) !== kid) throw new Error(`the row of key ${kid} holds another key`);
  return { publicJwk, privateKey: createPrivateKey({ key: privateJwk, format: "jwk" }) };
}

function published({ publicJwk, kid, use, alg, cert }: FleetKey): PublishedJwk {
  return { ...publicJwk, kid, use, alg, ...(cert !== null && { cert }) };
}

/** Two actives of one use stand side by side while a rotation is under way: the later one counts. */
function activeOf(keys: readonly FleetKey[], use: KeyUse): FleetKey {
  const active = keys.filter((each) => each.use === use && each.state === "active");
  const [latest] = active.sort((left, right) => (right.activeAt ?? 0) - (left.activeAt ?? 0));
  if (latest === undefined) throw new Error(`no ${use} key is active: run migrate`);
  return latest;
}

const states: KeyState[] = ["active", "next", "retired"];

/** A keyring of opened keys. */
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

/** The keyring of the rows. @throws Error where one of them does not open: half a keyring would refuse valid tokens */
export async function openKeyring(rows: readonly KeyRow[], dataKeys: DataKeys): Promise<Keyring> {
  return makeKeyring(await Promise.all(rows.map((row) => openKeyRow(row, dataKeys))));
}
