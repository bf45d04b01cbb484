// Sends replies. A destination is checked against cached metadata before any work is done for it, and again before the
// reply joins a batch: in kafkajs one unknown topic fails a whole batch, and a partition out of range is silently
// skipped. A reply is finished when the broker has it, or when it never can: that is counted and logged.
import { setTimeout as sleep } from "node:timers/promises";
import { KafkaFault, type KafkaFaultKind } from "../kafka/faults.ts";
import type { KafkaPort } from "../kafka/kafka.ts";
import type { OutRecord } from "../kafka/records.ts";
import { LruCache } from "../lib/lru.ts";
import type { Logger } from "../runtime/log.ts";
import type { ReplyAddress } from "./headers.ts";
import type { Sender } from "./sender.ts";

type Destination = Pick<ReplyAddress, "topic" | "partition">;

export interface Replies {
  /** Whether the topic and partition exist. A negative answer is cached for a few seconds. */
  reachable(address: Destination): Promise<boolean>;
  /** Resolves when the broker has the reply or never will. Retries while brokers are down, until the signal. */
  send(record: OutRecord, signal: AbortSignal): Promise<void>;
}

export interface RepliesDeps {
  kafka: Pick<KafkaPort, "partitionsOf">;
  sender: Pick<Sender, "send">;
  log: Logger;
  monotonic: () => number;
  /** Counts replies that can never arrive, by reason. */
  lost(reason: string): void;
}

/** Faults of ours or of brokers, not of the reply: it waits until they are fixed. */
const isOurs: ReadonlySet<KafkaFaultKind> = new Set(["unavailable", "not-authenticated"]);

const knownMs = 60_000;
const unknownMs = 3000;
/** The shortest time between two look-ups of a topic for a partition that it did not have; requests in between wait. */
const againMs = 100;
/** Requesters name the topics of their replies, so the names are anybody's. */
const maxTopics = 10_000;

export function makeReplies({ kafka, sender, log, monotonic, lost }: RepliesDeps): Replies {
  const topics = new LruCache<string, { partitions: Promise<number | undefined>; asked: number }>(maxTopics, monotonic);

  const partitionsOf = (topic: string): Promise<number | undefined> => {
    const known = topics.get(topic);
    if (known !== undefined) return known.partitions;
    const entry = { partitions: kafka.partitionsOf(topic), asked: monotonic() };
    topics.set(topic, entry, knownMs);
    entry.partitions.then(
      (count) => {
        if (count === undefined && topics.get(topic) === entry) topics.set(topic, entry, unknownMs);
      },
      () => topics.delete(topic),
    );
    return entry.partitions;
  };

  const reachable = async ({ topic, partition }: Destination): Promise<boolean> => {
    const count = await partitionsOf(topic);
    if (count === undefined) return false;
    if (partition === undefined || partition < count) return true;
    // It may have grown, and a requester that has just started reads a new partition. Looked up once for all who ask,
    // because callers can name any partition number.
    const entry = topics.get(topic);
    if (entry !== undefined) await sleep(Math.max(0, entry.asked + againMs - monotonic()));
    if (topics.get(topic) === entry) topics.delete(topic);
    return partition < ((await partitionsOf(topic)) ?? 0);
  };

  /** @returns true: the reply is finished */
  const giveUp = ({ topic, partition }: OutRecord, reason: string): true => {
    lost(reason);
    log.warn({ topic, partition, reason }, "reply cannot be delivered");
    return true;
  };

  /** @returns whether the reply is finished; otherwise it is worth a retry */
  const trySend = async (record: OutRecord): Promise<boolean> => {
    const { topic, partition } = record;
    try {
      if (!(await reachable({ topic, partition }))) return giveUp(record, "unknown-destination");
      await sender.send(record);
      return true;
    } catch (error) {
      if (!(error instanceof KafkaFault)) throw error;
      // A broker that has just started lists a topic before it accepts records for it, so the topic is looked up again.
      if (error.kind === "unknown-topic") topics.delete(topic);
      else if (!isOurs.has(error.kind)) return giveUp(record, error.kind);
      log.warn({ err: error, topic }, "reply is tried again");
      return false;
    }
  };

  return {
    reachable,
    async send(record, signal) {
      for (let pauseMs = 50; !signal.aborted; pauseMs = Math.min(pauseMs * 2, 2000)) {
        if (await trySend(record)) return;
        await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
      }
      throw new KafkaFault("unavailable", "stopped before the reply was acknowledged");
    },
  };
}
