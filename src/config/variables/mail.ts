// Mails: who sends them, where to, in which words.
import { linkUrl, mailSender, smtpUrl } from "../address-kinds.ts";
import { flag, oneOf, type ProcessName, sealingKey, text, whole } from "../kinds.ts";

export const mailVariables = {
  AUTH_MAILS_PER_HOUR: whole(
    "Mails of a kind that an address gets within an hour: links that confirm it, for all accounts that wait with it, and links that set a new password. Beyond it a confirmation goes out when the hour is over, a change of address is THROTTLED, the others are swallowed. For workers and relays alike.",
    {
      min: 1,
      max: 1000,
      default: "3",
    },
  ),
  AUTH_MAIL_LOCALE: oneOf(
    "Language of mails to who gave none at registering, or one that there is no text in; for workers and mailers alike.",
    ["en", "ru"],
    "en",
  ),
  AUTH_MAIL_SEAL_KEY: {
    meaning:
      "Public key of a mailer outside of the fleet: the relay seals mails (auth.mail) to it. Not set: to the fleet's own key.",
    range: "JWK as JSON, EC on P-256",
    parse: sealingKey,
  },
  AUTH_SMTP_URL: {
    meaning:
      "Where mails go: smtp://user:password@host:587 (TLS demanded with a user, or with ?starttls=required), smtps://…:465; print: shows them on standard output, links and all.",
    range: "smtp://, smtps:// or print:",
    secret: true as const,
    needed: ["mailer"] as ProcessName[],
    parse: smtpUrl,
  },
  AUTH_SMTP_PLAINTEXT: flag(
    "Let mails and the server's password go over smtp:// without TLS where the server offers none; one on this machine needs no leave.",
    false,
  ),
  AUTH_MAIL_FROM: {
    meaning: "Sender of mails.",
    range: "address, or Name <address>",
    needed: ["mailer"] as ProcessName[],
    parse: mailSender,
  },
  AUTH_MAIL_LINK_URL: {
    meaning: "Page that links in mails lead to; {kind} is confirm, reset or email-confirm.",
    range: "URL with {token}, and {kind} if wanted",
    needed: ["mailer"] as ProcessName[],
    parse: linkUrl,
  },
  AUTH_MAIL_TEMPLATES: text(
    "Directory of mail templates that replace the built-in ones, file by file (docs/mails.md). Not set: the built-in ones.",
  ),
  AUTH_MAIL_CONNECTIONS: whole("Connections to the SMTP server at a time, per mailer.", {
    min: 1,
    max: 100,
    default: "10",
  }),
};
