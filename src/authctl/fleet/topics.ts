// authctl topics: compares every topic on the brokers with what `authfleet migrate` would make of it. It changes
// nothing.
import type { TopicSpec, TopicState } from "../../kafka/kafka.ts";
import { topics } from "../../processes/topic-specs.ts";
import type { CommandResult, Invocation } from "../command.ts";
import { withKafka } from "../connect/reach.ts";
import { findTarget } from "../connect/target.ts";
import { table } from "../terminal/table.ts";

/** One topic in a JSON document. */
interface Described {
  topic: string;
  /** On the brokers; null: it is not there. */
  partitions: number | null;
  retentionMs: number | null;
  cleanupPolicy: string | null;
  /** What migrate would change, a sentence each. */
  differences: string[];
}

export async function topicsList(call: Invocation): Promise<CommandResult> {
  const target = findTarget(call.env);
  const specs = topics(target.config);
  const found = await withKafka(target, (kafka) => kafka.describeTopics(specs.map(({ topic }) => topic)));
  return topicsResult(specs.map((spec) => described(spec, found.get(spec.topic))));
}

function described(spec: TopicSpec, state: TopicState | undefined): Described {
  const { topic } = spec;
  if (state === undefined)
    return { topic, partitions: null, retentionMs: null, cleanupPolicy: null, differences: ["is not there"] };
  const { partitions, config } = state;
  const retentionMs = Number(config.get("retention.ms") ?? Number.NaN);
  return {
    topic,
    partitions,
    retentionMs: Number.isNaN(retentionMs) ? null : retentionMs,
    cleanupPolicy: config.get("cleanup.policy") ?? null,
    differences: [...tooFew(spec, partitions), ...otherSettings(spec, config)],
  };
}

function tooFew(spec: TopicSpec, partitions: number): string[] {
  return partitions < spec.partitions ? [`has ${partitions} partitions, not ${spec.partitions}`] : [];
}

/** As kafka/topics.ts compares: where the specification is a minimum, more is right too. */
function otherSettings({ config, atLeast = [] }: TopicSpec, now: ReadonlyMap<string, string>): string[] {
  return Object.entries(config).flatMap(([name, value]) => {
    const has = now.get(name);
    const more = atLeast.includes(name) && (Number(has) < 0 || Number(has) > Number(value));
    return has === value || more ? [] : [`${name} is ${has ?? "not set"}, not ${value}`];
  });
}

function topicsResult(all: Described[]): CommandResult {
  const rows = all.map((each) => [
    each.topic,
    String(each.partitions ?? "-"),
    each.cleanupPolicy === "compact" ? "compacted" : each.retentionMs === null ? "-" : lasting(each.retentionMs),
    each.differences.join("; ") || "as it should be",
  ]);
  const wrong = all.filter(({ differences }) => differences.length > 0).length;
  const advice =
    wrong === 0 ? [] : ["", `${wrong} of ${all.length} are not as they should be: authfleet migrate does it.`];
  return {
    document: { topics: all },
    lines: [...table([["TOPIC", "PARTITIONS", "KEPT", "STATE"], ...rows]), ...advice],
  };
}

/** ms, in the largest unit that says it exactly. */
export function lasting(ms: number): string {
  if (ms < 0) return "for ever";
  for (const [unit, size] of [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1000],
  ] as const)
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  return `${ms}ms`;
}
