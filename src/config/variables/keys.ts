// Keys, their rotation, and the claims of access tokens.
import { duration, flag, fleetIds, masterKeys, oneOf, type ProcessName, settledText, text } from "../kinds.ts";

export const keysVariables = {
  AUTH_MASTER_KEY: {
    meaning: "Keys that encrypt the data keys in the database. The first one encrypts; all of them decrypt.",
    range: "kid:base64 of 32 bytes, comma separated",
    secret: true as const,
    needed: ["worker", "relay", "mailer", "migrate"] as ProcessName[],
    parse: masterKeys,
  },
  AUTH_OPERATOR_KEY_FILE: text(
    "File with the operator's key that authctl signs with: a private JWK (its member `operator` is the operator's name) or PEM, for ES256 or EdDSA, of mode 0600.",
  ),
  AUTH_REQUIRE_SEALED: flag(
    "Refuse requests whose secrets are not sealed. Set it to false during a migration only.",
    true,
  ),
  AUTH_FLEET_ID: {
    meaning:
      "Thumbprint of the fleet's root key (`authctl keys root`), by which the bridge and authctl verify the fleet. Not set: anybody who can write to Kafka can impersonate the fleet.",
    range: "RFC 7638 thumbprint, or two while the root key is being replaced",
    neverEmpty: true as const,
    parse: fleetIds,
  },
  AUTH_FLEET_ID_OUT: text(
    "File to which migrate writes the fleet id, for processes that read it by AUTH_FLEET_ID_FILE.",
  ),
  AUTH_ISSUER: settledText("Claim `iss` of access tokens.", "auth"),
  AUTH_AUDIENCE: settledText("Claim `aud` of access tokens.", "platform"),
  AUTH_SIGNING_ALG: oneOf(
    "Signature algorithm of access tokens. A change takes effect at the next rotation.",
    ["ES256", "EdDSA", "RS256"],
    "ES256",
  ),
  AUTH_KEY_ROTATION: duration(
    "How long a signing, sealing or data key is used before it is replaced.",
    "1m",
    "3650d",
    "30d",
  ),
  AUTH_KEY_PUBLISH_AHEAD: duration("How long a key is published before it is used.", "1s", "7d", "10m"),
  AUTH_AUDIT_RETENTION: duration(
    "How long audit rows are kept, and the retention of the topic auth.audit. Rows are deleted by whole months, so they stay up to a month longer.",
    "1d",
    "36500d",
    "400d",
  ),
  AUTH_AUDIT_HEAD_EVERY: duration(
    "How often a head of the audit's chain is signed, if there are new rows.",
    "1s",
    "1d",
    "1m",
  ),
};
