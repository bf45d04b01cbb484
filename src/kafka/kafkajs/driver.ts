// The driver kafkajs: connections, producing, admin requests. consumer.ts consumes, patches.ts fixes bugs of kafkajs.
// Only this directory imports kafkajs.

import type { Admin, KafkaConfig, PartitionerArgs, Producer, RecordMetadata } from "kafkajs";
import driver from "kafkajs";
import { systemClock } from "../../lib/clock.ts";
import { retry } from "../../lib/retry.ts";
import type { Logger } from "../../runtime/log.ts";
import { appendOf, type PartitionAppend } from "../broker-clock.ts";
import { classify, KafkaFault } from "../faults.ts";
import { partitionOf } from "../partition-for-key.ts";
import type { KafkaDriver, KafkaSettings, TopicSpec } from "../port.ts";
import { usualUnpackedBytes } from "../record-batch.ts";
import type { OutRecord } from "../records.ts";
import { describeTopics, ensureTopics, setForTopic, type TopicAdmin } from "../topics.ts";
import { buildConsumer } from "./consumer.ts";
import { sockets, undecodedFetches, withoutColons } from "./fetch.ts";
import { fetchSessions } from "./fetch-sessions.ts";
import { openClient } from "./instances.ts";
import { patches } from "./patches.ts";

const acksAll = -1;

/** kafkajs's own partitioner where there is no key. */
function partitioner(): (args: PartitionerArgs) => number {
  const any = driver.Partitioners.DefaultPartitioner();
  return (args) => {
    const { key, partition } = args.message;
    const byKey = (partition === undefined || partition === null) && Buffer.isBuffer(key);
    return byKey ? partitionOf(key, args.partitionMetadata.length) : any(args);
  };
}

/** Connects lazily; nothing is sent before the first call. */
export function openKafkajs(settings: KafkaSettings, log: Logger): KafkaDriver {
  const kafka = openClient(clientConfig(settings, log), [patches, fetchSessions, undecodedFetches]);
  const onBroker = (name: string) => settings.prefix + name;
  const producer = lazily<Producer>(async () => {
    const made = kafka.producer({
      createPartitioner: partitioner,
      allowAutoTopicCreation: false,
      maxInFlightRequests: 1,
      metadataMaxAge: 3000, // a partition that was added must be known before long: see skipped()
      retry: { retries: 0 }, // see sendAll
    });
    await made.connect();
    return made;
  });
  const admin = lazily<Admin>(async () => {
    const made = kafka.admin({ retry: { retries: 3, initialRetryTime: 50, maxRetryTime: 400 } });
    await made.connect();
    return made;
  });

  return {
    produce: async (records) => {
      const made = await producer.get();
      const sentAt = systemClock.now();
      const appends = await send(made, records, onBroker);
      const append = appendOf({ sentAt, ackedAt: systemClock.now() }, appends, settings.prefix);
      if (append !== undefined) settings.appended?.(append);
    },
    consumer: (options, instance) =>
      buildConsumer({ kafka, options, onBroker, maxBytes: settings.unpackedBytes ?? usualUnpackedBytes }, instance),
    partitionsOf: async (topic) => countPartitions(await admin.get(), onBroker(topic)),
    ensureTopics: async (specs) => ensureTopics(topicAdmin(await admin.get()), specs, settings.prefix),
    describeTopics: async (topics) => describeTopics(topicAdmin(await admin.get()), topics, settings.prefix),
    async committedOffsets(group, topics) {
      const asked = { groupId: onBroker(group), topics: topics.map(onBroker) };
      const answers = topics.length === 0 ? [] : await (await admin.get()).fetchOffsets(asked);
      return new Map(
        answers.map(({ topic, partitions }) => [topic.slice(settings.prefix.length), committed(partitions)]),
      );
    },
    async endOffsets(topic) {
      const offsets = await (await admin.get()).fetchTopicOffsets(onBroker(topic));
      return new Map(offsets.map((each) => [each.partition, BigInt(each.offset)]));
    },
    ping: async () => void (await (await admin.get()).describeCluster()),
    async close() {
      await Promise.allSettled([producer.drop((made) => made.disconnect()), admin.drop((made) => made.disconnect())]);
    },
  };
}

/** -1 means none. */
function committed(partitions: { partition: number; offset: string }[]): Map<number, bigint> {
  const all = partitions.map(({ partition, offset }) => [partition, BigInt(offset)] as const);
  return new Map(all.filter(([, offset]) => offset >= 0n));
}

function clientConfig(settings: KafkaSettings, log: Logger): KafkaConfig {
  return {
    clientId: settings.clientId,
    brokers: settings.brokers.map(withoutColons),
    socketFactory: sockets(),
    connectionTimeout: 3000,
    requestTimeout: 15_000,
    logLevel: driver.logLevel.WARN,
    logCreator: () => (entry) => log.debug({ kafkajs: entry.log.message, namespace: entry.namespace }, "kafkajs"),
    retry: { retries: 5, initialRetryTime: 100, maxRetryTime: 2000 },
    ...(settings.tls && { ssl: { ...settings.tls, ...(settings.tls.ca && { ca: [settings.tls.ca] }) } }),
    ...(settings.sasl && { sasl: settings.sasl as KafkaConfig["sasl"] & object }),
  };
}

/** One shared connection, made at the first use; after a failed attempt the next use tries again. */
function lazily<T>(make: () => Promise<T>) {
  let made: Promise<T> | undefined;
  return {
    get(): Promise<T> {
      made ??= make().catch((error: unknown) => {
        made = undefined;
        throw error;
      });
      return made;
    },
    async drop(close: (value: T) => Promise<void>): Promise<void> {
      const current = made;
      made = undefined;
      if (current !== undefined) await close(await current);
    },
  };
}

/** @returns the broker's time of each append, where the topic has it; topics with their names on the broker */
async function send(
  producer: Producer,
  records: OutRecord[],
  onBroker: (name: string) => string,
): Promise<PartitionAppend[]> {
  let rest = records;
  const answers = await sendAll(async () => {
    const some = await producer.sendBatch({ acks: acksAll, topicMessages: byTopic(rest, onBroker) });
    const left = skipped(rest, some, onBroker);
    if (left.length === 0) return some;
    rest = left;
    throw new KafkaFault("unavailable", `${left[0]!.topic}/${left[0]!.partition} is not known yet`);
  });
  return answers.flatMap(({ topicName: topic, partition, logAppendTime }) => {
    const at = Number(logAppendTime ?? -1);
    return at > 0 ? [{ topic, partition, at }] : [];
  });
}

function byTopic(records: OutRecord[], onBroker: (name: string) => string) {
  const topics = Map.groupBy(records, ({ topic }) => topic);
  return [...topics].map(([topic, messages]) => ({
    topic: onBroker(topic),
    messages: messages.map(({ topic: _, ...message }) => message),
  }));
}

/** Records for partitions that kafkajs does not know: it silently skips them. */
function skipped(records: OutRecord[], answers: RecordMetadata[], onBroker: (name: string) => string): OutRecord[] {
  const taken = new Set(answers.map(({ topicName, partition }) => `${topicName}/${partition}`));
  return records.filter(
    ({ topic, partition }) => partition !== undefined && !taken.has(`${onBroker(topic)}/${partition}`),
  );
}

const tries = 4;
const firstPauseMs = 50;

/**
 * Retries here, and not in kafkajs: its retry keeps the first attempt's answers by broker, so it skips partitions whose
 * leader was killed if the new leader had answered already, and counts the batch as sent (sendMessages.js;
 * test/crash/brokers lost a request in 3 of 8 runs). Resending the whole batch may duplicate a record and never loses
 * one.
 */
function sendAll<T>(send: () => Promise<T>): Promise<T> {
  const isTransient = (error: unknown): boolean => ["unavailable", "unknown-topic"].includes(classify(error));
  return retry(send, { firstMs: firstPauseMs, longestMs: Number.POSITIVE_INFINITY, tries, isTransient });
}

async function countPartitions(admin: Admin, topic: string): Promise<number | undefined> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]?.partitions.length;
  } catch (error) {
    if (classify(error) === "unknown-topic") return undefined;
    throw error;
  }
}

const type = driver.ConfigResourceTypes.TOPIC;

function topicAdmin(admin: Admin): TopicAdmin {
  return {
    list: () => admin.listTopics(),
    create: async (specs) => void (await admin.createTopics({ waitForLeaders: false, topics: specs.map(newTopic) })),
    async leaders(names) {
      const { topics } = await admin.fetchTopicMetadata({ topics: names });
      return new Map(topics.map(({ name, partitions }) => [name, partitions.map(({ leader }) => leader)]));
    },
    async grow(topics) {
      const topicPartitions = topics.map(({ topic, partitions }) => ({ topic, count: partitions }));
      await admin.createPartitions({ topicPartitions });
    },
    async configs(topics) {
      const asked = topics.map((name) => ({ type, name }));
      const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: asked });
      return new Map(
        resources.map(({ resourceName, configEntries }) => [
          resourceName,
          configEntries.map((each) => ({
            name: each.configName,
            value: each.configValue,
            own: (each.configSource as number) === setForTopic,
          })),
        ]),
      );
    },
    /** AlterConfigs replaces all of a topic's settings, so an operator's other settings are sent too. */
    async configure(changes) {
      const resources = changes.map(({ topic, all }) => ({ type, name: topic, configEntries: entriesOf(all) }));
      await admin.alterConfigs({ validateOnly: false, resources });
    },
  };
}

function newTopic({ topic, partitions, replication, config }: TopicSpec) {
  return {
    topic,
    numPartitions: partitions,
    replicationFactor: replication || -1,
    configEntries: entriesOf(config),
  };
}

function entriesOf(config: Record<string, string>): { name: string; value: string }[] {
  return Object.entries(config).map(([name, value]) => ({ name, value }));
}
