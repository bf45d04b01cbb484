// The kinds of mail on auth.mail. Handlers send them (src/accounts/mails.ts); the mailer has a template for each.

export const mailKinds = [
  "confirm",
  "confirm-list",
  "email-taken",
  "reset",
  "email-confirm",
  "email-change-requested",
  "email-changed",
  "password-changed",
  "password-reset",
  "data-exported",
  "totp-activated",
  "totp-disabled",
  "recovery-codes",
  "passkey-added",
  "passkey-removed",
  "mfa-reset",
] as const;

export type MailKind = (typeof mailKinds)[number];

/** Notices to users about their own factors (ASVS 5.0, 6.3.7). */
export type FactorNotice = Extract<
  MailKind,
  "totp-activated" | "totp-disabled" | "recovery-codes" | "passkey-added" | "passkey-removed" | "mfa-reset"
>;
