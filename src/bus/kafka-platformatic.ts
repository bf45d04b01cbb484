// The driver @platformatic/kafka. Its Consumer keeps the membership, heartbeats and rejoining included; fetching and committing are done here:
// its stream knows no pause of one partition, and its commit joins the group anew after a rebalance and then commits, as another
// generation, what may be somebody else's by now. No native addon is needed.
// Other traps closed here: its assigner is not asked where a member is alone; partitions out of range are wrapped around instead of
// refused; its own murmur2 runs on BigInt.
import { isIP } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import {
  Admin,
  type BaseOptions,
  type Broker,
  type ClusterMetadata,
  ConfigResourceTypes,
  type Connection,
  ConnectionPool,
  Consumer,
  FetchIsolationLevels,
  IncrementalAlterConfigOperationTypes,
  kGetApi,
  kGetConnection,
  ListOffsetTimestamps,
  ProduceAcks,
  Producer,
  type RecordsBatch,
  type SASLMechanismValue,
} from "@platformatic/kafka";
import { systemClock } from "../clock.ts";
import type { Logger } from "../log.ts";
import { classify, KafkaFault } from "./kafka-faults.ts";
import type { ConsumeOptions, KafkaDriver, KafkaSettings, TopicSpec } from "./kafka-port.ts";
import { ensureTopics, setForTopic, type TopicAdmin } from "./kafka-topics.ts";
import type { CommittedOffset, InRecord, OutRecord, TopicPartition } from "./records.ts";
import { type Life, type Consumer as SupervisedConsumer, sessionTimeoutMs } from "./supervisor.ts";
import { within } from "./within.ts";

const heartbeatMs = 500;
const rebalanceTimeoutMs = 10_000;
/** How long a consumer that is closed may finish a join that it has begun: only a member can leave. */
const joinBoundMs = 2000;
/** How soon partitions are read that were added to a topic. */
const growthCheckMs = 3000; // as with kafkajs: requesters may write to partitions that were added at once
/** Fetching that fails for so long is not tried again on the same consumer. */
const fetchPatienceMs = 30_000;
const maxFetchBytes = 10 * 1024 * 1024;
const maxPartitionBytes = 1024 * 1024;
const protocol = { name: "auth-sticky", version: 1 };

/** Connects lazily; nothing is sent before the first call. */
export function openPlatformatic(settings: KafkaSettings, log: Logger): KafkaDriver {
  const base = baseOptions(settings);
  const { prefix } = settings;
  const producer = new Producer({
    ...base,
    acks: ProduceAcks.ALL,
    idempotent: false,
    repeatOnStaleMetadata: true,
    maxInflights: 1, // a retried batch must not be overtaken
  });
  const admin = new Admin(base);
  for (const client of [producer, admin])
    client.on("error", (error: Error) => log.debug({ err: error }, "platformatic"));

  return {
    produce: (records) => send(producer, records, prefix),
    consumer: (options, life) => new GroupReader({ base, options, prefix, life, admin }),
    partitionsOf: (topic) => knownPartitions(admin, prefix + topic),
    ensureTopics: (specs) => ensureTopics(topicAdmin(admin), specs, prefix),
    async endOffsets(topic) {
      const name = prefix + topic;
      const count = (await metadataOf(admin, [name])).topics.get(name)!.partitionsCount;
      const timestamp = ListOffsetTimestamps.LATEST;
      const partitions = Array.from({ length: count }, (_, partitionIndex) => ({ partitionIndex, timestamp }));
      const [listed] = await admin.listOffsets({ topics: [{ name, partitions }] });
      return new Map(listed!.partitions.map(({ partitionIndex, offset }) => [partitionIndex, offset]));
    },
    ping: async () => void (await admin.metadata({ topics: [], forceUpdate: true })),
    async close() {
      await Promise.allSettled([producer.close(), admin.close()]);
    },
  };
}

function baseOptions({ brokers, clientId, tls, sasl }: KafkaSettings): BaseOptions & { requestTimeout: number } {
  return {
    clientId,
    bootstrapBrokers: brokers,
    connectTimeout: 3000,
    requestTimeout: 15_000,
    timeout: 15_000,
    retries: 3,
    retryDelay: (_client, _operation, attempt) => Math.min(50 * 2 ** (attempt - 1), 400),
    metadataMaxAge: 30_000,
    autocreateTopics: false,
    ...(tls && { tls, tlsServerName: brokers.every((each) => isIP(hostOf(each)) === 0) }), // SNI is for names alone (RFC 6066)
    ...(sasl && { sasl: { ...sasl, mechanism: sasl.mechanism.toUpperCase() as SASLMechanismValue } }),
  };
}

const hostOf = (broker: string): string => broker.slice(0, broker.lastIndexOf(":")).replace(/^\[|\]$/g, "");

/** Without a cache and without retries: one that is not there is an answer. @throws KafkaFault for a topic that is not there */
async function metadataOf(client: Admin | Producer, topics: string[], fresh = true): Promise<ClusterMetadata> {
  try {
    return await client.metadata({ topics: [...topics], ...(fresh && { forceUpdate: true, retries: 0 }) });
  } catch (error) {
    throw unknownTopic(error) ? new KafkaFault("unknown-topic", error) : error;
  }
}

/** The library hides the broker's code behind a sentence. */
function unknownTopic(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("Unknown topic ");
}

async function knownPartitions(admin: Admin, topic: string): Promise<number | undefined> {
  try {
    return (await metadataOf(admin, [topic])).topics.get(topic)?.partitionsCount;
  } catch (error) {
    if (classify(error) === "unknown-topic") return undefined;
    throw error;
  }
}

async function send(producer: Producer, records: OutRecord[], prefix: string): Promise<void> {
  const topics = [...new Set(records.map(({ topic }) => prefix + topic))];
  const metadata = await metadataOf(producer, topics, false);
  const messages = records.map(({ topic, partition, key, value, headers }) => {
    const count = metadata.topics.get(prefix + topic)!.partitionsCount;
    if (partition !== undefined && partition >= count)
      throw new KafkaFault("unknown-topic", `${topic} has ${count} partitions, not ${partition + 1}`);
    return {
      topic: prefix + topic,
      partition: partition ?? (key === null ? Math.floor(Math.random() * count) : partitionOf(key, count)),
      key: key as Buffer,
      value: value as Buffer,
      headers: new Map(Object.entries(headers).flatMap(([name, given]) => entriesOf(name, given))),
    };
  });
  await producer.send({ messages });
}

/** A name of its own for every value: the library keeps headers by name, and two buffers are two names. */
function entriesOf(name: string, given: OutRecord["headers"][string]): [Buffer, Buffer][] {
  return [given].flat().map((value) => [Buffer.from(name), Buffer.isBuffer(value) ? value : Buffer.from(value)]);
}

/** As Kafka's own clients choose it: murmur2 with seed 0x9747b28c, its sign dropped. */
function partitionOf(key: Buffer, count: number): number {
  const factor = 0x5bd1e995;
  let hash = 0x9747b28c ^ key.length;
  const whole = key.length & ~3;
  for (let at = 0; at < whole; at += 4) {
    let word = Math.imul(key.readInt32LE(at), factor);
    word = Math.imul(word ^ (word >>> 24), factor);
    hash = Math.imul(hash, factor) ^ word;
  }
  if (whole < key.length) hash = Math.imul(hash ^ key.readUIntLE(whole, key.length - whole), factor);
  hash = Math.imul(hash ^ (hash >>> 13), factor);
  return ((hash ^ (hash >>> 15)) & 0x7fffffff) % count;
}

interface ReaderParts {
  base: BaseOptions;
  options: ConsumeOptions;
  prefix: string;
  life: Life;
  admin: Admin;
}

interface Membership {
  memberId: string;
  generationId: number;
}

/**
 * One life of a consumer (supervisor.ts). Per broker one fetch is on its way at a time; what it brings counts only for partitions that are
 * still held, not paused, and still wanted from the offset that was asked for. A partition that stays across a rebalance goes on where it is.
 */
class GroupReader implements SupervisedConsumer {
  readonly #consumer: Consumer<Buffer, Buffer, Buffer, Buffer>;
  /** A fetch waits on the broker: heartbeats must not wait behind it. */
  readonly #pool: ConnectionPool;
  readonly #parts: ReaderParts;
  readonly #started: Promise<void>;
  readonly #paused = new Set<string>();
  readonly #fetching = new Set<number>();
  /** What is held: topic/partition on the broker -> the next offset to fetch. */
  #positions = new Map<string, { topic: string; partition: number; offset: bigint }>();
  #member: Membership | undefined;
  #assignerAsked = false;
  /** Partitions of each subscribed topic as of the last join. */
  #counts = new Map<string, number>();

  constructor(parts: ReaderParts) {
    this.#parts = parts;
    const { base, options, prefix, life } = parts;
    this.#pool = new ConnectionPool(base.clientId, base);
    this.#consumer = new Consumer({
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
    this.#consumer.on("error", life.fail);
    this.#consumer.on("consumer:heartbeat:end", life.progress);
    this.#consumer.on("consumer:group:join", ({ memberId, generationId, isLeader, assignments }) => {
      this.#joined({ memberId, generationId: generationId ?? 0 }, isLeader === true, assignments ?? []).catch(
        life.fail,
      );
    });
    this.#started = this.#start();
    this.#started.catch(life.fail);
  }

  async #start(): Promise<void> {
    const { options, prefix, life, admin } = this.#parts;
    for (const topic of options.topics) this.#consumer.topics.track(prefix + topic);
    if (life.formerMember !== undefined) await leaveFor(admin, prefix + options.group, life.formerMember);
    if (life.over.aborted) return;
    const growth = setInterval(() => void this.#joinWhereGrown().catch(() => undefined), growthCheckMs);
    life.over.addEventListener("abort", () => clearInterval(growth));
    await this.#consumer.joinGroup({});
  }

  async #joinWhereGrown(): Promise<void> {
    const topics = [...this.#consumer.topics.current];
    const metadata = await this.#consumer.metadata({ topics, forceUpdate: true });
    const grown = topics.some((topic) => metadata.topics.get(topic)?.partitionsCount !== this.#counts.get(topic));
    if (grown && !this.#over && this.#member !== undefined) await this.#consumer.joinGroup({});
  }

  #plan(members: { memberId: string; topics?: string[]; metadata?: Buffer | string }[], metadata: ClusterMetadata) {
    const asked = members.map(({ memberId, topics = [], metadata: userData = "" }) => ({
      memberId,
      topics,
      userData: Buffer.from(userData ?? ""),
    }));
    const known = [...metadata.topics].map(([topic, { partitionsCount }]) => [topic, range(partitionsCount)] as const);
    const plan = this.#parts.options.assign.assign(asked, new Map(known), this.#parts.prefix);
    return members.map(({ memberId }) => ({
      memberId,
      assignments: new Map(
        [...(plan.get(memberId) ?? [])].map(([topic, partitions]) => [topic, { topic, partitions }] as const),
      ),
    }));
  }

  async #joined(
    member: Membership,
    isLeader: boolean,
    given: { topic: string; partitions: number[] }[],
  ): Promise<void> {
    const { life, prefix } = this.#parts;
    const mine = isLeader && !this.#assignerAsked ? await this.#alone(member.memberId) : given;
    const stays = this.#member?.memberId === member.memberId ? this.#positions : new Map<string, never>();
    this.#member = member;
    const pairs = mine.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })));
    const fresh = pairs.filter((pair) => !stays.has(idOf(pair)));
    this.#positions = new Map([...stays].filter(([id]) => pairs.some((pair) => idOf(pair) === id)));
    for (const id of this.#paused) if (!this.#positions.has(id)) this.#paused.delete(id);
    life.joined(
      member.memberId,
      new Map(mine.map(({ topic, partitions }) => [topic.slice(prefix.length), partitions])),
    );
    const offsets = await this.#beginnings(fresh);
    if (this.#member !== member || life.over.aborted) return; // the next rebalance was faster
    for (const pair of fresh) this.#positions.set(idOf(pair), { ...pair, offset: offsets.get(idOf(pair))! });
    this.#fetchAll();
  }

  /** The library gives a member that is alone everything, whatever the assigner would have said. */
  async #alone(memberId: string): Promise<{ topic: string; partitions: number[] }[]> {
    const topics = this.#consumer.topics.current;
    const metadata = await this.#consumer.metadata({ topics: [...topics] });
    const userData = this.#parts.options.assign.userData();
    const [own] = this.#plan([{ memberId, topics: [...topics], metadata: userData }], metadata);
    return [...own!.assignments.values()];
  }

  /** Where to begin: where this reader was, what the group has committed, the start or the end. */
  async #beginnings(pairs: TopicPartition[]): Promise<Map<string, bigint>> {
    const { life, options, prefix } = this.#parts;
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
    for (const { topic, partitions } of grouped) {
      for (const partition of partitions) {
        const was = life.positionOf({ topic: topic.slice(prefix.length), partition });
        const saved = committed.get(topic)?.[partition] ?? -1n;
        found.set(idOf({ topic, partition }), was ?? (saved >= 0n ? saved : ends.get(topic)![partition]!));
      }
    }
    return found;
  }

  #fetchAll(): void {
    const patience = makePatience();
    const begin = (): void => {
      this.#leaders().then(
        (leaders) => {
          for (const node of leaders.keys()) if (!this.#fetching.has(node)) void this.#fetchFrom(node);
        },
        (error: unknown) => this.#fetchFailed(error, patience).then(() => this.#over || begin()),
      );
    };
    begin();
  }

  get #over(): boolean {
    return this.#parts.life.over.aborted;
  }

  /** Leader -> what is to be fetched from it now. */
  async #leaders(): Promise<Map<number, Wanted[]>> {
    const wanted = [...this.#positions].filter(([id]) => !this.#paused.has(id)).map(([, each]) => each);
    if (wanted.length === 0) return new Map();
    const { topics } = await this.#consumer.metadata({ topics: [...new Set(wanted.map(({ topic }) => topic))] });
    const placed = wanted.map((each) => {
      const { id, partitions } = topics.get(each.topic)!;
      return { ...each, topicId: id, leader: partitions[each.partition]?.leader ?? -1 };
    });
    return Map.groupBy(placed, ({ leader }) => leader);
  }

  /** Fetches from one broker until there is nothing to fetch from it any more. */
  async #fetchFrom(node: number): Promise<void> {
    this.#fetching.add(node);
    const patience = makePatience();
    while (!this.#over) {
      try {
        const wanted = (await this.#leaders()).get(node);
        if (wanted === undefined || this.#over) break;
        this.#take(await this.#fetch(node, wanted), wanted);
        patience.succeeded();
      } catch (error) {
        await this.#fetchFailed(error, patience);
      }
    }
    this.#fetching.delete(node);
    if (!this.#over && (await this.#leaders().catch(() => new Map())).size > this.#fetching.size) this.#fetchAll();
  }

  #fetch(node: number, wanted: Wanted[]): Promise<FetchResponse> {
    const topics = [...Map.groupBy(wanted, ({ topicId }) => topicId)].map(([topicId, held]) => ({
      topicId,
      partitions: held.map(({ partition, offset }) => ({
        partition,
        fetchOffset: offset,
        currentLeaderEpoch: -1,
        lastFetchedEpoch: -1,
        partitionMaxBytes: maxPartitionBytes,
      })),
    }));
    return this.#consumer.fetch({
      node,
      topics,
      minBytes: 1,
      maxBytes: maxFetchBytes,
      maxWaitTime: this.#parts.options.maxWaitMs ?? 250,
      isolationLevel: FetchIsolationLevels.READ_COMMITTED,
      connectionPool: this.#pool,
    });
  }

  #take({ responses }: FetchResponse, wanted: Wanted[]): void {
    const { life, prefix } = this.#parts;
    life.progress();
    const asked = new Map(wanted.map((each) => [`${each.topicId}/${each.partition}`, each]));
    for (const { topicId, partitions } of responses) {
      for (const { partitionIndex, records: batches, highWatermark } of partitions) {
        const want = asked.get(`${topicId}/${partitionIndex}`);
        const last = batches?.at(-1);
        if (want === undefined || last === undefined) continue;
        const id = idOf(want);
        if (this.#over || this.#paused.has(id) || this.#positions.get(id)?.offset !== want.offset) continue;
        const next = last.firstOffset + BigInt(last.lastOffsetDelta) + 1n;
        this.#positions.set(id, { topic: want.topic, partition: want.partition, offset: next });
        const place = { topic: want.topic.slice(prefix.length), partition: want.partition };
        const records = batches!.flatMap((batch) => recordsOf(batch, place, want.offset));
        life.records(records, place, { highWatermark, next });
      }
    }
  }

  /** Waits before the next try; an offset that the broker no longer has begins anew where the group would begin. */
  async #fetchFailed(error: unknown, patience: Patience): Promise<void> {
    if (this.#over) return;
    const failingMs = patience.failed();
    if (failingMs > fetchPatienceMs) this.#parts.life.fail(error);
    this.#consumer.clearMetadata();
    await this.#startOver(error).catch(() => undefined);
    await sleep(Math.min(50 + failingMs / 4, 1000));
  }

  async #startOver(error: unknown): Promise<void> {
    const outOfRange = 1;
    const { response } = error as { response?: FetchResponse };
    const wrong = response?.responses
      ?.flatMap(({ partitions }) => partitions)
      .filter((p) => p.errorCode === outOfRange);
    if (wrong === undefined || wrong.length === 0) return;
    const held = [...this.#positions.values()];
    const topics = [...new Set(held.map(({ topic }) => topic))];
    const timestamps = [ListOffsetTimestamps.EARLIEST, ListOffsetTimestamps.LATEST];
    const [starts, ends] = await Promise.all(
      timestamps.map((timestamp) => this.#consumer.listOffsets({ topics: [...topics], timestamp })),
    );
    for (const { topic, partition, offset } of held) {
      const [start, end] = [starts!.get(topic)![partition]!, ends!.get(topic)![partition]!];
      if (offset >= start && offset <= end) continue;
      const begin = this.#parts.options.from === "earliest" ? start : end;
      this.#positions.set(idOf({ topic, partition }), { topic, partition, offset: begin });
    }
  }

  /** As the member and the generation that has joined, never as a later one. */
  async commit(offsets: CommittedOffset[]): Promise<void> {
    const member = this.#member;
    if (member === undefined) throw new KafkaFault("unavailable", "not a member of the group at the moment");
    const { prefix, options } = this.#parts;
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
    const [api, connection] = await Promise.all([this.#commitApi(), this.#connection(broker)]);
    await promised<unknown>((done) =>
      api(connection, prefix + options.group, member.generationId, member.memberId, null, topics, done),
    );
  }

  #commitApi(): Promise<OffsetCommit> {
    return promised((done) => this.#consumer[kGetApi]("OffsetCommit", done as never)) as Promise<OffsetCommit>;
  }

  #connection(broker: Broker): Promise<Connection> {
    return promised((done) => this.#consumer[kGetConnection](broker, done));
  }

  pause({ topic, partition }: TopicPartition): void {
    this.#paused.add(idOf({ topic: this.#parts.prefix + topic, partition }));
  }

  resume({ topic, partition }: TopicPartition): void {
    if (this.#paused.delete(idOf({ topic: this.#parts.prefix + topic, partition }))) this.#fetchAll();
  }

  async close(): Promise<void> {
    await within(joinBoundMs, () => this.#started);
    await Promise.allSettled([this.#consumer.close(true), this.#pool.close()]);
  }
}

interface Patience {
  /** @returns for how long it has been failing, ms */
  failed(): number;
  succeeded(): void;
}

function makePatience(): Patience {
  let since: number | undefined;
  return {
    failed() {
      const now = systemClock.monotonic();
      since ??= now;
      return now - since;
    },
    succeeded() {
      since = undefined;
    },
  };
}

type FetchResponse = Awaited<ReturnType<Consumer["fetch"]>> & object;

type Wanted = TopicPartition & { topicId: string; leader: number; offset: bigint };

type Done<T> = (error: Error | null, result?: T) => void;

type OffsetCommit = (
  connection: Connection,
  group: string,
  generation: number,
  member: string,
  instance: null,
  topics: object[],
  done: Done<unknown>,
) => void;

function promised<T>(run: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    run((error, result) => (error ? reject(error) : resolve(result as T)));
  });
}

/** A member that died holds the group up until its session ends. */
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

const isControl = 1 << 5;
const isLogAppendTime = 1 << 3;

function recordsOf(batch: RecordsBatch, place: TopicPartition, from: bigint): InRecord[] {
  if (batch.attributes & isControl) return [];
  return batch.records.flatMap((record) => {
    const offset = batch.firstOffset + BigInt(record.offsetDelta);
    if (offset < from) return []; // a batch comes whole
    const time = batch.attributes & isLogAppendTime ? batch.maxTimestamp : batch.firstTimestamp + record.timestampDelta;
    const { key, value } = record as { key: Buffer | null; value: Buffer | null };
    return [{ ...place, offset, timestamp: Number(time), key, value, headers: headersOf(record.headers) }];
  });
}

/** A header given twice has its values in a list; one without a value is none. */
function headersOf(entries: unknown): InRecord["headers"] {
  const values = new Map<string, Buffer[]>();
  for (const [name, value] of entries as [Buffer, Buffer | null][]) {
    if (value === null) continue;
    const given = values.get(name.toString());
    if (given) given.push(value);
    else values.set(name.toString(), [value]);
  }
  return Object.fromEntries([...values].map(([name, given]) => [name, given.length === 1 ? given[0]! : given]));
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}

function idOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

const resourceType = ConfigResourceTypes.TOPIC;

function topicAdmin(admin: Admin): TopicAdmin {
  return {
    list: () => admin.listTopics(),
    async create(specs) {
      await Promise.all([...Map.groupBy(specs, ({ config }) => JSON.stringify(config)).values()].map(createAlike));
    },
    async leaders(names) {
      const { topics } = await metadataOf(admin, names);
      return new Map([...topics].map(([topic, { partitions }]) => [topic, partitions.map(({ leader }) => leader)]));
    },
    async grow(topics) {
      await admin.createPartitions({
        topics: topics.map(({ topic, partitions }) => ({ name: topic, count: partitions })),
      });
    },
    async configs(topics) {
      const described = await admin.describeConfigs({
        resources: topics.map((resourceName) => ({ resourceType, resourceName })),
      });
      return new Map(
        described.map(({ resourceName, configs }) => [
          resourceName,
          configs.map(({ name, value = null, configSource }) => ({ name, value, own: configSource === setForTopic })),
        ]),
      );
    },
    async configure(changes) {
      const configOperation = IncrementalAlterConfigOperationTypes.SET;
      await admin.incrementalAlterConfigs({
        resources: changes.map(({ topic, different }) => ({
          resourceType,
          resourceName: topic,
          configs: different.map(([name, value]) => ({ name, value, configOperation })),
        })),
      });
    },
  };

  async function createAlike(specs: TopicSpec[]): Promise<void> {
    await admin.createTopics({
      topics: specs.map(({ topic, partitions, replication }) => ({ topic, partitions, replicas: replication || -1 })),
      configs: Object.entries(specs[0]!.config).map(([name, value]) => ({ name, value })),
    });
  }
}
