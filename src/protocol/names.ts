// Names that people choose: the login, by which an account is found, and the user name, which is shown: which are
// accepted, and in which form they are stored. All rules apply to the stored form. Both have 4 to 32 characters (code
// points) after NFKC.
//
// login      stored in NFKC, found by its lower case (record-key.ts). After RFC 8265 (UsernameCaseMapped) and UTS 39
//            (highly restrictive): letters, marks and decimal digits of one script in use, or of the scripts of
//            Chinese, Japanese or Korean together with Latin; printable ASCII except `@`; single spaces inside. Nothing
//            invisible, neither joiner nor filler. Not detected: names in one script that look like another's
//            (Cyrillic `рора`).
// user name  stored in NFC, with each space as U+0020. After RFC 8266: what people write, including emoji; invisible
//            characters only where a script or an emoji needs them; no control or private characters, and nothing that
//            changes the direction of the following text.
import { normalize } from "./record-key.ts";

export type NameKind = "login" | "username";

export const nameLength = { min: 4, max: 32 } as const;
/** Longer typed texts are too long in any form, and are not normalised. */
const maxTyped = 1024;

const wrongLength = `must have ${nameLength.min} to ${nameLength.max} characters`;

/** @returns the stored form, or what is wrong with the name */
export function readName(kind: NameKind, text: string): { name: string } | { problem: string } {
  if (text.length > maxTyped) return { problem: wrongLength };
  const name = kind === "login" ? text.normalize("NFKC") : spaced(text).normalize("NFC");
  const problem = lengthProblem(kind, name) ?? (kind === "login" ? loginProblem(name) : shownProblem(name));
  return problem === undefined ? { name } : { problem };
}

/**
 * A user's name for a thing, by the rules of user names.
 * @returns the stored form, or what is wrong with the text
 */
export function readLabel(text: string, maxLength: number): { name: string } | { problem: string } {
  if (text.length > maxTyped) return { problem: `must have at most ${maxLength} characters` };
  const name = spaced(text).normalize("NFC");
  const problem = codePoints(name) > maxLength ? `must have at most ${maxLength} characters` : shownProblem(name);
  return problem === undefined ? { name } : { problem };
}

const codePoints = (text: string): number => [...text].length;

function lengthProblem(kind: NameKind, name: string): string | undefined {
  const forms = kind === "login" ? [name, normalize(name)] : [name, name.normalize("NFKC")];
  const lengths = forms.map(codePoints);
  return lengths.every((length) => length >= nameLength.min && length <= nameLength.max) ? undefined : wrongLength;
}

const outerOrDoubleSpace = /^ | $| {2}/;
/** More marks than a script needs cover the neighbouring lines (UTS 39, section 5.4). */
const heapOfMarks = /\p{Mn}{5}/u;

// Logins
// ------------------------------------------------------------

const loginForm = /^[\p{L}\p{Mn}\p{Mc}\p{Nd}\x20-\x7e]+$/u;
/** Default-ignorable characters, and the jamo that form syllables: those left after NFKC form none. */
const neverInLogin = /[\p{Default_Ignorable_Code_Point}\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]/u;
const rightToLeft =
  "\\p{scx=Arab}\\p{scx=Hebr}\\p{scx=Syrc}\\p{scx=Thaa}\\p{scx=Nkoo}\\p{scx=Adlm}\\p{scx=Rohg}\\p{scx=Mand}";
const anyRightToLeft = new RegExp(`(?=\\p{L})[${rightToLeft}]`, "u");
const wholeRightToLeft = new RegExp(`^(?=\\p{L})[${rightToLeft}].*[\\p{L}\\p{M}\\p{Nd}]$`, "u");

function loginProblem(login: string): string | undefined {
  const key = normalize(login);
  if (login.includes("@")) return "must not have an @: that is for e-mail addresses";
  if (outerOrDoubleSpace.test(login)) return "must not begin or end with a space, or have two in a row";
  if (!loginForm.test(login) || neverInLogin.test(login) || neverInLogin.test(key))
    return "must have letters, digits, single spaces and the signs of ASCII only";
  if (/^\p{M}| \p{M}/u.test(login) || heapOfMarks.test(login))
    return "must not have marks without a letter, or five on one";
  if (/^id:/.test(key)) return "must not begin with id:, as a user id does";
  if (!isOfOneScript(login)) return "must have letters of one script, and of one that is in use";
  const mixedDigits = /[\u0660-\u0669]/.test(login) && /[\u06f0-\u06f9]/.test(login);
  if (mixedDigits || (anyRightToLeft.test(login) && !wholeRightToLeft.test(login)))
    return "must begin with a letter and end with a letter or digit where it is written from right to left";
  return undefined;
}

/** Scripts in use: UAX 31, tables 5 (recommended) and 7 (limited use). */
const scripts =
  "Arab Armn Beng Bopo Cyrl Deva Ethi Geor Grek Gujr Guru Hani Hang Hebr Hira Knda Kana Khmr Laoo Latn Mlym Mymr Orya Sinh Taml Telu Thaa Thai Tibt " +
  "Adlm Bali Bamu Batk Cakm Cans Cham Cher Hmnp Java Kali Lana Lepc Limb Lisu Mand Mtei Newa Nkoo Olck Osge Plrd Rohg Saur Sund Sylo Syrc Tale Talu " +
  "Tavt Tfng Vaii Wcho Yiii";
const usedTogether = ["Latn Hani Hira Kana", "Latn Hani Bopo", "Latn Hani Hang"];
const scriptForms = [...scripts.split(" "), ...usedTogether].map((some) => {
  const letters = some.split(" ").map((script) => `\\p{scx=${script}}`);
  return new RegExp(`^[\\p{scx=Zyyy}\\p{scx=Zinh}${letters.join("")}]+$`, "u");
});

function isOfOneScript(text: string): boolean {
  return scriptForms.some((form) => form.test(text));
}

// What is shown
// ------------------------------------------------------------

const spaced = (text: string): string => text.replace(/\p{Zs}/gu, " ");

const emoji = /\p{RGI_Emoji}|\p{Extended_Pictographic}[\ufe0e\ufe0f]/gv;
/** Scripts in which joiners and non-joiners change what is read. */
const joining =
  "\\p{scx=Arab}\\p{scx=Syrc}\\p{scx=Nkoo}\\p{scx=Mong}\\p{scx=Deva}\\p{scx=Beng}\\p{scx=Guru}\\p{scx=Gujr}\\p{scx=Orya}\\p{scx=Taml}\\p{scx=Telu}" +
  "\\p{scx=Knda}\\p{scx=Mlym}\\p{scx=Sinh}\\p{scx=Khmr}\\p{scx=Mymr}\\p{scx=Tibt}";
const orthography = new RegExp(
  `(?<=(?=[\\p{L}\\p{M}])[${joining}])[\\u200c\\u200d](?=(?=[\\p{L}\\p{M}])[${joining}])` +
    "|(?<=\\p{Script=Han})[\\ufe00-\\ufe02\\u{e0100}-\\u{e01ef}]|(?<=\\p{Script=Mong})[\\u180b-\\u180d\\u180f]",
  "gu",
);
/**
 * Characters without a glyph in no such category: Braille's empty cell, the null notehead, fillers, object
 * replacements.
 */
const blank = /[\u2800\u{1d159}\u{16fe4}\ufff9-\ufffd]/u;

function shownProblem(text: string): string | undefined {
  const rest = text.replace(emoji, "\u25a1").replace(orthography, "");
  if (/[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u.test(rest) || blank.test(rest))
    return "must not have invisible characters where no script needs them, or control characters";
  if (outerOrDoubleSpace.test(text)) return "must not begin or end with a space, or have two in a row";
  if (/^\p{M}| \p{M}/u.test(rest) || heapOfMarks.test(rest))
    return "must not have marks without a letter, or five on one";
  return undefined;
}
