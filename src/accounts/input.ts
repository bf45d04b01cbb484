// Checks what people type in and refuses it with a code; the rules are in protocol/names.ts and
// protocol/email-addresses.ts. A check returns the form that is stored. Login attempts are not held to the rules for
// new names and passwords: only empty and oversized input is refused there.

import type { HandlerPasswords } from "../command/context.ts";
import { maxPasswordBytes, type Weakness } from "../crypto/password-policy.ts";
import { maxAddressBytes, storedAddress } from "../protocol/email-addresses.ts";
import { invalid, refuse } from "../protocol/errors.ts";
import { type NameKind, nameLength, readLabel, readName } from "../protocol/names.ts";

/** Checks a new name. @returns the form that is stored. @throws Refusal INVALID_INPUT */
export function checkName(field: NameKind, value: string): string {
  const read = readName(field, value);
  if ("problem" in read) throw invalid(field, read.problem);
  return read.name;
}

/**
 * Checks a user's label for something of theirs; it may be empty.
 * @returns the form that is stored
 * @throws Refusal INVALID_INPUT
 */
export function checkLabel(field: string, value: string, maxLength: number): string {
  const read = readLabel(value, maxLength);
  if ("problem" in read) throw invalid(field, read.problem);
  return read.name;
}

/** @returns the form that is stored. @throws Refusal INVALID_INPUT */
export function checkEmail(value: string, field = "email"): string {
  const stored = storedAddress(value);
  if (stored === undefined)
    throw invalid(
      field,
      `must be an e-mail address of up to ${maxAddressBytes} bytes, without quotes or invisible characters`,
    );
  return stored;
}

/**
 * Bound on the typed form; the stored form may be longer in bytes and has its own bound (protocol/email-addresses.ts).
 */
const longestAddress = 254;

const longestLocale = 35; // RFC 5646, section 4.4.1

/**
 * The canonical form of a language tag, null where none was given. It only has to be well-formed: the mailer decides
 * which languages have templates. JavaScript accepts BCP 47 without its legacy forms: cmn but not zh-cmn, tlh but not
 * i-klingon.
 * @throws Refusal INVALID_INPUT
 */
export function checkLocale(tag: string | null): string | null {
  if (tag === null) return null;
  try {
    const [canonical = ""] = tag.length > longestLocale ? [] : Intl.getCanonicalLocales(tag);
    if (canonical !== "" && canonical.length <= longestLocale) return canonical;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  throw invalid("locale", `must be a language tag (BCP 47), such as de or pt-BR, of up to ${longestLocale} characters`);
}

/** A new password, the field it came in, and what is known about its owner. */
export interface NewPassword {
  field: string;
  password: string;
  about: readonly string[];
}

/** The messages for weak passwords; a password that is too long is invalid, not weak. */
const weakBecause: Record<Exclude<Weakness, "long">, (min: number) => string> = {
  short: (min) => `The password must have at least ${min} characters.`,
  context: () => "The password must not be made of the login, a name, the e-mail address or the service's own words.",
  common: () => "The password is one that many people use.",
  breached: () => "The password is known from stolen data.",
};

/**
 * Call it after the first read: a repeated request must get its first answer, even if the password has become common or
 * known from stolen data since.
 * @throws Refusal WEAK_PASSWORD (details.reason: short, context, common, breached) or INVALID_INPUT
 */
export async function checkNewPassword(
  { policy }: Pick<HandlerPasswords, "policy">,
  { field, password, about }: NewPassword,
): Promise<void> {
  const reason = await policy.weakness(password, about);
  if (reason === undefined) return;
  if (reason === "long") throw invalid(field, `must not be longer than ${maxPasswordBytes} bytes`);
  const details = { field, reason, ...(reason === "short" && { min: String(policy.min) }) };
  throw refuse("WEAK_PASSWORD", { message: weakBecause[reason](policy.min), details });
}

/** For a login attempt. @throws Refusal INVALID_INPUT */
export function checkAttempt(login: string, password: string): void {
  checkLoginLength(login);
  checkTyped("password", password);
}

/** A login, or an e-mail address in its place. @throws Refusal INVALID_INPUT */
export function checkLoginLength(login: string): void {
  const most = login.includes("@") ? longestAddress : nameLength.max;
  if (login === "" || [...login.normalize("NFKC")].length > most)
    throw invalid(
      "login",
      `must have 1 to ${nameLength.max} characters, or be an e-mail address of up to ${longestAddress}`,
    );
}

/** For a password that is compared with the stored one. @throws Refusal INVALID_INPUT */
export function checkTyped(field: string, password: string): void {
  if (password === "" || Buffer.byteLength(password) > maxPasswordBytes) {
    throw invalid(field, `must have 1 to ${maxPasswordBytes} bytes`);
  }
}

/** @throws Refusal INVALID_INPUT where a token is empty: that is the caller's mistake, not an invalid token */
export function checkToken(field: string, token: string): void {
  if (token === "") throw invalid(field, "must not be empty");
}
