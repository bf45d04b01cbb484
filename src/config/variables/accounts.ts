// Accounts: registering, confirming, logins that are given up.
import { duration, flag, settledText, topics } from "../kinds.ts";

export const accountsVariables = {
  AUTH_HIDE_EMAIL: flag("Registering a taken e-mail address looks like success; its owner is told.", false),
  AUTH_CONFIRM_WITHOUT_PROOF: {
    meaning:
      "Reply topics whose requesters confirm an account by its link alone, with neither registration secret nor password: for a gateway that can send none. Whoever opens the link then confirms the account that somebody else may have made with their address.",
    range: "reply topics, comma separated",
    default: "",
    parse: topics,
  },
  AUTH_PRODUCT: settledText(
    "Name of the product in mails, authenticator apps and passkey dialogs; no password may be made of it.",
    "Auth",
  ),
  AUTH_CONFIRM_TTL: duration("Life of a link that confirms an e-mail address.", "1m", "30d", "1h"),
  AUTH_RESET_TTL: duration(
    "Life of a link to set a new password with (OWASP ASVS 6.5.5: at most 10 minutes).",
    "1m",
    "24h",
    "10m",
  ),
  AUTH_LOGIN_QUARANTINE: duration(
    "How long a login that was once confirmed and is given up stays taken for others.",
    "0s",
    "3650d",
    "30d",
  ),
  AUTH_UNCONFIRMED_TTL: duration("An account that nobody has confirmed for so long is deleted.", "1h", "3650d", "7d"),
};
