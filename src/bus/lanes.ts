// Lanes: how many pieces of one kind of work run at a time. A lane takes the earliest deadline first and drops what can
// no longer be met when its turn comes. Nobody is overtaken for longer than the queue target by pieces with less time:
// those may be made up. A lane with a queue target refuses at the door what would wait too long: better an answer in
// milliseconds than a late one (a login queue of seconds is what our peers are known for).
// The target is for bursts. A queue that has been full, and to which more comes than it can take, stands: it makes
// everybody late and nothing faster. So as long as somebody was turned away a moment ago, the door lets in only what
// waits for one piece (the idea of CoDel: Nichols and Jacobson, "Controlling Queue Delay", ACM Queue 2012; for servers,
// Maurer, "Fail at Scale", ACM Queue 2015). The lane is never idle for it. A quarter of the queue is kept for requests
// with a device token that holds: others are turned away at three quarters of the target, and in a queue that stands as
// above, those with a token at the whole target. So a flood without tokens leaves them their place. Others may always
// wait for one piece, and those with a token for two, so that this holds for the smallest target, too.
// Pieces may be of kinds that cost differently, such as a hash of another service beside our own: each kind has an
// average of its own, so that a slow one does not make the usual ones look slow.
import { refuse } from "./refusals.ts";

export interface LaneOptions {
  /** Pieces that run at a time. */
  width: number;
  /** Longest acceptable wait as a multiple of the lane's usual cost, in a burst; absent: only the deadline counts. */
  queueTarget?: number;
  /** First guess of the cost of one piece, ms. */
  cost?: number;
  /**
   * Gets the usual cost, ms, of each piece that asks for the lane: of one that is refused at the door or has the door
   * behind it. What somebody else refuses between the two asks for nothing.
   */
  demanded?(ms: number): void;
}

export interface Lane {
  /**
   * Runs the work when its turn comes. Its target is that of a burst: what the door let in has cost something
   * meanwhile.
   * @param deadline monotonic ms by which it must have begun
   * @throws Refusal OVERLOADED with retryAfterMs at once, DEADLINE_EXCEEDED when its turn comes too late
   */
  run<T>(deadline: number, work: () => Promise<T>, piece?: Task): Promise<T>;
  /**
   * Refuses at the door what would wait too long; what is let in has a place, and counts from now on.
   * @param device whether it may have what is kept for devices
   * @throws Refusal OVERLOADED with retryAfterMs
   */
  admit(deadline: number, device?: boolean): Permit;
  /** Pieces that run at a time. */
  readonly width: number;
  readonly running: number;
  readonly queued: number;
  /** Cost of one piece of the usual kind, ms: a moving average. */
  readonly cost: number;
}

export interface Task {
  /**
   * Pieces of one kind cost about the same; "" (default) is the usual one. There are few: each is remembered for ever.
   */
  kind?: string;
  /** Where it was let in by the door: given up now, for a place in the queue. */
  permit?: Permit | undefined;
}

/**
 * Of who was let in and has not come to the queue yet: a request asks the database first, and meanwhile many could be
 * let in.
 */
export interface Permit {
  /** Gives it up. Once or more often. */
  release(): void;
}

interface Waiting {
  deadline: number;
  /** Monotonic ms at which its turn should have come, at the latest its deadline: who is in the queue first. */
  due: number;
  kind: string;
  start(): void;
  drop(): void;
}

const smoothing = 0.1;
/** What may wait in a queue that stands, in pieces of the usual kind. */
const saturatedTarget = 1;
/** Of the target, what others than devices may wait. */
const withoutDevice = 3 / 4;
/** For how long after the last one that was turned away: so many times what a full queue takes. */
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

  /** @param target in pieces of the usual kind @param coming how many come before */
  const checkWait = (deadline: number, { target, coming }: { target: number; coming: number }): void => {
    if (running.length + queue.length + coming < options.width) return;
    const first = running.length < options.width ? 0 : costOf(running) / running.length; // one of those that run ends first
    const wait = (costOf(queue.map(({ kind }) => kind)) + coming * usual() + first) / options.width;
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
        checkWait(deadline, { target: targetOf(queueTarget, device), coming: admitted });
      } catch (refusal) {
        options.demanded?.(usual()); // it will not come to run(), where all others are counted
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
    const known = costs.get(kind) || took; // the first one of its kind is all that is known of it
    costs.set(kind, known + (took - known) * smoothing);
  };

  return {
    admit,
    async run(deadline, work, { kind = "", permit } = {}) {
      permit?.release();
      options.demanded?.(costOf([kind]));
      const { queueTarget } = options;
      if (queueTarget !== undefined) checkWait(deadline, { target: targetOf(queueTarget, true), coming: 0 });
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
