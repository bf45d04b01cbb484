// Values that come from outside, as a mail may show them. Mustache escapes them for HTML; this is about what a reader
// or a mail program makes of them in plain text: a mail to a stranger's mailbox must not carry the words or links of
// whoever had it sent.
import { isIP } from "node:net";
import { escaped } from "../lib/escaped.ts";

/**
 * Letters, digits, spaces, hyphens and apostrophes, and the joiners that names.ts lets stand: no mail program makes a
 * link of these.
 */
const plainName = /^(?:[\p{L}\p{M}\p{N} _'-]|\u200c|\u200d){1,64}$/u;

/** A name that its owner chose. @returns undefined where it could be taken for an address, a link or a command */
export function shownName(name: string | undefined): string | undefined {
  return name !== undefined && plainName.test(name) ? name : undefined;
}

/**
 * A login must be told, or its owner would not know which account a mail is about. What a mail program might take for
 * an address stands in brackets, `ada[.]lovelace`, as people do who must show one that is not to be followed; what
 * would turn or hide the text around is written as its code.
 */
export function shownLogin(login: string): string {
  return plainName.test(login) ? login : escaped(login.replace(/[.:/\\@]+/g, (signs) => `[${signs}]`));
}

/** An IP address: whatever else stands there is left out. */
export function shownAddress(address: string | undefined): string | undefined {
  return address !== undefined && isIP(address) !== 0 ? address : undefined;
}

/**
 * `January 31, 2026 at 09:41 UTC`, in the mail's language. In UTC, because nobody knows in which time zone a mail is
 * read.
 */
export function shownTime(at: number, language: string): string {
  const format = { dateStyle: "long", timeStyle: "short", hourCycle: "h23", timeZone: "UTC" } as const;
  return `${new Intl.DateTimeFormat(language, format).format(at)} UTC`;
}
