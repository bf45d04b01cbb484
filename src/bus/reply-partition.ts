// The partition on which a requester's replies come: one of the service's reply topic, picked at random, read by a
// consumer in a group of its own. So no rebalance ever moves a pending reply, and the bytes read per instance do not
// grow with the number of instances. Two instances on one partition drop each other's replies, which match by id.
// It is ready once it has read a record that it wrote there itself, its probe: from then on replies are read too. The
// probe and every reply tell the broker's clock. The same consumer reads the fleet feed, if there is one.
import { single } from "../kafka/assigner.ts";
import { type BrokerClock, makeBrokerClock } from "../kafka/broker-clock.ts";
import { KafkaFault } from "../kafka/faults.ts";
import type { Consumption, KafkaPort } from "../kafka/kafka.ts";
import type { InRecord } from "../kafka/records.ts";
import { randomId } from "../lib/random-id.ts";
import { retry } from "../lib/retry.ts";
import type { Logger } from "../runtime/log.ts";
import type { FleetView } from "./fleet-view.ts";
import { singleHeader } from "./headers.ts";
import type { BusNames } from "./names.ts";
import type { Sender } from "./sender.ts";

export interface ReplyPartitionDeps {
  names: BusNames;
  kafka: KafkaPort;
  sender: Sender;
  /** Name of the service; its reply topic is the prefix of reply topics and this name. */
  name: string;
  /** What to do if the reply topic is missing: a sentence for the error. */
  whenNoReplyTopic: string;
  fleet: FleetView;
  log: Logger;
  now(): number;
  monotonic(): number;
  onReply(record: InRecord): void;
}

const probeEveryMs = 100;

export class ReplyPartition {
  readonly topic: string;
  readonly #deps: ReplyPartitionDeps;
  readonly #clock: BrokerClock;
  readonly #probe = randomId();
  readonly #probesSentAt: number[] = [];
  readonly #probed = Promise.withResolvers<void>();
  readonly #closer = new AbortController();
  /** Aborted by close(), with its reason. */
  readonly closing: AbortSignal = this.#closer.signal;
  /** Rejects at close(): what waits for a broker must not outlive it. */
  readonly #closed: Promise<never>;
  #connecting: Promise<void> | undefined;
  #isConnected = false as boolean;
  #consumption: Consumption | undefined;
  #partition = 0;

  constructor(deps: ReplyPartitionDeps) {
    this.#deps = deps;
    this.topic = `${deps.names.replyTopicPrefix}${deps.name}`;
    this.#clock = makeBrokerClock(deps);
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => undefined);
    this.closing.addEventListener("abort", () => reject(this.closing.reason));
    this.#closed = promise;
  }

  /** Its number; known when it is ready. */
  get partition(): number {
    return this.#partition;
  }

  get healthy(): boolean {
    return this.#isConnected && (this.#consumption?.healthy ?? false);
  }

  /** Unix ms by the broker's clock; by ours before it is ready. */
  brokerNow(): number {
    return this.#clock.now();
  }

  /** @throws Error where the service has no reply topic; the reason of close() */
  async ready(): Promise<void> {
    this.closing.throwIfAborted();
    if (this.#isConnected) return;
    this.#connecting ??= Promise.race([this.#connect(), this.#closed]).catch((error: unknown) => {
      this.#connecting = undefined; // a missing topic may be created meanwhile: the next call looks again
      throw error;
    });
    await this.#connecting;
  }

  /** @param reason what waiting calls reject with */
  async close(reason: Error): Promise<void> {
    this.#closer.abort(reason);
    await this.#consumption?.close();
  }

  /** The broker appended the record after we sent the request that it answers, and before we read it. */
  learnClock({ timestamp: at }: InRecord, sentAt: number | undefined): void {
    if (sentAt !== undefined && at > 0) this.#clock.sample({ sentAt, at, ackedAt: this.#deps.now() });
  }

  /** Position first, requests later: the first replies must not fall before the first fetch (spring-kafka#2318). */
  async #connect(): Promise<void> {
    const { kafka, sender, name, whenNoReplyTopic, fleet, names } = this.#deps;
    const count = await this.#partitionsOf(this.topic);
    if (count === undefined) throw new Error(`There is no topic ${this.topic}. ${whenNoReplyTopic}`);
    const hasFeed = await this.#hasFleetFeed();
    this.closing.throwIfAborted(); // a consumer that is made now would never be closed
    this.#partition = Math.floor(Math.random() * count);
    this.#consumption = kafka.consume({
      group: `${name}.${randomId()}`,
      topics: hasFeed ? [this.topic, names.fleetTopic] : [this.topic],
      from: "latest",
      assign: single(this.topic, () => this.#partition),
      onAssigned: () => undefined,
      onRecords: (records, { topic }) => this.#onRecords(records, topic),
    });
    await this.#consumption.joined;
    await this.#loopback();
    if (this.closing.aborted) return;
    this.#isConnected = true;
    if (hasFeed) fleet.start({ kafka, sender, topic: names.fleetTopic });
  }

  async #hasFleetFeed(): Promise<boolean> {
    const { fleetTopic, setupCommand } = this.#deps.names;
    if ((await this.#partitionsOf(fleetTopic)) !== undefined) return true;
    const warning = `There is no topic ${fleetTopic}: run ${setupCommand}. Nobody is told when no worker is there.`;
    this.#deps.log.warn(warning);
    return false;
  }

  /** Asks until brokers answer; requests of this time end by their own deadlines. */
  #partitionsOf(topic: string): Promise<number | undefined> {
    const { kafka, log } = this.#deps;
    return retry(() => kafka.partitionsOf(topic), {
      firstMs: 100,
      longestMs: 2000,
      isTransient: (error) => error instanceof KafkaFault && error.kind === "unavailable",
      signal: this.closing,
      onRetry: (error) => log.warn({ err: error }, "Kafka does not answer, tried again"),
    });
  }

  /** Writes to our own partition until we read it there. */
  async #loopback(): Promise<void> {
    this.#sendProbe();
    const timer = setInterval(() => this.#sendProbe(), probeEveryMs);
    try {
      await Promise.race([this.#probed.promise, this.#closed]);
    } finally {
      clearInterval(timer);
    }
  }

  #sendProbe(): void {
    const { sender, names, now, log } = this.#deps;
    const headers = { [names.headers.probe]: `${this.#probe}.${this.#probesSentAt.push(now()) - 1}` };
    const record = { topic: this.topic, partition: this.#partition, key: null, value: null, headers };
    sender.send(record).catch((error: unknown) => log.debug({ err: error }, "probe failed, tried again"));
  }

  #onRecords(records: InRecord[], topic: string): void {
    const { fleet, names, onReply } = this.#deps;
    if (topic === names.fleetTopic) {
      fleet.take(records);
      return;
    }
    for (const record of records) {
      if (record.headers[names.headers.probe] === undefined) onReply(record);
      else this.#onProbe(record);
    }
  }

  #onProbe(record: InRecord): void {
    const text = singleHeader(record, this.#deps.names.headers.probe)?.toString("latin1") ?? "";
    const [id, number] = text.split(".");
    if (id !== this.#probe) return;
    this.learnClock(record, this.#probesSentAt[Number(number)]);
    this.#probed.resolve();
  }
}
