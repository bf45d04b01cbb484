// Which process reads which variable, for `authfleet PROCESS --help`, which shows only these.
// test/config/readers.test.ts compares the table with the code of each process.
import type { ProcessName } from "./kinds.ts";
import { globToRegExp } from "./kinds.ts";
import { variables } from "./variables.ts";

export type VariableName = keyof typeof variables;

/** The processes with a help of their own; authctl has its own commands. */
export type HelpedProcess = Exclude<ProcessName, "ctl">;

const kafka = ["AUTH_KAFKA_*", "AUTH_TOPIC_PREFIX"];
const registry = ["AUTH_REGISTRY_*"];
const database = ["AUTH_DATABASE_*", "AUTH_MASTER_KEY"];
const serving = ["AUTH_HTTP_*", "AUTH_DRAIN_TIMEOUT"];
const common = [...kafka, "AUTH_LOG_LEVEL"];

/** The variables that the key schedule uses: how long each key must be kept, and how often it is replaced. */
const keySchedule = [
  "AUTH_SIGNING_ALG",
  "AUTH_KEY_*",
  "AUTH_ACCESS_TTL",
  "AUTH_REFRESH_TTL",
  "AUTH_COOKIE_MAX_AGE",
  "AUTH_KNOWN_DEVICE_TTL",
];

/** Globs over names. */
const readers: Record<HelpedProcess, readonly string[]> = {
  worker: [
    ...[...common, ...serving, ...registry, ...database],
    ...["AUTH_GROUP", "AUTH_TOPICS", "AUTH_REPLY_TOPICS", "AUTH_LEGACY_TOPICS", "AUTH_REQUIRE_SEALED"],
    ...["AUTH_DEAD_LETTERS_PER_MINUTE", "AUTH_MAILBOX_LIMIT", "AUTH_IDEMPOTENCY_TTL"],
    ...["AUTH_HIDE_EMAIL", "AUTH_CONFIRM_WITHOUT_PROOF", "AUTH_LOGIN_QUARANTINE", "AUTH_PRODUCT"],
    ...["AUTH_PASSWORD_*", "AUTH_BREACHED_PASSWORDS", "AUTH_PEPPER", "AUTH_HASH_*", "AUTH_ARGON2_*"],
    ...["AUTH_ATTEMPTS_*", "AUTH_NETWORK_*", "AUTH_FLEET_PASSWORDS", "AUTH_KNOWN_DEVICES", "AUTH_KNOWN_DEVICE_TTL"],
    ...["AUTH_ISSUER", "AUTH_AUDIENCE", "AUTH_ACCESS_TTL", "AUTH_REFRESH_*", "AUTH_COOKIE_MAX_AGE"],
    ...["AUTH_SESSIONS_MAX", "AUTH_CONFIRM_TTL", "AUTH_RESET_TTL", "AUTH_MAILS_PER_HOUR", "AUTH_MAIL_LOCALE"],
    ...["AUTH_CHALLENGE_TTL", "AUTH_STEP_UP_MAX_AGE", "AUTH_RP_*"],
  ],
  relay: [
    ...[...common, ...serving, ...registry, ...database, ...keySchedule],
    ...["AUTH_LEGACY_TOPICS", "AUTH_VERIFIER_MAX_AGE", "AUTH_UNCONFIRMED_TTL", "AUTH_SESSION_KEEP", "AUTH_AUDIT_*"],
    ...["AUTH_CONFIRM_TTL", "AUTH_MAILS_PER_HOUR", "AUTH_MAIL_LOCALE", "AUTH_MAIL_SEAL_KEY"],
  ],
  bridge: [
    ...[...common, ...serving, ...registry, "AUTH_FLEET_ID", "AUTH_GRPC_*"],
    ...["AUTH_VERIFIER_MAX_AGE", "AUTH_ISSUER", "AUTH_AUDIENCE", "AUTH_ACCESS_TTL", "AUTH_COOKIE_*"],
  ],
  mailer: [
    ...[...common, ...serving, ...registry, ...database, "AUTH_DEAD_LETTERS_PER_MINUTE"],
    ...["AUTH_SMTP_*", "AUTH_MAIL_*", "AUTH_PRODUCT", "AUTH_CONFIRM_TTL", "AUTH_RESET_TTL"],
  ],
  migrate: [
    ...[...common, ...registry, ...database, ...keySchedule, "AUTH_FLEET_ID_OUT"],
    ...["AUTH_PARTITIONS", "AUTH_REPLICATION", "AUTH_REPLY_SERVICES", "AUTH_LEGACY_TOPICS", "AUTH_AUDIT_RETENTION"],
  ],
  dev: ["AUTH_DEV_*", "AUTH_LOG_LEVEL"],
};

/** In the order of the table. */
export function variablesOf(processName: HelpedProcess): VariableName[] {
  const patterns = readers[processName].map(globToRegExp);
  return (Object.keys(variables) as VariableName[]).filter((name) => patterns.some((pattern) => pattern.test(name)));
}
