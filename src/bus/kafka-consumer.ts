// Consuming with kafkajs: a consumer that is built again when it dies, and our assigner in kafkajs's clothes.
import type { Consumer, Kafka, PartitionAssigner } from "kafkajs";
import driver from "kafkajs";
import type { Logger } from "../log.ts";
import { classify, guarded, KafkaFault } from "./kafka-faults.ts";
import type { ConsumeOptions, Consumption } from "./kafka-port.ts";
import type { InRecord, TopicPartition } from "./records.ts";

const heartbeatMs = 500;
const sessionTimeoutMs = 6000;
const rebalanceTimeoutMs = 10_000;

interface ConsumerParts {
  kafka: Kafka;
  options: ConsumeOptions;
  onBroker: (name: string) => string;
  log: Logger;
}

/**
 * Runs a consumer and builds it again when it dies. States: starting -> joined -> (crashed -> starting)* -> closed.
 * kafkajs restarts by itself only after errors it calls retriable; the others end in CRASH with restart false, or in a silent
 * STOP (kafkajs#1443, #1445): both come here. A reader of new records goes on where it was: joining again it would begin at the end of that
 * moment, and the replies that came while it was out would be lost.
 */
export function startConsumer({ kafka, options, onBroker, log }: ConsumerParts): Consumption {
  const bare = (name: string) => name.slice(onBroker("").length);
  let consumer: Consumer | undefined;
  let healthy = false;
  let closed = false;
  let attempt = 0;
  let timer: NodeJS.Timeout | undefined;
  let memberId: string | undefined;
  const positions = new Map<string, bigint>(); // of a reader of new records: topic/partition -> the offset it has not seen yet
  let resolveJoined: () => void = () => undefined;
  const joined = new Promise<void>((resolve) => {
    resolveJoined = resolve;
  });

  const rebuild = (reason: unknown): void => {
    healthy = false;
    if (closed || timer) return;
    options.onAssigned(new Map());
    const delay = Math.min(100 * 2 ** attempt++, 3000);
    log.warn({ err: reason, group: options.group, delay }, "consumer is built again");
    timer = setTimeout(() => {
      timer = undefined;
      const dead = consumer;
      consumer = undefined;
      dead?.disconnect().catch(() => undefined);
      build().catch(rebuild);
    }, delay);
  };

  const build = async (): Promise<void> => {
    const made = kafka.consumer({
      groupId: onBroker(options.group),
      sessionTimeout: sessionTimeoutMs,
      heartbeatInterval: heartbeatMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      maxWaitTimeInMs: options.maxWaitMs ?? 250,
      allowAutoTopicCreation: false,
      metadataMaxAge: 30_000,
      retry: { retries: 5, initialRetryTime: 50, maxRetryTime: 1000, restartOnFailure: () => Promise.resolve(false) },
      partitionAssigners: [driverAssigner(options, onBroker)],
    });
    consumer = made;
    made.on(made.events.GROUP_JOIN, ({ payload }) => {
      if (consumer !== made) return;
      if (memberId !== undefined && memberId !== payload.memberId) options.onAssigned(new Map());
      memberId = payload.memberId;
      healthy = true;
      attempt = 0;
      resume(made, payload.memberAssignment, positions);
      options.onAssigned(new Map(Object.entries(payload.memberAssignment).map(([topic, held]) => [bare(topic), held])));
      resolveJoined();
    });
    made.on(made.events.CRASH, ({ payload }) => consumer === made && rebuild(payload.error));
    made.on(made.events.STOP, () => consumer === made && rebuild(new Error("the consumer stopped")));
    await made.connect();
    await made.subscribe({ topics: options.topics.map(onBroker), fromBeginning: options.from === "earliest" });
    if (closed) return made.disconnect();
    await made.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const partition = { topic: bare(batch.topic), partition: batch.partition };
        if (options.from === "latest")
          positions.set(`${batch.topic}/${batch.partition}`, BigInt(batch.lastOffset()) + 1n);
        options.onRecords(
          batch.messages.map((message) => inRecord(partition, message)),
          partition,
          BigInt(batch.highWatermark),
        );
      },
    });
  };

  build().catch(rebuild);

  return {
    joined,
    get healthy() {
      return healthy && !closed;
    },
    commit: (offsets) =>
      guarded(async () => {
        if (offsets.length === 0) return;
        if (consumer === undefined) throw new KafkaFault("unavailable", "no consumer at the moment");
        await consumer.commitOffsets(
          offsets.map(({ topic, partition, offset }) => ({
            topic: onBroker(topic),
            partition,
            offset: String(offset),
          })),
        );
      }),
    pause: ({ topic, partition }) => consumer?.pause([{ topic: onBroker(topic), partitions: [partition] }]),
    resume: ({ topic, partition }) => consumer?.resume([{ topic: onBroker(topic), partitions: [partition] }]),
    async close() {
      closed = true;
      healthy = false;
      clearTimeout(timer);
      const last = consumer;
      consumer = undefined;
      await last?.disconnect();
    },
  };
}

/** Only what was read before is known: an offset that the broker no longer has makes kafkajs begin at the end again. */
function resume(consumer: Consumer, assignment: Record<string, number[]>, positions: Map<string, bigint>): void {
  for (const [topic, partitions] of Object.entries(assignment)) {
    for (const partition of partitions) {
      const offset = positions.get(`${topic}/${partition}`);
      if (offset !== undefined) consumer.seek({ topic, partition, offset: String(offset) });
    }
  }
}

type DriverMessage = Parameters<
  NonNullable<Parameters<Consumer["run"]>[0]>["eachBatch"] & object
>[0]["batch"]["messages"][number];

function inRecord(partition: TopicPartition, message: DriverMessage): InRecord {
  return {
    ...partition,
    offset: BigInt(message.offset),
    timestamp: Number(message.timestamp),
    key: message.key,
    value: message.value,
    headers: bytesOf(message.headers ?? {}),
  };
}

/**
 * Headers as the bytes they are. kafkajs hands on a null value as null, which its own producer cannot send again, and puts what
 * Object.prototype has of the name before the value of a header called "constructor". Either would stop a partition for good.
 */
function bytesOf(headers: object): InRecord["headers"] {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => {
      const values = [value as unknown].flat().filter((each) => Buffer.isBuffer(each));
      return values.length === 0 ? [] : [[name, values.length === 1 ? values[0]! : values]];
    }),
  );
}

/** Hands our assigner to kafkajs: each member says its own topics, the leader reads them (kafkajs's own gives everybody the leader's). */
function driverAssigner(options: ConsumeOptions, onBroker: (name: string) => string): PartitionAssigner {
  const version = 1;
  return ({ cluster }) => ({
    name: "auth-sticky",
    version,
    protocol: ({ topics }) => ({
      name: "auth-sticky",
      metadata: driver.AssignerProtocol.MemberMetadata.encode({ version, topics, userData: options.assign.userData() }),
    }),
    async assign({ members }) {
      const asked = members.map((member) => {
        const metadata = driver.AssignerProtocol.MemberMetadata.decode(member.memberMetadata);
        return {
          memberId: member.memberId,
          topics: metadata?.topics ?? [],
          userData: metadata?.userData ?? Buffer.alloc(0),
        };
      });
      const topics = [...new Set(asked.flatMap((member) => member.topics))];
      const known = await Promise.all(
        topics.map(async (topic) => [topic, await partitionIds(cluster, topic)] as const),
      );
      const assignment = options.assign.assign(asked, new Map(known), onBroker(""));
      return members.map(({ memberId }) => ({
        memberId,
        memberAssignment: driver.AssignerProtocol.MemberAssignment.encode({
          version,
          assignment: Object.fromEntries(assignment.get(memberId) ?? new Map<string, number[]>()),
          userData: Buffer.alloc(0),
        }),
      }));
    },
  });
}

type Cluster = Parameters<PartitionAssigner>[0]["cluster"] & { addTargetTopic(topic: string): Promise<void> };

/** Loads the metadata of topics that only other members subscribed to; one that does not exist has no partitions. */
async function partitionIds(cluster: Parameters<PartitionAssigner>[0]["cluster"], topic: string): Promise<number[]> {
  try {
    await (cluster as Cluster).addTargetTopic(topic);
    return cluster.findTopicPartitionMetadata(topic).map((each) => each.partitionId);
  } catch (error) {
    if (classify(error) === "unknown-topic") return [];
    throw error;
  }
}
