// Sessions and second factors: how long sessions live, and what a login may be asked for.
import { domain, origins } from "../address-kinds.ts";
import { duration, oneOf, whole } from "../kinds.ts";

export const sessionsVariables = {
  AUTH_ACCESS_TTL: duration("Life of an access token.", "10s", "24h", "15m"),
  AUTH_REFRESH_TTL: duration("Absolute life of a rotating session.", "1m", "365d", "30d"),
  AUTH_REFRESH_IDLE: duration("A session unused for so long ends.", "1m", "365d", "7d"),
  AUTH_REFRESH_GRACE: duration(
    "How long the token before the current one gets the same successor again.",
    "0s",
    "5m",
    "10s",
  ),
  AUTH_COOKIE_MAX_AGE: duration(
    "Absolute life of a session that does not rotate; max_age of the bridge's cookie.",
    "1m",
    "365d",
    "7d",
  ),
  AUTH_COOKIE_SAMESITE: oneOf("samesite of the bridge's cookie.", ["none", "lax", "strict"], "none"),
  AUTH_SESSIONS_MAX: whole("Sessions a user may have; opening one more ends the oldest.", {
    min: 1,
    max: 10_000,
    default: "100",
  }),
  AUTH_SESSION_KEEP: duration(
    "How long the row of a session that is over is kept, so that its refresh token is SESSION_REVOKED or TOKEN_EXPIRED and not TOKEN_INVALID.",
    "1h",
    "365d",
    "7d",
  ),
  AUTH_CHALLENGE_TTL: duration(
    "How long a login may wait for its second factor, or for its passkey.",
    "30s",
    "10m",
    "5m",
  ),
  AUTH_STEP_UP_MAX_AGE: duration(
    "How old a login may be for commands that change how its user logs in, and for a copy of what is held about them.",
    "1m",
    "24h",
    "10m",
  ),
  AUTH_RP_ID: {
    meaning: "Domain that passkeys are for; another one makes all of them useless.",
    range: "domain name",
    default: "localhost",
    parse: domain,
  },
  AUTH_RP_ORIGINS: {
    meaning: "Where pages may ask for passkeys; within AUTH_RP_ID.",
    range: "origins (https://host, android:apk-key-hash:…), comma separated",
    default: "http://localhost:3000",
    parse: origins,
  },
  AUTH_VERIFIER_MAX_AGE: duration(
    "How old knowledge of revocations may be; above it the bridge asks the fleet. Relays mark the feed five times within it: the smallest of all verifiers'.",
    "1s",
    "1h",
    "10s",
  ),
};
