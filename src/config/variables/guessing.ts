// Guessing and floods: how often something may be tried, by account, network and fleet (docs/guessing.md).
import { duration, rate, whole } from "../kinds.ts";

export const guessingVariables = {
  AUTH_ATTEMPTS_FREE: whole("Failed attempts at one account from one network before it has to wait.", {
    min: 1,
    max: 100,
    default: "10",
  }),
  AUTH_ATTEMPTS_ACCOUNT_FREE: whole(
    "Failed attempts at one account from all networks it does not know before those have to wait.",
    { min: 1, max: 100, default: "20" },
  ),
  AUTH_ATTEMPTS_DELAY: duration(
    "The first wait after failed attempts; each further one doubles it.",
    "100ms",
    "1h",
    "1s",
  ),
  AUTH_ATTEMPTS_DELAY_MAX: duration("The longest wait of one network.", "1s", "24h", "15m"),
  AUTH_ATTEMPTS_ACCOUNT_DELAY_MAX: duration(
    "The longest wait of an account, and of requests that do not say whom they serve.",
    "1s",
    "15m",
    "30s",
  ),
  AUTH_ATTEMPTS_MAX: whole(
    "Failed attempts at one account within 24 hours from networks it does not know; more wait for the oldest to be so old.",
    { min: 10, max: 100, default: "100" },
  ),
  AUTH_NETWORK_PASSWORDS: rate(
    "Wrong passwords from one network (IPv4 address, IPv6 /56), at whichever accounts: against lists of stolen passwords. A right one takes its count back, and devices that the account knows are not held by it, so many users behind one address do not use it up.",
    "300/1h",
  ),
  AUTH_NETWORK_CODES: rate("Wrong codes of second factors from one network, at whichever accounts.", "100/1h"),
  AUTH_NETWORK_LINKS: rate(
    "Links from mails that do not hold, from one network; one that holds takes its count back.",
    "100/1h",
  ),
  AUTH_NETWORK_REGISTRATIONS: rate(
    "Registrations from one network, refused ones too: against heaps of accounts.",
    "100/1h",
  ),
  AUTH_NETWORK_MAILS: rate(
    "Requests for a mail (auth.account.resend, auth.password.forgot) from one network, for whichever addresses.",
    "100/1h",
  ),
  AUTH_NETWORK_PASSKEYS: rate("Logins with a passkey that are begun from one network.", "1000/1h"),
  AUTH_NETWORK_WIDE: whole("An IPv6 /48 may do so many times as much as a /56 in it.", {
    min: 1,
    max: 256,
    default: "16",
  }),
  AUTH_FLEET_PASSWORDS: rate(
    "Logins and registrations of the whole fleet, right ones too; a quarter is kept for device tokens. Anybody can use up the rest, so set it only to save what stands behind the fleet.",
    "off",
  ),
  AUTH_KNOWN_DEVICES: whole(
    "Devices of an account that are known by where they were let in from, so that attempts from elsewhere do not delay them; those with a device token come beside them.",
    {
      min: 0,
      max: 100,
      default: "20",
    },
  ),
  AUTH_KNOWN_DEVICE_TTL: duration(
    "How long a device is known after it was used last, and how many days a device token is good for.",
    "1d",
    "365d",
    "90d",
  ),
};
