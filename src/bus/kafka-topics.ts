// Topics on the broker: looked up, created, grown and configured, never shrunk or deleted.
import type { Admin } from "kafkajs";
import driver from "kafkajs";
import { classify } from "./kafka-faults.ts";
import type { TopicSpec } from "./kafka-port.ts";

export async function countPartitions(admin: Admin, topic: string): Promise<number | undefined> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]?.partitions.length;
  } catch (error) {
    if (classify(error) === "unknown-topic") return undefined;
    throw error;
  }
}

export async function ensureTopics(
  admin: Admin,
  specs: TopicSpec[],
  onBroker: (name: string) => string,
): Promise<string[]> {
  const existing = new Set(await admin.listTopics());
  const missing = specs.filter((spec) => !existing.has(onBroker(spec.topic)));
  const present = specs.filter((spec) => existing.has(onBroker(spec.topic)));
  if (missing.length > 0) {
    await admin.createTopics({
      waitForLeaders: true,
      topics: missing.map((spec) => ({
        topic: onBroker(spec.topic),
        numPartitions: spec.partitions,
        replicationFactor: spec.replication || -1,
        configEntries: Object.entries(spec.config).map(([name, value]) => ({ name, value })),
      })),
    });
  }
  const grown = present.length > 0 ? await adjustTopics(admin, present, onBroker) : [];
  return [...missing.map((spec) => `created ${spec.topic} with ${spec.partitions} partitions`), ...grown];
}

async function adjustTopics(admin: Admin, specs: TopicSpec[], onBroker: (name: string) => string): Promise<string[]> {
  const { topics } = await admin.fetchTopicMetadata({ topics: specs.map((spec) => onBroker(spec.topic)) });
  const count = new Map(topics.map((topic) => [topic.name, topic.partitions.length]));
  const small = specs.filter((spec) => (count.get(onBroker(spec.topic)) ?? spec.partitions) < spec.partitions);
  if (small.length > 0) {
    await admin.createPartitions({
      topicPartitions: small.map((spec) => ({ topic: onBroker(spec.topic), count: spec.partitions })),
    });
  }
  const grown = small.map((spec) => `grew ${spec.topic} to ${spec.partitions} partitions`);
  return [...grown, ...(await configureTopics(admin, specs, onBroker))];
}

/** Source of a value that was set for this topic, by us or by an operator. */
const setForTopic = 1;

/** Sets what differs. AlterConfigs replaces all that was set for a topic, so what an operator set besides is sent along. */
async function configureTopics(
  admin: Admin,
  specs: TopicSpec[],
  onBroker: (name: string) => string,
): Promise<string[]> {
  const type = driver.ConfigResourceTypes.TOPIC;
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: specs.map((spec) => ({ type, name: onBroker(spec.topic) })),
  });
  const changes = specs.flatMap((spec) => {
    const entries = resources.find((each) => each.resourceName === onBroker(spec.topic))?.configEntries ?? [];
    const now = new Map(entries.map((entry) => [entry.configName, entry.configValue]));
    const config = wanted(spec, now);
    const different = Object.entries(config).filter(([name, value]) => now.get(name) !== value);
    const kept = entries.filter((entry) => (entry.configSource as number) === setForTopic);
    const all = { ...Object.fromEntries(kept.map((entry) => [entry.configName, entry.configValue])), ...config };
    return different.length > 0 ? [{ topic: spec.topic, different, all }] : [];
  });
  if (changes.length === 0) return [];
  await admin.alterConfigs({
    validateOnly: false,
    resources: changes.map(({ topic, all }) => ({
      type,
      name: onBroker(topic),
      configEntries: Object.entries(all).map(([name, value]) => ({ name, value })),
    })),
  });
  return changes.map(({ topic, different }) => `set ${different.map((each) => each.join("=")).join(", ")} of ${topic}`);
}

/** The values of the specification; where they are the least, what the topic has if that is more. Below 0 is without limit. */
function wanted(
  { config, atLeast = [] }: Pick<TopicSpec, "config" | "atLeast">,
  now: ReadonlyMap<string, string | null>,
): Record<string, string> {
  const more = atLeast.flatMap((name) => {
    const has = now.get(name) ?? "0";
    return Number(has) < 0 || Number(has) > Number(config[name]) ? [[name, has] as const] : [];
  });
  return { ...config, ...Object.fromEntries(more) };
}
