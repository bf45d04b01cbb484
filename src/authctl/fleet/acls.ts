// The rights at Kafka of each process, of each service with a reply topic and of the platform: the least with which
// each works. As data, for `authctl topics acl` and for the test that runs a fleet under exactly these.
// - Requesters write request topics by their literal names and read their own reply topic. They also write that one:
//   the client's probe, which shows that replies can be received, goes through it. Only workers write the others.
// - Only relays write events, mails, revocations, keys and heads of the audit; migrate writes keys too, so that they
//   exist before a relay runs. Relays read the keys back, to write again what came late.
import type { Config } from "../../config/read.ts";
import { auditTopic } from "../../db/audit.ts";
import { revocationTopic } from "../../db/revocations.ts";
import { legacyGroup } from "../../legacy/consumer.ts";
import { mailerGroup } from "../../mail/mailer.ts";
import { legacyInbound, topics } from "../../processes/topic-specs.ts";
import { deadLetterTopic, fleetTopic } from "../../protocol/bus-names.ts";
import { commandSchemas } from "../../protocol/generated/schemas.ts";
import { keyTopic } from "../../protocol/key-records.ts";

/** As kafka-acls.sh names them. */
type Operation = "Read" | "Write" | "Describe" | "DescribeConfigs" | "Create" | "Alter" | "AlterConfigs";

export interface Grant {
  resource: "topic" | "group";
  /** Without AUTH_TOPIC_PREFIX. */
  names: readonly string[];
  prefixed?: true;
  operations: readonly Operation[];
}

export interface KafkaClient {
  /** A process, a service of AUTH_REPLY_SERVICES, or one of the platform's. */
  name: string;
  what: string;
  grants: Grant[];
}

const requests = Object.keys(commandSchemas);

const topicGrant = (names: readonly string[], ...operations: Operation[]): Grant => ({
  resource: "topic",
  names,
  operations,
});
/** For groups whose names begin like this. */
const prefixedGroups = (...names: string[]): Grant => ({
  resource: "group",
  names,
  prefixed: true,
  operations: ["Read"],
});
const group = (names: readonly string[], ...operations: Operation[]): Grant => ({
  resource: "group",
  names,
  operations,
});

export function kafkaClients(config: Config): KafkaClient[] {
  const services = config.AUTH_REPLY_SERVICES.filter((name) => !own.includes(name));
  return [
    { name: "worker", what: "carries commands out", grants: worker(config) },
    { name: "relay", what: "publishes what was committed", grants: relay(config) },
    { name: "bridge", what: "gRPC in front of the fleet", grants: [...requester("bridge"), ...verifier, reports] },
    { name: "mailer", what: "mails to the SMTP server", grants: mailer },
    { name: "migrate", what: "makes topics; once per deploy", grants: migrate(config) },
    { name: "authctl", what: "the operators' command line", grants: authctl(config) },
    ...services.map((name) => ({
      name,
      what: "a service with authfleet-client: requests, verifier, events in groups that begin with its name",
      grants: [...requester(name), ...verifier, topicGrant(["auth.event"], "Read")],
    })),
    ...(config.AUTH_LEGACY_TOPICS ? platform : []),
  ];
}

/** Services of the configuration that have entries of their own. */
const own = ["authctl", "bridge"];

const reports = topicGrant([fleetTopic], "Write");

function worker({ AUTH_GROUP, AUTH_LEGACY_TOPICS: legacy }: Config): Grant[] {
  return [
    topicGrant([...requests, ...(legacy ? legacyInbound : [])], "Read"),
    topicGrant([fleetTopic, deadLetterTopic], "Write"),
    { ...topicGrant(["auth.reply."], "Write"), prefixed: true },
    group([AUTH_GROUP, ...(legacy ? [legacyGroup] : [])], "Read"),
  ];
}

function relay({ AUTH_LEGACY_TOPICS: legacy }: Config): Grant[] {
  const said = ["auth.event", "auth.mail", revocationTopic, keyTopic, auditTopic, fleetTopic];
  return [
    topicGrant([...said, ...(legacy ? ["auth", "registration"] : [])], "Write"),
    topicGrant([keyTopic], "Read"),
    prefixedGroups("relay."),
  ];
}

const mailer: Grant[] = [
  topicGrant(["auth.mail"], "Read"),
  topicGrant([deadLetterTopic, fleetTopic], "Write"),
  group([mailerGroup], "Read"),
];

function requester(name: string): Grant[] {
  return [
    topicGrant(requests, "Write"),
    topicGrant([`auth.reply.${name}`], "Read", "Write"),
    topicGrant([fleetTopic, keyTopic], "Read"),
    prefixedGroups(`${name}.`),
  ];
}

const verifier = [topicGrant([revocationTopic], "Read")];

function migrate(config: Config): Grant[] {
  const all = topics(config).map(({ topic }) => topic);
  return [
    topicGrant(all, "Create", "Describe", "Alter", "DescribeConfigs", "AlterConfigs"),
    topicGrant([keyTopic], "Write"),
  ];
}

/** dlq replay writes what came from legacy topics, auth.event and auth.mail back to them. */
function authctl(config: Config): Grant[] {
  const { AUTH_GROUP, AUTH_LEGACY_TOPICS: legacy } = config;
  return [
    ...requester("authctl"),
    topicGrant([deadLetterTopic], "Read", "Write"),
    topicGrant(["auth.event", "auth.mail", ...(legacy ? legacyInbound : [])], "Write"),
    topicGrant([auditTopic], "Read"),
    topicGrant(
      topics(config).map(({ topic }) => topic),
      "Describe",
      "DescribeConfigs",
    ),
    group([AUTH_GROUP, mailerGroup, ...(legacy ? [legacyGroup] : [])], "Describe"),
  ];
}

/** They name their consumer groups themselves. */
const platform: KafkaClient[] = [
  {
    name: "platform-mailer",
    what: "the platform's mailer, which alone may read confirmation tokens; and Read on its own group",
    grants: [topicGrant(["auth"], "Read"), topicGrant(["check_verified"], "Write")],
  },
  {
    name: "platform",
    what: "the platform's other services; and Read on their own groups",
    grants: [
      topicGrant(["registration"], "Read"),
      topicGrant(
        legacyInbound.filter((topic) => topic !== "check_verified"),
        "Write",
      ),
    ],
  },
];
