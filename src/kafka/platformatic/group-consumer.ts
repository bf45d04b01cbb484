// One instance of a consumer (supervisor.ts): the library's Consumer handles membership, heartbeats and rejoining; our
// assigner plans the assignment, partition-fetcher.ts fetches, and commits are sent here.
import {
  type Admin,
  type BaseOptions,
  type ClusterMetadata,
  ConnectionPool,
  Consumer,
  ListOffsetTimestamps,
  type offsetCommitV9,
} from "@platformatic/kafka";
import { settledWithin } from "../../lib/timeout.ts";
import type { ConsumerInstance, Consumer as SupervisedConsumer } from "../consumer-instance.ts";
import { classify, KafkaFault } from "../faults.ts";
import { type ConsumeOptions, largeFetch } from "../port.ts";
import { type CommittedOffset, partitionKey, type TopicPartition } from "../records.ts";
import type { HalfName } from "../split-fetch.ts";
import { sessionTimeoutMs } from "../supervisor.ts";
import { PartitionFetcher } from "./partition-fetcher.ts";
import { openRequest } from "./requests.ts";

const heartbeatMs = 500;
const rebalanceTimeoutMs = 10_000;
/** How long a closing consumer may finish a join that it has begun: only a member can leave. */
const joinBoundMs = 2000;
/** How soon partitions that were added to a topic are read: requesters may write to them at once. */
const growthCheckMs = 3000; // as with kafkajs: requesters may write to partitions that were added at once
const protocol = { name: "balanced-sticky", version: 1 };

export interface GroupConsumerDeps {
  base: BaseOptions;
  options: ConsumeOptions;
  prefix: string;
  instance: ConsumerInstance;
  admin: Admin;
  /** Of one batch, unpacked. */
  maxBytes: number;
}

interface Membership {
  memberId: string;
  generationId: number;
}

interface AssignedTopic {
  topic: string;
  partitions: number[];
}

export class GroupConsumer implements SupervisedConsumer {
  readonly #consumer: Consumer<Buffer, Buffer, Buffer, Buffer>;
  readonly #pools: Record<HalfName, ConnectionPool>;
  readonly #fetcher: PartitionFetcher;
  readonly #deps: GroupConsumerDeps;
  readonly #started: Promise<void>;
  #member: Membership | undefined;
  #assignerAsked = false;
  /** Partitions of each subscribed topic as of the last join. */
  #counts = new Map<string, number>();

  constructor(deps: GroupConsumerDeps) {
    this.#deps = deps;
    const { base, options, prefix, instance, maxBytes } = deps;
    this.#pools = { active: new ConnectionPool(base.clientId, base), quiet: new ConnectionPool(base.clientId, base) };
    this.#consumer = this.#makeConsumer();
    this.#fetcher = new PartitionFetcher({
      consumer: this.#consumer,
      pools: this.#pools,
      ...{ options, prefix, instance, maxBytes },
    });
    this.#started = this.#start();
    this.#started.catch(instance.fail);
  }

  #makeConsumer(): Consumer<Buffer, Buffer, Buffer, Buffer> {
    const { base, options, prefix, instance } = this.#deps;
    const consumer = new Consumer<Buffer, Buffer, Buffer, Buffer>({
      ...base,
      groupId: prefix + options.group,
      sessionTimeout: sessionTimeoutMs,
      heartbeatInterval: heartbeatMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      protocols: [protocol],
      protocolsMetadata: (_protocols, topics, metadata) => {
        this.#assignerAsked = false;
        for (const topic of topics) this.#counts.set(topic, metadata.topics.get(topic)?.partitionsCount ?? 0);
        return options.assign.userData();
      },
      partitionAssigner: (_self, members, _topics, metadata) => {
        this.#assignerAsked = true;
        return this.#plan([...members.values()], metadata);
      },
    });
    consumer.on("error", instance.fail);
    consumer.on("consumer:heartbeat:end", instance.progress);
    consumer.on("consumer:group:join", ({ memberId, generationId, isLeader, assignments }) => {
      const member = { memberId, generationId: generationId ?? 0 };
      this.#joined(member, isLeader === true, assignments ?? []).catch(instance.fail);
    });
    return consumer;
  }

  async #start(): Promise<void> {
    const { options, prefix, instance, admin } = this.#deps;
    for (const topic of options.topics) this.#consumer.topics.track(prefix + topic);
    const { previousMemberId } = instance;
    if (previousMemberId !== undefined) await leaveFor(admin, prefix + options.group, previousMemberId);
    if (instance.over.aborted) return;
    const growth = setInterval(() => void this.#joinWhereGrown().catch(() => undefined), growthCheckMs);
    instance.over.addEventListener("abort", () => clearInterval(growth));
    await this.#consumer.joinGroup({});
  }

  async #joinWhereGrown(): Promise<void> {
    const topics = [...this.#consumer.topics.current];
    const metadata = await this.#consumer.metadata({ topics, forceUpdate: true });
    const grown = topics.some((topic) => metadata.topics.get(topic)?.partitionsCount !== this.#counts.get(topic));
    if (grown && !this.#deps.instance.over.aborted && this.#member !== undefined) await this.#consumer.joinGroup({});
  }

  #plan(members: { memberId: string; topics?: string[]; metadata?: Buffer | string }[], metadata: ClusterMetadata) {
    const asked = members.map(({ memberId, topics = [], metadata: userData = "" }) => ({
      memberId,
      topics,
      userData: Buffer.from(userData ?? ""),
    }));
    const known = [...metadata.topics].map(([topic, { partitionsCount }]) => {
      return [topic, [...Array(partitionsCount).keys()]] as [string, number[]];
    });
    const plan = this.#deps.options.assign.assign(asked, new Map(known), this.#deps.prefix);
    return members.map(({ memberId }) => ({
      memberId,
      assignments: new Map(
        [...(plan.get(memberId) ?? [])].map(([topic, partitions]) => [topic, { topic, partitions }] as const),
      ),
    }));
  }

  async #joined(member: Membership, isLeader: boolean, given: AssignedTopic[]): Promise<void> {
    const { instance, options, prefix } = this.#deps;
    const mine = isLeader && !this.#assignerAsked ? await this.#alone(member.memberId) : given;
    const isSameMember = this.#member?.memberId === member.memberId;
    this.#member = member;
    const pairs = mine.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })));
    const held = new Set(pairs.map(partitionKey));
    const isRetained = this.#fetcher.retain((key) => isSameMember && held.has(key));
    const fresh = pairs.filter((pair) => !isRetained(pair));
    const assignment = new Map(mine.map(({ topic, partitions }) => [topic.slice(prefix.length), partitions]));
    instance.joined(member.memberId, assignment);
    const offsets = await this.#beginnings(fresh);
    if (this.#member !== member || instance.over.aborted) return; // the next rebalance came first
    const maxBytes = (options.fetch ?? largeFetch).partitionBytes;
    this.#fetcher.add(fresh.map((pair) => ({ ...pair, fetchOffset: offsets.get(partitionKey(pair))!, maxBytes })));
  }

  /** The library assigns everything to a single member, without asking the assigner. */
  async #alone(memberId: string): Promise<AssignedTopic[]> {
    const topics = this.#consumer.topics.current;
    const metadata = await this.#consumer.metadata({ topics: [...topics] });
    const userData = this.#deps.options.assign.userData();
    const [own] = this.#plan([{ memberId, topics: [...topics], metadata: userData }], metadata);
    return [...own!.assignments.values()];
  }

  /** Where to begin: this reader's position, the group's committed offset, the start or the end. */
  async #beginnings(pairs: TopicPartition[]): Promise<Map<string, bigint>> {
    const { instance, options, prefix } = this.#deps;
    const found = new Map<string, bigint>();
    const grouped = [...Map.groupBy(pairs, ({ topic }) => topic)].map(([topic, held]) => ({
      topic,
      partitions: held.map(({ partition }) => partition),
    }));
    if (grouped.length === 0) return found;
    const timestamp = options.from === "earliest" ? ListOffsetTimestamps.EARLIEST : ListOffsetTimestamps.LATEST;
    const [committed, ends] = await Promise.all([
      this.#consumer.listCommittedOffsets({ topics: grouped }),
      this.#consumer.listOffsets({
        topics: grouped.map(({ topic }) => topic),
        partitions: Object.fromEntries(grouped.map(({ topic, partitions }) => [topic, partitions])),
        timestamp,
      }),
    ]);
    for (const { topic, partition } of pairs) {
      const was = instance.positionOf({ topic: topic.slice(prefix.length), partition });
      const saved = committed.get(topic)?.[partition] ?? -1n;
      const beginning = saved >= 0n ? saved : ends.get(topic)![partition]!;
      found.set(partitionKey({ topic, partition }), was ?? beginning);
    }
    return found;
  }

  /** As the current member and generation, never as a later one. */
  async commit(offsets: CommittedOffset[]): Promise<void> {
    const member = this.#member;
    if (member === undefined) throw new KafkaFault("unavailable", "not a member of the group at the moment");
    const { prefix, options } = this.#deps;
    const topics = [...Map.groupBy(offsets, ({ topic }) => topic)].map(([topic, some]) => ({
      name: prefix + topic,
      partitions: some.map(({ partition, offset }) => ({
        partitionIndex: partition,
        committedOffset: offset,
        committedLeaderEpoch: -1,
        committedMetadata: null,
      })),
    }));
    const node = await this.#consumer.findGroupCoordinator();
    const { brokers } = await this.#consumer.metadata({ topics: this.#consumer.topics.current });
    const broker = brokers.get(node);
    if (broker === undefined) throw new KafkaFault("unavailable", "the group's coordinator is not known");
    const to = { client: this.#consumer, name: "OffsetCommit", broker };
    const commit = await openRequest<offsetCommitV9.OffsetCommitRequest, unknown>(to);
    const { fault } = await commit.ask(prefix + options.group, member.generationId, member.memberId, null, topics);
    if (fault !== undefined) throw fault;
  }

  pause({ topic, partition }: TopicPartition): void {
    this.#fetcher.pause({ topic: this.#deps.prefix + topic, partition });
  }

  resume({ topic, partition }: TopicPartition): void {
    this.#fetcher.resume({ topic: this.#deps.prefix + topic, partition });
  }

  async close(): Promise<void> {
    await settledWithin(joinBoundMs, () => this.#started);
    const pools = Object.values(this.#pools).map((pool) => pool.close());
    await Promise.allSettled([this.#consumer.close(true), ...pools]);
  }
}

/** A dead member blocks the group until its session times out. */
async function leaveFor(admin: Admin, groupId: string, memberId: string): Promise<void> {
  try {
    await admin.removeMembersFromConsumerGroup({ groupId, members: [{ memberId }] });
  } catch (error) {
    if (classify(error) === "unavailable" && !mentions(error, "UNKNOWN_MEMBER_ID")) throw error;
  }
}

function mentions(error: unknown, apiId: string): boolean {
  const { apiId: own, errors = [] } = error as { apiId?: string; errors?: unknown[] };
  return own === apiId || errors.some((each) => mentions(each, apiId));
}
