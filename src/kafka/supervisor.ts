// Keeps a group's consumer running whatever its driver does. A driver builds one instance of a consumer at a time and
// reports what happens to it; the supervisor decides when an instance is over and when the next one starts. States:
// starting -> member -> (over -> waiting -> starting)* -> closed. An instance is over when the driver says so (crash,
// silent stop), or when it has been silent for too long while the broker answers others: no heartbeat, fetch or join
// (kafkajs#1153, platformatic/kafka#374). It promises:
// - partitions of an instance that is over are not kept: an empty assignment comes first, also where a driver returns
//   as another member.
// - a reader of new records continues at its position: joining again would start at the current end and lose what came
//   in between.
// - the pause between instances grows, and is reset only when records were handled or a membership has lasted.
// - closing returns within a bound, whatever the driver does (kafkajs#967, #1168).

import { asError } from "../lib/errors.ts";
import { LruCache } from "../lib/lru.ts";
import { settledWithin } from "../lib/timeout.ts";
import type { Logger } from "../runtime/log.ts";
import type { Consumer, ConsumerInstance } from "./consumer-instance.ts";
import { guarded, KafkaFault } from "./faults.ts";
import type { ConsumeOptions, Consumption } from "./port.ts";
import { type Assignment, type CommittedOffset, partitionKey, type TopicPartition } from "./records.ts";

export interface Supervision {
  options: ConsumeOptions;
  log: Logger;
  monotonic: () => number;
  /** Builds a consumer, which then joins by itself and reports to its instance. */
  build(instance: ConsumerInstance): Consumer;
  /** Whether a broker answers other clients: if none does, a silent consumer has not stalled. */
  reachable(): Promise<boolean>;
  bounds?: Partial<Bounds>;
}

export interface Bounds {
  /** Two session timeouts: by then the broker has removed it too. */
  stallMs: number;
  firstPauseMs: number;
  longestPauseMs: number;
  /** A membership that lasts this long resets the pause. */
  stableMs: number;
  closeMs: number;
}

export const sessionTimeoutMs = 6000;
/** The longest that close() of a consumer, producer or admin client may take. */
export const closeBoundMs = 5000;

const defaults: Bounds = {
  stallMs: 2 * sessionTimeoutMs,
  firstPauseMs: 100,
  longestPauseMs: 3000,
  stableMs: 10_000,
  closeMs: closeBoundMs,
};

interface Current {
  readonly ended: AbortController;
  consumer?: Consumer;
  heardAt: number;
  /** When it was last checked whether a broker answers others. */
  askedAt: number;
  joinedAt: number | undefined;
}

export class Supervisor implements Consumption {
  readonly #deps: Supervision;
  readonly #bounds: Bounds;
  readonly #complaints: ReturnType<typeof makeComplaints>;
  /** For a reader of new records: its position in each partition. */
  readonly #positions = new Map<string, bigint>();
  readonly #joined = Promise.withResolvers<void>();
  readonly joined = this.#joined.promise;
  readonly #watchdog: NodeJS.Timeout;
  #current: Current | undefined;
  #memberId: string | undefined;
  #attempt = 0;
  #closed = false as boolean;
  #restart: NodeJS.Timeout | undefined;

  constructor(deps: Supervision) {
    this.#deps = deps;
    this.#bounds = { ...defaults, ...deps.bounds };
    this.#complaints = makeComplaints(deps.log, { group: deps.options.group });
    this.joined.catch(() => undefined); // rejects at close(), where perhaps nobody waits for it any more
    this.#watchdog = setInterval(() => this.#endStalled(), this.#bounds.stallMs / 4);
    this.#begin();
  }

  get healthy(): boolean {
    const current = this.#current;
    if (this.#closed || current?.joinedAt === undefined) return false;
    return this.#deps.monotonic() - current.heardAt < this.#bounds.stallMs; // a driver may wait for its broker in silence
  }

  commit(offsets: CommittedOffset[]): Promise<void> {
    return guarded(async () => {
      if (offsets.length === 0) return;
      if (this.#current?.consumer === undefined || this.#current.joinedAt === undefined)
        throw new KafkaFault("unavailable", "not a member of the group at the moment");
      await this.#current.consumer.commit(offsets);
    });
  }

  pause(partition: TopicPartition): void {
    quietly(() => this.#current?.consumer?.pause(partition));
  }

  resume(partition: TopicPartition): void {
    quietly(() => this.#current?.consumer?.resume(partition));
  }

  async close(): Promise<void> {
    const { log, options } = this.#deps;
    const { closeMs } = this.#bounds;
    this.#closed = true;
    clearTimeout(this.#restart);
    clearInterval(this.#watchdog);
    this.#joined.reject(new KafkaFault("unavailable", "closed before it has joined"));
    const last = this.#current;
    this.#current = undefined;
    last?.ended.abort();
    const inTime = await settledWithin(closeMs, async () => last?.consumer?.close());
    if (!inTime) log.warn({ group: options.group, bound: closeMs }, "a consumer did not close in time");
  }

  #begin(): void {
    const now = this.#deps.monotonic();
    const self: Current = { ended: new AbortController(), heardAt: now, askedAt: now, joinedAt: undefined };
    this.#current = self;
    self.consumer = this.#deps.build(this.#instanceFor(self));
  }

  #end(self: Current, reason: unknown): void {
    const { firstPauseMs, longestPauseMs, closeMs } = this.#bounds;
    this.#current = undefined;
    self.ended.abort();
    this.#deps.options.onAssigned(new Map());
    const pause = Math.min(firstPauseMs * 2 ** this.#attempt, longestPauseMs);
    this.#attempt += 1;
    this.#complaints.say(reason, pause);
    // The dead instance leaves before its successor joins, or the group would wait for its session to time out.
    const left = settledWithin(Math.max(firstPauseMs, closeMs / 5), async () => self.consumer?.close());
    this.#restart = setTimeout(() => void left.then(() => this.#closed || this.#begin()), pause);
  }

  #endStalled(): void {
    const { monotonic, reachable } = this.#deps;
    const { stallMs } = this.#bounds;
    const self = this.#current;
    if (self === undefined || monotonic() - Math.max(self.heardAt, self.askedAt) < stallMs) return;
    self.askedAt = monotonic(); // once per bound
    reachable().then(
      (answers) => {
        if (answers && this.#current === self)
          this.#end(self, new Error(`nothing was heard of the consumer for ${stallMs} ms`));
      },
      () => undefined,
    );
  }

  /** What a consumer reports to; drivers pass its methods on as listeners. Ignored after the instance is over. */
  #instanceFor(self: Current): ConsumerInstance {
    const { options, monotonic } = this.#deps;
    const isCurrent = (): boolean => this.#current === self;
    const advance = (partition: TopicPartition, next: bigint): void => {
      if (options.from === "latest") this.#positions.set(partitionKey(partition), next);
    };
    return {
      over: self.ended.signal,
      previousMemberId: this.#memberId,
      joined: (member, assignment) => {
        if (isCurrent()) this.#takeAssignment(self, member, assignment);
      },
      progress: () => {
        self.heardAt = monotonic();
        if (!isCurrent() || self.joinedAt === undefined || self.heardAt - self.joinedAt < this.#bounds.stableMs) return;
        this.#attempt = 0;
        this.#complaints.clear();
      },
      records: (records, partition, { highWatermark, next }) => {
        if (!isCurrent()) return;
        advance(partition, next);
        if (records.length === 0) return;
        options.onRecords(records, partition, highWatermark);
        this.#attempt = 0;
      },
      unreadable: (records, { highWatermark, next }) => {
        if (!isCurrent()) return;
        advance(records, next);
        options.onUnreadable?.(records, highWatermark);
      },
      positionOf: (partition) => this.#positions.get(partitionKey(partition)),
      fail: (reason) => {
        if (isCurrent()) this.#end(self, reason);
      },
    };
  }

  #takeAssignment(self: Current, member: string, assignment: Assignment): void {
    const { options, monotonic } = this.#deps;
    if (this.#memberId !== undefined && this.#memberId !== member) options.onAssigned(new Map());
    this.#memberId = member;
    self.heardAt = monotonic();
    self.joinedAt ??= self.heardAt;
    options.onAssigned(assignment);
    this.#joined.resolve();
  }
}

/** A consumer that is about to be reported dead has nothing to pause; its successor is told after it has joined. */
function quietly(change: () => void): void {
  try {
    change();
  } catch {
    // seen as the end of its life
  }
}

const rememberedComplaints = 20;

/** Logs a new complaint in full, and a repeated one at growing intervals without its stack. */
function makeComplaints(log: Logger, bindings: object) {
  const times = new LruCache<string, number>(rememberedComplaints);
  return {
    say(reason: unknown, pause: number): void {
      const error = asError(reason);
      const count = (times.get(error.message) ?? 0) + 1;
      times.set(error.message, count);
      if (count === 1) log.warn({ err: error, pause, ...bindings }, "consumer is built again");
      else if (Number.isInteger(Math.log2(count)))
        log.warn({ reason: error.message, pause, ...bindings }, `consumer is built again, ${count} times now`);
    },
    clear: () => times.clear(),
  };
}
