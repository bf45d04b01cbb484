// Passwords: hashes and verifies them with Argon2id. The work runs on libuv's pool, never on the event loop (a synchronous hash would stop
// every other request for 45 to 160 ms), and an unknown login costs what a wrong password costs.
// Does not queue or count anything (bus/lanes.ts does) and never says why a hash did not match.
//
// A text is normalised with NFKC before it is hashed (NIST SP 800-63B, 5.1.1.2), so that one password typed on two keyboards is one
// password. The old service hashed the raw text: where raw and normalised text differ, both are tried - for an unknown login too, or the
// time would tell who exists. A match of the raw text is stale.
//
// The cost is the same only between a hash of the current parameters and the dummy. Imported hashes (64 MiB, 3, 4: 160 ms against 45; other
// algorithms: foreign-hashes.ts) tell by time that a login exists, until its owner logs in and is rehashed (docs/security.md).
import { randomBytes, timingSafeEqual } from "node:crypto";
import { hash as argon2, argon2id } from "argon2";
import type { Clock } from "../clock.ts";
import { costClass, type ForeignHash, foreignHash, type HashFault } from "./foreign-hashes.ts";

export interface Argon2Cost {
  memoryKiB: number;
  time: number;
  parallelism: number;
}

export interface Verdict {
  ok: boolean;
  /** The password is right, but its hash should be made anew: other parameters, or made of the raw text. False where ok is false. */
  stale: boolean;
}

export interface Passwords {
  /** A PHC string. */
  hash(password: string): Promise<string>;
  /** @param stored PHC string; undefined for an unknown login, which costs the same and is never ok */
  verify(password: string, stored: string | undefined): Promise<Verdict>;
  /** Verifications of one class cost about the same: "" for a hash of the current parameters and for the dummy. */
  costClass(stored: string | undefined): string;
  /** Makes the dummy hash now, so that the first unknown login need not wait for it. */
  warm(): Promise<void>;
  /** Milliseconds of one verification: the median of three. */
  calibrate(clock: Clock): Promise<number>;
}

/** Beyond these a stored hash never matches: whoever can write one row must not be able to stop the workers with it. */
const limits: Argon2Cost = {
  memoryKiB: 1_048_576, // 1 GiB a hash, all threads at once: beyond it the kernel kills the worker
  time: 16, // with 1 GiB some 10 s of a core, already past every deadline
  parallelism: 16, // Argon2 starts so many threads for each hash
};

/** passlib, by which the old service hashed, takes no longer text; in bytes: 4 for each of its 4,096 characters. NFKC of 1 MB stops the loop 39 ms. */
const longestVerified = 16_384;

interface Stored extends Argon2Cost {
  salt: Buffer;
  tag: Buffer;
}

// At least 8 bytes of salt (Argon2's minimum) and 16 of tag: a tag of 4 bytes would match one password in 2^32.
// The npm package argon2 writes p before t; its rows are read too.
const phc =
  /^\$argon2id\$v=19\$m=(\d{1,8}),(?:t=(\d{1,3}),p=(\d{1,3})|p=(\d{1,3}),t=(\d{1,3}))\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

function within(cost: Argon2Cost): boolean {
  const { memoryKiB, time, parallelism } = cost;
  const high = memoryKiB > limits.memoryKiB || time > limits.time || parallelism > limits.parallelism;
  return !high && time >= 1 && parallelism >= 1 && memoryKiB >= 8 * parallelism;
}

function parse(stored: string): Stored | undefined {
  const match = phc.exec(stored);
  if (match === null) return undefined;
  const [, memory, time = match[5], parallelism = match[4], , , salt = "", tag = ""] = match;
  const cost = { memoryKiB: Number(memory), time: Number(time), parallelism: Number(parallelism) };
  if (!within(cost)) return undefined;
  return { ...cost, salt: Buffer.from(salt, "base64"), tag: Buffer.from(tag, "base64") };
}

/** Written here and not by the package, which puts p before t: few other Argon2 libraries read that. */
function format({ memoryKiB, time, parallelism, salt, tag }: Stored): string {
  const [encodedSalt, encodedTag] = [salt, tag].map((each) => each.toString("base64").replaceAll("=", ""));
  return `$argon2id$v=19$m=${memoryKiB},t=${time},p=${parallelism}$${encodedSalt}$${encodedTag}`;
}

function tagOf(text: string | Buffer, { memoryKiB, time, parallelism, salt }: Omit<Stored, "tag">, length = 32) {
  const cost = { memoryCost: memoryKiB, timeCost: time, parallelism };
  return argon2(text, { ...cost, type: argon2id, salt, hashLength: length, raw: true });
}

async function matches(text: string, stored: Stored): Promise<boolean> {
  return timingSafeEqual(await tagOf(text, stored, stored.tag.length), stored.tag);
}

const same = (left: Argon2Cost, right: Argon2Cost): boolean =>
  left.memoryKiB === right.memoryKiB && left.time === right.time && left.parallelism === right.parallelism;

/** A hash that another service made is always stale: whoever knows its password gets one of the current parameters. */
async function verifyForeign(texts: readonly string[], foreign: ForeignHash): Promise<Verdict> {
  for (const text of texts) if (await foreign.matches(text)) return { ok: true, stale: true };
  return { ok: false, stale: false };
}

/** By which algorithm a stored hash would be verified, or why it never would match. */
export function hashAlgorithm(stored: string): { algorithm: string } | HashFault {
  if (parse(stored) !== undefined) return { algorithm: "argon2id" };
  return phc.test(stored) ? "beyond" : foreignHash(stored);
}

/** @throws Error where the parameters are beyond what would be verified */
export function makePasswords(current: Argon2Cost): Passwords {
  if (!within(current)) {
    throw new Error(
      `AUTH_ARGON2_*: at most ${limits.memoryKiB} KiB, ${limits.time} passes, ${limits.parallelism} lanes; at least 8 KiB a lane`,
    );
  }
  let made: Promise<Stored> | undefined;

  const make = async (text: string | Buffer): Promise<Stored> => {
    const salted = { ...current, salt: randomBytes(16) };
    return { ...salted, tag: await tagOf(text, salted) };
  };

  const dummy = (): Promise<Stored> => {
    // A failure (no memory) is not kept: the next call tries again.
    made ??= make(randomBytes(32)).catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };

  const verify = async (password: string, stored: string | undefined): Promise<Verdict> => {
    const long = Buffer.byteLength(password) > longestVerified;
    const known = stored === undefined || long ? undefined : parse(stored);
    const foreign = stored === undefined || long || known !== undefined ? "unknown" : foreignHash(stored);
    const raw = long ? "" : password;
    const normal = raw.normalize("NFKC");
    const texts = raw === normal ? [normal] : [normal, raw];
    if (typeof foreign === "object") return verifyForeign(texts, foreign);
    const target = known ?? (await dummy());
    for (const text of texts) {
      const ok = (await matches(text, target)) && known !== undefined;
      if (ok) return { ok, stale: text !== normal || !same(target, current) };
    }
    return { ok: false, stale: false };
  };

  return {
    costClass(stored) {
      const known = stored === undefined ? undefined : parse(stored);
      if (known !== undefined) return same(known, current) ? "" : costClass("argon2id", known.memoryKiB * known.time);
      const foreign = stored === undefined ? "unknown" : foreignHash(stored);
      return typeof foreign === "object" ? foreign.costClass : "";
    },
    hash: async (password) => format(await make(password.normalize("NFKC"))),
    verify,
    warm: async () => void (await dummy()),
    async calibrate(clock) {
      await dummy(); // the first hash also pays for the memory's first touch
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

/**
 * What is wrong with a new password's length. NIST SP 800-63B, 5.1.1.2: every code point counts as one character, after normalisation.
 * @param bounds min in code points after NFKC; max in bytes of the text as it came (UTF-8), checked first because normalising costs time
 */
export function passwordFault(password: string, bounds: { min: number; max?: number }): "short" | "long" | undefined {
  if (Buffer.byteLength(password) > (bounds.max ?? 1024)) return "long";
  return [...password.normalize("NFKC")].length < bounds.min ? "short" : undefined;
}
