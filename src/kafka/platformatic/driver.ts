// The driver @platformatic/kafka. Its Consumer keeps the membership, heartbeats and rejoining included; producing,
// fetching and committing are done here, over its connections and its protocol (no native addon is needed). Traps
// closed by that:
// - its stream knows no pause of one partition; its fetch names every partition held each time, and one that fails
//   hides all others' records.
// - its commit joins the group anew after a rebalance and then commits, as another generation, what may be somebody
//   else's by now.
// - its producer sends all of a broker's records to where the first one's leader is, wraps partitions out of range
//   around instead of refusing them, and keeps what it knows of partitions for half a minute while others were added;
//   its murmur2 runs on BigInt.
// - its assigner is not asked where a member is alone.
import { isIP } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import {
  Admin,
  type API,
  type Base,
  type BaseOptions,
  type Broker,
  type ClusterMetadata,
  ConfigResourceTypes,
  type Connection,
  ConnectionPool,
  Consumer,
  FetchIsolationLevels,
  type fetchV17,
  IncrementalAlterConfigOperationTypes,
  kGetApi,
  kGetConnection,
  ListOffsetTimestamps,
  type offsetCommitV9,
  ProduceAcks,
  type produceV11,
  protocolErrorsCodesById,
  type Reader,
  type SASLMechanismValue,
} from "@platformatic/kafka";
import { systemClock } from "../../lib/clock.ts";
import { settledWithin } from "../../lib/timeout.ts";
import type { Logger } from "../../runtime/log.ts";
import { appendOf, type PartitionAppend } from "../broker-clock.ts";
import { deliver } from "../deliver.ts";
import { classify, KafkaFault } from "../faults.ts";
import { type RawFetchAnswer, type RawFetchedPartition, readFetchAnswer } from "../fetch-response.ts";
import { type FetchPartition, type FetchTopic, isRefusal, type SessionRequest } from "../fetch-session.ts";
import { partitionOf } from "../partition-for-key.ts";
import { type ConsumeOptions, type KafkaDriver, type KafkaSettings, largeFetch, type TopicSpec } from "../port.ts";
import { hideAborted, splitBatches, usualUnpackedBytes } from "../record-batch.ts";
import type { CommittedOffset, OutRecord, TopicPartition } from "../records.ts";
import { type Fetched, type HalfName, makeSplitFetch, type SplitFetch } from "../split-fetch.ts";
import { type ConsumerInstance, type Consumer as SupervisedConsumer, sessionTimeoutMs } from "../supervisor.ts";
import { describeTopics, ensureTopics, setForTopic, type TopicAdmin } from "../topics.ts";

const requestTimeoutMs = 15_000;
const heartbeatMs = 500;
const rebalanceTimeoutMs = 10_000;
/** How long a consumer that is closed may finish a join that it has begun: only a member can leave. */
const joinBoundMs = 2000;
/** How soon partitions are read that were added to a topic. */
const growthCheckMs = 3000; // as with kafkajs: requesters may write to partitions that were added at once
/** Fetching that fails for so long is not tried again on the same consumer. */
const fetchPatienceMs = 30_000;
/** How soon a partition is asked for again that has no leader, or whose leader does not let it be read. */
const lookAgainMs = 200;
/** Later versions of Fetch name a topic by its id. */
const lastFetchByName = 12;
const protocol = { name: "balanced-sticky", version: 1 };

/** Connects lazily; nothing is sent before the first call. */
export function openPlatformatic(settings: KafkaSettings, log: Logger): KafkaDriver {
  const base = baseOptions(settings);
  const { prefix } = settings;
  const [writer, admin] = [new Admin(base), new Admin(base)]; // a broker answers a connection's requests one after the other
  for (const client of [writer, admin]) client.on("error", (error: Error) => log.debug({ err: error }, "platformatic"));

  return {
    async produce(records) {
      const sentAt = systemClock.now();
      const appends = await send(writer, records, prefix);
      const append = appendOf({ sentAt, ackedAt: systemClock.now() }, appends, prefix);
      if (append !== undefined) settings.appended?.(append);
    },
    consumer(options, instance) {
      const maxBytes = settings.unpackedBytes ?? usualUnpackedBytes;
      return new GroupReader({ base, options, prefix, instance, admin, maxBytes });
    },
    partitionsOf: (topic) => knownPartitions(admin, prefix + topic),
    ensureTopics: (specs) => ensureTopics(topicAdmin(admin), specs, prefix),
    describeTopics: (topics) => describeTopics(topicAdmin(admin), topics, prefix),
    async committedOffsets(group, topics) {
      if (topics.length === 0) return new Map();
      const { topics: known } = await metadataOf(
        admin,
        topics.map((topic) => prefix + topic),
      );
      const asked = [...known].map(([name, each]) => ({ name, partitionIndexes: range(each.partitionsCount) }));
      const [answer] = await admin.listConsumerGroupOffsets({ groups: [{ groupId: prefix + group, topics: asked }] });
      return new Map(
        (answer?.topics ?? []).map(({ name, partitions }) => [name.slice(prefix.length), committed(partitions)]),
      );
    },
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
      await Promise.allSettled([writer.close(), admin.close()]);
    },
  };
}

/** -1 stands for none. */
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
    ...(tls && { tls, tlsServerName: brokers.every((each) => isIP(hostOf(each)) === 0) }), // SNI is for names alone (RFC 6066)
    ...(sasl && { sasl: { ...sasl, mechanism: sasl.mechanism.toUpperCase() as SASLMechanismValue } }),
  };
}

const hostOf = (broker: string): string => broker.slice(0, broker.lastIndexOf(":")).replace(/^\[|\]$/g, "");

/**
 * Without a cache and without retries: one that is not there is an answer.
 * @throws KafkaFault for a topic that is not there
 */
async function metadataOf(client: Admin, topics: string[], fresh = true): Promise<ClusterMetadata> {
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

const tries = 4;
const firstPauseMs = 50;

/**
 * Tries again what was not acknowledged, partition by partition: a leader that has moved, a partition that is not known
 * yet.
 * @returns the broker's time of each append, where its topic takes that; topics are those on the broker
 */
async function send(writer: Admin, records: OutRecord[], prefix: string): Promise<PartitionAppend[]> {
  let rest = records.map((record) => ({ ...record, topic: prefix + record.topic }));
  const appends: PartitionAppend[] = [];
  for (let attempt = 1; ; attempt += 1) {
    try {
      const placed = await place(writer, rest, attempt > 1);
      const answers = await Promise.all([...placed].map(([node, some]) => sendTo(writer, node, some)));
      appends.push(...answers.flatMap((answer) => answer.appends));
      const failed = answers.flatMap(({ fault, left }) => (fault === undefined ? [] : [{ fault, left }]));
      if (failed.length === 0) return appends;
      rest = failed.flatMap(({ left }) => left);
      throw (failed.find(({ fault }) => !mayPass(fault)) ?? failed[0]!).fault;
    } catch (error) {
      if (attempt === tries || !mayPass(error)) throw error;
      await sleep(firstPauseMs * 2 ** (attempt - 1));
    }
  }
}

function mayPass(fault: unknown): boolean {
  const kind = classify(fault);
  return kind === "unavailable" || kind === "unknown-topic";
}

/** Leader -> what goes there. @throws KafkaFault for a topic or a partition that is not there */
async function place(writer: Admin, records: OutRecord[], fresh: boolean): Promise<Map<Broker, Placed[]>> {
  const metadata = await metadataOf(writer, [...new Set(records.map(({ topic }) => topic))], fresh);
  const placed = new Map<Broker, Placed[]>();
  for (const record of records) {
    const { partitionsCount: count, partitions } = metadata.topics.get(record.topic)!;
    const {
      topic,
      key,
      partition = key === null ? Math.floor(Math.random() * count) : partitionOf(key, count),
    } = record;
    if (partition >= count) {
      if (fresh) throw new KafkaFault("unknown-topic", `${topic} has ${count} partitions, not ${partition + 1}`);
      return place(writer, records, true);
    }
    const broker = metadata.brokers.get(partitions[partition]!.leader);
    if (broker === undefined) throw new KafkaFault("unavailable", `${topic}/${partition} has no leader at the moment`);
    const some = placed.get(broker);
    if (some) some.push({ ...record, partition });
    else placed.set(broker, [{ ...record, partition }]);
  }
  return placed;
}

type Placed = OutRecord & { partition: number };

interface Sent {
  appends: PartitionAppend[];
  fault: unknown;
  /** What a broker has not acknowledged. */
  left: OutRecord[];
}

/** Never rejects: what another broker has taken must not be sent again. */
async function sendTo(writer: Admin, broker: Broker, records: Placed[]): Promise<Sent> {
  const messages = records.map(({ topic, partition, key, value, headers }) => {
    return { topic, partition, key: key as Buffer, value: value as Buffer, headers: headerMap(headers) };
  });
  const opening = open<produceV11.ProduceRequest, produceV11.ProduceResponse>(writer, "Produce", broker);
  const { answer, fault } = await opening.then(
    (produce) => produce.ask(ProduceAcks.ALL, requestTimeoutMs, messages, {}),
    (fault: unknown) => ({ answer: undefined, fault }),
  );
  const taken = new Set<string>();
  const appends: PartitionAppend[] = [];
  for (const { name, partitionResponses } of answer?.responses ?? []) {
    for (const { index, errorCode, logAppendTimeMs } of partitionResponses) {
      if (errorCode !== 0) continue;
      if (fault !== undefined) taken.add(idOf({ topic: name, partition: index }));
      if (logAppendTimeMs > 0n) appends.push({ topic: name, partition: index, at: Number(logAppendTimeMs) });
    }
  }
  return { appends, fault, left: fault === undefined ? [] : records.filter((each) => !taken.has(idOf(each))) };
}

interface Opened<Request extends unknown[], Answer> {
  version: number;
  /** An answer with faults in it comes with the first of them. */
  ask(...request: Request): Promise<{ answer?: Answer; fault?: unknown }>;
}

interface Opening {
  /** Default: the client's own connections. */
  pool?: ConnectionPool;
  /** What the request is sent by instead of the connection. */
  wrap?(connection: Connection): Connection;
}

/** One kind of request to one broker, in the newest version that both sides know. */
async function open<Request extends unknown[], Answer>(
  client: Base,
  name: string,
  broker: Broker,
  { pool, wrap = (connection) => connection }: Opening = {},
): Promise<Opened<Request, Answer>> {
  const [api, connection] = await Promise.all([
    promised<API<Request, Answer>>((done) => client[kGetApi]<Request, Answer>(name, done)),
    promised<Connection>((done) => (pool ? pool.get(broker, done) : client[kGetConnection](broker, done))),
  ]);
  return {
    version: api.version,
    ask: (...request) =>
      promised<Answer>((done) => api(wrap(connection), ...request, done)).then(
        (answer) => ({ answer }),
        (fault: { response?: Answer }) => ({ fault, ...(fault.response && { answer: fault.response }) }),
      ),
  };
}

type Send = Connection["send"];

/** The library's own reader of an answer unpacks every batch in it at once, and without a bound. */
function withRawAnswers(connection: Connection): Connection {
  const read = (
    _correlationId: number,
    _apiKey: number,
    version: number,
    { buffer, position }: Reader,
  ): RawFetchAnswer => readFetchAnswer(version, buffer.slice(position));
  const send = (...[key, version, payload, , ...rest]: Parameters<Send>): void =>
    connection.send(key, version, payload, read as never, ...rest);
  return { send } as unknown as Connection;
}

type Done<T> = (error: Error | null, result?: T) => void;

function promised<T>(run: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    run((error, result) => (error ? reject(error) : resolve(result as T)));
  });
}

/** By name and by the name's bytes: the library takes both, and makes the bytes of a text anew each time. */
const headerNames = new Map<string, Buffer>();
const mostHeaderNames = 1000;

function bytesOf(name: string): Buffer {
  const known = headerNames.get(name);
  if (known !== undefined) return known;
  if (headerNames.size >= mostHeaderNames) headerNames.clear(); // foreign names must not fill the memory
  const bytes = Buffer.from(name);
  headerNames.set(name, bytes);
  return bytes;
}

/**
 * A header with several values has a name of its own for each: the library keeps headers by name, and two buffers are
 * two names.
 */
function headerMap(headers: OutRecord["headers"]): Map<Buffer, Buffer> {
  const map = new Map<Buffer, Buffer>();
  for (const name in headers) {
    const given = headers[name]!;
    if (Array.isArray(given)) for (const value of given) map.set(Buffer.from(name), value);
    else map.set(bytesOf(name), typeof given === "string" ? Buffer.from(given) : given);
  }
  return map;
}

interface ReaderDeps {
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

/**
 * One life of a consumer (supervisor.ts). What a fetch brings counts only for partitions that are still held, not
 * paused, and still wanted from the offset that was asked for. A partition that stays across a rebalance goes on where
 * it is.
 */
class GroupReader implements SupervisedConsumer {
  readonly #consumer: Consumer<Buffer, Buffer, Buffer, Buffer>;
  /** A fetch waits on the broker: neither heartbeats nor the other half's fetches must wait behind it. */
  readonly #pools: Record<HalfName, ConnectionPool>;
  readonly #parts: ReaderDeps;
  readonly #started: Promise<void>;
  readonly #paused = new Set<string>();
  readonly #fetching = new Set<number>();
  /** What is held: topic/partition on the broker -> the next offset to fetch. */
  #positions = new Map<string, Position>();
  /** Grows with every change of what is to be fetched, or where. */
  #layout = 0;
  /** Partitions that a broker has refused to read since when, ms; they are left out for a moment each time. */
  readonly #refused = new Map<string, number>();
  readonly #resting = new Set<string>();
  #member: Membership | undefined;
  #assignerAsked = false;
  /** Partitions of each subscribed topic as of the last join. */
  #counts = new Map<string, number>();

  constructor(parts: ReaderDeps) {
    this.#parts = parts;
    const { base, options, prefix, instance } = parts;
    this.#pools = { active: new ConnectionPool(base.clientId, base), quiet: new ConnectionPool(base.clientId, base) };
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
    this.#consumer.on("error", instance.fail);
    this.#consumer.on("consumer:heartbeat:end", instance.progress);
    this.#consumer.on("consumer:group:join", ({ memberId, generationId, isLeader, assignments }) => {
      this.#joined({ memberId, generationId: generationId ?? 0 }, isLeader === true, assignments ?? []).catch(
        instance.fail,
      );
    });
    this.#started = this.#start();
    this.#started.catch(instance.fail);
  }

  async #start(): Promise<void> {
    const { options, prefix, instance, admin } = this.#parts;
    for (const topic of options.topics) this.#consumer.topics.track(prefix + topic);
    if (instance.previousMemberId !== undefined)
      await leaveFor(admin, prefix + options.group, instance.previousMemberId);
    if (instance.over.aborted) return;
    const growth = setInterval(() => void this.#joinWhereGrown().catch(() => undefined), growthCheckMs);
    instance.over.addEventListener("abort", () => clearInterval(growth));
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
    const { instance, options, prefix } = this.#parts;
    const mine = isLeader && !this.#assignerAsked ? await this.#alone(member.memberId) : given;
    const stays = this.#member?.memberId === member.memberId ? this.#positions : new Map<string, never>();
    this.#member = member;
    const pairs = mine.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })));
    const fresh = pairs.filter((pair) => !stays.has(idOf(pair)));
    const held = new Set(pairs.map(idOf));
    this.#positions = new Map([...stays].filter(([id]) => held.has(id)));
    this.#paused.clear();
    instance.joined(
      member.memberId,
      new Map(mine.map(({ topic, partitions }) => [topic.slice(prefix.length), partitions])),
    );
    const offsets = await this.#beginnings(fresh);
    if (this.#member !== member || instance.over.aborted) return; // the next rebalance was faster
    const maxBytes = (options.fetch ?? largeFetch).partitionBytes;
    for (const pair of fresh)
      this.#positions.set(idOf(pair), { ...pair, fetchOffset: offsets.get(idOf(pair))!, maxBytes });
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
    const { instance, options, prefix } = this.#parts;
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
        const was = instance.positionOf({ topic: topic.slice(prefix.length), partition });
        const saved = committed.get(topic)?.[partition] ?? -1n;
        found.set(idOf({ topic, partition }), was ?? (saved >= 0n ? saved : ends.get(topic)![partition]!));
      }
    }
    return found;
  }

  /** Says that what is to be fetched, or where, has changed. */
  #fetchAll(): void {
    this.#layout += 1;
    this.#begin();
  }

  /** Wherever something is to be fetched and nobody does. */
  #begin(patience = makePatience()): void {
    if (this.#over) return;
    this.#leaders().then(
      (leaders) => {
        for (const node of leaders.keys()) if (!this.#fetching.has(node)) void this.#fetchFrom(node);
      },
      (error: unknown) => this.#fetchFailed(error, patience).then(() => this.#begin(patience)),
    );
  }

  get #over(): boolean {
    return this.#parts.instance.over.aborted;
  }

  /** Leader -> what is to be fetched from it now. What has none is looked for again. */
  async #leaders(): Promise<Map<number, { broker: Broker; wanted: Wanted[] }>> {
    const wanted = [...this.#positions].flatMap(([id, each]) =>
      this.#paused.has(id) || this.#resting.has(id) ? [] : [each],
    );
    const leaders = new Map<number, { broker: Broker; wanted: Wanted[] }>();
    if (wanted.length === 0) return leaders;
    const { topics, brokers } = await this.#consumer.metadata({ topics: this.#consumer.topics.current });
    for (const position of wanted) {
      const { topic, partition } = position;
      const known = topics.get(topic);
      const leader = known?.partitions[partition]?.leader ?? -1;
      const broker = brokers.get(leader);
      if (broker === undefined) {
        this.#rest(position, this.#lookAgain());
        continue;
      }
      const some = leaders.get(leader) ?? { broker, wanted: [] };
      some.wanted.push({ topic, topicId: known!.id, position });
      leaders.set(leader, some);
    }
    return leaders;
  }

  /** Fetches from one broker until there is nothing to fetch from it any more. */
  async #fetchFrom(node: number): Promise<void> {
    this.#fetching.add(node);
    const patience = makePatience();
    let leg: Leg | undefined;
    const split: SplitFetch<bigint, FetchAnswer> = makeSplitFetch((half, request, waitMs) =>
      this.#ask(leg!.broker, half, request, waitMs),
    );
    while (!this.#over) {
      try {
        if (leg?.layout !== this.#layout) leg = await this.#leg(node);
        if (leg === undefined || this.#over) break;
        const fetched = await split.next(leg.topics, this.#parts.options.maxWaitMs ?? 250);
        if (fetched === undefined) continue;
        this.#parts.instance.progress();
        patience.succeeded();
        await this.#take(fetched, leg, split);
      } catch (error) {
        leg = undefined;
        await this.#fetchFailed(error, patience);
      }
    }
    this.#fetching.delete(node);
    this.#fetchAll(); // what it had may be with a leader that is fetched from already
  }

  async #leg(node: number): Promise<Leg | undefined> {
    const layout = this.#layout;
    const found = (await this.#leaders()).get(node);
    if (found === undefined) return undefined;
    const { broker, wanted } = found;
    const { version } = await this.#fetchRequest(broker, "active");
    const topics = Map.groupBy(wanted, ({ topic, topicId }) => (version > lastFetchByName ? topicId : topic));
    return {
      broker,
      layout,
      topics: [...topics].map(([topic, some]) => ({ topic, partitions: some.map(({ position }) => position) })),
      names: new Map([...topics].map(([name, some]) => [name, some[0]!.topic])),
    };
  }

  #fetchRequest(broker: Broker, half: HalfName) {
    type Request = fetchV17.FetchRequest;
    return open<Request, RawFetchAnswer>(this.#consumer, "Fetch", broker, {
      pool: this.#pools[half],
      wrap: withRawAnswers,
    });
  }

  async #ask(broker: Broker, half: HalfName, request: SessionRequest<bigint>, waitMs: number): Promise<FetchAnswer> {
    const fetch = await this.#fetchRequest(broker, half);
    const topics = request.topics.map(({ topic, partitions }) => ({
      topicId: topic,
      partitions: partitions.map(({ partition, fetchOffset, maxBytes }) => ({
        partition,
        fetchOffset,
        currentLeaderEpoch: -1,
        lastFetchedEpoch: -1,
        partitionMaxBytes: maxBytes,
      })),
    }));
    const { bytes } = this.#parts.options.fetch ?? largeFetch;
    const isolation = FetchIsolationLevels.READ_COMMITTED;
    const { sessionId, sessionEpoch } = request;
    const { answer, fault } = await fetch.ask(
      waitMs,
      1,
      bytes,
      isolation,
      sessionId,
      sessionEpoch,
      topics,
      request.forgottenTopics,
      "",
    );
    if (answer === undefined) throw fault;
    if (answer.errorCode !== 0 && !isRefusal(answer)) {
      const apiId = protocolErrorsCodesById[answer.errorCode as keyof typeof protocolErrorsCodesById];
      throw new KafkaFault(classify({ apiId }), apiId);
    }
    return answer;
  }

  /** Hands over what came. */
  async #take(
    { answer, askedFrom }: Fetched<bigint, FetchAnswer>,
    leg: Leg,
    split: SplitFetch<bigint, FetchAnswer>,
  ): Promise<void> {
    for (const { topic: name, partitions } of answer.topics) {
      const topic = leg.names.get(name);
      if (topic === undefined) continue;
      for (const fetched of partitions) {
        const position = this.#positions.get(idOf({ topic, partition: fetched.partition }));
        if (position === undefined || !this.#isWanted(position, askedFrom(name, fetched.partition))) continue;
        if (fetched.errorCode !== 0) {
          this.#refusedBy(fetched.errorCode, position);
          continue;
        }
        this.#refused.delete(idOf(position));
        if (fetched.records.length === 0) continue;
        split.brought(name, fetched.partition);
        await this.#deliver(fetched, position);
      }
    }
  }

  #isWanted(position: Position, next: bigint | undefined): boolean {
    const id = idOf(position);
    const isHeld = !this.#over && this.#positions.get(id) === position && !this.#paused.has(id);
    return isHeld && position.fetchOffset === next;
  }

  async #deliver(fetched: RawFetchedPartition, position: Position): Promise<void> {
    const { instance, prefix, maxBytes } = this.#parts;
    const { highWatermark } = fetched;
    const batches = splitBatches(fetched.records, { from: position.fetchOffset, end: highWatermark });
    hideAborted(batches, fetched.aborted);
    const partition = { topic: position.topic.slice(prefix.length), partition: position.partition };
    const reached = (next: bigint): void => {
      position.fetchOffset = next;
    };
    for (const batch of batches) {
      const from = position.fetchOffset;
      const isWanted = (next: bigint): boolean => this.#isWanted(position, next);
      const delivery = { instance: instance, partition, from, highWatermark, maxBytes, isWanted, reached };
      if (!(await deliver(batch, delivery))) return;
    }
  }

  /**
   * One partition that cannot be read holds up no other: it is left out until its leader, or its beginning, was looked
   * for again.
   */
  #refusedBy(errorCode: number, position: Position): void {
    const now = systemClock.monotonic();
    const id = idOf(position);
    const since = this.#refused.get(id) ?? now;
    this.#refused.set(id, since);
    const code = protocolErrorsCodesById[errorCode as keyof typeof protocolErrorsCodesById];
    if (now - since > fetchPatienceMs) this.#parts.instance.fail(new KafkaFault("unavailable", `${id}: ${code}`));
    this.#rest(position, code === "OFFSET_OUT_OF_RANGE" ? this.#startOver(position) : this.#lookAgain());
  }

  #rest(position: Position, until: Promise<void>): void {
    const id = idOf(position);
    this.#resting.add(id);
    this.#layout += 1;
    void until
      .catch(() => sleep(lookAgainMs))
      .then(() => {
        this.#resting.delete(id);
        this.#fetchAll();
      });
  }

  async #lookAgain(): Promise<void> {
    await sleep(lookAgainMs);
    this.#consumer.clearMetadata();
  }

  /** An offset that the broker no longer has begins anew where the group would begin. */
  async #startOver(position: Position): Promise<void> {
    const { topic, partition, fetchOffset: offset } = position;
    const asked = { topics: [topic], partitions: { [topic]: [partition] } };
    const [starts, ends] = await Promise.all([
      this.#consumer.listOffsets({ ...asked, timestamp: ListOffsetTimestamps.EARLIEST }),
      this.#consumer.listOffsets({ ...asked, timestamp: ListOffsetTimestamps.LATEST }),
    ]);
    const [start, end] = [starts.get(topic)![partition]!, ends.get(topic)![partition]!];
    if (position.fetchOffset !== offset || (offset >= start && offset <= end)) return;
    position.fetchOffset = this.#parts.options.from === "earliest" ? start : end;
  }

  /** Waits before the next try; who leads what is asked again. */
  async #fetchFailed(error: unknown, patience: Patience): Promise<void> {
    if (this.#over) return;
    const failingMs = patience.failed();
    if (failingMs > fetchPatienceMs) this.#parts.instance.fail(error);
    this.#consumer.clearMetadata();
    this.#layout += 1;
    await sleep(Math.min(50 + failingMs / 4, 1000));
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
    const commit = await open<offsetCommitV9.OffsetCommitRequest, unknown>(this.#consumer, "OffsetCommit", broker);
    const { fault } = await commit.ask(prefix + options.group, member.generationId, member.memberId, null, topics);
    if (fault !== undefined) throw fault;
  }

  pause({ topic, partition }: TopicPartition): void {
    this.#paused.add(idOf({ topic: this.#parts.prefix + topic, partition }));
    this.#layout += 1;
  }

  resume({ topic, partition }: TopicPartition): void {
    if (this.#paused.delete(idOf({ topic: this.#parts.prefix + topic, partition }))) this.#fetchAll();
  }

  async close(): Promise<void> {
    await settledWithin(joinBoundMs, () => this.#started);
    const pools = Object.values(this.#pools).map((pool) => pool.close());
    await Promise.allSettled([this.#consumer.close(true), ...pools]);
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

/** What is held, and where it goes on. */
type Position = TopicPartition & FetchPartition<bigint>;

type FetchAnswer = RawFetchAnswer;

interface Wanted {
  topic: string;
  topicId: string;
  position: Position;
}

/**
 * What one broker is asked for, until the layout changes. Topics have the names by which it is asked: their ids, or
 * what they are called.
 */
interface Leg {
  broker: Broker;
  layout: number;
  topics: FetchTopic<bigint>[];
  /** What they are called. */
  names: Map<string, string>;
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
