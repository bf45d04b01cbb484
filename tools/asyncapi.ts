// docs/asyncapi.yaml: AsyncAPI 3.0 of everything the fleet reads and writes, seen from the fleet (it receives requests,
// it sends replies and events). Channels are the topics of src/processes/topic-specs.ts with their settings, payloads
// are the files in schemas/. A reply is written out with its refusal, which its file only names: AsyncAPI allows no
// reference within an Avro schema. What no schema holds (JSON of the feeds, headers) is in asyncapi-parts.ts.

import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { stringify } from "yaml";
import { readConfig } from "../src/config/read.ts";
import type { TopicSpec } from "../src/kafka/kafka.ts";
import { topics } from "../src/processes/topic-specs.ts";
import { packageVersion } from "../src/runtime/package-root.ts";
import { headers, jsonPayloads, purposes } from "./asyncapi-parts.ts";
import { keyText } from "./protocol.ts";
import { commandsIn } from "./schemas.ts";

type Message = Record<string, unknown>;
interface Channel {
  address: string;
  summary: string;
  messages: Record<string, Message>;
}
interface Operation {
  action: "send" | "receive";
  channel: Message;
  summary: string;
  messages: Message[];
  reply?: Message;
}

const ref = (path: string): Message => ({ $ref: `#/${path}` });
const correlationId = { location: "$message.header#/kafka_correlationId" };
const avroSchema = (schema: object): Message => ({
  contentType: "application/vnd.confluent.avro",
  payload: { schemaFormat: "application/vnd.apache.avro;version=1.9.0", schema },
});
const avro = (file: string): Message => avroSchema({ $ref: `../schemas/${file}` });
const json = (schema: Message): Message => ({ contentType: "application/json", payload: schema });
const keyed = (description: string, inPayload = true): Message => ({
  bindings: {
    kafka: {
      key: { type: "string", description },
      ...(inPayload && { schemaIdLocation: "payload", schemaIdPayloadEncoding: "confluent" }),
    },
  },
});

/** @param schemas the folder schemas/ @returns the text of docs/asyncapi.yaml */
export function asyncapiPage(schemas: string): string {
  const specs = topics(readConfig({}, "ctl"));
  const commands = commandsOf(schemas);
  const messages = { ...commands.messages, ...eventMessages(schemas), ...otherMessages(specs) };
  const document = {
    asyncapi: "3.0.0",
    info: {
      title: "authfleet",
      version: packageVersion(),
      description:
        "An auth service as a fleet of stateless workers behind Kafka request/reply topics. Rules that no schema can say (seals, record keys, time, repetition) are in protocol.md.",
      license: { name: "MIT" },
    },
    defaultContentType: "application/vnd.confluent.avro",
    channels: { ...channelsOf(specs, messages), reply: replyChannel(commands.replies) },
    operations: { ...commands.operations, ...otherOperations(specs, Object.keys(messages)) },
    components: { messages, schemas: headers },
  };
  const yaml = stringify(document, { lineWidth: 0, aliasDuplicateObjects: false });
  return `# Generated from schemas/ and src/processes/topic-specs.ts by \`npm run generate\`. Do not edit.\n${yaml}`;
}

function commandsOf(schemas: string) {
  const messages: Record<string, Message> = {};
  const operations: Record<string, Operation> = {};
  const replies: string[] = [];
  for (const { topic, request, reply } of commandsIn(schemas)) {
    const file = topic.split(".").slice(1).join("/");
    const { recordKey: rule } = request as { recordKey?: Parameters<typeof keyText>[0] };
    messages[topic] = {
      summary: request.doc,
      headers: ref("components/schemas/requestHeaders"),
      correlationId,
      ...avro(`${file}.request.avsc`),
      ...keyed(keyText(rule)),
    };
    const answer = `${topic}.reply`;
    replies.push(answer);
    messages[answer] = {
      summary: reply.doc,
      headers: ref("components/schemas/replyHeaders"),
      correlationId,
      ...avroSchema(reply),
      ...keyed("that of the request"),
    };
    operations[topic] = {
      action: "receive",
      channel: ref(`channels/${topic}`),
      summary: request.doc,
      messages: [ref(`channels/${topic}/messages/${topic}`)],
      reply: {
        address: { location: "$message.header#/kafka_replyTopic" },
        channel: ref("channels/reply"),
        messages: [ref(`channels/reply/messages/${answer}`)],
      },
    };
  }
  return { messages, operations, replies };
}

function eventMessages(schemas: string): Record<string, Message> {
  const events = readdirSync(join(schemas, "event"))
    .sort()
    .map((file) => [
      `auth.event.${basename(file, ".avsc")}`,
      {
        headers: ref("components/schemas/eventHeaders"),
        ...avro(`event/${file}`),
        ...keyed("id of the user; the normalised login where there is no such user"),
      },
    ]);
  const mail = {
    headers: ref("components/schemas/outboxHeaders"),
    ...avro("mail/mail.avsc"),
    ...keyed("id of the user"),
  };
  return { ...(Object.fromEntries(events) as Record<string, Message>), "auth.mail": mail };
}

/** Those that are JSON, and the dead letters, which are what they were. */
function otherMessages(specs: readonly TopicSpec[]): Record<string, Message> {
  const found = specs.flatMap(({ topic }): [string, Message][] => {
    const own = Object.hasOwn(jsonPayloads, topic) ? jsonPayloads[topic] : undefined;
    const legacy = isLegacy(topic) ? { $ref: `../schemas/legacy/${topic}.json` } : undefined;
    const payload = own?.payload ?? legacy;
    if (payload === undefined) return [];
    return [
      [
        topic,
        {
          ...(own?.headers && { headers: own.headers }),
          ...json(payload),
          ...keyed(own?.key ?? "any, or none", false),
        },
      ],
    ];
  });
  const letter = {
    summary: "A record that could not be processed, as it came.",
    headers: ref("components/schemas/deadLetterHeaders"),
    contentType: "application/octet-stream",
    ...keyed("that of the record", false),
  };
  return { ...Object.fromEntries(found), "auth.dead-letter": letter };
}

const isLegacy = (topic: string): boolean => !topic.startsWith("auth.");
const isReply = (topic: string): boolean => topic.startsWith("auth.reply.");

function messagesOf(topic: string, names: readonly string[]): string[] {
  const own =
    topic === "auth.event" ? (name: string) => name.startsWith("auth.event.") : (name: string) => name === topic;
  return names.filter(own);
}

/** @throws Error where a topic is neither a command's nor explained */
function channelsOf(specs: readonly TopicSpec[], all: Record<string, Message>): Record<string, Channel> {
  const names = Object.keys(all);
  const summaryOf = (topic: string): string => {
    const summary = purposes[topic] ?? (all[`${topic}.reply`] === undefined ? undefined : "Requests of one command.");
    if (summary === undefined) throw new Error(`${topic}: say in tools/asyncapi-parts.ts what it is for`);
    return summary;
  };
  const channels = specs
    .filter(({ topic }) => !isReply(topic))
    .map(({ topic, partitions, config = {} }) => [
      topic,
      {
        address: topic,
        summary: summaryOf(topic),
        messages: Object.fromEntries(
          messagesOf(topic, names).map((name) => [name, ref(`components/messages/${name}`)]),
        ),
        bindings: { kafka: { topic, partitions, ...settingsOf(config) } },
      },
    ]);
  return Object.fromEntries(channels);
}

/** Those settings that AsyncAPI has a name for. */
function settingsOf(config: Record<string, string | undefined>): Message {
  const numbers = ["retention.ms", "max.message.bytes"].filter((name) => config[name] !== undefined);
  const policy = config["cleanup.policy"];
  const settings = {
    ...(policy !== undefined && { "cleanup.policy": [policy] }),
    ...Object.fromEntries(numbers.map((name) => [name, Number(config[name])])),
  };
  return Object.keys(settings).length === 0 ? {} : { topicConfiguration: settings };
}

function replyChannel(replies: string[]): Message {
  return {
    address: "auth.reply.{service}",
    summary:
      "Replies to one service, in the partition that its request named. NestJS's `<request topic>.reply` is served as well.",
    parameters: { service: { description: "Name of the requesting service, one of AUTH_REPLY_SERVICES." } },
    messages: Object.fromEntries(replies.map((name) => [name, ref(`components/messages/${name}`)])),
  };
}

function otherOperations(specs: readonly TopicSpec[], names: readonly string[]): Record<string, Operation> {
  const read = new Set(["delete", "check_verified", "admin_delete_user", "admin_ban_user"]);
  const operations = specs
    .filter(({ topic }) => Object.hasOwn(purposes, topic))
    .map(({ topic }) => [
      topic,
      {
        action: read.has(topic) ? "receive" : "send",
        channel: ref(`channels/${topic}`),
        summary: purposes[topic],
        messages: messagesOf(topic, names).map((name) => ref(`channels/${topic}/messages/${name}`)),
      },
    ]);
  return Object.fromEntries(operations);
}
