// Accounts: registration, confirmation, logins of deleted accounts.
import { duration, flag, settledText, topics } from "../kinds.ts";

export const accountsVariables = {
  AUTH_HIDE_EMAIL: flag(
    "Answer the registration of a taken e-mail address like a successful one, and tell the address's owner by mail.",
    false,
  ),
  AUTH_CONFIRM_WITHOUT_PROOF: {
    meaning:
      "Reply topics whose requesters may confirm an account by its link alone, without registration secret or password: for a gateway that can send neither. A user who opens such a link may confirm an account that somebody else made with their address.",
    range: "reply topics, comma separated",
    default: "",
    parse: topics,
  },
  AUTH_PRODUCT: settledText(
    "Name of the product in mails, authenticator apps and passkey dialogs; no password may be made of it.",
    "Auth",
  ),
  AUTH_CONFIRM_TTL: duration("How long a link that confirms an e-mail address is valid.", "1m", "30d", "1h"),
  AUTH_RESET_TTL: duration(
    "How long a link to set a new password is valid (OWASP ASVS 6.5.5: at most 10 minutes).",
    "1m",
    "24h",
    "10m",
  ),
  AUTH_LOGIN_QUARANTINE: duration(
    "How long the login of a deleted account stays taken, if the account was ever confirmed.",
    "0s",
    "3650d",
    "30d",
  ),
  AUTH_UNCONFIRMED_TTL: duration("Age at which an unconfirmed account is deleted.", "1h", "3650d", "7d"),
};
