// Reads topics from now on and keeps what comes, so that a test can wait for a record instead of sleeping.
import { randomBytes } from "node:crypto";
import { shared } from "../../src/kafka/assigner.ts";
import type { KafkaPort } from "../../src/kafka/kafka.ts";
import type { InRecord } from "../../src/kafka/records.ts";
import { until } from "./until.ts";

export interface Seen extends InRecord {
  /** The value, where it is a JSON object. */
  json: Record<string, unknown> | undefined;
}

export interface Mailbox {
  ready: Promise<void>;
  all(topic: string): Seen[];
  /** The latest record that fits; waits for one. */
  last(topic: string, fits: (record: Seen) => boolean): Promise<Seen>;
  /** Waits until as many records fit. */
  count(topic: string, wanted: number, fits: (record: Seen) => boolean): Promise<Seen[]>;
}

const probeHeader = "test-probe";

export function mailbox(kafka: KafkaPort, topics: string[]): Mailbox {
  const seen: Seen[] = [];
  const probed = new Set<string>();
  const probe = randomBytes(8).toString("hex");
  const consumption = kafka.consume({
    group: `test.${randomBytes(8).toString("hex")}`,
    topics,
    from: "latest",
    assign: shared(() => ({})),
    onAssigned: () => undefined,
    onRecords: (records) => {
      for (const record of records) {
        if (String(record.headers[probeHeader]) === probe) probed.add(`${record.topic}/${record.partition}`);
        else if (record.headers[probeHeader] === undefined) seen.push({ ...record, json: parse(record.value) });
      }
    },
  });
  const all = (topic: string): Seen[] => seen.filter((record) => record.topic === topic);
  return {
    ready: position(kafka, { topics, probe, probed, joined: consumption.joined }),
    all,
    async last(topic, fits) {
      await until(`a record in ${topic}`, () => all(topic).some(fits));
      return all(topic).filter(fits).at(-1)!;
    },
    async count(topic, wanted, fits) {
      await until(`${wanted} records in ${topic}`, () => all(topic).filter(fits).length >= wanted);
      return all(topic).filter(fits);
    },
  };
}

/**
 * Writes a probe to every partition until all are read: from then on nothing is missed. Legacy topics get none: workers
 * read them.
 */
async function position(
  kafka: KafkaPort,
  { topics, probe, probed, joined }: { topics: string[]; probe: string; probed: Set<string>; joined: Promise<void> },
): Promise<void> {
  await joined;
  const counts = await Promise.all(
    topics.map(async (topic) => [topic, (await kafka.partitionsOf(topic)) ?? 0] as const),
  );
  const wanted = counts.flatMap(([topic, count]) =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  );
  await until("all partitions are read", async () => {
    const missing = wanted.filter(({ topic, partition }) => !probed.has(`${topic}/${partition}`));
    if (missing.length === 0) return true;
    await kafka.produce(
      missing.map((each) => ({
        ...each,
        key: Buffer.from(probeHeader),
        value: null,
        headers: { [probeHeader]: probe },
      })),
    );
    return false;
  });
}

function parse(value: Buffer | null): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(value?.toString("utf8") ?? "");
    return typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
