// Hashes and verifies passwords with Argon2id. The work runs on libuv's pool: on the event loop a hash would stop every
// other request for 45 to 160 ms. Verifying an unknown login costs the same as a wrong password. Queueing and counting
// happen elsewhere (bus/lanes.ts), and a mismatch has no reason.
//
// A password is normalised with NFKC before hashing (NIST SP 800-63B, 5.1.1.2), so that different keyboards give the
// same password. The old service hashed the raw text: where raw and normalised text differ, both are tried, for an
// unknown login too, or timing would reveal which logins exist. A match of the raw text is stale.
//
// With a pepper, the input of Argon2 is HMAC-SHA-256(pepper, text) (NIST SP 800-63B-4, 3.1.1.2). The hash names its
// pepper in the field `keyid` of the PHC form, so old hashes verify as long as AUTH_PEPPER contains their pepper, and
// are replaced at the next login.
//
// Only hashes of the current parameters cost the same as the dummy hash. Imported ones (64 MiB, 3, 4: 160 ms against
// 45; other algorithms: foreign-hashes.ts) reveal by timing that a login exists, until its owner logs in and is
// rehashed (docs/operations.md).
import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from "node:crypto";
import { hash as argon2, argon2id } from "argon2";
import type { Clock } from "../lib/clock.ts";
import { costClass, type ForeignHash, foreignHash, type HashFault } from "./foreign-hashes.ts";

export interface Argon2Cost {
  memoryKiB: number;
  time: number;
  parallelism: number;
}

interface PasswordCheck {
  ok: boolean;
  /**
   * The password is right, but its hash must be replaced: other parameters, another pepper, or the raw text. False
   * where ok is false.
   */
  stale: boolean;
}

export interface Passwords {
  /** A PHC string. */
  hash(password: string): Promise<string>;
  /** @param stored PHC string; undefined for an unknown login, which costs the same and is never ok */
  verify(password: string, stored: string | undefined): Promise<PasswordCheck>;
  /** Verifications of one class cost about the same: "" for the current parameters and the dummy. */
  costClass(stored: string | undefined): string;
  /** Makes the dummy hash, so that the first unknown login does not wait for it. */
  warm(): Promise<void>;
  /** Milliseconds per verification: the median of three. */
  calibrate(clock: Clock): Promise<number>;
}

/**
 * Upper bounds: a stored hash beyond them never matches and is reported, so that write access to one row cannot stop
 * the workers.
 */
const limits: Argon2Cost = {
  memoryKiB: 1_048_576, // 1 GiB a hash, all threads at once: beyond it the kernel kills the worker
  time: 16, // with 1 GiB some 10 s of a core, already past every deadline
  parallelism: 16, // Argon2 starts so many threads for each hash
};

/**
 * In bytes: the old service's library, passlib, takes at most 4,096 characters of up to 4 bytes. NFKC of 1 MB stops
 * the event loop for 39 ms.
 */
const longestVerified = 16_384;

/** A key of the HMAC before Argon2. */
interface Pepper {
  /** 1 to 8 characters, as the PHC form allows. */
  id: string;
  /** 32 bytes. */
  key: Buffer;
}

export interface PasswordOptions {
  /** The first pepper is used for new hashes; each verifies the hashes that name it. */
  peppers?: readonly Pepper[] | undefined;
  /** Called once per reason for refusing a stored hash; an operator must act on it. */
  report?: ((problem: string) => void) | undefined;
}

interface HeldPepper {
  id: string;
  key: KeyObject;
}

type Peppers = ReadonlyMap<string, HeldPepper>;

interface Stored extends Argon2Cost {
  salt: Buffer;
  tag: Buffer;
  pepper: HeldPepper | undefined;
}

// At least 8 bytes of salt (Argon2's minimum) and 16 of tag: a tag of 4 bytes would match one password in 2^32. The npm
// package argon2 writes p before t; its rows are accepted too.
const phc =
  /^\$argon2id\$v=19\$m=(\d{1,8}),(?:t=(\d{1,3}),p=(\d{1,3})|p=(\d{1,3}),t=(\d{1,3}))(?:,keyid=([A-Za-z0-9+/]{2,11}))?\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** Why a cost is beyond the bounds. */
function beyond({ memoryKiB, time, parallelism }: Argon2Cost): string | undefined {
  if (memoryKiB > limits.memoryKiB) return `its memory is over ${limits.memoryKiB} KiB`;
  if (time > limits.time) return `it has more than ${limits.time} passes`;
  if (parallelism > limits.parallelism) return `it has more than ${limits.parallelism} lanes`;
  if (time < 1 || parallelism < 1 || memoryKiB < 8 * parallelism) return "its parameters are none of Argon2";
  return undefined;
}

const none: Peppers = new Map();
const lacking = "AUTH_PEPPER lacks the pepper";

/** @returns undefined where it is not an Argon2id hash; a text: why it never matches */
function parse(stored: string, peppers: Peppers): Stored | string | undefined {
  const match = phc.exec(stored);
  if (match === null) return undefined;
  const [, memory, time = match[5], parallelism = match[4], , , keyid, salt = "", tag = ""] = match;
  const cost = { memoryKiB: Number(memory), time: Number(time), parallelism: Number(parallelism) };
  const problem = beyond(cost);
  if (problem !== undefined) return problem;
  const id = keyid === undefined ? undefined : Buffer.from(keyid, "base64").toString("latin1");
  const pepper = id === undefined ? undefined : peppers.get(id);
  if (id !== undefined && pepper === undefined) return `${lacking} ${id.replace(/[^\w.-]/g, "?")}`;
  return { ...cost, salt: Buffer.from(salt, "base64"), tag: Buffer.from(tag, "base64"), pepper };
}

const base64 = (bytes: Buffer): string => bytes.toString("base64").replaceAll("=", "");

/** Not the package's format, which puts p before t: few other Argon2 libraries read that. */
function format({ memoryKiB, time, parallelism, salt, tag, pepper }: Stored): string {
  const keyid = pepper === undefined ? "" : `,keyid=${base64(Buffer.from(pepper.id, "latin1"))}`;
  return `$argon2id$v=19$m=${memoryKiB},t=${time},p=${parallelism}${keyid}$${base64(salt)}$${base64(tag)}`;
}

function tagOf(text: string | Buffer, { pepper, salt, ...cost }: Omit<Stored, "tag">, length = 32) {
  const input = pepper === undefined ? text : createHmac("sha256", pepper.key).update(text).digest();
  const options = { memoryCost: cost.memoryKiB, timeCost: cost.time, parallelism: cost.parallelism };
  return argon2(input, { ...options, type: argon2id, salt, hashLength: length, raw: true });
}

async function matches(text: string, stored: Stored): Promise<boolean> {
  return timingSafeEqual(await tagOf(text, stored, stored.tag.length), stored.tag);
}

const same = (left: Argon2Cost, right: Argon2Cost): boolean =>
  left.memoryKiB === right.memoryKiB && left.time === right.time && left.parallelism === right.parallelism;

/** Always stale: a successful login replaces another service's hash. */
async function verifyForeign(texts: readonly string[], foreign: ForeignHash): Promise<PasswordCheck> {
  for (const text of texts) if (await foreign.matches(text)) return { ok: true, stale: true };
  return { ok: false, stale: false };
}

/** The algorithm that would verify a stored hash, or why it would never match. */
export function hashAlgorithm(stored: string): { algorithm: string } | HashFault {
  const own = parse(stored, none);
  if (typeof own === "object") return { algorithm: "argon2id" };
  if (own?.startsWith(lacking) === true) return "unknown"; // made with a secret key that we do not have
  return own === undefined ? foreignHash(stored) : "beyond";
}

const mostReported = 100;

/**
 * Reports each reason once: write access to a row must not suffice to fill the log. The reasons are few, except for
 * names of peppers.
 */
function onceOf(report: PasswordOptions["report"]): (problem: string) => void {
  const reported = new Set<string>();
  return (problem) => {
    if (reported.has(problem) || reported.size === mostReported) return;
    reported.add(problem);
    report?.(`a stored password hash is refused: ${problem}`);
  };
}

type Texts = readonly [normal: string, ...raw: string[]];

/** Takes the time of any password and matches nothing. */
const tooLong: Texts = [""];

/** The normalised form, and the raw text where it differs: an imported hash may be of either. */
function verifiedTexts(raw: string): Texts {
  if (Buffer.byteLength(raw) > longestVerified) return tooLong;
  const normal = raw.normalize("NFKC");
  return raw === normal ? [normal] : [normal, raw];
}

/** Makes hashes with the current parameters, and the dummy hash for unknown logins. */
function hashMaker(current: Argon2Cost, pepper: HeldPepper | undefined) {
  let made: Promise<Stored> | undefined;
  const make = async (text: string | Buffer): Promise<Stored> => {
    const salted = { ...current, salt: randomBytes(16), pepper };
    return { ...salted, tag: await tagOf(text, salted) };
  };
  const dummy = (): Promise<Stored> => {
    // A failure (no memory) is not cached: the next call tries again.
    made ??= make(randomBytes(32)).catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
  return { make, dummy };
}

/** @returns how to verify a stored hash; undefined where nothing can match, with the reason passed to `refused` */
function storedReader(held: Peppers, refused: (problem: string) => void) {
  const problems: Record<string, string> = {
    unknown: "its algorithm is not known",
    beyond: "its cost is too high",
  };
  return (stored: string): Stored | ForeignHash | undefined => {
    const own = parse(stored, held);
    if (typeof own === "object") return own;
    const foreign = own === undefined ? foreignHash(stored) : own;
    if (typeof foreign === "object") return foreign;
    refused(problems[foreign] ?? foreign);
    return undefined;
  };
}

/** @throws Error where the parameters exceed the bounds of verification */
export function makePasswords(current: Argon2Cost, { peppers = [], report }: PasswordOptions = {}): Passwords {
  if (beyond(current) !== undefined) {
    throw new Error(
      `AUTH_ARGON2_*: at most ${limits.memoryKiB} KiB, ${limits.time} passes, ${limits.parallelism} lanes; at least 8 KiB a lane`,
    );
  }
  const held = new Map(peppers.map(({ id, key }) => [id, { id, key: createSecretKey(key) }]));
  const [pepper] = held.values();
  const { make, dummy } = hashMaker(current, pepper);
  const read = storedReader(held, onceOf(report));
  const isCurrent = (stored: Stored): boolean => same(stored, current) && stored.pepper === pepper;

  const verify = async (password: string, stored: string | undefined): Promise<PasswordCheck> => {
    const texts = verifiedTexts(password);
    const known = stored === undefined || texts === tooLong ? undefined : read(stored);
    if (known !== undefined && "matches" in known) return verifyForeign(texts, known);
    const target = known ?? (await dummy());
    for (const text of texts) {
      const ok = (await matches(text, target)) && known !== undefined;
      if (ok) return { ok, stale: text !== texts[0] || !isCurrent(target) };
    }
    return { ok: false, stale: false };
  };

  return {
    costClass(stored) {
      const known = stored === undefined ? undefined : parse(stored, held);
      if (typeof known === "object")
        return same(known, current) ? "" : costClass("argon2id", known.memoryKiB * known.time);
      const foreign = stored === undefined || known !== undefined ? "unknown" : foreignHash(stored);
      return typeof foreign === "object" ? foreign.costClass : "";
    },
    hash: async (password) => format(await make(password.normalize("NFKC"))),
    verify,
    warm: async () => void (await dummy()),
    async calibrate(clock) {
      await dummy(); // the first hash also pays for touching the memory
      const times: number[] = [];
      for (let run = 0; run < 3; run++) {
        const start = clock.monotonic();
        await verify("calibration", undefined);
        times.push(clock.monotonic() - start);
      }
      return times.sort((left, right) => left - right)[1]!;
    },
  };
}
