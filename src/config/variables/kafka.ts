// Kafka and the Schema Registry: connections, topics, groups and replies.
import { brokers, registryUrl } from "../address-kinds.ts";
import {
  duration,
  flag,
  globs,
  oneOf,
  type ProcessName,
  partitions,
  pem,
  regularExpression,
  services,
  settledText,
  text,
  whole,
} from "../kinds.ts";

const online: ProcessName[] = ["worker", "relay", "bridge", "mailer", "migrate"];

const secret = { secret: true as const };

export const kafkaVariables = {
  AUTH_KAFKA_BROKERS: {
    meaning: "Kafka brokers to connect to first.",
    range: "host:port, comma separated; an IPv6 address in brackets",
    needed: online,
    parse: brokers,
  },
  AUTH_KAFKA_DRIVER: oneOf("Kafka client library.", ["kafkajs", "platformatic"], "kafkajs"),
  AUTH_KAFKA_TLS: flag("Use TLS to Kafka.", false),
  AUTH_KAFKA_TLS_CA: pem(
    "Certificate authority of the brokers, PEM; also as _FILE. Not set: the authorities that Node trusts.",
  ),
  AUTH_KAFKA_TLS_CERT: pem("Client certificate for Kafka, PEM; also as _FILE."),
  AUTH_KAFKA_TLS_KEY: pem("Key of the client certificate, PEM.", secret),
  AUTH_KAFKA_SASL_MECHANISM: oneOf("SASL mechanism.", ["none", "plain", "scram-sha-256", "scram-sha-512"], "none"),
  AUTH_KAFKA_SASL_USERNAME: text("SASL user name."),
  AUTH_KAFKA_SASL_PASSWORD: text("SASL password.", secret),
  AUTH_KAFKA_PLAINTEXT: flag(
    "Allow SASL plain to send its password without TLS. Always allowed to brokers on this machine.",
    false,
  ),
  AUTH_KAFKA_UNPACKED_BYTES: whole(
    "Largest batch of records that is read, in bytes after decompression; larger ones are skipped. Raise it if brokers accept batches over 1 MiB.",
    { min: 1_048_576, max: 1_073_741_824, default: "33554432" },
  ),
  AUTH_TOPIC_PREFIX: {
    meaning: "Prefix of every topic and group name, for several fleets on one cluster.",
    range: "letters, digits, dot, dash",
    default: "",
    parse: (value: string) => {
      if (!/^[a-z0-9.-]*$/.test(value)) throw new Error("must be lower-case letters, digits, dots or dashes");
      return value;
    },
  },
  AUTH_REGISTRY_URL: {
    meaning: "URL of the Schema Registry (Confluent's API).",
    range: "http:// or https:// URL",
    needed: ["bridge", "migrate"] as ProcessName[],
    parse: registryUrl,
  },
  AUTH_REGISTRY_USERNAME: text("User name at the registry (HTTP Basic)."),
  AUTH_REGISTRY_PASSWORD: text("Password at the registry.", secret),
  AUTH_REGISTRY_PLAINTEXT: flag(
    "Allow the registry's password over http://. Always allowed to a registry on this machine.",
    false,
  ),
  AUTH_GROUP: settledText("Consumer group of this pool of workers.", "auth"),
  AUTH_TOPICS: {
    meaning: "Commands that this pool of workers serves: globs over topics; !glob excludes.",
    range: "globs, comma separated",
    default: "*",
    parse: globs,
  },
  AUTH_REPLY_TOPICS: {
    meaning: "Topics that replies may be sent to. A request with another reply topic becomes a dead letter.",
    range: "regular expression",
    default: "^auth\\.([a-z0-9.-]+\\.)?reply(\\.[a-z0-9.-]+)?$",
    parse: regularExpression,
  },
  AUTH_REPLY_SERVICES: {
    meaning: "Services for which migrate creates a reply topic, auth.reply.<service>.",
    range: "names, comma separated",
    default: "authctl,bridge,console,gateway,user,task,admin",
    parse: services,
  },
  AUTH_PARTITIONS: {
    meaning: "Partitions per topic; the first match counts. A topic can get more partitions, never fewer.",
    range: "glob=count, comma separated",
    default: "auth.session.*=24,auth.account.register=24,*=6",
    parse: partitions,
  },
  AUTH_REPLICATION: whole("Replicas of each topic; 0: the broker's default.", { min: 0, max: 9, default: "0" }),
  AUTH_LEGACY_TOPICS: flag(
    "Use the platform's JSON topics (auth, registration, delete, check_verified, admin_*), which delete and ban users without an actor. `npm start` and compose set it to true.",
    false,
  ),
  AUTH_DEAD_LETTERS_PER_MINUTE: whole(
    "Dead letters a minute that one requester can cause, per process; further ones are only counted and logged.",
    { min: 1, max: 1_000_000, default: "300" },
  ),
  AUTH_MAILBOX_LIMIT: whole(
    "Requests that may wait for one record key; further ones are THROTTLED. 8 of these places (a quarter, below 32) are reserved for requests with a device token.",
    {
      min: 1,
      max: 10_000,
      default: "64",
    },
  ),
  AUTH_IDEMPOTENCY_TTL: duration(
    "How long a stored answer is kept, from the first request with its idempotency key.",
    "2h",
    "30d",
    "24h",
  ),
};
