// PostgreSQL: where it is, and how much of it a process takes.
import { databaseUrl } from "../address-kinds.ts";
import { flag, type ProcessName, whole } from "../kinds.ts";

export const databaseVariables = {
  AUTH_DATABASE_URL: {
    meaning: "PostgreSQL 15 or later.",
    range:
      "postgresql:// URL with one host, an IPv6 address in brackets or a socket's folder; sslmode require, verify-ca, verify-full, no-verify or disable",
    secret: true as const,
    needed: ["worker", "relay", "mailer", "migrate"] as ProcessName[],
    parse: databaseUrl,
  },
  AUTH_DATABASE_PLAINTEXT: flag(
    "Let PostgreSQL be spoken to without TLS, also the old service's by `authctl import`; one on this machine needs no leave.",
    false,
  ),
  AUTH_DATABASE_POOL: whole("Connections to PostgreSQL per process; also the width of the db lane.", {
    min: 2,
    max: 200,
    default: "10",
  }),
};
