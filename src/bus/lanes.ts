// Lanes: how many tasks of one kind of work run at a time. A lane starts the task with the earliest deadline first, and
// drops a task whose deadline has passed when its turn comes. A task whose deadline is late is overtaken for at most
// the queue target, because callers choose their deadlines.
//
// Admission: a lane with a queue target refuses at once (OVERLOADED) what would wait longer than the target. An answer
// in milliseconds is better than a late one. The target is meant for bursts: a queue that stays full makes every task
// late and none faster. So after a refusal, and for as long as refusals go on, only so much is admitted as waits for
// one task (the idea of CoDel: Nichols and Jacobson, "Controlling Queue Delay", ACM Queue 2012; for servers, Maurer,
// "Fail at Scale", ACM Queue 2015). The lane is never idle because of it.
//
// Devices: a quarter of the queue is kept for requests with a valid device token. Others are refused at three quarters
// of the target, and in a saturated queue as above; those with a token at the whole target. So a flood without tokens
// leaves them their place. Others may always wait for one task and those with a token for two, so that this holds for
// the smallest target too.
//
// Tasks may be of kinds that cost differently, such as a hash that was imported from another service. Each kind has an
// average of its own, so that a slow kind does not make the usual one look slow.
import { refuse } from "./refusals.ts";

export interface LaneOptions {
  /** Tasks that run at a time. */
  width: number;
  /** Longest acceptable wait as a multiple of the lane's usual cost, in a burst; absent: only the deadline counts. */
  queueTarget?: number;
  /** First guess of the cost of one task, ms. */
  cost?: number;
  /**
   * Gets the usual cost, ms, of each task that asks for the lane: of those that are refused at admission and of those
   * that run. A request that is refused by others in between asks for nothing.
   */
  demanded?(ms: number): void;
}

export interface Lane {
  /**
   * Runs the work when its turn comes. It is held to the target of a burst, because what was admitted has cost
   * something already.
   * @param deadline monotonic ms by which it must have begun
   * @throws Refusal OVERLOADED with retryAfterMs at once, DEADLINE_EXCEEDED when its turn comes too late
   */
  run<T>(deadline: number, work: () => Promise<T>, task?: Task): Promise<T>;
  /**
   * Refuses what would wait too long. What is admitted gets a permit, and counts as waiting from now on.
   * @param device whether it may use what is kept for devices
   * @throws Refusal OVERLOADED with retryAfterMs
   */
  admit(deadline: number, device?: boolean): Permit;
  /** Tasks that run at a time. */
  readonly width: number;
  readonly running: number;
  readonly queued: number;
  /** Cost of one task of the usual kind, ms: a moving average. */
  readonly cost: number;
}

interface Task {
  /**
   * Tasks of one kind cost about the same; "" (default) is the usual one. There are few kinds: each is remembered.
   */
  kind?: string;
  /** From admission; released when the task joins the queue. */
  permit?: Permit | undefined;
}

/**
 * Held between admission and the queue: a request asks the database in between, and meanwhile many others could be
 * admitted.
 */
export interface Permit {
  /** May be called more than once. */
  release(): void;
}

interface Waiting {
  deadline: number;
  /** Monotonic ms by which its turn should have come, at the latest its deadline: the queue is in this order. */
  due: number;
  kind: string;
  start(): void;
  drop(): void;
}

const smoothing = 0.1;
/** What may wait in a saturated queue, in tasks of the usual kind. */
const saturatedTarget = 1;
/** The share of the target that requests without a device token may wait. */
const withoutDevice = 3 / 4;
/** How long a queue counts as saturated after the last refusal, in times that a full queue takes. */
const saturatedFor = 2;

export function makeLane(options: LaneOptions, monotonic: () => number): Lane {
  const queue: Waiting[] = []; // ordered by when they are due
  const running: string[] = []; // kinds
  let admitted = 0;
  let fullAt = Number.NEGATIVE_INFINITY;
  const costs = new Map([["", options.cost ?? 0]]);
  const usual = (): number => costs.get("") ?? 0;
  const costOf = (kinds: readonly string[]): number =>
    kinds.reduce((total, kind) => total + (costs.get(kind) ?? usual()), 0);

  /** @param target in tasks of the usual kind @param ahead how many were admitted and are not in the queue yet */
  const checkWait = (deadline: number, { target, ahead }: { target: number; ahead: number }): void => {
    if (running.length + queue.length + ahead < options.width) return;
    const first = running.length < options.width ? 0 : costOf(running) / running.length; // one of the running ones ends first
    const wait = (costOf(queue.map(({ kind }) => kind)) + ahead * usual() + first) / options.width;
    const longest = target * usual();
    if (wait <= Math.min(deadline - monotonic(), longest)) return;
    if (wait > longest) fullAt = monotonic();
    throw refuse("OVERLOADED", { retryAfterMs: Math.ceil(wait) });
  };

  const targetOf = (queueTarget: number, device: boolean): number => {
    if (device) return Math.max(queueTarget, 2 * saturatedTarget);
    const saturated = monotonic() - fullAt < saturatedFor * queueTarget * usual();
    return saturated ? saturatedTarget : Math.max(queueTarget * withoutDevice, saturatedTarget);
  };

  const admit = (deadline: number, device = false): Permit => {
    const { queueTarget } = options;
    if (queueTarget !== undefined) {
      try {
        checkWait(deadline, { target: targetOf(queueTarget, device), ahead: admitted });
      } catch (refusal) {
        options.demanded?.(usual()); // it will never reach run(), where all others are counted
        throw refusal;
      }
    }
    admitted += 1;
    let here = true;
    return {
      release() {
        if (here) admitted -= 1;
        here = false;
      },
    };
  };

  const next = (): void => {
    while (running.length < options.width) {
      const first = queue.shift();
      if (first === undefined) return;
      if (first.deadline <= monotonic()) first.drop();
      else first.start();
    }
  };

  const enqueue = (item: Waiting): void => {
    let low = 0;
    let high = queue.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (queue[middle]!.due <= item.due) low = middle + 1;
      else high = middle;
    }
    queue.splice(low, 0, item);
  };

  const acquire = (deadline: number, kind: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const start = (): void => {
        running.push(kind);
        resolve();
      };
      const drop = (): void => reject(refuse("DEADLINE_EXCEEDED"));
      const target = (options.queueTarget ?? Number.POSITIVE_INFINITY) * (usual() || 1);
      enqueue({ deadline, due: Math.min(deadline, monotonic() + target), kind, start, drop });
      next();
    });

  const learn = (kind: string, took: number): void => {
    const known = costs.get(kind) || took; // the first of its kind is all that is known
    costs.set(kind, known + (took - known) * smoothing);
  };

  return {
    admit,
    async run(deadline, work, { kind = "", permit } = {}) {
      permit?.release();
      options.demanded?.(costOf([kind]));
      const { queueTarget } = options;
      if (queueTarget !== undefined) checkWait(deadline, { target: targetOf(queueTarget, true), ahead: 0 });
      await acquire(deadline, kind);
      const began = monotonic();
      try {
        return await work();
      } finally {
        running.splice(running.indexOf(kind), 1);
        learn(kind, monotonic() - began);
        next();
      }
    },
    width: options.width,
    get running() {
      return running.length;
    },
    get queued() {
      return queue.length;
    },
    get cost() {
      return usual();
    },
  };
}
