// Keys and tokens: what wraps, signs and seals, and what access tokens claim.
import { duration, flag, fleetIds, masterKeys, oneOf, type ProcessName, settledText, text } from "../kinds.ts";

export const keysVariables = {
  AUTH_MASTER_KEY: {
    meaning: "Keys that wrap the data keys in the database; the first one writes, all read.",
    range: "kid:base64 of 32 bytes, comma separated",
    secret: true as const,
    needed: ["worker", "relay", "mailer", "migrate"] as ProcessName[],
    parse: masterKeys,
  },
  AUTH_OPERATOR_KEY_FILE: text(
    "File with the key that authctl signs with as an operator: a private JWK (with `operator`, the name) or PEM, for ES256 or EdDSA; of mode 0600.",
  ),
  AUTH_REQUIRE_SEALED: flag("Refuse secrets outside a seal. Off for a migration only.", true),
  AUTH_FLEET_ID: {
    meaning:
      "What the bridge and authctl know the fleet by: the thumbprint of its root key (authctl keys root). Not set: who can write to Kafka can stand in for it.",
    range: "RFC 7638 thumbprint, or two while the root key turns",
    neverEmpty: true as const,
    parse: fleetIds,
  },
  AUTH_FLEET_ID_OUT: text("File that migrate writes AUTH_FLEET_ID to, for those who read it by AUTH_FLEET_ID_FILE."),
  AUTH_ISSUER: settledText("Claim iss of access tokens.", "auth"),
  AUTH_AUDIENCE: settledText("Claim aud of access tokens.", "platform"),
  AUTH_SIGNING_ALG: oneOf(
    "Signature of access tokens; another one than before comes by a rotation.",
    ["ES256", "EdDSA", "RS256"],
    "ES256",
  ),
  AUTH_KEY_ROTATION: duration(
    "How long a key signs, is sealed to, or encrypts what the database keeps, before the next one does.",
    "1m",
    "3650d",
    "30d",
  ),
  AUTH_KEY_PUBLISH_AHEAD: duration("How long a key is published before its first use.", "1s", "7d", "10m"),
  AUTH_AUDIT_RETENTION: duration(
    "How long audit rows are kept; whole months go, so up to a month longer. Also the retention of the topic auth.audit.",
    "1d",
    "36500d",
    "400d",
  ),
  AUTH_AUDIT_HEAD_EVERY: duration(
    "A head of the audit's chain is signed so often, where anything is new.",
    "1s",
    "1d",
    "1m",
  ),
};
