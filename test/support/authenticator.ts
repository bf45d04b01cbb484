// A passkey device in software, by nothing but node:crypto: makes ES256 credentials with attestation none and signs
// assertions (WebAuthn Level 3, sections 6.1 and 6.3), and does wrong whatever a test wants it to. It plays browser
// too: it reads options as JSON and answers as JSON, as navigator.credentials and PublicKeyCredential.toJSON() do.
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

export interface Wrongs {
  /** Where the page is. */
  origin?: string;
  rpId?: string;
  /** Whether the device has checked its owner (flag UV) and felt them (flag UP). */
  verified?: boolean;
  present?: boolean;
  /** Instead of the options' challenge, base64url. */
  challenge?: string;
  /** Instead of the next count. */
  count?: number;
  type?: string;
  /** Instead of the credential's own, base64url; empty: none. */
  userHandle?: string;
  /** Another key signs. */
  forged?: boolean;
}

interface Credential {
  id: string;
  rpId: string;
  userHandle: string;
  privateKey: KeyObject;
  count: number;
}

export interface Authenticator {
  readonly credentials: Credential[];
  /** Answers PublicKeyCredentialCreationOptions. */
  create(options: string, wrongs?: Wrongs): string;
  /**
   * Answers PublicKeyCredentialRequestOptions with the first credential that they allow.
   * @throws Error where it has none
   */
  get(options: string, wrongs?: Wrongs): string;
}

export interface Kind {
  origin?: string;
  /** Whether it counts signatures; synced passkeys do not. */
  counts?: boolean;
  synced?: boolean;
}

const flag = { present: 0x01, verified: 0x04, eligible: 0x08, backedUp: 0x10, attested: 0x40 };

export function makeAuthenticator({
  origin: home = "http://localhost:3000",
  counts = true,
  synced = false,
}: Kind = {}): Authenticator {
  const credentials: Credential[] = [];

  const clientData = (type: string, challenge: string, { origin = home, ...wrongs }: Wrongs): Buffer =>
    Buffer.from(
      JSON.stringify({
        type: wrongs.type ?? type,
        challenge: wrongs.challenge ?? challenge,
        origin,
        crossOrigin: false,
      }),
    );

  const authData = (
    rpId: string,
    count: number,
    { verified = true, present = true }: Wrongs,
    attested?: Buffer,
  ): Buffer => {
    const flags =
      (present ? flag.present : 0) |
      (verified ? flag.verified : 0) |
      (synced ? flag.eligible | flag.backedUp : 0) |
      (attested ? flag.attested : 0);
    const head = Buffer.alloc(5);
    head.writeUInt8(flags);
    head.writeUInt32BE(count, 1);
    return Buffer.concat([sha256(rpId), head, attested ?? Buffer.alloc(0)]);
  };

  return {
    credentials,
    create(options, wrongs = {}) {
      const { rp, user, challenge } = JSON.parse(options) as {
        rp: { id: string };
        user: { id: string };
        challenge: string;
      };
      const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const id = randomBytes(20);
      const credential = { id: id.toString("base64url"), rpId: rp.id, userHandle: user.id, privateKey, count: 0 };
      credentials.push(credential);
      const length = Buffer.alloc(2);
      length.writeUInt16BE(id.length);
      const attested = Buffer.concat([Buffer.alloc(16), length, id, cosePublicKey(publicKey)]);
      const data = authData(wrongs.rpId ?? rp.id, wrongs.count ?? 0, wrongs, attested);
      const attestation = map([
        [text("fmt"), text("none")],
        [text("attStmt"), map([])],
        [text("authData"), bytes(data)],
      ]);
      return credentialJson(credential.id, {
        clientDataJSON: clientData("webauthn.create", challenge, wrongs).toString("base64url"),
        attestationObject: attestation.toString("base64url"),
        transports: ["internal", "hybrid"],
      });
    },
    get(options, wrongs = {}) {
      type Wanted = { rpId: string; challenge: string; allowCredentials?: { id: string }[] };
      const { rpId, challenge, allowCredentials: allowed } = JSON.parse(options) as Wanted;
      const found = credentials.find(
        (each) => each.rpId === rpId && (allowed === undefined || allowed.some(({ id }) => id === each.id)),
      );
      if (found === undefined) throw new Error("no passkey of this device is allowed");
      if (counts) found.count += 1;
      const client = clientData("webauthn.get", challenge, wrongs);
      const data = authData(wrongs.rpId ?? rpId, wrongs.count ?? found.count, wrongs);
      const key = wrongs.forged ? generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey : found.privateKey;
      const signature = sign("sha256", Buffer.concat([data, createHash("sha256").update(client).digest()]), key);
      return credentialJson(found.id, {
        clientDataJSON: client.toString("base64url"),
        authenticatorData: data.toString("base64url"),
        signature: signature.toString("base64url"),
        userHandle: wrongs.userHandle ?? found.userHandle,
      });
    },
  };
}

function credentialJson(id: string, response: object): string {
  return JSON.stringify({ id, rawId: id, type: "public-key", response, clientExtensionResults: {} });
}

const sha256 = (value: string): Buffer => createHash("sha256").update(value).digest();

/** COSE_Key of a P-256 key (RFC 9053, section 7.1.1): kty 2, alg -7, crv 1, x, y. */
function cosePublicKey(key: KeyObject): Buffer {
  const { x, y } = key.export({ format: "jwk" }) as { x: string; y: string };
  const coordinate = (value: string): Buffer => bytes(Buffer.from(value, "base64url"));
  return map([
    [integer(1), integer(2)],
    [integer(3), integer(-7)],
    [integer(-1), integer(1)],
    [integer(-2), coordinate(x)],
    [integer(-3), coordinate(y)],
  ]);
}

/** CBOR (RFC 8949, section 3), as much of it as is needed. */
function head(major: number, value: number): Buffer {
  if (value < 24) return Buffer.of((major << 5) | value);
  if (value < 256) return Buffer.of((major << 5) | 24, value);
  return Buffer.of((major << 5) | 25, value >> 8, value & 255);
}
const integer = (value: number): Buffer => (value < 0 ? head(1, -1 - value) : head(0, value));
const bytes = (value: Buffer): Buffer => Buffer.concat([head(2, value.length), value]);
const text = (value: string): Buffer => Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
const map = (entries: [Buffer, Buffer][]): Buffer => Buffer.concat([head(5, entries.length), ...entries.flat()]);
