// Kafka and the Schema Registry: where they are and how they are spoken to; topics, groups and replies.
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
  AUTH_DEAD_LETTERS_PER_MINUTE: whole(
    "Dead letters that one requester can cause in a minute, per process; more are only counted and logged.",
    { min: 1, max: 1_000_000, default: "300" },
  ),
  AUTH_MAILBOX_LIMIT: whole(
    "Requests that may wait for one key; more are THROTTLED. 8 of them, or a quarter of fewer than 32, only with a device token.",
    {
      min: 1,
      max: 10_000,
      default: "64",
    },
  ),
  AUTH_IDEMPOTENCY_TTL: duration("How long the first reply to an idempotency key is kept.", "2h", "30d", "24h"),
};
