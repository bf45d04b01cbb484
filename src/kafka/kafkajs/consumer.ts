// Consumes with kafkajs: one instance of a consumer for the supervisor, with our assigner.
import type { Consumer, EachBatchHandler, Kafka, PartitionAssigner } from "kafkajs";
import driver from "kafkajs";
import { settledWithin } from "../../lib/timeout.ts";
import type { ConsumerInstance, Consumer as SupervisedConsumer } from "../consumer-instance.ts";
import { deliver } from "../deliver.ts";
import { classify } from "../faults.ts";
import { type ConsumeOptions, largeFetch } from "../port.ts";
import { partitionKey, type TopicPartition } from "../records.ts";
import { sessionTimeoutMs } from "../supervisor.ts";
import type { BatchMessage } from "./fetch.ts";

const heartbeatMs = 500;
const rebalanceTimeoutMs = 10_000;
/** kafkajs stops a crashed consumer before it reports why. */
const crashAfterStopMs = 500;
/** How long a closing consumer may finish a join that it has begun: only a member can leave. */
const joinBoundMs = 2000;

interface ConsumerDeps {
  kafka: Kafka;
  options: ConsumeOptions;
  onBroker: (name: string) => string;
  /** Of one batch, unpacked. */
  maxBytes: number;
}

/**
 * One instance of a consumer (supervisor.ts). kafkajs restarts by itself only after errors it calls retriable, and not
 * always then; here it never does: every crash, and every unexpected STOP (kafkajs#1443, #1445), ends the instance.
 */
export function buildConsumer(parts: ConsumerDeps, instance: ConsumerInstance): SupervisedConsumer {
  const { kafka, options, onBroker } = parts;
  const paused = new Set<string>();
  const assigner = driverAssigner(options, onBroker);
  const { bytes, partitionBytes } = options.fetch ?? largeFetch;
  const made = kafka.consumer({
    groupId: onBroker(options.group),
    sessionTimeout: sessionTimeoutMs,
    heartbeatInterval: heartbeatMs,
    rebalanceTimeout: rebalanceTimeoutMs,
    maxBytes: bytes,
    maxBytesPerPartition: partitionBytes,
    maxWaitTimeInMs: options.maxWaitMs ?? 250,
    allowAutoTopicCreation: false,
    metadataMaxAge: 3000, // partitions that were added get a reader within this: requesters may write to them at once
    retry: { retries: 5, initialRetryTime: 50, maxRetryTime: 1000, restartOnFailure: () => Promise.resolve(false) },
    partitionAssigners: [assigner.make],
  });
  report(made, instance, { onBroker, paused });
  const onDriver = ({ topic, partition }: TopicPartition) => ({ topic: onBroker(topic), partition });

  const eachBatch = handOver({ ...parts, paused }, instance);
  const start = async (): Promise<void> => {
    await made.connect();
    await made.subscribe({ topics: options.topics.map(onBroker), fromBeginning: options.from === "earliest" });
    if (instance.previousMemberId !== undefined)
      await assigner.leave(onBroker(options.group), instance.previousMemberId);
    if (!instance.over.aborted) await made.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch });
  };
  const started = start();
  started.catch(instance.fail);

  return {
    commit: (offsets) =>
      made.commitOffsets(offsets.map(({ offset, ...place }) => ({ ...onDriver(place), offset: String(offset) }))),
    pause({ topic, partition }) {
      paused.add(partitionKey({ topic, partition }));
      made.pause([{ topic: onBroker(topic), partitions: [partition] }]);
    },
    resume({ topic, partition }) {
      paused.delete(partitionKey({ topic, partition }));
      made.resume([{ topic: onBroker(topic), partitions: [partition] }]);
    },
    async close() {
      await settledWithin(joinBoundMs, () => started);
      await made.disconnect();
    },
  };
}

interface Reported extends Pick<ConsumerDeps, "onBroker"> {
  /** As topic/partition. */
  paused: Set<string>;
}

function report(made: Consumer, instance: ConsumerInstance, { onBroker, paused }: Reported): void {
  const bare = (name: string) => name.slice(onBroker("").length);
  made.on(made.events.GROUP_JOIN, ({ payload }) => {
    paused.clear();
    made.resume(made.paused()); // kafkajs remembers what a membership that is over had paused
    const pairs = Object.entries(payload.memberAssignment).map(([topic, held]) => [bare(topic), held] as const);
    for (const [topic, partitions] of pairs) {
      for (const partition of partitions) {
        // Only positions that were read are known; for an offset that the broker no longer has, kafkajs starts at the
        // end again.
        const offset = instance.positionOf({ topic, partition });
        if (offset !== undefined) made.seek({ topic: onBroker(topic), partition, offset: String(offset) });
      }
    }
    instance.joined(payload.memberId, new Map(pairs));
  });
  made.on(made.events.HEARTBEAT, instance.progress);
  made.on(made.events.FETCH, instance.progress);
  made.on(made.events.CRASH, ({ payload }) => instance.fail(payload.error));
  made.on(made.events.STOP, () => {
    setTimeout(() => instance.fail(new Error("the consumer stopped")), crashAfterStopMs).unref();
  });
}

/**
 * Each message is a batch (fetch.ts). If a partition is paused within one, the rest is fetched again from there.
 * kafkajs sends heartbeats between batches; here they are also sent while a batch waits to be unpacked.
 */
function handOver(
  { onBroker, maxBytes, paused }: Pick<ConsumerDeps, "onBroker" | "maxBytes"> & Reported,
  instance: ConsumerInstance,
): EachBatchHandler {
  return async ({ batch, resolveOffset, heartbeat, isStale }) => {
    const partition = { topic: batch.topic.slice(onBroker("").length), partition: batch.partition };
    const { messages, fetchedOffset } = batch as unknown as { messages: BatchMessage[]; fetchedOffset: string };
    let from = BigInt(fetchedOffset);
    let fault: unknown;
    const isWanted = (): boolean =>
      fault === undefined && !instance.over.aborted && !isStale() && !paused.has(partitionKey(partition));
    const reached = (next: bigint): void => {
      from = next;
      resolveOffset(String(next - 1n));
    };
    const beating = setInterval(() => {
      heartbeat().catch((error: unknown) => {
        fault = error;
      });
    }, heartbeatMs);
    try {
      for (const message of messages) {
        const highWatermark = BigInt(batch.highWatermark);
        if (
          !(await deliver(message.batch, {
            instance: instance,
            partition,
            from,
            highWatermark,
            maxBytes,
            isWanted,
            reached,
          }))
        )
          break;
      }
    } finally {
      clearInterval(beating);
    }
    if (fault !== undefined) throw fault; // kafkajs knows what it means: another generation, most often
  };
}

interface DriverAssigner {
  make: PartitionAssigner;
  /** Makes a dead member leave. */
  leave(group: string, memberId: string): Promise<void>;
}

/**
 * Our assigner for kafkajs: each member reports its own topics, which the leader reads (kafkajs's own assigners give
 * every member the leader's topics).
 */
function driverAssigner(options: ConsumeOptions, onBroker: (name: string) => string): DriverAssigner {
  let cluster: Cluster | undefined;
  return {
    make: (given) => {
      cluster = given.cluster as unknown as Cluster;
      return assignerOf(cluster, options, onBroker);
    },
    /*
     * kafkajs sends LeaveGroup for what crashed only while its connection holds. After a restart of the broker the new
     * consumer would be a second member and wait until the first one's session has run out: measured after kill -9 of
     * the broker, four rounds each, records were read 6.1-6.2 s after it was back, and with this 0.1-1.4 s.
     */
    async leave(groupId, memberId) {
      try {
        await (await cluster?.findGroupCoordinator({ groupId }))?.leaveGroup({ groupId, memberId });
      } catch (error) {
        if ((error as { type?: unknown }).type !== "UNKNOWN_MEMBER_ID") throw error;
      }
    },
  };
}

type Cluster = Omit<Parameters<PartitionAssigner>[0]["cluster"], "findGroupCoordinator"> & {
  addTargetTopic(topic: string): Promise<void>;
  findGroupCoordinator(group: { groupId: string }): Promise<{
    leaveGroup(member: { groupId: string; memberId: string }): Promise<unknown>;
  }>;
};

function assignerOf(
  cluster: Cluster,
  options: ConsumeOptions,
  onBroker: (name: string) => string,
): ReturnType<PartitionAssigner> {
  const version = 1;
  return {
    name: "balanced-sticky",
    version,
    protocol: ({ topics }) => ({
      name: "balanced-sticky",
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
  };
}

/** Loads the metadata of topics that only other members subscribed to; a missing topic has no partitions. */
async function partitionIds(cluster: Cluster, topic: string): Promise<number[]> {
  try {
    await cluster.addTargetTopic(topic);
    return cluster.findTopicPartitionMetadata(topic).map((each) => each.partitionId);
  } catch (error) {
    if (classify(error) === "unknown-topic") return [];
    throw error;
  }
}
