// Lanes limit how many tasks of one kind of work run at a time. A lane starts the task with the earliest deadline
// first, and drops a task whose deadline has passed when its turn comes. A task with a late deadline can be overtaken
// for at most the queue target, because callers choose their deadlines.
//
// Admission: a lane with a queue target refuses at once (OVERLOADED) what would wait longer than the target, because an
// answer within milliseconds is better than a late one. The target is meant for bursts: a queue that stays full delays
// every task and speeds up none. So after a refusal, and while refusals continue, only so much is admitted that one
// task waits (the idea of CoDel: Nichols and Jacobson, "Controlling Queue Delay", ACM Queue 2012; for servers, Maurer,
// "Fail at Scale", ACM Queue 2015). This never leaves the lane idle.
//
// Devices: a quarter of the queue is reserved for requests with a valid device token. Others are refused at three
// quarters of the target, or in a saturated queue as above; those with a token at the whole target. So a flood without
// tokens leaves them their places. One task without a token and two with one may always wait, so that this works for
// the smallest target too.
//
// Kinds of tasks may differ in cost, such as the verification of an imported hash. Each kind has its own average, so
// that a slow kind does not make the usual one look slow.
import { refuse } from "./refusals.ts";

export interface LaneOptions {
  /** Tasks that run at a time. */
  width: number;
  /** Longest acceptable wait in a burst as a multiple of the lane's usual cost; absent: only the deadline counts. */
  queueTarget?: number;
  /** Initial estimate of the cost of one task, ms. */
  cost?: number;
  /**
   * Called with the usual cost, ms, of each task that asks for the lane: refused at admission, or run. A request that
   * is refused elsewhere in between does not count.
   */
  demanded?(ms: number): void;
}

interface Task {
  /**
   * Tasks of one kind cost about the same; "" (default) is the usual kind. Each kind is remembered, so there must be
   * few.
   */
  kind?: string;
  /** From admission; released when the task joins the queue. */
  permit?: Permit | undefined;
}

/**
 * Counts an admitted request until it is in the queue: it reads the database in between, and meanwhile many others
 * could be admitted.
 */
export interface Permit {
  /** May be called more than once. */
  release(): void;
}

interface Waiting {
  deadline: number;
  /** Monotonic ms by which it should start, at the latest its deadline: the order of the queue. */
  due: number;
  kind: string;
  start(): void;
  drop(): void;
}

const smoothing = 0.1;
/** What may wait in a saturated queue, in tasks of the usual kind. */
const saturatedTarget = 1;
/** The share of the target for requests without a device token. */
const withoutDevice = 3 / 4;
/** How long a queue counts as saturated after the last refusal, as a multiple of the time of a full queue. */
const saturatedFor = 2;

export class Lane {
  /** Tasks that run at a time. */
  readonly width: number;
  readonly #options: LaneOptions;
  readonly #monotonic: () => number;
  readonly #queue: Waiting[] = []; // ordered by when they are due
  readonly #running: string[] = []; // kinds
  readonly #costs: Map<string, number>;
  /** Admitted requests that are not in the queue yet. */
  #admitted = 0;
  /** The last refusal because of the target, monotonic ms. */
  #fullAt = Number.NEGATIVE_INFINITY;

  constructor(options: LaneOptions, monotonic: () => number) {
    this.width = options.width;
    this.#options = options;
    this.#monotonic = monotonic;
    this.#costs = new Map([["", options.cost ?? 0]]);
  }

  get running(): number {
    return this.#running.length;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** Cost of one task of the usual kind, ms: a moving average. */
  get cost(): number {
    return this.#costs.get("") ?? 0;
  }

  /**
   * Refuses what would wait too long. The permit counts as waiting from now on.
   * @param device whether it may use the places reserved for devices
   * @throws Refusal OVERLOADED with retryAfterMs
   */
  admit(deadline: number, device = false): Permit {
    try {
      this.#checkWait(deadline, { device, ahead: this.#admitted });
    } catch (refusal) {
      this.#options.demanded?.(this.cost); // it will never reach run(), where all others are counted
      throw refusal;
    }
    this.#admitted += 1;
    let isHeld = true;
    return {
      release: () => {
        if (isHeld) this.#admitted -= 1;
        isHeld = false;
      },
    };
  }

  /**
   * Runs the work when its turn comes. The target of a burst applies, because work was already spent on an admitted
   * request.
   * @param deadline monotonic ms by which it must have started
   * @throws Refusal OVERLOADED with retryAfterMs at once, DEADLINE_EXCEEDED when its turn comes too late
   */
  async run<T>(deadline: number, work: () => Promise<T>, { kind = "", permit }: Task = {}): Promise<T> {
    permit?.release();
    this.#options.demanded?.(this.#costOf([kind]));
    this.#checkWait(deadline, { device: true, ahead: 0 });
    await this.#acquire(deadline, kind);
    const began = this.#monotonic();
    try {
      return await work();
    } finally {
      this.#running.splice(this.#running.indexOf(kind), 1);
      this.#learn(kind, this.#monotonic() - began);
      this.#startNext();
    }
  }

  /** @throws Refusal OVERLOADED where it would wait beyond the target, or beyond its deadline */
  #checkWait(deadline: number, { device, ahead }: { device: boolean; ahead: number }): void {
    const { width } = this;
    const { queueTarget } = this.#options;
    const running = this.#running.length;
    if (queueTarget === undefined || running + this.#queue.length + ahead < width) return;
    const first = running < width ? 0 : this.#costOf(this.#running) / running; // one of the running ones ends first
    const wait = (this.#costOf(this.#queue.map(({ kind }) => kind)) + ahead * this.cost + first) / width;
    const longest = this.#targetOf(queueTarget, device) * this.cost;
    if (wait <= Math.min(deadline - this.#monotonic(), longest)) return;
    if (wait > longest) this.#fullAt = this.#monotonic();
    throw refuse("OVERLOADED", { retryAfterMs: Math.ceil(wait) });
  }

  /** Longest acceptable wait, in tasks of the usual kind. */
  #targetOf(queueTarget: number, device: boolean): number {
    if (device) return Math.max(queueTarget, 2 * saturatedTarget);
    const isSaturated = this.#monotonic() - this.#fullAt < saturatedFor * queueTarget * this.cost;
    return isSaturated ? saturatedTarget : Math.max(queueTarget * withoutDevice, saturatedTarget);
  }

  #costOf(kinds: readonly string[]): number {
    return kinds.reduce((total, kind) => total + (this.#costs.get(kind) ?? this.cost), 0);
  }

  #learn(kind: string, took: number): void {
    const known = this.#costs.get(kind) || took; // the first measurement starts the average
    this.#costs.set(kind, known + (took - known) * smoothing);
  }

  #acquire(deadline: number, kind: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const start = (): void => {
        this.#running.push(kind);
        resolve();
      };
      const drop = (): void => reject(refuse("DEADLINE_EXCEEDED"));
      const target = (this.#options.queueTarget ?? Number.POSITIVE_INFINITY) * (this.cost || 1);
      this.#enqueue({ deadline, due: Math.min(deadline, this.#monotonic() + target), kind, start, drop });
      this.#startNext();
    });
  }

  #enqueue(item: Waiting): void {
    let low = 0;
    let high = this.#queue.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#queue[middle]!.due <= item.due) low = middle + 1;
      else high = middle;
    }
    this.#queue.splice(low, 0, item);
  }

  #startNext(): void {
    while (this.#running.length < this.width) {
      const first = this.#queue.shift();
      if (first === undefined) return;
      if (first.deadline <= this.#monotonic()) first.drop();
      else first.start();
    }
  }
}
