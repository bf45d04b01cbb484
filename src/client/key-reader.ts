// Reads the topic auth.key from its beginning, for as long as it is open; one reader serves a client and its verifiers,
// starting on first use. "Read" means: to the end that the topic had when it was asked. States: idle -> reading <->
// read -> closed. Keys come from this topic and never from a reply, because anybody with write access to the reply
// topic can make one.

import { shared } from "../kafka/assigner.ts";
import { KafkaFault } from "../kafka/faults.ts";
import type { Consumption, KafkaPort } from "../kafka/kafka.ts";
import type { InRecord } from "../kafka/records.ts";
import type { Clock } from "../lib/clock.ts";
import { randomId } from "../lib/random-id.ts";
import { retry } from "../lib/retry.ts";
import { type Refusal, refuse } from "../protocol/errors.ts";
import type { Logger } from "../runtime/log.ts";
import { type KeyFeed, makeKeyFeed, type SealingJwk } from "./key-feed.ts";

export interface KeyReaderDeps {
  kafka: Pick<KafkaPort, "consume" | "endOffsets">;
  /** The service's name, for its consumer group. */
  name: string;
  log: Logger;
  clock: Clock;
  /** AUTH_FLEET_ID; undefined: every record on the topic is trusted. */
  fleetIds?: readonly string[] | undefined;
}

export interface KeyReader {
  /** Its last record has its producer's time, so its age is unknown. */
  readonly hasProducerTime: boolean;
  /** Starts reading, if it has not. */
  start(): void;
  /**
   * The key to seal to.
   * @throws Refusal UNAVAILABLE where none is accepted, details.reason `uncertified-key` or `no-key`
   */
  sealing(): Promise<SealingJwk>;
  /** The accepted signing keys. */
  readonly keys: Pick<KeyFeed, "verification" | "jwks" | "size">;
  /** Rises whenever a key may have been added or removed. */
  readonly changes: number;
  /** Why nothing can be sealed now; undefined where there is a key. Reasons as in sealing(). */
  readonly missing: Refusal | undefined;
  /** Why an expected signing key is missing; undefined where none is. */
  readonly objection: Refusal | undefined;
  /**
   * Resolves when the topic is read to its present end.
   * @throws Refusal UNAVAILABLE where it is closed; Error where the topic does not exist
   */
  catchUp(): Promise<void>;
  /** Accepts no signing key until the topic has been read to its end. */
  suspend(): void;
  close(): Promise<void>;
}

const keyTopic = "auth.key";
const lookMs = 50;
const retryMs = 500;
/**
 * The last offsets of a compacted topic may have no record: silence for this long after some records counts as the end.
 */
const quietMs = 2000;

const idAdvice =
  "compare AUTH_FLEET_ID (fleetId of connect()) with what `authctl keys root` says at the fleet, and this machine's clock with the time";

export function makeKeyReader(parts: KeyReaderDeps): KeyReader {
  return new Reader(parts);
}

interface Waiting {
  ends: ReadonlyMap<number, bigint>;
  /** Monotonic ms. */
  since: number;
  resolve(): void;
  reject(error: Error): void;
}

class Reader implements KeyReader {
  readonly #parts: KeyReaderDeps;
  readonly #feed: KeyFeed;
  /** Next offset by partition. */
  readonly #positions = new Map<number, bigint>();
  readonly #waiting = new Set<Waiting>();
  #consumption: Consumption | undefined;
  #heardAt = 0;
  #looking: NodeJS.Timeout | undefined;
  #first: Promise<void> | undefined;
  #again: Promise<void> | undefined;
  #isRead = false as boolean;
  #suspended = false as boolean;
  #hasProducerTime = false as boolean;
  #changes = 0;
  readonly #over = new AbortController();

  constructor(parts: KeyReaderDeps) {
    const { fleetIds, log, clock } = parts;
    this.#parts = parts;
    this.#feed = makeKeyFeed({
      fleetIds: fleetIds && new Set(fleetIds),
      now: clock.now,
      rejected: (kid) =>
        log.warn(
          { kid },
          `a key on auth.key has no certificate of the fleet's root key and does not count: ${idAdvice}`,
        ),
    });
  }

  start(): void {
    if (this.#consumption !== undefined || this.#over.signal.aborted) return;
    const { kafka, name, log, fleetIds } = this.#parts;
    if (fleetIds === undefined)
      log.warn(
        "AUTH_FLEET_ID (fleetId of connect()) is not set: anybody who can write to auth.key can impersonate the fleet",
      );
    this.#consumption = kafka.consume({
      group: `${name}.keys.${randomId()}`,
      topics: [keyTopic],
      from: "earliest",
      assign: shared(() => ({})),
      onAssigned: () => undefined,
      onRecords: (records, { partition }) => {
        this.#heardAt = this.#parts.clock.monotonic();
        this.#positions.set(partition, records.at(-1)!.offset + 1n);
        this.#noteTimes(records.at(-1)!);
        this.#feed.take(records);
        this.#changes += 1;
        this.#look();
      },
    });
  }

  async sealing(): Promise<SealingJwk> {
    await this.#readOnce();
    const key = this.#feed.sealing();
    if (key === undefined) throw this.missing ?? noKey(nonePublished);
    return key;
  }

  get missing(): Refusal | undefined {
    if (this.#feed.sealing() !== undefined) return undefined;
    if (!this.#isRead) return noKey("auth.key has not been read to its end yet.");
    return this.objection ?? noKey(nonePublished);
  }

  get keys(): Pick<KeyFeed, "verification" | "jwks" | "size"> {
    return this.#suspended ? noKeys : this.#feed;
  }

  get hasProducerTime(): boolean {
    return this.#hasProducerTime;
  }

  get changes(): number {
    return this.#changes;
  }

  get objection(): Refusal | undefined {
    const kid = this.#feed.uncertified;
    if (kid === undefined || !this.#isRead) return undefined;
    const message = `No key on auth.key counts: ${kid} has no certificate of the fleet's root key. To do: ${idAdvice}.`;
    return refuse("UNAVAILABLE", { message, details: { reason: "uncertified-key", kid } });
  }

  /** Concurrent callers share one look-up of the topic's end. */
  catchUp(): Promise<void> {
    this.#again ??= this.#readToEnd().finally(() => {
      this.#again = undefined;
    });
    return this.#again;
  }

  suspend(): void {
    if (this.#suspended) return;
    this.#suspended = true;
    const tryAgain = (error: unknown): void => {
      this.#parts.log.warn({ err: error }, "auth.key could not be read to its end, tried again");
      if (!this.#over.signal.aborted) setTimeout(read, retryMs).unref();
    };
    const read = (): void =>
      void this.catchUp().then(() => {
        this.#suspended = false;
        this.#changes += 1;
      }, tryAgain);
    read();
  }

  async close(): Promise<void> {
    this.#over.abort();
    clearInterval(this.#looking);
    for (const { reject } of this.#waiting) reject(closedRefusal());
    this.#waiting.clear();
    await this.#consumption?.close();
  }

  #noteTimes(record: InRecord): void {
    const producersTime = record.producersTime === true;
    if (producersTime && !this.#hasProducerTime)
      this.#parts.log.warn(
        { topic: keyTopic },
        "the feed has the times of its producers (message.timestamp.type=CreateTime), so nothing is fresh here: run migrate",
      );
    this.#hasProducerTime = producersTime;
  }

  #readOnce(): Promise<void> {
    this.#first ??= this.catchUp().catch((error: unknown) => {
      this.#first = undefined;
      throw error;
    });
    return this.#first;
  }

  async #readToEnd(): Promise<void> {
    this.start();
    const ends = await this.#ends();
    await new Promise<void>((resolve, reject) => {
      if (this.#over.signal.aborted) return reject(closedRefusal());
      this.#waiting.add({ ends, since: this.#parts.clock.monotonic(), resolve, reject });
      this.#looking ??= setInterval(() => this.#look(), lookMs).unref();
      this.#look();
    });
    this.#isRead = true;
  }

  async #ends(): Promise<ReadonlyMap<number, bigint>> {
    const { signal } = this.#over;
    const isTransient = (error: unknown): boolean => error instanceof KafkaFault && error.kind === "unavailable";
    try {
      signal.throwIfAborted();
      const ask = () => this.#parts.kafka.endOffsets(keyTopic);
      return await retry(ask, { firstMs: retryMs, longestMs: retryMs, isTransient, signal });
    } catch (error) {
      if (signal.aborted) throw closedRefusal();
      if (error instanceof KafkaFault && error.kind === "unknown-topic")
        throw new Error(`There is no topic ${keyTopic}: run migrate.`);
      throw error;
    }
  }

  #look(): void {
    for (const each of this.#waiting) {
      if (!this.#isReadTo(each)) continue;
      this.#waiting.delete(each);
      each.resolve();
    }
    if (this.#waiting.size > 0) return;
    clearInterval(this.#looking);
    this.#looking = undefined;
  }

  #isReadTo({ ends, since }: Waiting): boolean {
    const isQuiet = this.#parts.clock.monotonic() - Math.max(since, this.#heardAt) > quietMs;
    return [...ends].every(([partition, end]) => {
      const position = this.#positions.get(partition);
      return position === undefined ? end === 0n : position >= end || isQuiet;
    });
  }
}

const noKeys: KeyReader["keys"] = { verification: () => undefined, jwks: () => ({ keys: [] }), size: 0 };

const nonePublished = "The fleet has published no key to seal to.";
const noKey = (message: string): Refusal => refuse("UNAVAILABLE", { message, details: { reason: "no-key" } });

const closedRefusal = (): Refusal => refuse("UNAVAILABLE", { message: "The client is closed." });
