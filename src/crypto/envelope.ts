// Envelope encryption: master keys (configuration) wrap data keys (database), and data keys encrypt what is stored. A
// stolen database without the configuration reveals nothing, and a new master key rewraps a few rows instead of all
// data. Every data key has one purpose. An encrypted value can only be decrypted for the purpose and with the
// additional data (such as its row's id) that it was encrypted with. Nothing here reads the database, and no error text
// contains a key.
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { MasterKey } from "../config/kinds.ts";
import { overhead, xaesDecrypt, xaesEncrypt } from "./xaes.ts";

/**
 * inbox: stored answers; outbox: secrets in outbox rows; fingerprint: HMACs of requests; refresh: derives refresh
 * tokens; signing: private keys of the fleet; audit: waiting rows and users' keys; attempts: HMACs of logins and their
 * origins; mfa: secrets of authenticator apps; passkey: user handles, and ids for logins without a passkey; operator:
 * operators' permissions and keys; lookup: HMACs that must stay findable for months (known devices, quarantined
 * logins); device: HMACs of device tokens.
 */
export const purposes = [
  "inbox",
  "outbox",
  "fingerprint",
  "refresh",
  "signing",
  "audit",
  "attempts",
  "mfa",
  "passkey",
  "operator",
  "lookup",
  "device",
] as const;
export type DataKeyPurpose = (typeof purposes)[number];

/** Purposes whose first key is never replaced: values stored under it could not be found with another one. */
export const lasting: ReadonlySet<string> = new Set<DataKeyPurpose>(["lookup"]);

export interface DataKey {
  id: number;
  purpose: string;
  /** 32 bytes. */
  key: Buffer;
  /** Not used for new values yet: other processes may not have loaded it. */
  pending?: boolean;
}

/** A data key's row in the database. */
export interface DataKeyRow {
  id: number;
  purpose: string;
  wrapped: string;
  pending?: boolean;
}

export interface DataCipher {
  /** @param aad what the value belongs to, such as its row's id; decrypting requires the same */
  encrypt(plaintext: Buffer, aad: Buffer | string): Buffer;
  /** @throws UnknownDataKey where the key is not loaded, Error where the value is damaged or belongs elsewhere */
  decrypt(cipher: Buffer, aad: Buffer | string): Buffer;
}

/**
 * A value needs a data key that this process has not loaded: it was created since, or its row is gone. Load the keys
 * again, once.
 */
export class UnknownDataKey extends Error {
  override readonly name = "UnknownDataKey";
  readonly id: number;

  constructor(id: number) {
    super(`data key ${id} is not loaded`);
    this.id = id;
  }
}

/** 32 random bytes. */
export function makeDataKey(): Buffer {
  return randomBytes(32);
}

/** Wraps a data key with the first master key, as text: `1:<master kid>:<base64url of nonce, ciphertext, tag>`. */
export function wrapDataKey(master: readonly MasterKey[], key: Buffer, purpose: string): string {
  const writer = master[0];
  if (writer === undefined) throw new Error("AUTH_MASTER_KEY has no key");
  const nonce = randomBytes(12); // so few wraps that a random nonce of 12 bytes is safe
  const cipher = createCipheriv("aes-256-gcm", writer.key, nonce).setAAD(Buffer.from(purpose));
  const wrapped = Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
  return `1:${writer.kid}:${wrapped.toString("base64url")}`;
}

/** The master key that a wrapped data key needs. */
export function masterKid(wrapped: string): string {
  const [version, kid, encoded] = wrapped.split(":");
  if (version !== "1" || kid === undefined || encoded === undefined) throw new Error("not a wrapped data key");
  return kid;
}

/**
 * @throws Error where the master key is missing or a different one of the same name, or the wrapped key is damaged or
 *   of another purpose
 */
export function unwrapDataKey(master: readonly MasterKey[], wrapped: string, purpose: string): Buffer {
  const kid = masterKid(wrapped);
  const reader = master.find((each) => each.kid === kid);
  if (reader === undefined) {
    throw new Error(`AUTH_MASTER_KEY lacks the key ${kid}, which wraps the data key for ${purpose}`);
  }
  const bytes = Buffer.from(wrapped.split(":")[2]!, "base64url");
  if (bytes.length !== 12 + 32 + 16) throw new Error(`the wrapped data key for ${purpose} is damaged`);
  const options = { authTagLength: 16 };
  const decipher = createDecipheriv("aes-256-gcm", reader.key, bytes.subarray(0, 12), options);
  decipher.setAAD(Buffer.from(purpose)).setAuthTag(bytes.subarray(-16));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]);
  } catch (cause) {
    throw new Error(`AUTH_MASTER_KEY: the key ${kid} does not unwrap the data key for ${purpose}`, { cause });
  }
}

// The form of an encrypted value: version (1), the data key's id (4 bytes, big-endian), then XAES-256-GCM. The first
// five bytes are authenticated too.
const version = 1;
const headLength = 5;

function head(id: number): Buffer {
  const bytes = Buffer.of(version, 0, 0, 0, 0);
  bytes.writeUInt32BE(id, 1);
  return bytes;
}

/** The id of the data key that a value was encrypted with. */
export function encryptingKeyId(encrypted: Buffer): number {
  if (encrypted.length < headLength + overhead || encrypted[0] !== version) throw new Error("not an encrypted value");
  return encrypted.readUInt32BE(1);
}

function encryptValue({ id, key }: DataKey, plaintext: Buffer, aad: Buffer | string): Buffer {
  const start = head(id);
  return Buffer.concat([start, xaesEncrypt(key, { plaintext, aad: Buffer.concat([start, Buffer.from(aad)]) })]);
}

function decryptValue(find: (id: number) => DataKey, encrypted: Buffer, aad: Buffer | string): Buffer {
  const { id, key, purpose } = find(encryptingKeyId(encrypted));
  const full = Buffer.concat([encrypted.subarray(0, headLength), Buffer.from(aad)]);
  try {
    return xaesDecrypt(key, { encrypted: encrypted.subarray(headLength), aad: full });
  } catch (cause) {
    throw new Error(`a value of data key ${id} (${purpose}) cannot be decrypted: damaged, or of another row`, {
      cause,
    });
  }
}

/** The key that encrypts, of one purpose's keys, newest first: the newest that is not pending, or else the oldest. */
export function currentOf<T extends { pending?: boolean }>(keys: readonly T[]): T | undefined {
  return keys.find(({ pending }) => pending !== true) ?? keys.at(-1);
}

/** The data keys of a process. A set never changes: load a new one instead. */
export class DataKeys {
  readonly #byId: ReadonlyMap<number, DataKey>;

  constructor(keys: readonly DataKey[]) {
    this.#byId = new Map(keys.map((each) => [each.id, each]));
  }

  /**
   * The key of this id and purpose.
   * @throws UnknownDataKey where it is not loaded, Error where it has another purpose
   */
  get(purpose: DataKeyPurpose, id: number): DataKey {
    const key = this.#byId.get(id);
    if (key === undefined) throw new UnknownDataKey(id);
    if (key.purpose !== purpose) throw new Error(`data key ${id} is for ${key.purpose}, not for ${purpose}`);
    return key;
  }

  /** The same without errors, for an id that comes from outside. */
  find(purpose: DataKeyPurpose, id: number): DataKey | undefined {
    const key = this.#byId.get(id);
    return key?.purpose === purpose ? key : undefined;
  }

  /** All keys of a purpose, newest (highest id) first. */
  all(purpose: DataKeyPurpose): DataKey[] {
    const found = [...this.#byId.values()].filter((each) => each.purpose === purpose);
    return found.sort((left, right) => right.id - left.id);
  }

  /** The key that encrypts. @throws Error where there is none */
  current(purpose: DataKeyPurpose): DataKey {
    const key = currentOf(this.all(purpose));
    if (key === undefined) throw new Error(`there is no data key for ${purpose}: run migrate`);
    return key;
  }

  /** Encrypts with the current key of the purpose, decrypts with any key of the purpose. */
  cipher(purpose: DataKeyPurpose): DataCipher {
    const writer = this.current(purpose);
    return {
      encrypt: (plaintext, aad) => encryptValue(writer, plaintext, aad),
      decrypt: (encrypted, aad) => decryptValue((id) => this.get(purpose, id), encrypted, aad),
    };
  }
}

/** @throws Error that names the key missing in AUTH_MASTER_KEY */
export function loadDataKeys(master: readonly MasterKey[], rows: readonly DataKeyRow[]): DataKeys {
  return new DataKeys(
    rows.map(({ wrapped, ...row }) => ({ ...row, key: unwrapDataKey(master, wrapped, row.purpose) })),
  );
}
