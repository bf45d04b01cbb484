// authctl lag: how far each consumer group of the fleet is behind, by topic and partition: the end of the partition
// minus what the group has committed. Workers commit on a timer, so requests finished in the last moment may still be
// counted. What a worker counts itself, and how many seconds of hashing that is, is in `authctl top`.
import { readReport } from "../../bus/fleet-report.ts";
import type { Config } from "../../config/read.ts";
import type { KafkaPort } from "../../kafka/kafka.ts";
import { legacyGroup } from "../../legacy/consumer.ts";
import { mailerGroup } from "../../mail/mailer.ts";
import { legacyInbound } from "../../processes/topic-specs.ts";
import { fleetTopic } from "../../protocol/bus-names.ts";
import { commandSchemas } from "../../protocol/generated/schemas.ts";
import { type CommandResult, flagOption, type Invocation } from "../command.ts";
import { withKafka } from "../connect/reach.ts";
import { findTarget } from "../connect/target.ts";
import { readSpans } from "../dlq/read.ts";
import { table } from "../terminal/table.ts";

interface PartitionLag {
  partition: number;
  /** null: the group has committed nothing there. */
  committed: number | null;
  end: number;
  /** Records; null where nothing was committed of a partition that has had records. */
  lag: number | null;
}

interface TopicLag {
  topic: string;
  lag: number;
  partitions: PartitionLag[];
}

interface GroupLag {
  group: string;
  lag: number;
  topics: TopicLag[];
}

/** Reports that are searched for groups: a minute of thirty processes. */
const reportsRead = 1000n;
/** Each group costs a request for every topic, and anybody with write access to the feed can name any number. */
const mostGroups = 50;
const atOnce = 8;

export async function lag(call: Invocation): Promise<CommandResult> {
  const target = findTarget(call.env);
  const groups = await withKafka(target, (kafka) => readLag(kafka, target.config));
  return lagResult(groups, flagOption(call, "partitions"));
}

async function readLag(kafka: KafkaPort, config: Config): Promise<GroupLag[]> {
  const readers = await topicsByGroup(kafka, config);
  const wanted = [...new Set([...readers.values()].flat())];
  const present = new Set((await kafka.describeTopics(wanted)).keys());
  const ends = await endsByTopic(kafka, [...present]);
  const groups: GroupLag[] = [];
  for (const [group, topics] of readers) {
    const there = topics.filter((topic) => present.has(topic));
    const committed = await kafka.committedOffsets(group, there);
    const read = there.filter((topic) => (committed.get(topic)?.size ?? 0) > 0);
    const lags = read.map((topic) => topicLag(topic, { ends: ends.get(topic)!, committed: committed.get(topic)! }));
    if (lags.length > 0) groups.push({ group, lag: sum(lags), topics: lags });
  }
  return groups;
}

/** Which groups there may be, and what each reads. */
async function topicsByGroup(kafka: KafkaPort, config: Config): Promise<Map<string, string[]>> {
  const readers = new Map<string, string[]>([[config.AUTH_GROUP, Object.keys(commandSchemas)]]);
  for (const group of await reportedGroups(kafka)) readers.set(group, Object.keys(commandSchemas));
  readers.set(mailerGroup, ["auth.mail"]);
  if (config.AUTH_LEGACY_TOPICS) readers.set(legacyGroup, [...legacyInbound]);
  return readers;
}

/** The groups that the latest reports of the fleet name. */
async function reportedGroups(kafka: KafkaPort): Promise<Set<string>> {
  const groups = new Set<string>();
  if ((await kafka.partitionsOf(fleetTopic)) === undefined) return groups;
  const to = (await kafka.endOffsets(fleetTopic)).get(0) ?? 0n;
  await readSpans(kafka, {
    topic: fleetTopic,
    spans: new Map([[0, { from: to > reportsRead ? to - reportsRead : 0n, to }]]),
    quietMs: 1000,
    onRecord(record) {
      const group = readReport(record)?.info.group;
      if (group !== undefined && groups.size < mostGroups) groups.add(group);
    },
  });
  return groups;
}

async function endsByTopic(kafka: KafkaPort, topics: string[]): Promise<Map<string, Map<number, bigint>>> {
  const queue = [...topics];
  const ends = new Map<string, Map<number, bigint>>();
  const work = async (): Promise<void> => {
    for (let topic = queue.shift(); topic !== undefined; topic = queue.shift())
      ends.set(topic, await kafka.endOffsets(topic));
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return ends;
}

function topicLag(
  topic: string,
  { ends, committed }: { ends: Map<number, bigint>; committed: Map<number, bigint> },
): TopicLag {
  const partitions = [...ends]
    .sort(([a], [b]) => a - b)
    .map(([partition, end]): PartitionLag => {
      const done = committed.get(partition);
      if (done === undefined) return { partition, committed: null, end: Number(end), lag: end === 0n ? 0 : null };
      return { partition, committed: Number(done), end: Number(end), lag: Math.max(0, Number(end - done)) };
    });
  return { topic, lag: sum(partitions), partitions };
}

const sum = (all: readonly { lag: number | null }[]): number => all.reduce((total, each) => total + (each.lag ?? 0), 0);

function lagResult(groups: GroupLag[], withPartitions: boolean): CommandResult {
  const head = ["GROUP", "TOPIC", ...(withPartitions ? ["PARTITION", "COMMITTED", "END"] : ["PARTITIONS"]), "LAG"];
  const rows = groups.flatMap(({ group, topics }) =>
    topics.flatMap((each) => (withPartitions ? partitionRows(group, each) : [topicRow(group, each)])),
  );
  const total = groups.reduce((all, each) => all + each.lag, 0);
  const lines = groups.length === 0 ? ["No group has committed anything yet."] : table([head, ...rows]);
  return {
    document: { lag: total, groups },
    lines: [...lines, ...(groups.length > 0 ? ["", `${total} records in all.`] : [])],
  };
}

function topicRow(group: string, { topic, partitions, lag: records }: TopicLag): string[] {
  return [group, topic, String(partitions.length), String(records)];
}

function partitionRows(group: string, { topic, partitions }: TopicLag): string[][] {
  return partitions
    .filter(({ end }) => end > 0)
    .map(({ partition, committed, end, lag: records }) => {
      const numbers = [partition, committed ?? "-", end, records ?? "?"];
      return [group, topic, ...numbers.map(String)];
    });
}
