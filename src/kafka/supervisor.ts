// Keeps a reader of a group alive whatever its driver does. A driver builds one life of a consumer at a time and
// reports what happens to it; here it is decided when a life is over, and when the next begins. States: starting ->
// member -> (over -> waiting -> starting)* -> closed. A life is over when the driver says so (crash, silent stop), and
// when nothing was heard of it for a bound though the broker answers others: no heartbeat, no fetch, no join
// (kafkajs#1153, platformatic/kafka#374). Promises:
// - nobody holds partitions of a life that is over: an empty assignment comes first, and also where a driver came back
//   as another member.
// - a reader of new records goes on where it was: joining again it would begin at the end of that moment and lose what
//   came between.
// - the pause between lives grows, and is short again only when records were handled or a membership has lasted.
// - closing returns within a bound, whatever the driver does (kafkajs#967, #1168).

import { asError } from "../lib/errors.ts";
import { settledWithin } from "../lib/timeout.ts";
import type { Logger } from "../runtime/log.ts";
import type { Consumer, ConsumerInstance } from "./consumer-instance.ts";
import { guarded, KafkaFault } from "./faults.ts";
import type { ConsumeOptions, Consumption } from "./port.ts";
import { partitionKey } from "./records.ts";

export interface Supervision {
  options: ConsumeOptions;
  log: Logger;
  monotonic: () => number;
  /** Makes a consumer, which then joins by itself and reports to its life. */
  build(instance: ConsumerInstance): Consumer;
  /** Whether a broker answers somebody else: a consumer that hears nothing while none does has not stalled. */
  reachable(): Promise<boolean>;
  bounds?: Partial<Bounds>;
}

export interface Bounds {
  /** Two sessions: by then the broker has given it up as well. */
  stallMs: number;
  firstPauseMs: number;
  longestPauseMs: number;
  /** A membership that has lasted so long was a good one. */
  stableMs: number;
  closeMs: number;
}

export const sessionTimeoutMs = 6000;
/** Longest that close() of a consumer, a producer, an admin takes. */
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
  /** When it was last asked whether a broker answers others. */
  askedAt: number;
  joinedAt: number | undefined;
}

export function supervise(supervision: Supervision): Consumption {
  const { options, log, monotonic } = supervision;
  const bounds = { ...defaults, ...supervision.bounds };
  const complaints = makeComplaints(log, { group: options.group });
  const positions = new Map<string, bigint>();
  const joined = Promise.withResolvers<void>();
  joined.promise.catch(() => undefined); // rejects at close(), where perhaps nobody waits for it any more
  let current: Current | undefined;
  let memberId: string | undefined;
  let attempt = 0;
  let closed = false;
  let restart: NodeJS.Timeout | undefined;

  const instanceFor = (self: Current): ConsumerInstance => {
    const alive = (): boolean => current === self;
    return {
      over: self.ended.signal,
      previousMemberId: memberId,
      joined(member, assignment) {
        if (!alive()) return;
        if (memberId !== undefined && memberId !== member) options.onAssigned(new Map());
        memberId = member;
        self.heardAt = monotonic();
        self.joinedAt ??= self.heardAt;
        options.onAssigned(assignment);
        joined.resolve();
      },
      progress() {
        self.heardAt = monotonic();
        if (!alive() || self.joinedAt === undefined || self.heardAt - self.joinedAt < bounds.stableMs) return;
        attempt = 0;
        complaints.clear();
      },
      records(records, partition, { highWatermark, next }) {
        if (!alive()) return;
        if (options.from === "latest") positions.set(partitionKey(partition), next);
        if (records.length === 0) return;
        options.onRecords(records, partition, highWatermark);
        attempt = 0;
      },
      unreadable(records, { highWatermark, next }) {
        if (!alive()) return;
        if (options.from === "latest") positions.set(partitionKey(records), next);
        options.onUnreadable?.(records, highWatermark);
      },
      positionOf: (partition) => positions.get(partitionKey(partition)),
      fail(reason) {
        if (alive()) end(self, reason);
      },
    };
  };

  const begin = (): void => {
    const now = monotonic();
    const self: Current = { ended: new AbortController(), heardAt: now, askedAt: now, joinedAt: undefined };
    current = self;
    self.consumer = supervision.build(instanceFor(self));
  };

  const end = (self: Current, reason: unknown): void => {
    current = undefined;
    self.ended.abort();
    options.onAssigned(new Map());
    const pause = Math.min(bounds.firstPauseMs * 2 ** attempt, bounds.longestPauseMs);
    attempt += 1;
    complaints.say(reason, pause);
    // The dead one says that it leaves before its successor joins: it would be waited for until its session ends.
    const left = settledWithin(Math.max(bounds.firstPauseMs, bounds.closeMs / 5), async () => self.consumer?.close());
    restart = setTimeout(() => void left.then(() => closed || begin()), pause);
  };

  const watchdog = setInterval(() => {
    const self = current;
    if (self === undefined || monotonic() - Math.max(self.heardAt, self.askedAt) < bounds.stallMs) return;
    self.askedAt = monotonic(); // once per bound
    supervision.reachable().then(
      (answers) => {
        if (answers && current === self)
          end(self, new Error(`nothing was heard of the consumer for ${bounds.stallMs} ms`));
      },
      () => undefined,
    );
  }, bounds.stallMs / 4);

  begin();

  return {
    joined: joined.promise,
    get healthy() {
      if (closed || current?.joinedAt === undefined) return false;
      return monotonic() - current.heardAt < bounds.stallMs; // a driver may wait for its broker in silence
    },
    commit: (offsets) =>
      guarded(async () => {
        if (offsets.length === 0) return;
        if (current?.consumer === undefined || current.joinedAt === undefined)
          throw new KafkaFault("unavailable", "not a member of the group at the moment");
        await current.consumer.commit(offsets);
      }),
    pause: (partition) => tap(() => current?.consumer?.pause(partition)),
    resume: (partition) => tap(() => current?.consumer?.resume(partition)),
    async close() {
      closed = true;
      clearTimeout(restart);
      clearInterval(watchdog);
      joined.reject(new KafkaFault("unavailable", "closed before it has joined"));
      const last = current;
      current = undefined;
      last?.ended.abort();
      const inTime = await settledWithin(bounds.closeMs, async () => last?.consumer?.close());
      if (!inTime) log.warn({ group: options.group, bound: bounds.closeMs }, "a consumer did not close in time");
    },
  };
}

/** A consumer that is about to be reported dead has nothing to pause; its successor is told after it has joined. */
function tap(turn: () => void): void {
  try {
    turn();
  } catch {
    // seen as the end of its life
  }
}

const rememberedComplaints = 20;

/** Says a new complaint in full, and one that comes again only at growing intervals and without its stack. */
function makeComplaints(log: Logger, bindings: object) {
  const times = new Map<string, number>();
  return {
    say(reason: unknown, pause: number): void {
      const error = asError(reason);
      const count = (times.get(error.message) ?? 0) + 1;
      if (times.size >= rememberedComplaints) times.clear();
      times.set(error.message, count);
      if (count === 1) log.warn({ err: error, pause, ...bindings }, "consumer is built again");
      else if (Number.isInteger(Math.log2(count)))
        log.warn({ reason: error.message, pause, ...bindings }, `consumer is built again, ${count} times now`);
    },
    clear: () => times.clear(),
  };
}
