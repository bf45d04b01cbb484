// What a new password must be, after NIST SP 800-63B-4 (3.1.1.2) and OWASP ASVS 5.0 (6.2): long enough, not one that
// everybody knows, not made of what is known about its owner, not known to be stolen. There are no rules of
// composition, and nothing is ever asked to be changed for its age. The whole password is compared, never a part of it.
// Logging in applies none of this.
// Does not hash and does not say a password back: it says the reason, and the caller says which field.

export interface PolicyRules {
  /** Shortest password, in code points after NFKC. */
  min: number;
  /** In lower case, after NFKC. */
  common: ReadonlySet<string>;
  /** Words of the service that no password may be made of, such as the name of the product. */
  words: readonly string[];
  /** Whether it is among stolen ones; false where that is not known. */
  breached(password: string): Promise<boolean>;
}

/** In the order they are looked for: the dearest last. */
export type Weakness = "long" | "short" | "context" | "common" | "breached";

export interface PasswordPolicy {
  readonly min: number;
  /** @param about what is known of the owner: login, user name, e-mail address */
  weakness(password: string, about: readonly string[]): Promise<Weakness | undefined>;
}

/** Bytes of UTF-8; far above the 64 characters of ASVS 6.2.9, and little enough that normalising costs nothing. */
export const maxPasswordBytes = 1024;

export function makePasswordPolicy({ min, common, words, breached }: PolicyRules): PasswordPolicy {
  return {
    min,
    async weakness(password, about) {
      const fault = passwordFault(password, { min });
      if (fault !== undefined) return fault;
      const folded = fold(password);
      if (isMadeOf(folded, [...words, ...about])) return "context";
      if (common.has(folded)) return "common";
      return (await breached(password)) ? "breached" : undefined;
    },
  };
}

const fold = (text: string): string => text.normalize("NFKC").toLowerCase();

/**
 * What is wrong with a new password's length. Every code point counts as one character, after normalisation (NIST SP
 * 800-63B-4, 3.1.1.2).
 * @param bounds min in code points after NFKC; max in bytes of the text as it came (UTF-8), checked first because
 * normalising costs time
 */
export function passwordFault(password: string, bounds: { min: number; max?: number }): "short" | "long" | undefined {
  if (Buffer.byteLength(password) > (bounds.max ?? maxPasswordBytes)) return "long";
  return [...password.normalize("NFKC")].length < bounds.min ? "short" : undefined;
}

/**
 * Whether a text is made of the words (ASVS 6.2.11): nothing but them, forwards or backwards, in any order and number,
 * and beside them no letter and no more digits and signs than they take themselves. alice2024 is made of "alice"; a
 * sentence with "alice" in it is not.
 */
function isMadeOf(folded: string, words: readonly string[]): boolean {
  const all = [...new Set(words.flatMap(formsOf))].sort((left, right) => right.length - left.length);
  if (all.length === 0) return false;
  const left = folded.replace(new RegExp(all.map(escaped).join("|"), "gu"), "");
  const taken = folded.length - left.length;
  return taken > 0 && left.length <= taken && !/\p{L}/u.test(left);
}

const escaped = (word: string): string => word.replace(/[$()*+.?[\\\]^{|}/]/g, "\\$&");

/** A name or address as people shorten it: its local part, without its signs, in its pieces; each also backwards. */
function formsOf(word: string): string[] {
  const [local = ""] = fold(word).split("@");
  const pieces = local.split(/[^\p{L}\p{N}]+/u).filter((piece) => [...piece].length >= 3);
  const forms = [local, local.replace(/[^\p{L}\p{N}]/gu, ""), ...pieces].filter((form) => form !== "");
  return forms.flatMap((form) => [form, [...form].reverse().join("")]);
}
