// E-mail addresses: which are taken, and the one form in which each is stored. The local part stays as it was typed,
// because only its own mail server knows what it means; the domain is in ASCII and lower case (punycode), so that an
// internationalised one has one form however it was typed, and a mail's envelope needs no more than ASCII for it.
// Narrower than RFC 5321 and 6531 on purpose: no quoted local parts (they may hold spaces, `@` and line ends), no
// comments, no addresses of hosts; beyond ASCII only letters, marks and digits; nothing that shows no glyph.
import { domainToASCII, domainToUnicode } from "node:url";
import isEmail from "validator/lib/isEmail.js";
import { normalize } from "./record-key.ts";

/** RFC 5321, section 4.5.3.1.3, of the stored form; and of the local part, section 4.5.3.1.1. */
export const maxAddressBytes = 254;
const maxLocalBytes = 64;
/** A longer text is none, and is not normalised. */
const maxTyped = 1024;

const localForm =
  /^[\p{L}\p{N}!#$%&'*+\-/=?^_`{|}~][\p{L}\p{M}\p{N}!#$%&'*+\-/=?^_`{|}~]*(\.[\p{L}\p{N}!#$%&'*+\-/=?^_`{|}~][\p{L}\p{M}\p{N}!#$%&'*+\-/=?^_`{|}~]*)*$/u;
const domainForm = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}.\u3002\uff0e\uff61-]*$/u;
/** Characters without a glyph of their own, such as a soft hyphen or a Hangul filler, some of which are letters. */
const invisible = /\p{Default_Ignorable_Code_Point}/u;

/** The form in which an address is stored; undefined where it is none. */
export function storedAddress(text: string): string | undefined {
  if (text.length > maxTyped) return undefined;
  const at = text.lastIndexOf("@");
  const [local, domain] = [text.slice(0, at), storedDomain(text.slice(at + 1))];
  if (at < 1 || domain === undefined || invisible.test(local)) return undefined;
  // Both forms: a full-width `＠` is none of the characters that are looked for until it is normalised.
  if (!localForm.test(local) || !localForm.test(normalize(local))) return undefined;
  const stored = `${local}@${domain}`;
  const bytes = [Buffer.byteLength(local), Buffer.byteLength(stored), Buffer.byteLength(normalize(stored))];
  const fits = bytes[0]! <= maxLocalBytes && bytes[1]! <= maxAddressBytes && bytes[2]! <= maxAddressBytes;
  return fits && isEmail.default(stored) ? stored : undefined;
}

/** What two spellings of one address have in common. Of a text that is no address, what makes it a record key. */
export function addressKey(text: string): string {
  return normalize(storedAddress(text) ?? text);
}

/** In ASCII, and only what comes out of UTS 46 unchanged. */
function storedDomain(text: string): string | undefined {
  if (!domainForm.test(text) || invisible.test(text)) return undefined;
  const ascii = domainToASCII(text);
  const shown = domainToUnicode(ascii);
  const isRight = ascii !== "" && domainForm.test(shown) && !/(^|\.)xn--/.test(shown) && domainToASCII(shown) === ascii;
  return isRight ? ascii : undefined;
}
