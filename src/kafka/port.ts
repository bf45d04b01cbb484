// The narrow port to Kafka: produce, consume in a group, read and change topics. kafka.ts builds it from a driver
// (kafkajs/driver.ts, platformatic/driver.ts). It promises:
// - produce resolves when all in-sync replicas have acknowledged every record, and rejects with KafkaFault otherwise.
// - consume hands records over in order per partition and never waits for a handler, so no fetch or heartbeat is
//   delayed. A consumer that crashes or is stopped by its library is rebuilt, until it is closed.
// - bytes that cannot be read as records, or are too many, are skipped and reported; everything before and after them
//   is handed over.
// - topic names may have a prefix on the broker; nothing above the port sees it. It does not decide what is retried:
//   see KafkaFault.kind.
import type { AssignPartitions } from "./assigner.ts";
import type { Append } from "./broker-clock.ts";
import type { Consumer, ConsumerInstance } from "./consumer-instance.ts";
import type { Assignment, CommittedOffset, InRecord, OutRecord, TopicPartition, UnreadableRecords } from "./records.ts";

export interface KafkaSettings {
  /** The library that talks to the brokers; default kafkajs. */
  driver?: "kafkajs" | "platformatic" | undefined;
  /** Called for produces with a known broker time; not every driver reports it. */
  appended?: ((append: Append) => void) | undefined;
  /** Called for records that are skipped because they cannot be read. */
  passedOver?: ((records: UnreadableRecords) => void) | undefined;
  /** The largest unpacked batch that is read; default usualUnpackedBytes (record-batch.ts). */
  unpackedBytes?: number | undefined;
  brokers: string[];
  clientId: string;
  /** Prefix of every topic and group on the broker. */
  prefix: string;
  tls?: { ca?: string; cert?: string; key?: string } | undefined;
  sasl?: { mechanism: "plain" | "scram-sha-256" | "scram-sha-512"; username: string; password: string } | undefined;
}

export interface ConsumeOptions {
  group: string;
  topics: string[];
  /** Where a group without a committed offset starts. */
  from: "earliest" | "latest";
  assign: AssignPartitions;
  /** Must return at once. highWatermark is the partition's end as of the fetch. */
  onRecords(records: InRecord[], partition: TopicPartition, highWatermark: bigint): void;
  /**
   * Records in this order that cannot be read; they are logged and passed to KafkaSettings.passedOver anyway. Must
   * return at once.
   */
  onUnreadable?(records: UnreadableRecords, highWatermark: bigint): void;
  /**
   * Called after every rebalance, before records of the new assignment arrive. If this process was out of the group
   * meanwhile, an empty assignment comes first: others may have processed its partitions, so none of its offsets may be
   * committed. No partition is paused afterwards; pause again as needed.
   */
  onAssigned(assignment: Assignment): void;
  /** How long an idle fetch waits on the broker, ms. */
  maxWaitMs?: number;
  /** How much one fetch may bring; a larger batch still comes, alone. Default: largeFetch. */
  fetch?: FetchLimits;
}

export interface FetchLimits {
  /** For all partitions together. */
  bytes: number;
  /** Per partition. */
  partitionBytes: number;
}

/** For consumers without back pressure. */
export const largeFetch: FetchLimits = { bytes: 10 * 1024 * 1024, partitionBytes: 1024 * 1024 };

export interface Consumption {
  /** Resolves at the first assignment; rejects if it is closed before. */
  joined: Promise<void>;
  /** Whether the consumer is a member of its group and has recently heard from its broker. */
  readonly healthy: boolean;
  commit(offsets: CommittedOffset[]): Promise<void>;
  pause(partition: TopicPartition): void;
  resume(partition: TopicPartition): void;
  /** Leaves the group at once. */
  close(): Promise<void>;
}

export interface TopicSpec {
  topic: string;
  partitions: number;
  replication: number;
  config: Record<string, string>;
  /** Settings of which a topic may have more: they are raised and never lowered. */
  atLeast?: readonly string[];
}

/** A topic as it is on the broker. */
export interface TopicState {
  partitions: number;
  /** Every setting with a value, set for the topic or default. */
  config: ReadonlyMap<string, string>;
}

export interface KafkaPort {
  produce(records: OutRecord[]): Promise<void>;
  consume(options: ConsumeOptions): Consumption;
  /** The number of partitions, or undefined for an unknown topic. */
  partitionsOf(topic: string): Promise<number | undefined>;
  /**
   * Creates missing topics, adds missing partitions, sets the configuration. @returns a sentence for each thing done
   */
  ensureTopics(specs: TopicSpec[]): Promise<string[]>;
  /** Only topics that exist. */
  describeTopics(topics: string[]): Promise<Map<string, TopicState>>;
  /** A group's committed offsets by topic and partition, without partitions that have none. Every topic must exist. */
  committedOffsets(group: string, topics: string[]): Promise<Map<string, Map<number, bigint>>>;
  /** The offset after the last record of each partition. */
  endOffsets(topic: string): Promise<Map<number, bigint>>;
  /** @throws KafkaFault where no broker answers */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/**
 * What a driver provides for the port. It throws its library's errors (faults.ts classifies them), and its close() may
 * hang: kafka.ts and supervisor.ts handle both.
 */
export interface KafkaDriver extends Omit<KafkaPort, "consume"> {
  /** One instance of a consumer, which joins by itself and reports to `instance`. */
  consumer(options: ConsumeOptions, instance: ConsumerInstance): Consumer;
}
