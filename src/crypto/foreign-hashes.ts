// Password hashes made by other services, as stored after an import: bcrypt, scrypt, PBKDF2, and Argon2 other than
// ours. One table of algorithms: the stored form, the accepted cost, and how it is verified, on libuv's threads like
// every hash. A hash beyond a bound never matches and costs nothing. No such hash is created: a login replaces it with
// an Argon2id hash (handlers/session/login.ts). Other spellings are converted on import (hash-spellings.ts); Argon2id
// version 19 without associated data belongs to passwords.ts.
import { pbkdf2, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { hash as argon2, argon2d, argon2i, argon2id } from "argon2";
import bcrypt from "bcrypt";

export interface ForeignHash {
  algorithm: string;
  /** Hashes of one class cost about the same: the algorithm and its work, rounded to a power of two. */
  costClass: string;
  matches(password: string): Promise<boolean>;
}

/** Why a stored text would never be verified: its form is unknown, or its cost is beyond the bounds. */
export type HashFault = "unknown" | "beyond";

/**
 * Upper bounds: a hash beyond them never matches, so that write access to one row cannot stop the workers. Times are
 * for one core of the machine in docs/scaling.md; the bounds exceed what libraries use by default.
 */
const limits = {
  bcryptCost: 15, // 2 s; libraries make 10 to 12
  scryptMemory: 256 * 1024 * 1024, // bytes a hash, all threads at once; passlib makes 64 MiB, OWASP asks for 128
  scryptWork: 2 ** 22, // N * r * p: 1.5 s
  scryptLanes: 16,
  pbkdf2Rounds: 5_000_000, // 0.8 s with SHA-256, 2 s with SHA-512; Django makes 1,200,000
  argon2Memory: 1_048_576, // KiB, as for Argon2id
  argon2Passes: 16,
  argon2Lanes: 16,
} as const;

/** bcrypt ignores the rest of a password. The user's next login hashes the whole password. */
const bcryptReads = 72;

interface Algorithm {
  form: RegExp;
  /** @returns undefined beyond the bounds */
  read(parts: (string | undefined)[]): ForeignHash | undefined;
}

/**
 * Salts of at least 4 bytes (NIST SP 800-63B-4, 3.1.1.2) and hashes of 16 to 64 bytes: one of 4 bytes would match one
 * password in 2^32.
 */
const saltForm = "([A-Za-z0-9+/.]{6,128})";
const hashForm = "([A-Za-z0-9+/.]{22,86})";

const algorithms: readonly Algorithm[] = [
  { form: /^\$2[aby]\$(\d\d)\$([./A-Za-z0-9]{22})([./A-Za-z0-9]{31})$/, read: readBcrypt },
  {
    form: new RegExp(`^\\$scrypt\\$ln=(\\d{1,2}),r=(\\d{1,3}),p=(\\d{1,3})\\$${saltForm}\\$${hashForm}$`),
    read: readScrypt,
  },
  { form: new RegExp(`^\\$pbkdf2(-sha256|-sha512|)\\$(\\d{1,9})\\$${saltForm}\\$${hashForm}$`), read: readPbkdf2 },
  {
    form: new RegExp(
      `^\\$argon2(id|i|d)\\$v=(16|19)\\$m=(\\d{1,8}),t=(\\d{1,3}),p=(\\d{1,3})(?:,data=([A-Za-z0-9+/]{1,43}))?\\$${saltForm}\\$${hashForm}$`,
    ),
    read: readArgon2,
  },
];

export function foreignHash(stored: string): ForeignHash | HashFault {
  for (const { form, read } of algorithms) {
    const match = form.exec(stored);
    if (match !== null) return read(match.slice(1)) ?? "beyond";
  }
  return "unknown";
}

/** @param work in the algorithm's own unit */
export function costClass(algorithm: string, work: number): string {
  return `${algorithm} 2^${Math.round(Math.log2(work))}`;
}

/**
 * The letter after $2 names a bug that the library had fixed; for 72 bytes all give the same. It is always read as
 * $2b$, with the bytes cut here, because for $2a$ the package repeats OpenBSD's bug of before 2014: a length in one
 * byte.
 */
function readBcrypt([cost = "", salt = "", tag = ""]: (string | undefined)[]): ForeignHash | undefined {
  if (Number(cost) < 4 || Number(cost) > limits.bcryptCost) return undefined;
  return {
    algorithm: "bcrypt",
    costClass: costClass("bcrypt", 2 ** Number(cost)),
    async matches(password) {
      const read = Buffer.from(password).subarray(0, bcryptReads);
      const made = await bcrypt.hash(read, `$2b$${cost}$${salt}`);
      return timingSafeEqual(Buffer.from(made.slice(-tag.length)), Buffer.from(tag));
    },
  };
}

function readScrypt([ln = "", r = "", p = "", salt = "", tag = ""]: (string | undefined)[]): ForeignHash | undefined {
  const [cost, blockSize, lanes] = [2 ** Number(ln), Number(r), Number(p)];
  const memory = 128 * cost * blockSize;
  const low = cost < 2 || blockSize < 1 || lanes < 1;
  const high =
    memory > limits.scryptMemory || cost * blockSize * lanes > limits.scryptWork || lanes > limits.scryptLanes;
  if (low || high) return undefined;
  const derive: (password: string, salt: Buffer, length: number, options: object) => Promise<Buffer> =
    promisify(scrypt);
  const options = { N: cost, r: blockSize, p: lanes, maxmem: memory + 128 * blockSize * (lanes + 2) };
  return {
    algorithm: "scrypt",
    costClass: costClass("scrypt", cost * blockSize * lanes),
    matches: (password) => equal(tag, (length) => derive(password, bytes(salt), length, options)),
  };
}

function readPbkdf2([digest = "", rounds = "", salt = "", tag = ""]: (string | undefined)[]): ForeignHash | undefined {
  if (Number(rounds) < 1 || Number(rounds) > limits.pbkdf2Rounds) return undefined;
  const name = digest === "" ? "sha1" : digest.slice(1);
  const derive = promisify(pbkdf2);
  return {
    algorithm: `pbkdf2-${name}`,
    costClass: costClass(`pbkdf2-${name}`, Number(rounds)),
    matches: (password) => equal(tag, (length) => derive(password, bytes(salt), Number(rounds), length, name)),
  };
}

/** Associated data is hashed with the password and is no secret. A secret key, named by `keyid`, is unknown to us. */
function readArgon2([kind = "", version = "", memory = "", passes = "", lanes = "", data, salt = "", tag = ""]: (
  | string
  | undefined
)[]) {
  const [memoryCost, timeCost, parallelism] = [Number(memory), Number(passes), Number(lanes)];
  const high = memoryCost > limits.argon2Memory || timeCost > limits.argon2Passes || parallelism > limits.argon2Lanes;
  if (high || timeCost < 1 || parallelism < 1 || memoryCost < 8 * parallelism || bytes(salt).length < 8)
    return undefined;
  const type = kind === "id" ? argon2id : kind === "i" ? argon2i : argon2d;
  const associatedData = data === undefined ? Buffer.alloc(0) : bytes(data);
  const options = {
    memoryCost,
    timeCost,
    parallelism,
    type,
    version: Number(version),
    associatedData,
    raw: true,
  } as const;
  return {
    algorithm: `argon2${kind}`,
    costClass: costClass(`argon2${kind}`, memoryCost * timeCost),
    matches: (password: string) =>
      equal(tag, (hashLength) => argon2(password, { ...options, salt: bytes(salt), hashLength })),
  };
}

/** passlib writes a dot for base64's plus ("ab64"). */
const bytes = (text: string): Buffer => Buffer.from(text.replaceAll(".", "+"), "base64");

async function equal(tag: string, derive: (length: number) => Promise<Buffer>): Promise<boolean> {
  const expected = bytes(tag);
  return timingSafeEqual(await derive(expected.length), expected);
}
