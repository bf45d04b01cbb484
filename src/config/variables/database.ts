// PostgreSQL: the connection, and how many of them a process opens.
import { databaseUrl } from "../address-kinds.ts";
import { flag, type ProcessName, whole } from "../kinds.ts";

export const databaseVariables = {
  AUTH_DATABASE_URL: {
    meaning: "URL of PostgreSQL, 15 or later.",
    range:
      "postgresql:// URL with one host, an IPv6 address in brackets or a socket's folder; sslmode require, verify-ca, verify-full, no-verify or disable",
    secret: true as const,
    needed: ["worker", "relay", "mailer", "migrate"] as ProcessName[],
    parse: databaseUrl,
  },
  AUTH_DATABASE_PLAINTEXT: flag(
    "Allow connections to PostgreSQL without TLS, also to the old service's in `authctl import`. Always allowed to a server on this machine.",
    false,
  ),
  AUTH_DATABASE_POOL: whole(
    "Connections to PostgreSQL per process, and the number of commands without a hash that run at a time.",
    {
      min: 2,
      max: 200,
      default: "10",
    },
  ),
};
