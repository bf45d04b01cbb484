// Fetches a consumer's partitions: one fetcher for each broker that leads one of them, running until there is nothing
// to fetch from that broker.
// - A fetch's result only counts for partitions that are still assigned, not paused, and still wanted from the offset
//   that was asked for.
// - Every change of what to fetch, or from where, makes a new plan (planVersion); a fetcher with an older plan takes
//   the new one before its next fetch.
// - A partition that cannot be read does not delay others: it backs off, and is asked for again after its leader, or
//   its starting offset, was looked up.
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Broker,
  type ConnectionPool,
  type Consumer,
  FetchIsolationLevels,
  type fetchV17,
  ListOffsetTimestamps,
  protocolErrorsCodesById,
} from "@platformatic/kafka";
import { systemClock } from "../../lib/clock.ts";
import type { ConsumerInstance } from "../consumer-instance.ts";
import { deliver } from "../deliver.ts";
import { classify, KafkaFault } from "../faults.ts";
import type { RawFetchAnswer, RawFetchedPartition } from "../fetch-response.ts";
import { type FetchPartition, type FetchTopic, isRefusal, type SessionRequest } from "../fetch-session.ts";
import { type ConsumeOptions, largeFetch } from "../port.ts";
import { hideAborted, splitBatches } from "../record-batch.ts";
import { partitionKey, type TopicPartition } from "../records.ts";
import { type Fetched, type HalfName, SplitFetch } from "../split-fetch.ts";
import { openRequest, withRawAnswers } from "./requests.ts";

/** After failing for this long, fetching is not retried with the same consumer. */
const fetchPatienceMs = 30_000;
/** How soon a partition without a leader, or one whose leader refuses, is asked for again. */
const lookAgainMs = 200;
/** Later versions of Fetch name topics by id. */
const lastFetchByName = 12;

export interface PartitionFetcherDeps {
  consumer: Consumer<Buffer, Buffer, Buffer, Buffer>;
  /** Fetches wait on the broker: neither heartbeats nor the other half's fetches must queue behind them. */
  pools: Record<HalfName, ConnectionPool>;
  options: ConsumeOptions;
  prefix: string;
  instance: ConsumerInstance;
  /** Of one batch, unpacked. */
  maxBytes: number;
}

/** An assigned partition, by its name on the broker, and its next offset. */
export type Position = TopicPartition & FetchPartition<bigint>;

interface Wanted {
  topic: string;
  topicId: string;
  position: Position;
}

/** What to ask one broker for. Topics are named as in the request: by id or by name. */
interface FetchPlan {
  broker: Broker;
  version: number;
  topics: FetchTopic<bigint>[];
  /** The topics' names. */
  names: Map<string, string>;
}

export class PartitionFetcher {
  readonly #deps: PartitionFetcherDeps;
  readonly #paused = new Set<string>();
  /** Brokers with a running fetcher. */
  readonly #fetching = new Set<number>();
  #positions = new Map<string, Position>();
  #planVersion = 0;
  /** Since when, in ms, a broker has refused a partition; each refusal pauses it for a moment. */
  readonly #refused = new Map<string, number>();
  readonly #backingOff = new Set<string>();

  constructor(deps: PartitionFetcherDeps) {
    this.#deps = deps;
  }

  /** A retained partition keeps its position. @returns whether the partition is retained */
  retain(isHeld: (key: string) => boolean): (pair: TopicPartition) => boolean {
    this.#positions = new Map([...this.#positions].filter(([key]) => isHeld(key)));
    this.#paused.clear();
    return (pair) => this.#positions.has(partitionKey(pair));
  }

  /** Adds these partitions to the retained ones. */
  add(positions: Iterable<Position>): void {
    for (const position of positions) this.#positions.set(partitionKey(position), position);
    this.#planAnew();
  }

  pause(pair: TopicPartition): void {
    this.#paused.add(partitionKey(pair));
    this.#planVersion += 1;
  }

  resume(pair: TopicPartition): void {
    if (this.#paused.delete(partitionKey(pair))) this.#planAnew();
  }

  get #over(): boolean {
    return this.#deps.instance.over.aborted;
  }

  /** What to fetch, or from where, has changed. */
  #planAnew(): void {
    this.#planVersion += 1;
    this.#startFetchers();
  }

  /** Starts a fetcher for each broker that needs one. */
  #startFetchers(patience = makePatience()): void {
    if (this.#over) return;
    this.#leaders().then(
      (leaders) => {
        for (const node of leaders.keys()) if (!this.#fetching.has(node)) void this.#fetchFrom(node);
      },
      (error: unknown) => this.#fetchFailed(error, patience).then(() => this.#startFetchers(patience)),
    );
  }

  /** Leader -> what to fetch from it now. Partitions without a leader are looked up again. */
  async #leaders(): Promise<Map<number, { broker: Broker; wanted: Wanted[] }>> {
    const { consumer } = this.#deps;
    const wanted = [...this.#positions].flatMap(([key, each]) =>
      this.#paused.has(key) || this.#backingOff.has(key) ? [] : [each],
    );
    const leaders = new Map<number, { broker: Broker; wanted: Wanted[] }>();
    if (wanted.length === 0) return leaders;
    const { topics, brokers } = await consumer.metadata({ topics: consumer.topics.current });
    for (const position of wanted) {
      const { topic, partition } = position;
      const known = topics.get(topic);
      const leader = known?.partitions[partition]?.leader ?? -1;
      const broker = brokers.get(leader);
      if (broker === undefined) {
        this.#backOff(position, this.#lookAgain());
        continue;
      }
      const some = leaders.get(leader) ?? { broker, wanted: [] };
      some.wanted.push({ topic, topicId: known!.id, position });
      leaders.set(leader, some);
    }
    return leaders;
  }

  /** Fetches from one broker until there is nothing to fetch from it. */
  async #fetchFrom(node: number): Promise<void> {
    this.#fetching.add(node);
    const { options, instance } = this.#deps;
    const patience = makePatience();
    let plan: FetchPlan | undefined;
    const split = new SplitFetch<bigint, RawFetchAnswer>((half, request, waitMs) =>
      this.#ask({ broker: plan!.broker, half }, request, waitMs),
    );
    while (!this.#over) {
      try {
        if (plan?.version !== this.#planVersion) plan = await this.#planFor(node);
        if (plan === undefined || this.#over) break;
        const fetched = await split.next(plan.topics, options.maxWaitMs ?? 250);
        if (fetched === undefined) continue;
        instance.progress();
        patience.succeeded();
        await this.#take(fetched, plan, split);
      } catch (error) {
        plan = undefined;
        await this.#fetchFailed(error, patience);
      }
    }
    this.#fetching.delete(node);
    this.#planAnew(); // its partitions may have a leader with a running fetcher
  }

  async #planFor(node: number): Promise<FetchPlan | undefined> {
    const version = this.#planVersion;
    const found = (await this.#leaders()).get(node);
    if (found === undefined) return undefined;
    const { broker, wanted } = found;
    const { version: protocol } = await this.#fetchRequest(broker, "active");
    const topics = Map.groupBy(wanted, ({ topic, topicId }) => (protocol > lastFetchByName ? topicId : topic));
    return {
      broker,
      version,
      topics: [...topics].map(([topic, some]) => ({ topic, partitions: some.map(({ position }) => position) })),
      names: new Map([...topics].map(([name, some]) => [name, some[0]!.topic])),
    };
  }

  #fetchRequest(broker: Broker, half: HalfName) {
    const { consumer, pools } = this.#deps;
    const how = { pool: pools[half], wrap: withRawAnswers };
    return openRequest<fetchV17.FetchRequest, RawFetchAnswer>({ client: consumer, name: "Fetch", broker }, how);
  }

  async #ask(
    { broker, half }: { broker: Broker; half: HalfName },
    request: SessionRequest<bigint>,
    waitMs: number,
  ): Promise<RawFetchAnswer> {
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
    const { bytes } = this.#deps.options.fetch ?? largeFetch;
    const { sessionId, sessionEpoch, forgottenTopics } = request;
    const session = [sessionId, sessionEpoch, topics, forgottenTopics, ""] as const;
    const { answer, fault } = await fetch.ask(waitMs, 1, bytes, FetchIsolationLevels.READ_COMMITTED, ...session);
    if (answer === undefined) throw fault;
    if (answer.errorCode !== 0 && !isRefusal(answer)) {
      const apiId = codeText(answer.errorCode);
      throw new KafkaFault(classify({ apiId }), apiId);
    }
    return answer;
  }

  /** Hands over the records of a fetch. */
  async #take(
    { answer, askedFrom }: Fetched<bigint, RawFetchAnswer>,
    plan: FetchPlan,
    split: SplitFetch<bigint, RawFetchAnswer>,
  ): Promise<void> {
    for (const { topic: name, partitions } of answer.topics) {
      const topic = plan.names.get(name);
      if (topic === undefined) continue;
      for (const fetched of partitions) {
        const position = this.#positions.get(partitionKey({ topic, partition: fetched.partition }));
        if (position === undefined || !this.#isWanted(position, askedFrom(name, fetched.partition))) continue;
        if (fetched.errorCode !== 0) {
          this.#refusedBy(fetched.errorCode, position);
          continue;
        }
        this.#refused.delete(partitionKey(position));
        if (fetched.records.length === 0) continue;
        split.brought(name, fetched.partition);
        await this.#deliver(fetched, position);
      }
    }
  }

  #isWanted(position: Position, next: bigint | undefined): boolean {
    const key = partitionKey(position);
    const isHeld = !this.#over && this.#positions.get(key) === position && !this.#paused.has(key);
    return isHeld && position.fetchOffset === next;
  }

  async #deliver(fetched: RawFetchedPartition, position: Position): Promise<void> {
    const { instance, prefix, maxBytes } = this.#deps;
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
      const delivery = { instance, partition, from, highWatermark, maxBytes, isWanted, reached };
      if (!(await deliver(batch, delivery))) return;
    }
  }

  #refusedBy(errorCode: number, position: Position): void {
    const now = systemClock.monotonic();
    const key = partitionKey(position);
    const since = this.#refused.get(key) ?? now;
    this.#refused.set(key, since);
    const code = codeText(errorCode);
    if (now - since > fetchPatienceMs) this.#deps.instance.fail(new KafkaFault("unavailable", `${key}: ${code}`));
    this.#backOff(position, code === "OFFSET_OUT_OF_RANGE" ? this.#startOver(position) : this.#lookAgain());
  }

  #backOff(position: Position, until: Promise<void>): void {
    const key = partitionKey(position);
    this.#backingOff.add(key);
    this.#planVersion += 1;
    void until
      .catch(() => sleep(lookAgainMs))
      .then(() => {
        this.#backingOff.delete(key);
        this.#planAnew();
      });
  }

  async #lookAgain(): Promise<void> {
    await sleep(lookAgainMs);
    this.#deps.consumer.clearMetadata();
  }

  /** An offset that the broker no longer has: starts where the group would start. */
  async #startOver(position: Position): Promise<void> {
    const { consumer, options } = this.#deps;
    const { topic, partition, fetchOffset: offset } = position;
    const asked = { topics: [topic], partitions: { [topic]: [partition] } };
    const [starts, ends] = await Promise.all([
      consumer.listOffsets({ ...asked, timestamp: ListOffsetTimestamps.EARLIEST }),
      consumer.listOffsets({ ...asked, timestamp: ListOffsetTimestamps.LATEST }),
    ]);
    const [start, end] = [starts.get(topic)![partition]!, ends.get(topic)![partition]!];
    if (position.fetchOffset !== offset || (offset >= start && offset <= end)) return;
    position.fetchOffset = options.from === "earliest" ? start : end;
  }

  /** Waits before the next attempt; leaders are looked up again. */
  async #fetchFailed(error: unknown, patience: Patience): Promise<void> {
    if (this.#over) return;
    const failingMs = patience.failed();
    if (failingMs > fetchPatienceMs) this.#deps.instance.fail(error);
    this.#deps.consumer.clearMetadata();
    this.#planVersion += 1;
    await sleep(Math.min(50 + failingMs / 4, 1000));
  }
}

function codeText(errorCode: number): string {
  return protocolErrorsCodesById[errorCode as keyof typeof protocolErrorsCodesById] ?? String(errorCode);
}

interface Patience {
  /** @returns how long it has been failing, ms */
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
