// The data of a verifier: the fleet's signing keys from auth.key, revocations from auth.revocation, and the age of
// both. Fresh data contains every revocation that is older than its age; the time is never earlier than the fleet's
// last mark; and after being offline for longer than auth.revocation keeps records, no key is accepted before auth.key
// is read to its end.
import { shared } from "../kafka/assigner.ts";
import type { Consumption, KafkaPort } from "../kafka/kafka.ts";
import type { InRecord } from "../kafka/records.ts";
import type { Clock } from "../lib/clock.ts";
import { randomId } from "../lib/random-id.ts";
import type { Logger } from "../runtime/log.ts";
import type { KeyReader } from "./key-reader.ts";
import { Revocations } from "./revocations.ts";

export interface FeedsDeps {
  kafka: KafkaPort;
  /** The service's name, for its consumer group. */
  name: string;
  log: Logger;
  clock: Clock;
  keys: KeyReader;
  /** How long revocations are kept, ms. */
  keepMs: number;
  /** Older data, ms, is not fresh. */
  maxAgeMs: number;
}

const revocationTopic = "auth.revocation";
/**
 * auth.revocation retains records for at least 10 minutes. After a gap of this length between marks, the revocation of
 * a key may have been missed: auth.key has it permanently, but nothing orders the two topics.
 */
const absentMs = 5 * 60_000;

export class Feeds {
  readonly revocations: Revocations;
  readonly #deps: FeedsDeps;
  /** Partitions whose last record has its producer's time, so that the age of their mark is unknown. */
  readonly #withProducerTime = new Set<number>();
  #consumption: Consumption;
  #heardAt: number;
  /** The newest mark at which it was fresh. */
  #freshAt: number | undefined;
  #closed = false as boolean;

  constructor(deps: FeedsDeps) {
    const { clock, keepMs, keys } = deps;
    this.#deps = deps;
    this.revocations = new Revocations(keepMs, () => clock.now());
    this.#heardAt = clock.monotonic();
    this.#consumption = this.#consume();
    keys.start();
  }

  /** The current keys: call it each time. */
  keys(): KeyReader["keys"] {
    return this.#deps.keys.keys;
  }

  /**
   * In ms; Infinity before the feeds were read. Also measures the time since the mark last moved, because with a slow
   * clock a stalled feed would look fresh.
   */
  age(): number {
    const { clock } = this.#deps;
    const { asOf } = this.revocations;
    if (asOf === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(0, clock.now() - asOf, clock.monotonic() - this.#heardAt);
  }

  isFresh(): boolean {
    const { keys, maxAgeMs } = this.#deps;
    return !this.#closed && this.#withProducerTime.size === 0 && !keys.hasProducerTime && this.age() <= maxAgeMs;
  }

  /** Unix ms: this machine's clock, or the fleet's last mark if that is later. */
  now(): number {
    return Math.max(this.#deps.clock.now(), this.revocations.asOf ?? 0);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#consumption.close();
  }

  #consume(): Consumption {
    const { kafka, name } = this.#deps;
    const consumption = kafka.consume({
      group: `${name}.verifier.${randomId()}`,
      topics: [revocationTopic],
      from: "earliest", // it holds no more than the window that matters: a token's life
      assign: shared(() => ({})),
      onAssigned: (assignment) => this.revocations.assigned(assignment.get(revocationTopic) ?? []),
      onRecords: (records) => {
        // Records of a replaced reader are ignored.
        if (!this.#closed && consumption === this.#consumption) this.#take(records);
      },
    });
    return consumption;
  }

  #take(records: InRecord[]): void {
    const last = records.at(-1);
    if (last !== undefined) this.#noteTimes(last);
    const before = this.revocations.asOf;
    this.revocations.take(records);
    const { asOf } = this.revocations;
    if (asOf !== undefined && asOf !== before) this.#moved(asOf);
  }

  #noteTimes({ partition, producersTime }: InRecord): void {
    if (!producersTime) {
      this.#withProducerTime.delete(partition);
      return;
    }
    if (this.#withProducerTime.size === 0)
      this.#deps.log.warn(
        { topic: revocationTopic, partition },
        "the feed has the times of its producers (message.timestamp.type=CreateTime), so nothing is fresh here: run migrate",
      );
    this.#withProducerTime.add(partition);
  }

  #moved(asOf: number): void {
    this.#heardAt = this.#deps.clock.monotonic();
    if (this.#freshAt !== undefined && asOf - this.#freshAt > absentMs) this.#readAnew(asOf - this.#freshAt);
    else if (this.isFresh()) this.#freshAt = asOf;
  }

  #readAnew(missedMs: number): void {
    const { keys, log } = this.#deps;
    log.warn({ missedMs }, "the feeds were away for longer than they remember: keys and revocations are read anew");
    keys.suspend();
    this.revocations.unmark();
    this.#freshAt = undefined;
    const before = this.#consumption;
    this.#consumption = this.#consume();
    before.close().catch((error: unknown) => log.debug({ err: error }, "the reader of before could not be closed"));
  }
}
