// The rules for new passwords, after NIST SP 800-63B-4 (3.1.1.2) and OWASP ASVS 5.0 (6.2): long enough, not common, not
// made of what is known about its owner, not known to be stolen. There are no composition rules, and no password
// expires. The whole password is compared, never a part of it. Logging in applies none of these rules. A result is a
// reason, never the password; the caller names the field.

export interface PolicyRules {
  /** Minimum length, in code points after NFKC. */
  min: number;
  /** In lower case, after NFKC. */
  common: ReadonlySet<string>;
  /** Words of the service, such as the product's name, that no password may be made of. */
  words: readonly string[];
  /** Whether it is known to be stolen; false where that cannot be checked. */
  breached(password: string): Promise<boolean>;
}

/** In the order of the checks: the most expensive last. */
export type Weakness = "long" | "short" | "context" | "common" | "breached";

export interface PasswordPolicy {
  readonly min: number;
  /** @param about what is known about the owner: login, user name, e-mail address */
  weakness(password: string, about: readonly string[]): Promise<Weakness | undefined>;
}

/** Bytes of UTF-8: far above the 64 characters of ASVS 6.2.9, and few enough that normalising is cheap. */
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
 * @param bounds min in code points after NFKC; max in bytes of the original text (UTF-8), checked first because
 *   normalising costs time
 */
export function passwordFault(password: string, bounds: { min: number; max?: number }): "short" | "long" | undefined {
  if (Buffer.byteLength(password) > (bounds.max ?? maxPasswordBytes)) return "long";
  return [...password.normalize("NFKC")].length < bounds.min ? "short" : undefined;
}

/**
 * Whether a text is made of the words (ASVS 6.2.11): only of them, forwards or backwards, in any order and number, plus
 * at most as many digits and signs as they have characters, and no other letter. alice2024 is made of "alice"; a
 * sentence that contains "alice" is not.
 */
function isMadeOf(folded: string, words: readonly string[]): boolean {
  const all = [...new Set(words.flatMap(formsOf))].sort((left, right) => right.length - left.length);
  if (all.length === 0) return false;
  const left = folded.replace(new RegExp(all.map(escaped).join("|"), "gu"), "");
  const taken = folded.length - left.length;
  return taken > 0 && left.length <= taken && !/\p{L}/u.test(left);
}

const escaped = (word: string): string => word.replace(/[$()*+.?[\\\]^{|}/]/g, "\\$&");

/** The short forms of a name or address: its local part, without signs, in pieces; each also backwards. */
function formsOf(word: string): string[] {
  const [local = ""] = fold(word).split("@");
  const pieces = local.split(/[^\p{L}\p{N}]+/u).filter((piece) => [...piece].length >= 3);
  const forms = [local, local.replace(/[^\p{L}\p{N}]/gu, ""), ...pieces].filter((form) => form !== "");
  return forms.flatMap((form) => [form, [...form].reverse().join("")]);
}
