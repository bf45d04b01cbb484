// E-mail addresses: which are accepted, and the form in which they are stored. The local part stays as typed, because
// only its mail server knows what it means. The domain is stored in ASCII and lower case (punycode), so that an
// internationalised one has one form and envelopes need only ASCII for it. Deliberately stricter than RFC 5321 and
// 6531: no quoted local parts (they may contain spaces, `@` and line ends), no comments, no host addresses; beyond
// ASCII only letters, marks and digits; nothing without a visible glyph.
import { domainToASCII, domainToUnicode } from "node:url";
import isEmail from "validator/lib/isEmail.js";
import { normalize } from "./record-key.ts";

/** RFC 5321, section 4.5.3.1.3, for the stored form; section 4.5.3.1.1 for the local part. */
export const maxAddressBytes = 254;
const maxLocalBytes = 64;
/** Longer texts are refused before they are normalised. */
const maxTyped = 1024;

const localForm =
  /^[\p{L}\p{N}!#$%&'*+\-/=?^_`{|}~][\p{L}\p{M}\p{N}!#$%&'*+\-/=?^_`{|}~]*(\.[\p{L}\p{N}!#$%&'*+\-/=?^_`{|}~][\p{L}\p{M}\p{N}!#$%&'*+\-/=?^_`{|}~]*)*$/u;
const domainForm = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}.\u3002\uff0e\uff61-]*$/u;
/** Characters without a glyph, such as a soft hyphen or a Hangul filler; some of them are letters. */
const invisible = /\p{Default_Ignorable_Code_Point}/u;

/** The stored form of an address; undefined where it is invalid. */
export function storedAddress(text: string): string | undefined {
  if (text.length > maxTyped) return undefined;
  const at = text.lastIndexOf("@");
  const [local, domain] = [text.slice(0, at), storedDomain(text.slice(at + 1))];
  if (at < 1 || domain === undefined || invisible.test(local)) return undefined;
  // Both forms, because normalising a full-width `＠` turns it into a character that is refused.
  if (!localForm.test(local) || !localForm.test(normalize(local))) return undefined;
  const stored = `${local}@${domain}`;
  const bytes = [Buffer.byteLength(local), Buffer.byteLength(stored), Buffer.byteLength(normalize(stored))];
  const fits = bytes[0]! <= maxLocalBytes && bytes[1]! <= maxAddressBytes && bytes[2]! <= maxAddressBytes;
  return fits && isEmail.default(stored) ? stored : undefined;
}

/** Equal for all spellings of an address. For other text, its form as a record key. */
export function addressKey(text: string): string {
  return normalize(storedAddress(text) ?? text);
}

/** In ASCII; only domains that UTS 46 leaves unchanged. */
function storedDomain(text: string): string | undefined {
  if (!domainForm.test(text) || invisible.test(text)) return undefined;
  const ascii = domainToASCII(text);
  const shown = domainToUnicode(ascii);
  const isRight = ascii !== "" && domainForm.test(shown) && !/(^|\.)xn--/.test(shown) && domainToASCII(shown) === ascii;
  return isRight ? ascii : undefined;
}
