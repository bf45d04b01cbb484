// Every AUTH_ variable: what it means, its range, its default, which processes need it. read.ts reads the environment by
// this table, `authfleet PROCESS --help` and docs/configuration.md print it. A secret has no default and may be given as
// NAME_FILE.
import { availableParallelism } from "node:os";
import {
  brokers,
  databaseUrl,
  domain,
  linkUrl,
  listenHost,
  mailSender,
  origins,
  registryUrl,
  smtpUrl,
} from "./address-kinds.ts";
import {
  duration,
  flag,
  fleetIds,
  globs,
  masterKeys,
  oneOf,
  type ProcessName,
  partitions,
  pem,
  peppers,
  rate,
  regularExpression,
  sealingKey,
  services,
  settledText,
  text,
  topics,
  type Variable,
  whole,
  words,
} from "./kinds.ts";

const online: ProcessName[] = ["worker", "relay", "bridge", "mailer", "migrate"];

const secret = { secret: true as const };

export const variables = {
  AUTH_KAFKA_BROKERS: {
    meaning: "Kafka brokers to start from.",
    range: "host:port, comma separated; an IPv6 address in brackets",
    needed: online,
    parse: brokers,
  },
  AUTH_KAFKA_DRIVER: oneOf("The library that speaks to Kafka.", ["kafkajs", "platformatic"], "kafkajs"),
  AUTH_KAFKA_TLS: flag("Speak TLS to Kafka.", false),
  AUTH_KAFKA_TLS_CA: pem("Certificate authority of the brokers, PEM; may be given as _FILE."),
  AUTH_KAFKA_TLS_CERT: pem("Our certificate, PEM; may be given as _FILE."),
  AUTH_KAFKA_TLS_KEY: pem("Key of our certificate, PEM.", secret),
  AUTH_KAFKA_SASL_MECHANISM: oneOf(
    "How to log in to Kafka.",
    ["none", "plain", "scram-sha-256", "scram-sha-512"],
    "none",
  ),
  AUTH_KAFKA_SASL_USERNAME: text("Who logs in to Kafka."),
  AUTH_KAFKA_SASL_PASSWORD: text("Password of AUTH_KAFKA_SASL_USERNAME.", secret),
  AUTH_KAFKA_PLAINTEXT: flag(
    "Let SASL plain send its password without TLS; brokers on this machine need no leave.",
    false,
  ),
  AUTH_KAFKA_UNPACKED_BYTES: whole(
    "Bytes of the largest batch of records that is read, unpacked; larger ones are passed over. More where brokers take batches over 1 MiB.",
    { min: 1_048_576, max: 1_073_741_824, default: "33554432" },
  ),
  AUTH_TOPIC_PREFIX: {
    meaning: "Stands before every topic and group name, for several fleets on one cluster.",
    range: "letters, digits, dot, dash",
    default: "",
    parse: (value: string) => {
      if (!/^[a-z0-9.-]*$/.test(value)) throw new Error("must be lower-case letters, digits, dots or dashes");
      return value;
    },
  },
  AUTH_REGISTRY_URL: {
    meaning: "Schema Registry (Confluent's API).",
    range: "http:// or https:// URL",
    needed: ["bridge", "migrate"] as ProcessName[],
    parse: registryUrl,
  },
  AUTH_REGISTRY_USERNAME: text("Who logs in to the registry (HTTP Basic)."),
  AUTH_REGISTRY_PASSWORD: text("Password of AUTH_REGISTRY_USERNAME.", secret),
  AUTH_REGISTRY_PLAINTEXT: flag(
    "Let the registry's password go over http://; one on this machine needs no leave.",
    false,
  ),
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
  AUTH_GROUP: settledText("Consumer group of this pool of workers.", "auth"),
  AUTH_TOPICS: {
    meaning: "Commands this pool serves: globs over topics, !glob leaves out.",
    range: "globs, comma separated",
    default: "*",
    parse: globs,
  },
  AUTH_REPLY_TOPICS: {
    meaning: "Topics a reply may go to; all others are refused before work starts.",
    range: "regular expression",
    default: "^auth\\.([a-z0-9.-]+\\.)?reply(\\.[a-z0-9.-]+)?$",
    parse: regularExpression,
  },
  AUTH_REPLY_SERVICES: {
    meaning: "Services for which migrate creates auth.reply.<service>.",
    range: "names, comma separated",
    default: "authctl,bridge,console,gateway,user,task,admin",
    parse: services,
  },
  AUTH_PARTITIONS: {
    meaning: "Partitions per topic, first match counts; topics grow, they never shrink.",
    range: "glob=count, comma separated",
    default: "auth.session.*=24,auth.account.register=24,*=6",
    parse: partitions,
  },
  AUTH_REPLICATION: whole("Replicas per topic; 0: the broker's default.", { min: 0, max: 9, default: "0" }),
  AUTH_LEGACY_TOPICS: flag(
    "Speak the platform's JSON topics (auth, registration, delete, check_verified, admin_*): they delete and ban without an actor. `npm start` and compose set it true.",
    false,
  ),
  AUTH_HIDE_EMAIL: flag("Registering a taken e-mail address looks like success; its owner is told.", false),
  AUTH_CONFIRM_WITHOUT_PROOF: {
    meaning:
      "Reply topics whose requesters confirm an account by its link alone, with neither registration secret nor password: for a gateway that can send none. Whoever opens the link then confirms the account that somebody else may have made with their address.",
    range: "reply topics, comma separated",
    default: "",
    parse: topics,
  },
  AUTH_REQUIRE_SEALED: flag("Refuse secrets outside a seal. Off for a migration only.", true),
  AUTH_FLEET_ID: {
    meaning:
      "What the bridge and authctl know the fleet by: the thumbprint of its root key (authctl keys root). Not set: who can write to Kafka can stand in for it.",
    range: "RFC 7638 thumbprint, or two while the root key turns",
    neverEmpty: true as const,
    parse: fleetIds,
  },
  AUTH_DEAD_LETTERS_PER_MINUTE: whole(
    "Dead letters that one requester can cause in a minute, per process; more are only counted and logged.",
    { min: 1, max: 1_000_000, default: "300" },
  ),
  AUTH_FLEET_ID_OUT: text("File that migrate writes AUTH_FLEET_ID to, for those who read it by AUTH_FLEET_ID_FILE."),
  AUTH_MAILBOX_LIMIT: whole(
    "Requests that may wait for one key; more are THROTTLED. 8 of them, or a quarter of fewer than 32, only with a device token.",
    {
      min: 1,
      max: 10_000,
      default: "64",
    },
  ),
  AUTH_IDEMPOTENCY_TTL: duration("How long the first reply to an idempotency key is kept.", "2h", "30d", "24h"),
  AUTH_DRAIN_TIMEOUT: duration("How long a stopping process finishes what it has begun.", "100ms", "5m", "10s"),
  AUTH_PASSWORD_MIN: whole(
    "Shortest password, in code points after NFKC; 15 is recommended where it is the only factor.",
    { min: 4, max: 256, default: "8" },
  ),
  AUTH_PASSWORD_WORDS: {
    meaning: "Words that no password may be made of, beside AUTH_PRODUCT, login, user name and e-mail address.",
    range: "words, comma separated",
    default: "",
    parse: words,
  },
  AUTH_PRODUCT: settledText("Name of the product, as mails call it; no password may be made of it.", "Auth"),
  AUTH_BREACHED_PASSWORDS: text(
    "Folder of stolen passwords: Have I Been Pwned ranges, one file per five hex digits. Not set: they are not looked for.",
  ),
  AUTH_PEPPER: {
    meaning:
      "Keys of a keyed step before Argon2; the first one makes new hashes, all verify. Losing one loses the passwords made with it.",
    range: "id:base64 of 32 bytes, comma separated",
    secret: true as const,
    parse: peppers,
  },
  AUTH_HASH_THREADS: whole("Argon2 hashes at a time.", {
    min: 1,
    max: 128,
    default: () => String(availableParallelism()),
    shown: "cores",
  }),
  AUTH_HASH_QUEUE_TARGET: whole(
    "How many hash times a request may wait for its hash before it is OVERLOADED; without a device token three quarters of it.",
    {
      min: 1,
      max: 1000,
      default: "4",
    },
  ),
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
  AUTH_ARGON2_MEMORY: whole("Memory of a new Argon2id hash in KiB (OWASP: 19456 with 2 passes).", {
    min: 7168,
    max: 1_048_576,
    default: "19456",
  }),
  AUTH_ARGON2_TIME: whole("Passes of a new Argon2id hash.", { min: 1, max: 16, default: "2" }),
  AUTH_ARGON2_PARALLELISM: whole("Lanes of a new Argon2id hash.", { min: 1, max: 16, default: "1" }),
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
  AUTH_MAILS_PER_HOUR: whole(
    "Mails of a kind that an address gets within an hour: links that confirm it, for all accounts that wait with it, and links that set a new password. Beyond it a confirmation goes out when the hour is over, a change of address is THROTTLED, the others are swallowed. For workers and relays alike.",
    {
      min: 1,
      max: 1000,
      default: "3",
    },
  ),
  AUTH_MAIL_LOCALE: oneOf(
    "Language of mails to who gave none at registering, or one that there is no text in; for workers and mailers alike.",
    ["en", "ru"],
    "en",
  ),
  AUTH_MAIL_SEAL_KEY: {
    meaning:
      "Public key of a mailer outside of the fleet: the relay seals mails (auth.mail) to it. Not set: to the fleet's own key.",
    range: "JWK as JSON, EC on P-256",
    parse: sealingKey,
  },
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
  AUTH_SMTP_URL: {
    meaning:
      "Where mails go: smtp://user:password@host:587 (TLS demanded with a user, or with ?starttls=required), smtps://…:465; print: shows them on standard output, links and all.",
    range: "smtp://, smtps:// or print:",
    secret: true as const,
    needed: ["mailer"] as ProcessName[],
    parse: smtpUrl,
  },
  AUTH_SMTP_PLAINTEXT: flag(
    "Let mails and the server's password go over smtp:// without TLS where the server offers none; one on this machine needs no leave.",
    false,
  ),
  AUTH_MAIL_FROM: {
    meaning: "Sender of mails.",
    range: "address, or Name <address>",
    needed: ["mailer"] as ProcessName[],
    parse: mailSender,
  },
  AUTH_MAIL_LINK_URL: {
    meaning: "Page that links in mails lead to; {kind} is confirm, reset or email-confirm.",
    range: "URL with {token}, and {kind} if wanted",
    needed: ["mailer"] as ProcessName[],
    parse: linkUrl,
  },
  AUTH_MAIL_TEMPLATES: text(
    "Directory of mail templates that replace the built-in ones, file by file (docs/mails.md). Not set: the built-in ones.",
  ),
  AUTH_MAIL_CONNECTIONS: whole("Connections to the SMTP server at a time, per mailer.", {
    min: 1,
    max: 100,
    default: "10",
  }),
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
  AUTH_TOTP_ISSUER: settledText("What authenticator apps call this service.", "auth"),
  AUTH_RP_ID: {
    meaning: "Domain that passkeys are for; another one makes all of them useless.",
    range: "domain name",
    default: "localhost",
    parse: domain,
  },
  AUTH_RP_NAME: settledText("What devices call this service when they ask for a passkey.", "auth"),
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
  AUTH_GRPC_HOST: {
    meaning: "Where the bridge listens.",
    range: "host name or IP address",
    default: "0.0.0.0",
    parse: listenHost,
  },
  AUTH_GRPC_PORT: whole("Port the bridge listens on; 0: any free one.", { min: 0, max: 65_535, default: "50051" }),
  AUTH_GRPC_TIMEOUT: duration("Time for a call that comes without a deadline.", "100ms", "5m", "15s"),
  AUTH_GRPC_TLS_CERT: pem("Certificate of the bridge, PEM; may be given as _FILE. With it the bridge speaks TLS only."),
  AUTH_GRPC_TLS_KEY: pem("Key of the bridge's certificate, PEM.", secret),
  AUTH_GRPC_TLS_CLIENT_CA: pem("Authority whose certificates clients must show, PEM; may be given as _FILE."),
  AUTH_GRPC_PLAINTEXT: flag("Serve gRPC without TLS elsewhere than on loopback, where something else encrypts.", false),
  AUTH_GRPC_TRUSTED: {
    meaning:
      "Callers that may say for which device they call (metadata auth-client-*), by the names in their certificates (CN or SAN).",
    range: "names, comma separated",
    parse: words,
  },
  AUTH_GRPC_TRUST_CLIENT: flag(
    "Let every caller say for which device it calls: where nobody but the gateway reaches the bridge.",
    false,
  ),
  AUTH_HTTP_HOST: {
    meaning: "Where /healthz, /readyz and /metrics are served.",
    range: "host name or IP address",
    default: "0.0.0.0",
    parse: listenHost,
  },
  AUTH_HTTP_PORT: whole("Port of /healthz, /readyz and /metrics; 0: any free one.", {
    min: 0,
    max: 65_535,
    default: "8080",
  }),
  AUTH_LOG_LEVEL: oneOf("How much is logged.", ["silent", "error", "warn", "info", "debug", "trace"], "info"),
  AUTH_DEV_DIR: settledText("Data folder of `npm start`.", ".data"),
  AUTH_DEV_WORKERS: whole("Workers that `npm start` runs.", { min: 1, max: 16, default: "2" }),
  AUTH_DEV_KAFKA_PORT: whole("Port of the embedded Kafka.", { min: 1, max: 65_535, default: "9092" }),
  AUTH_DEV_REGISTRY_PORT: whole("Port of the embedded registry.", { min: 1, max: 65_535, default: "8081" }),
  AUTH_DEV_POSTGRES_PORT: whole("Port of the embedded PostgreSQL.", { min: 1, max: 65_535, default: "5433" }),
  AUTH_DEV_GRPC_PORT: whole("Port of the bridge that `npm start` runs.", { min: 1, max: 65_535, default: "50051" }),
};

const serviceLink = /_SERVICE_(HOST|PORT)$|_SERVICE_PORT_[A-Z0-9_]+$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/;

/**
 * Whether Kubernetes has set this, for a service whose name begins with "auth" (its "service links"). A bare NAME_PORT
 * is told by its value, tcp://host:port: by its name it might be a misspelt variable, or AUTH_GRPC_PORT itself where a
 * service is called auth-grpc.
 */
export function isServiceLink(name: string, value: string | undefined): boolean {
  return serviceLink.test(name) || (/_PORT$/.test(name) && /^(tcp|udp|sctp):\/\//.test(value ?? ""));
}

function defaultOf(variable: Variable<unknown>): string {
  if (variable.shown !== undefined) return variable.shown;
  if (typeof variable.default === "string") return variable.default === "" ? "(empty)" : variable.default;
  return "";
}

/** docs/configuration.md */
export function configurationPage(): string {
  const rows = Object.entries<Variable<unknown>>(variables).map(([name, variable]) => {
    const shown = defaultOf(variable);
    const notes = [
      variable.secret ? `A secret, or \`${name}_FILE\`.` : "",
      variable.needed ? `Needed by ${variable.needed.join(", ")}.` : "",
    ];
    const cells = [
      `\`${name}\``,
      [variable.meaning, ...notes].filter(Boolean).join(" "),
      variable.range,
      shown && `\`${shown}\``,
    ];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  return [
    "# Configuration",
    "",
    "By environment variables only. All faults are reported at once; an unknown `AUTH_` name is a fault. Every text may also be",
    "given as a file: `NAME_FILE` holds its path. Durations are written `500ms`, `10s`, `15m`, `24h`, `30d`.",
    "This page is generated; `npx authfleet PROCESS --help` prints what one process reads (in the image: the arguments `PROCESS --help`).",
    "",
    "| variable | meaning | range | default |",
    "|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

/** One variable for a terminal. */
export function variableHelp(name: keyof typeof variables): string {
  const variable: Variable<unknown> = variables[name];
  const shown = defaultOf(variable);
  const needed = variable.needed ? `; needed by ${variable.needed.join(", ")}` : "";
  return `  ${name}\n      ${variable.meaning}\n      ${variable.range}${shown ? `; default ${shown}` : ""}${needed}`;
}
