// Mails: the SMTP server, the sender, language and templates.
import { linkUrl, mailSender, smtpUrl } from "../address-kinds.ts";
import { flag, oneOf, type ProcessName, sealingKey, text, whole } from "../kinds.ts";

export const mailVariables = {
  AUTH_MAILS_PER_HOUR: whole(
    "Mails of one kind (confirmation, new password) to one address within an hour. Beyond it a confirmation is sent when the hour is over, a change of address is THROTTLED, and other mails are not sent, without an error. Set it equally for workers and relays.",
    {
      min: 1,
      max: 1000,
      default: "3",
    },
  ),
  AUTH_MAIL_LOCALE: oneOf(
    "Language of mails to users who chose none, or one without templates. Set it equally for workers and mailers.",
    ["en", "ru"],
    "en",
  ),
  AUTH_MAIL_SEAL_KEY: {
    meaning:
      "Public key of a mailer outside of the fleet, to which the relay seals mails (auth.mail). Not set: the fleet's own key.",
    range: "JWK as JSON, EC on P-256",
    parse: sealingKey,
  },
  AUTH_SMTP_URL: {
    meaning:
      "SMTP server: smtp://user:password@host:587 (TLS is required with a user, or with ?starttls=required) or smtps://…:465. print: writes mails with their links to standard output.",
    range: "smtp://, smtps:// or print:",
    secret: true as const,
    needed: ["mailer"] as ProcessName[],
    parse: smtpUrl,
  },
  AUTH_SMTP_PLAINTEXT: flag(
    "Allow mails and the server's password over smtp:// without TLS if the server offers none. Always allowed to a server on this machine.",
    false,
  ),
  AUTH_MAIL_FROM: {
    meaning: "Sender of mails.",
    range: "address, or Name <address>",
    needed: ["mailer"] as ProcessName[],
    parse: mailSender,
  },
  AUTH_MAIL_LINK_URL: {
    meaning: "Page that links in mails open; {kind} becomes confirm, reset or email-confirm.",
    range: "URL with {token}, and {kind} if wanted",
    needed: ["mailer"] as ProcessName[],
    parse: linkUrl,
  },
  AUTH_MAIL_TEMPLATES: text(
    "Directory of mail templates that replace the built-in ones, file by file (docs/mails.md). Not set: the built-in ones.",
  ),
  AUTH_MAIL_CONNECTIONS: whole("Connections to the SMTP server at a time, for each mailer.", {
    min: 1,
    max: 100,
    default: "10",
  }),
};
