// Recovery codes: each lets a user who lost the other factors in once. 25 letters of Crockford's base32 are 125 random
// bits, so SHA-256 suffices for storing them (ASVS 5.0, 6.5.2 asks for the password's KDF below 112 bits). Rejected: 10
// letters under Argon2, because one wrong code would then cost as many hashes as there are codes, in the lane that
// logins wait for; typing 15 more letters, once a year, is cheaper.
import { createHash, randomBytes } from "node:crypto";

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const length = 25;
export const codesPerUser = 10;

export function makeRecoveryCodes(): string[] {
  return Array.from({ length: codesPerUser }, () =>
    grouped([...randomBytes(length)].map((byte) => alphabet[byte & 31]).join("")),
  );
}

const grouped = (letters: string): string => letters.replace(/.{5}(?=.)/g, "$&-");

/** The stored form of a typed code, in any case, with or without dashes; undefined where it cannot be a code. */
export function hashRecoveryCode(typed: string): Buffer | undefined {
  const letters = typed.toUpperCase().replace(/[\s-]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1");
  if (letters.length !== length || [...letters].some((each) => !alphabet.includes(each))) return undefined;
  return createHash("sha256").update(letters).digest();
}
