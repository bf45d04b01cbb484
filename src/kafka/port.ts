// The narrow port to Kafka: produce, consume in a group, ask and change topics. A driver (kafkajs/driver.ts,
// platformatic/driver.ts) is what kafka.ts makes the port of.
// What it promises:
// - produce resolves when every record is acknowledged by all in-sync replicas, and rejects with KafkaFault otherwise.
// - consume hands records over in order per partition and never waits for a handler, so no fetch and no heartbeat is
//   held up. A consumer that crashes or is stopped by its library is built again, until it is closed.
// - bytes that cannot be read as records, or are too many, are passed over and told of; what is before and behind them
//   is handed over.
// - topic names may carry a prefix on the broker; nobody above the port sees it.
// It does not decide what is retried: KafkaFault.kind tells.
import type { AssignPartitions } from "./assigner.ts";
import type { Append } from "./broker-clock.ts";
import type { Consumer, ConsumerInstance } from "./consumer-instance.ts";
import type { Assignment, CommittedOffset, InRecord, OutRecord, TopicPartition, UnreadableRecords } from "./records.ts";

export interface KafkaSettings {
  /** The library that speaks to the brokers; default kafkajs. */
  driver?: "kafkajs" | "platformatic" | undefined;
  /** Told of produces whose time the broker has said; not every driver hears of it. */
  appended?: ((append: Append) => void) | undefined;
  /** Told of records that are passed over because they cannot be read. */
  passedOver?: ((records: UnreadableRecords) => void) | undefined;
  /** Largest batch of records that is read, unpacked; default usualUnpackedBytes (record-batch.ts). */
  unpackedBytes?: number | undefined;
  brokers: string[];
  clientId: string;
  /** Stands before every topic and group on the broker. */
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
   * Records in that order that cannot be read; the log and KafkaSettings.passedOver are told by themselves. Must return
   * at once.
   */
  onUnreadable?(records: UnreadableRecords, highWatermark: bigint): void;
  /**
   * After every rebalance, before records of the new assignment arrive. An empty assignment comes first where this
   * process was out of the group meanwhile: whatever it held may have moved on in other hands, so nothing of it may be
   * committed any more. No partition is paused afterwards: who wants one to be pauses it again, in here or later.
   */
  onAssigned(assignment: Assignment): void;
  /** How long an idle fetch waits on the broker, ms. */
  maxWaitMs?: number;
  /** How much one fetch may bring; a batch that is larger comes all the same, alone. Default: largeFetch. */
  fetch?: FetchLimits;
}

export interface FetchLimits {
  /** Bytes of all partitions together. */
  bytes: number;
  /** Bytes of each. */
  partitionBytes: number;
}

/** For whoever takes all that comes. */
export const largeFetch: FetchLimits = { bytes: 10 * 1024 * 1024, partitionBytes: 1024 * 1024 };

export interface Consumption {
  /** Resolves when the first assignment is there; rejects where it is closed before. */
  joined: Promise<void>;
  /** Whether the consumer is a member of its group, and has heard of its broker lately. */
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
  /** Settings that a topic may have more of: they are raised and never lowered. */
  atLeast?: readonly string[];
}

/** A topic as it is on the broker. */
export interface TopicState {
  partitions: number;
  /** Every setting that has a value, by the topic or by default. */
  config: ReadonlyMap<string, string>;
}

export interface KafkaPort {
  produce(records: OutRecord[]): Promise<void>;
  consume(options: ConsumeOptions): Consumption;
  /** Number of partitions, or undefined where there is no such topic. */
  partitionsOf(topic: string): Promise<number | undefined>;
  /**
   * Creates what is missing, grows what has too few partitions, sets the configuration. Returns what it did, a sentence
   * each.
   */
  ensureTopics(specs: TopicSpec[]): Promise<string[]>;
  /** Those of the topics that are there. */
  describeTopics(topics: string[]): Promise<Map<string, TopicState>>;
  /**
   * What a group has committed, by topic and partition; a partition without a commit is not there. Every topic must be.
   */
  committedOffsets(group: string, topics: string[]): Promise<Map<string, Map<number, bigint>>>;
  /** The offset after the last record of each partition. */
  endOffsets(topic: string): Promise<Map<number, bigint>>;
  /** @throws KafkaFault while no broker answers. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/**
 * What a driver does for the port. It throws what its library throws (faults.ts tells what that means), and its close()
 * may hang: kafka.ts and supervisor.ts stand around it.
 */
export interface KafkaDriver extends Omit<KafkaPort, "consume"> {
  /** One life of a consumer, which joins by itself and reports to `life`. */
  consumer(options: ConsumeOptions, instance: ConsumerInstance): Consumer;
}
