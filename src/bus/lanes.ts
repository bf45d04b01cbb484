// Lanes: how many pieces of one kind of work run at a time. A lane takes the earliest deadline first and drops what can no longer
// be met when its turn comes. A lane with a queue target refuses at the door what would wait too long: better an answer in
// milliseconds than a late one (a login queue of seconds is what our peers are known for).
import { refuse } from "../errors.ts";

export interface LaneOptions {
  /** Pieces that run at a time. */
  width: number;
  /** Longest acceptable wait as a multiple of the lane's usual cost; absent: only the deadline counts. */
  queueTarget?: number;
  /** First guess of the cost of one piece, ms. */
  cost?: number;
}

export interface Lane {
  /**
   * Runs the work when its turn comes.
   * @param deadline monotonic ms by which it must have begun
   * @throws Refusal OVERLOADED with retryAfterMs at once, DEADLINE_EXCEEDED when its turn comes too late
   */
  run<T>(deadline: number, work: () => Promise<T>): Promise<T>;
  /** Refuses at the door what would wait too long. @throws Refusal OVERLOADED with retryAfterMs */
  admit(deadline: number): void;
  /** Pieces that run at a time. */
  readonly width: number;
  readonly running: number;
  readonly queued: number;
  /** Usual cost of one piece, ms: a moving average. */
  readonly cost: number;
}

interface Waiting {
  deadline: number;
  start(): void;
  drop(): void;
}

const smoothing = 0.1;

export function makeLane(options: LaneOptions, monotonic: () => number): Lane {
  const queue: Waiting[] = []; // ordered by deadline
  let running = 0;
  let cost = options.cost ?? 0;

  const admit = (deadline: number): void => {
    if (options.queueTarget === undefined || running < options.width) return;
    const wait = ((queue.length + 1) * cost) / options.width;
    if (wait <= Math.min(deadline - monotonic(), options.queueTarget * cost)) return;
    throw refuse("OVERLOADED", { retryAfterMs: Math.ceil(wait) });
  };

  const next = (): void => {
    while (running < options.width) {
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
      if (queue[middle]!.deadline <= item.deadline) low = middle + 1;
      else high = middle;
    }
    queue.splice(low, 0, item);
  };

  const turn = (deadline: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const start = (): void => {
        running += 1;
        resolve();
      };
      const drop = (): void => reject(refuse("DEADLINE_EXCEEDED"));
      enqueue({ deadline, start, drop });
      next();
    });

  return {
    admit,
    async run(deadline, work) {
      admit(deadline);
      await turn(deadline);
      const began = monotonic();
      try {
        return await work();
      } finally {
        running -= 1;
        cost += (monotonic() - began - cost) * (cost === 0 ? 1 : smoothing);
        next();
      }
    },
    width: options.width,
    get running() {
      return running;
    },
    get queued() {
      return queue.length;
    },
    get cost() {
      return cost;
    },
  };
}
