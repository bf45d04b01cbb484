// Sessions and second factors.
import { domain, origins } from "../address-kinds.ts";
import { duration, oneOf, whole } from "../kinds.ts";

export const sessionsVariables = {
  AUTH_ACCESS_TTL: duration("How long an access token is valid.", "10s", "24h", "15m"),
  AUTH_REFRESH_TTL: duration("How long a session with rotating refresh tokens lasts at most.", "1m", "365d", "30d"),
  AUTH_REFRESH_IDLE: duration("A session that is not used for this long ends.", "1m", "365d", "7d"),
  AUTH_REFRESH_GRACE: duration(
    "How long the previous refresh token still returns the same successor, for retries.",
    "0s",
    "5m",
    "10s",
  ),
  AUTH_COOKIE_MAX_AGE: duration(
    "How long a session without rotation lasts; also max_age of the bridge's cookie.",
    "1m",
    "365d",
    "7d",
  ),
  AUTH_COOKIE_SAMESITE: oneOf("Attribute SameSite of the bridge's cookie.", ["none", "lax", "strict"], "none"),
  AUTH_SESSIONS_MAX: whole("Sessions that a user may have; one more ends the oldest.", {
    min: 1,
    max: 10_000,
    default: "100",
  }),
  AUTH_SESSION_KEEP: duration(
    "How long the row of an ended session is kept, so that its refresh token is SESSION_REVOKED or TOKEN_EXPIRED instead of TOKEN_INVALID.",
    "1h",
    "365d",
    "7d",
  ),
  AUTH_CHALLENGE_TTL: duration(
    "How long a user has to answer with their second factor or passkey.",
    "30s",
    "10m",
    "5m",
  ),
  AUTH_STEP_UP_MAX_AGE: duration(
    "How recent a login must be for commands that change how the user logs in, and for an export of their data.",
    "1m",
    "24h",
    "10m",
  ),
  AUTH_RP_ID: {
    meaning: "Domain that passkeys are bound to. After a change no existing passkey works.",
    range: "domain name",
    default: "localhost",
    parse: domain,
  },
  AUTH_RP_ORIGINS: {
    meaning: "Origins of pages that may ask for passkeys, within AUTH_RP_ID.",
    range: "origins (https://host, android:apk-key-hash:…), comma separated",
    default: "http://localhost:3000",
    parse: origins,
  },
  AUTH_VERIFIER_MAX_AGE: duration(
    "How old the bridge's data about revocations may be before it asks the fleet instead. Relays write at least five marks in this time, so set it to the smallest bound of all verifiers.",
    "1s",
    "1h",
    "10s",
  ),
};
