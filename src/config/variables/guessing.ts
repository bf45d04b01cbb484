// Limits by account, network and fleet (docs/guessing.md).
import { duration, rate, whole } from "../kinds.ts";

export const guessingVariables = {
  AUTH_ATTEMPTS_FREE: whole("Failed attempts at one account from one network before that network has to wait.", {
    min: 1,
    max: 100,
    default: "10",
  }),
  AUTH_ATTEMPTS_ACCOUNT_FREE: whole(
    "Failed attempts at one account from all unknown networks together before these have to wait.",
    { min: 1, max: 100, default: "20" },
  ),
  AUTH_ATTEMPTS_DELAY: duration(
    "First wait after too many failed attempts; each further failure doubles it.",
    "100ms",
    "1h",
    "1s",
  ),
  AUTH_ATTEMPTS_DELAY_MAX: duration("Longest wait of one network.", "1s", "24h", "15m"),
  AUTH_ATTEMPTS_ACCOUNT_DELAY_MAX: duration(
    "Longest wait of all unknown networks, and of requests that do not name their client.",
    "1s",
    "15m",
    "30s",
  ),
  AUTH_ATTEMPTS_MAX: whole(
    "Failed attempts at one account within 24 hours from unknown networks; further ones wait until the oldest is 24 hours old.",
    { min: 10, max: 100, default: "100" },
  ),
  AUTH_NETWORK_PASSWORDS: rate(
    "Wrong passwords from one network (IPv4 address, IPv6 /56) over all accounts, against lists of stolen passwords. Correct passwords do not count and known devices are not limited by it, so many users can share an address.",
    "300/1h",
  ),
  AUTH_NETWORK_CODES: rate("Wrong codes of second factors from one network, over all accounts.", "100/1h"),
  AUTH_NETWORK_LINKS: rate("Invalid links from one network; valid ones do not count.", "100/1h"),
  AUTH_NETWORK_REGISTRATIONS: rate(
    "Registrations from one network, refused ones included, against mass registration.",
    "100/1h",
  ),
  AUTH_NETWORK_MAILS: rate(
    "Requests for a mail (auth.account.resend, auth.password.forgot) from one network, over all addresses.",
    "100/1h",
  ),
  AUTH_NETWORK_PASSKEYS: rate("Logins with a passkey begun from one network.", "1000/1h"),
  AUTH_NETWORK_WIDE: whole("Factor by which an IPv6 /48 may do more than one /56 in it.", {
    min: 1,
    max: 256,
    default: "16",
  }),
  AUTH_FLEET_PASSWORDS: rate(
    "Logins and registrations of the whole fleet, successful ones included; a quarter is reserved for device tokens. Anybody can use up the rest, so set it only to protect a system behind the fleet.",
    "off",
  ),
  AUTH_KNOWN_DEVICES: whole(
    "Devices that an account remembers by network, so that attempts from elsewhere do not delay them; devices with a device token are not counted.",
    {
      min: 0,
      max: 100,
      default: "20",
    },
  ),
  AUTH_KNOWN_DEVICE_TTL: duration(
    "How long a device is remembered after its last login, and how long a device token is valid.",
    "1d",
    "365d",
    "90d",
  ),
};
