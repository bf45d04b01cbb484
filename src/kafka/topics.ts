// Reads, creates, extends and configures topics; never shrinks or deletes them. This file decides what is missing or
// different; the driver reads and writes.
import { setTimeout as sleep } from "node:timers/promises";
import { classify, KafkaFault } from "./faults.ts";
import type { TopicSpec, TopicState } from "./port.ts";

/** With names on the broker. */
export interface TopicAdmin {
  list(): Promise<string[]>;
  create(specs: TopicSpec[]): Promise<void>;
  /**
   * The leader of each partition, negative where it has none.
   * @throws what classify() calls unknown-topic where a topic does not exist
   */
  leaders(topics: string[]): Promise<Map<string, number[]>>;
  grow(topics: { topic: string; partitions: number }[]): Promise<void>;
  configs(topics: string[]): Promise<Map<string, ConfigEntry[]>>;
  configure(changes: ConfigChange[]): Promise<void>;
}

interface ConfigEntry {
  name: string;
  value: string | null;
  /** Set for this topic, by us or by an operator. */
  own: boolean;
}

interface ConfigChange {
  topic: string;
  different: [name: string, value: string][];
  /** With all other settings of the topic, for a driver that can only replace all. */
  all: Record<string, string>;
}

/** Source of a value set for this topic, in DescribeConfigs. */
export const setForTopic = 1;

export async function ensureTopics(admin: TopicAdmin, specs: TopicSpec[], prefix: string): Promise<string[]> {
  const onBroker = specs.map((spec) => ({ ...spec, topic: prefix + spec.topic }));
  const bare = (topic: string) => topic.slice(prefix.length);
  const existing = new Set(await admin.list());
  const missing = onBroker.filter(({ topic }) => !existing.has(topic));
  const present = onBroker.filter(({ topic }) => existing.has(topic));
  if (missing.length > 0) await admin.create(missing);
  const small = await tooSmall(admin, present);
  if (small.length > 0) await admin.grow(small);
  await untilLed(admin, [...missing, ...small]);
  const changes = await differing(admin, present);
  if (changes.length > 0) await admin.configure(changes);
  return [
    ...missing.map(({ topic, partitions }) => `created ${bare(topic)} with ${partitions} partitions`),
    ...small.map(({ topic, partitions }) => `grew ${bare(topic)} to ${partitions} partitions`),
    ...changes.map(
      ({ topic, different }) => `set ${different.map((each) => each.join("=")).join(", ")} of ${bare(topic)}`,
    ),
  ];
}

/** Only existing topics, without the prefix. */
export async function describeTopics(
  admin: TopicAdmin,
  topics: string[],
  prefix: string,
): Promise<Map<string, TopicState>> {
  const existing = new Set(await admin.list());
  const names = topics.map((topic) => prefix + topic).filter((name) => existing.has(name));
  if (names.length === 0) return new Map();
  const [leaders, configs] = await Promise.all([admin.leaders(names), admin.configs(names)]);
  return new Map(
    names.map((name) => {
      const entries = configs.get(name) ?? [];
      const config = new Map(entries.flatMap((entry) => (entry.value === null ? [] : [[entry.name, entry.value]])));
      return [name.slice(prefix.length), { partitions: leaders.get(name)?.length ?? 0, config }];
    }),
  );
}

async function tooSmall(admin: TopicAdmin, specs: TopicSpec[]): Promise<TopicSpec[]> {
  if (specs.length === 0) return [];
  const leaders = await admin.leaders(specs.map(({ topic }) => topic));
  return specs.filter(({ topic, partitions }) => (leaders.get(topic)?.length ?? partitions) < partitions);
}

/** The asked broker may not know a new topic or partition yet, or it may not have a leader. */
async function untilLed(admin: TopicAdmin, specs: TopicSpec[]): Promise<void> {
  if (specs.length === 0) return;
  const names = specs.map(({ topic }) => topic);
  for (let pause = 10; pause < 5000; pause *= 2) {
    const leaders = await admin.leaders(names).catch((error: unknown) => {
      if (classify(error) !== "unknown-topic") throw error;
    });
    const led = specs.every(({ topic, partitions }) => {
      const known = leaders?.get(topic) ?? [];
      return known.length >= partitions && known.every((leader) => leader >= 0);
    });
    if (led) return;
    await sleep(pause);
  }
  throw new KafkaFault("unavailable", `no leaders yet for some of ${names.join(", ")}`);
}

async function differing(admin: TopicAdmin, specs: TopicSpec[]): Promise<ConfigChange[]> {
  if (specs.length === 0) return [];
  const configs = await admin.configs(specs.map(({ topic }) => topic));
  return specs.flatMap(({ topic, ...spec }) => {
    const entries = configs.get(topic) ?? [];
    const now = new Map(entries.map(({ name, value }) => [name, value]));
    const config = wanted(spec, now);
    const different = Object.entries(config).filter(([name, value]) => now.get(name) !== value);
    const kept = entries.flatMap(({ name, value, own }) => (own && value !== null ? [[name, value] as const] : []));
    return different.length > 0 ? [{ topic, different, all: { ...Object.fromEntries(kept), ...config } }] : [];
  });
}

/** The specified values; for `atLeast` settings the topic's own value if it is larger. Negative means unlimited. */
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
