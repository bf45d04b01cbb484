// Makes foreign values safe to show in a mail's text. Mustache escapes them for HTML; this is about readers and mail
// programs: a mail to another person's mailbox must not carry the text or links of whoever caused it.
import { isIP } from "node:net";
import { escaped } from "../lib/escaped.ts";

/**
 * Letters, digits, spaces, hyphens, apostrophes, and the joiners that protocol/names.ts allows: no mail program turns
 * these into a link.
 */
const plainName = /^(?:[\p{L}\p{M}\p{N} _'-]|\u200c|\u200d){1,64}$/u;

/** A name that a user chose. @returns undefined where it could be taken for an address, a link or a command */
export function shownName(name: string | undefined): string | undefined {
  return name !== undefined && plainName.test(name) ? name : undefined;
}

/**
 * A login must always be shown, so that its owner knows which account a mail is about. Dots that a mail program could
 * turn into a link are bracketed, `ada[.]lovelace`; characters that turn or hide the surrounding text are written as
 * their codes.
 */
export function shownLogin(login: string): string {
  return plainName.test(login) ? login : escaped(login.replace(/[.:/\\@]+/g, (signs) => `[${signs}]`));
}

/** An IP address; anything else is left out. */
export function shownAddress(address: string | undefined): string | undefined {
  return address !== undefined && isIP(address) !== 0 ? address : undefined;
}

/** `January 31, 2026 at 09:41 UTC`, in the mail's language. In UTC, because the reader's time zone is unknown. */
export function shownTime(at: number, language: string): string {
  const format = { dateStyle: "long", timeStyle: "short", hourCycle: "h23", timeZone: "UTC" } as const;
  return `${new Intl.DateTimeFormat(language, format).format(at)} UTC`;
}
