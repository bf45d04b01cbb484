// Splits a consumer's fetches from one broker into two parallel halves: the partitions that brought records lately, and
// all others. At each fetch a broker goes through every partition of a session, including quiet ones, and a worker with
// every command has 432 of them by default. Measured, `npm run bench -- roundtrip` on 2 cores, one fetch -> two,
// medians: Kafka's CPU per request 2.3 -> 0.6 ms one at a time and 53 -> 21 us at 64; p50 2.9 -> 1.4 times that of a
// bare echo, and at 64 in flight 0.64 -> 0.72 of its rate (second driver 2.3 -> 1.1, 0.61 -> 0.69). Each half needs its
// own connection, because a broker answers the requests of a connection in order, and a fetch of quiet partitions
// waits. It promises, whatever is lost or refused in between (fetch-session.ts):
// - every wanted partition is in at least one half, from the next fetch of that half on.
// - an answer says from which offset it was asked. A partition that changes halves is in both for a while and may come
//   twice: only what is still wanted from that offset is used. A dropped partition may be wanted again at once (back
//   pressure), and only a fetch that is not in flight can name it: for a moment after that, fetches only wait briefly.
import { type Clock, systemClock } from "../lib/clock.ts";
import { KafkaFault } from "./faults.ts";
import {
  type FetchAnswer,
  type FetchPartition,
  type FetchSession,
  type FetchTopic,
  makeFetchSession,
  type Offset,
  type SessionRequest,
} from "./fetch-session.ts";

export type HalfName = "active" | "quiet";

export interface Fetched<O extends Offset, Answer> {
  answer: Answer;
  /** The offset that this answer was asked for. */
  askedFrom(topic: string, partition: number): O | undefined;
}

type Ask<O extends Offset, Answer> = (half: HalfName, request: SessionRequest<O>, waitMs: number) => Promise<Answer>;

interface Half<O extends Offset, Answer> {
  name: HalfName;
  session: FetchSession<O>;
  underway: { waitMs: number; overdueAt: number; settled: Promise<() => Answer> } | undefined;
}

/**
 * A partition without records for this long is quiet; the quiet half then brings its next record, which costs one pass
 * over all of it.
 */
const activeMs = 5000;
/** With so few partitions, a second connection is not worth it. */
export const fewPartitions = 16;
const heldBackMs = 500;
/**
 * Drivers give up a fetch sooner. One that is lost silently must not be waited for, because the other half continues as
 * if nothing were wrong.
 */
const answerMs = 20_000;
/** How long a fetch may wait meanwhile. */
const shortWaitMs = 10;

export class SplitFetch<O extends Offset, Answer extends FetchAnswer> {
  readonly #ask: Ask<O, Answer>;
  readonly #monotonic: Clock["monotonic"];
  readonly #active: Half<O, Answer> = { name: "active", session: makeFetchSession(), underway: undefined };
  readonly #quiet: Half<O, Answer> = { name: "quiet", session: makeFetchSession(), underway: undefined };
  readonly #broughtAt = new Map<string, number[]>();
  #heldBackUntil = Number.NEGATIVE_INFINITY;
  #lastCount = 0;

  constructor(ask: Ask<O, Answer>, monotonic: Clock["monotonic"] = systemClock.monotonic) {
    this.#ask = ask;
    this.#monotonic = monotonic;
  }

  /**
   * Fetches what is wanted in each half without a fetch in flight, and waits for the first answer.
   * @param waitMs how long a broker without news may wait
   * @returns undefined: nothing for now
   * @throws what `ask` has thrown, KafkaFault where it got no answer; everything of that half is then named again
   */
  async next(wanted: FetchTopic<O>[], waitMs: number): Promise<Fetched<O, Answer> | undefined> {
    const halves = [this.#quiet, this.#active];
    for (const each of halves) this.#endOverdue(each);
    this.#startBoth(wanted, waitMs);
    const first = await soonest(halves, this.#boundOf(waitMs));
    if (first === undefined) return undefined;
    const { it, settled } = first;
    it.underway = undefined;
    try {
      const answer = settled();
      return it.session.answered(answer) ? undefined : { answer, askedFrom: it.session.askedFrom };
    } catch (error) {
      it.session.failed();
      throw error;
    }
  }

  /** The partition had records. */
  brought(topic: string, partition: number): void {
    const times = this.#broughtAt.get(topic) ?? [];
    this.#broughtAt.set(topic, times);
    times[partition] = this.#monotonic();
  }

  #startBoth(wanted: FetchTopic<O>[], waitMs: number): void {
    const [active, quiet] = [this.#active, this.#quiet];
    const count = countOf(wanted);
    if (count < this.#lastCount) this.#backOff(); // where all of a half is given up it is not asked, and forgets nothing
    this.#lastCount = count;
    const isFew = count <= fewPartitions;
    const since = this.#monotonic() - activeMs;
    const isActive = (topic: string, partition: number): boolean =>
      isFew || (this.#broughtAt.get(topic)?.[partition] ?? Number.NEGATIVE_INFINITY) > since;
    if (active.underway === undefined) {
      const some = only(wanted, (topic, each) => isActive(topic, each.partition) || isLeftOut(quiet, topic, each));
      this.#start(active, some, { wanted, waitMs });
    }
    if (quiet.underway === undefined) {
      const isNotThere = (topic: string, each: FetchPartition<O>): boolean =>
        active.underway === undefined || isLeftOut(active, topic, each);
      const some = only(wanted, (topic, each) => !isActive(topic, each.partition) || isNotThere(topic, each));
      this.#start(quiet, some, { wanted, waitMs });
    }
  }

  #start(it: Half<O, Answer>, some: FetchTopic<O>[], all: { wanted: FetchTopic<O>[]; waitMs: number }): void {
    if (some.length === 0) return;
    const request = it.session.next(some);
    if (givesUp(request, all.wanted)) this.#backOff();
    const waitMs = this.#boundOf(all.waitMs);
    const settled = this.#ask(it.name, request, waitMs).then(
      (answer) => () => answer,
      (error: unknown) => () => {
        throw error;
      },
    );
    it.underway = { waitMs, overdueAt: this.#monotonic() + waitMs + answerMs, settled };
  }

  #endOverdue(it: Half<O, Answer>): void {
    if (it.underway === undefined || this.#monotonic() < it.underway.overdueAt) return;
    it.underway = undefined;
    it.session.failed();
    throw new KafkaFault("unavailable", "a fetch was not answered");
  }

  #backOff(): void {
    this.#heldBackUntil = this.#monotonic() + heldBackMs;
  }

  #boundOf(waitMs: number): number {
    return this.#monotonic() < this.#heldBackUntil ? Math.min(waitMs, shortWaitMs) : waitMs;
  }
}

/** Whether the other half is in flight without asking for this partition from its wanted offset. */
function isLeftOut<O extends Offset>(
  { underway, session }: Half<O, unknown>,
  topic: string,
  { partition, fetchOffset }: FetchPartition<O>,
): boolean {
  return underway !== undefined && session.askedFrom(topic, partition) !== fetchOffset;
}

/** The first of the list if several are there. */
async function soonest<O extends Offset, Answer>(halves: Half<O, Answer>[], waitMs: number) {
  const underway = halves.flatMap((it) => (it.underway === undefined ? [] : [{ it, ...it.underway }]));
  const answers = underway.map(({ it, settled }) => settled.then((settled) => ({ it, settled })));
  if (underway.length > 0 && underway.every((each) => each.waitMs <= waitMs)) return Promise.race(answers);
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, waitMs, undefined);
  });
  try {
    return await Promise.race([...answers, over]);
  } finally {
    clearTimeout(timer);
  }
}

function only<O extends Offset>(
  wanted: FetchTopic<O>[],
  isMeant: (topic: string, each: FetchPartition<O>) => boolean,
): FetchTopic<O>[] {
  const some: FetchTopic<O>[] = [];
  for (const { topic, partitions } of wanted) {
    const meant = partitions.filter((each) => isMeant(topic, each));
    if (meant.length > 0) some.push({ topic, partitions: meant });
  }
  return some;
}

/** Whether something is dropped that the other half has not taken over. */
function givesUp<O extends Offset>({ forgottenTopics }: SessionRequest<O>, wanted: FetchTopic<O>[]): boolean {
  return forgottenTopics.some(({ topic, partitions }) => {
    const stays = new Set(wanted.find((each) => each.topic === topic)?.partitions.map(({ partition }) => partition));
    return partitions.some((partition) => !stays.has(partition));
  });
}

function countOf(wanted: FetchTopic<Offset>[]): number {
  return wanted.reduce((count, { partitions }) => count + partitions.length, 0);
}
