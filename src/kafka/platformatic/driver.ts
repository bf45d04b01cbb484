// The driver @platformatic/kafka. Its Consumer handles membership, heartbeats and rejoining; producing, fetching and
// committing are done here, over its connections and protocol code (without its native addon). Reasons:
// - its stream cannot pause one partition; its fetch names every partition each time, and one failing partition hides
//   the records of all others.
// - after a rebalance its commit rejoins the group and then commits, in the new generation, offsets of partitions that
//   may belong to another member.
// - its producer sends all of a broker's records to the first record's leader, wraps partition numbers out of range
//   instead of refusing them, and caches partitions for half a minute while others are added; its murmur2 uses BigInt.
// - it does not call its assigner for a single member.
import { isIP } from "node:net";
import { Admin, type BaseOptions, ListOffsetTimestamps, type SASLMechanismValue } from "@platformatic/kafka";
import { systemClock } from "../../lib/clock.ts";
import type { Logger } from "../../runtime/log.ts";
import { appendOf } from "../broker-clock.ts";
import type { KafkaDriver, KafkaSettings } from "../port.ts";
import { usualUnpackedBytes } from "../record-batch.ts";
import { describeTopics, ensureTopics } from "../topics.ts";
import { GroupConsumer } from "./group-consumer.ts";
import { knownPartitions, metadataFor } from "./metadata.ts";
import { produceRecords } from "./produce.ts";
import { topicAdmin } from "./topic-admin.ts";

const requestTimeoutMs = 15_000;

/** Connects lazily; nothing is sent before the first call. */
export function openPlatformatic(settings: KafkaSettings, log: Logger): KafkaDriver {
  const base = baseOptions(settings);
  const { prefix } = settings;
  const [writer, admin] = [new Admin(base), new Admin(base)]; // a broker answers the requests of a connection in order
  for (const client of [writer, admin]) client.on("error", (error: Error) => log.debug({ err: error }, "platformatic"));

  return {
    async produce(records) {
      const sentAt = systemClock.now();
      const appends = await produceRecords({ writer, prefix, timeoutMs: requestTimeoutMs }, records);
      const append = appendOf({ sentAt, ackedAt: systemClock.now() }, appends, prefix);
      if (append !== undefined) settings.appended?.(append);
    },
    consumer(options, instance) {
      const maxBytes = settings.unpackedBytes ?? usualUnpackedBytes;
      return new GroupConsumer({ base, options, prefix, instance, admin, maxBytes });
    },
    partitionsOf: (topic) => knownPartitions(admin, prefix + topic),
    ensureTopics: (specs) => ensureTopics(topicAdmin(admin), specs, prefix),
    describeTopics: (topics) => describeTopics(topicAdmin(admin), topics, prefix),
    async committedOffsets(group, topics) {
      if (topics.length === 0) return new Map();
      const { topics: known } = await metadataFor(
        admin,
        topics.map((topic) => prefix + topic),
      );
      const asked = [...known].map(([name, each]) => ({
        name,
        partitionIndexes: [...Array(each.partitionsCount).keys()],
      }));
      const [answer] = await admin.listConsumerGroupOffsets({ groups: [{ groupId: prefix + group, topics: asked }] });
      return new Map(
        (answer?.topics ?? []).map(({ name, partitions }) => [name.slice(prefix.length), committed(partitions)]),
      );
    },
    async endOffsets(topic) {
      const name = prefix + topic;
      const count = (await metadataFor(admin, [name])).topics.get(name)!.partitionsCount;
      const timestamp = ListOffsetTimestamps.LATEST;
      const partitions = Array.from({ length: count }, (_, partitionIndex) => ({ partitionIndex, timestamp }));
      const [listed] = await admin.listOffsets({ topics: [{ name, partitions }] });
      return new Map(listed!.partitions.map(({ partitionIndex, offset }) => [partitionIndex, offset]));
    },
    ping: async () => void (await admin.metadata({ topics: [], forceUpdate: true })),
    async close() {
      await Promise.allSettled([writer.close(), admin.close()]);
    },
  };
}

/** -1 means none. */
function committed(partitions: { partitionIndex: number; committedOffset: bigint }[]): Map<number, bigint> {
  const some = partitions.filter(({ committedOffset }) => committedOffset >= 0n);
  return new Map(some.map(({ partitionIndex, committedOffset }) => [partitionIndex, committedOffset]));
}

function baseOptions({ brokers, clientId, tls, sasl }: KafkaSettings): BaseOptions & { requestTimeout: number } {
  return {
    clientId,
    bootstrapBrokers: brokers,
    connectTimeout: 3000,
    requestTimeout: requestTimeoutMs,
    timeout: requestTimeoutMs,
    retries: 3,
    retryDelay: (_client, _operation, attempt) => Math.min(50 * 2 ** (attempt - 1), 400),
    metadataMaxAge: 30_000,
    autocreateTopics: false,
    ...(tls && { tls, tlsServerName: brokers.every((each) => isIP(hostOf(each)) === 0) }), // SNI is for names only (RFC 6066)
    ...(sasl && { sasl: { ...sasl, mechanism: sasl.mechanism.toUpperCase() as SASLMechanismValue } }),
  };
}

const hostOf = (broker: string): string => broker.slice(0, broker.lastIndexOf(":")).replace(/^\[|\]$/g, "");
