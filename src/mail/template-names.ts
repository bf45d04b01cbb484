// The files of the mail templates, and the placeholders that each may and must contain. docs/mails.md has the same
// table; a test compares the two.
import type { MailKind } from "../protocol/mail-kinds.ts";

/** Files shared by all languages: the frame of every mail, and the HTML of a paragraph and a button. */
export const sharedFiles = ["layout.txt", "layout.html", "paragraph.html", "button.html"] as const;

/** Phrases of a language that its templates include: `{{> greeting}}`. */
export const phrases = ["greeting", "when", "not-you-password", "not-you-inside", "footer"] as const;

/**
 * Allowed in every template. An optional one can be tested: `{{#name}}Hello
 * {{name}},{{/name}}{{^name}}Hello,{{/name}}`.
 */
export const commonPlaceholders = ["product", "name", "time", "requestAddress", "loginAddress", "loginDevice"] as const;

export interface Placeholders {
  /** A mail needs at least one of these. */
  required: readonly string[];
  optional: readonly string[];
}

const link: Placeholders = { required: ["link"], optional: ["expires"] };
const notice: Placeholders = { required: [], optional: [] };

/** In addition to the common ones. `accounts.login` is inside `{{#accounts}}…{{/accounts}}`. */
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

/** For the shared files, in addition to the common ones. */
export const sharedPlaceholders: Readonly<Record<(typeof sharedFiles)[number], Placeholders & { partials: string[] }>> =
  {
    "layout.txt": { required: [], optional: [], partials: ["greeting", "body", "footer"] },
    "layout.html": { required: [], optional: ["language", "subject"], partials: ["greeting", "body", "footer"] },
    "paragraph.html": { required: [], optional: [], partials: ["text"] },
    "button.html": { required: ["link"], optional: [], partials: ["label"] },
  };
