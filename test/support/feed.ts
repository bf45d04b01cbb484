// auth.revocation as a test reads it: from its beginning, with the time at which each record came.
import { randomBytes } from "node:crypto";
import { shared } from "../../src/kafka/assigner.ts";
import type { KafkaPort } from "../../src/kafka/kafka.ts";
import { until } from "./until.ts";

interface FeedRecord {
  partition: number;
  offset: bigint;
  key: string;
  body: Record<string, unknown>;
  /** The broker's, Unix ms. */
  timestamp: number;
  /** performance.now(). */
  came: number;
}

export interface Feed {
  /** Those with the key, in the order of their partition. */
  of(key: string): FeedRecord[];
  all(): FeedRecord[];
  /** Waits for a record with the key. */
  first(key: string): Promise<FeedRecord>;
  /** The time of the last mark in each partition; 0 before the first. */
  marks(): number[];
  close(): Promise<void>;
}

export async function readFeed(kafka: KafkaPort): Promise<Feed> {
  const records: FeedRecord[] = [];
  const partitions = (await kafka.partitionsOf("auth.revocation")) ?? 0;
  const consumption = kafka.consume({
    group: `test.${randomBytes(8).toString("hex")}`,
    topics: ["auth.revocation"],
    from: "earliest",
    assign: shared(() => ({})),
    onAssigned: () => undefined,
    onRecords(batch, { partition }) {
      const came = performance.now();
      for (const { offset, key, value, timestamp } of batch)
        records.push({ partition, offset, key: String(key), body: JSON.parse(String(value)), timestamp, came });
    },
  });
  await consumption.joined;
  const of = (key: string) => records.filter((record) => record.key === key);
  return {
    of,
    all: () => records,
    async first(key) {
      await until(`a record ${key} in auth.revocation`, () => of(key).length > 0);
      return of(key)[0]!;
    },
    marks: () =>
      Array.from({ length: partitions }, (_, partition) => {
        const own = of("asOf").filter((record) => record.partition === partition);
        return Number(own.at(-1)?.body["asOf"] ?? 0);
      }),
    close: () => consumption.close(),
  };
}
