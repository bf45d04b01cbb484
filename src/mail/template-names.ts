// The files that make a mail, and the placeholders that each of them may show and must show. docs/mails.md has the same
// table; a test compares the two.
import type { MailKind } from "../protocol/mail-kinds.ts";

/** Files beside the languages: what surrounds every mail, and how a paragraph and a button look in HTML. */
export const sharedFiles = ["layout.txt", "layout.html", "paragraph.html", "button.html"] as const;

/** Phrases that a language has once and its templates include: `{{> greeting}}`. */
export const phrases = ["greeting", "when", "not-you-password", "not-you-inside", "footer"] as const;

/**
 * In every template. Those that may be absent can be asked for: `{{#name}}Hello
 * {{name}},{{/name}}{{^name}}Hello,{{/name}}`.
 */
export const commonPlaceholders = ["product", "name", "time", "requestAddress", "loginAddress", "loginDevice"] as const;

export interface Placeholders {
  /** Without one of these the mail does not do what it is for. */
  required: readonly string[];
  optional: readonly string[];
}

const link: Placeholders = { required: ["link"], optional: ["expires"] };
const notice: Placeholders = { required: [], optional: [] };

/** Beside those of every template. `accounts.login` stands within `{{#accounts}}…{{/accounts}}`. */
export const placeholdersOf: Readonly<Record<MailKind, Placeholders>> = {
  confirm: { required: ["login", "link"], optional: ["expires"] },
  "confirm-list": { required: ["accounts", "accounts.login", "accounts.link"], optional: ["expires"] },
  "email-taken": notice,
  reset: link,
  "email-confirm": link,
  "email-change-requested": notice,
  "email-changed": notice,
  "password-changed": notice,
  "password-reset": notice,
  "data-exported": notice,
  "totp-activated": notice,
  "totp-disabled": notice,
  "recovery-codes": notice,
  "passkey-added": notice,
  "passkey-removed": notice,
  "mfa-reset": notice,
};

/** Of the files beside the languages, in place of the common ones. */
export const sharedPlaceholders: Readonly<Record<(typeof sharedFiles)[number], Placeholders & { partials: string[] }>> =
  {
    "layout.txt": { required: [], optional: [], partials: ["greeting", "body", "footer"] },
    "layout.html": { required: [], optional: ["language", "subject"], partials: ["greeting", "body", "footer"] },
    "paragraph.html": { required: [], optional: [], partials: ["text"] },
    "button.html": { required: ["link"], optional: [], partials: ["label"] },
  };
