// The consumer's side of a fetch session (KIP-227): a fetch names only partitions that are new, have moved or were
// removed, and the answer only those with records or a new end. Without a session every fetch and answer names every
// partition, and an idle worker spends more on these lists than on records. Measured with kafkajs, `npm run bench --
// roundtrip-1` on 2 cores: CPU per request 1.39 -> 0.49 ms in a worker and 1.14 -> 0.81 ms in the broker, and 2.8 ->
// 1.5 times the p50 of a bare echo.
//
// Either the broker knows exactly what the consumer wants, or the next fetch names everything again. That is the result
// of every fault: an error in an answer, a missing answer, a broker that dropped the session or has no room for one
// (its cache has 1,000 places by default).

/** In the driver's own type. */
export type Offset = string | bigint;

export interface FetchPartition<O extends Offset> {
  partition: number;
  fetchOffset: O;
  maxBytes: number;
}

export interface FetchTopic<O extends Offset> {
  topic: string;
  partitions: FetchPartition<O>[];
}

export interface SessionRequest<O extends Offset> {
  sessionId: number;
  /** 0: everything is named and a session is requested. */
  sessionEpoch: number;
  topics: FetchTopic<O>[];
  forgottenTopics: { topic: string; partitions: number[] }[];
}

export interface FetchAnswer {
  errorCode: number;
  sessionId: number;
}

/** What a broker knows about the partitions that one consumer wants. */
export interface FetchSession<O extends Offset> {
  next(wanted: FetchTopic<O>[]): SessionRequest<O>;
  /** @returns whether the session was refused, so that the same fetch must be sent again */
  answered(answer: FetchAnswer): boolean;
  /** It is unknown what the broker knows now. */
  failed(): void;
  /** The offset that was last asked for; undefined: none (any more). */
  askedFrom(topic: string, partition: number): O | undefined;
}

const noSession = 0;
const lastEpoch = 2 ** 31 - 1;
/** FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, by their protocol numbers. */
const refusals = new Map([
  [70, "gone"],
  [71, "out of step"],
]);

/** Whether only the session was refused, so that the fetch can be sent again. */
export const isRefusal = ({ errorCode }: Pick<FetchAnswer, "errorCode">): boolean => refusals.has(errorCode);

type Known<O> = Map<string, Map<number, O>>;

export function makeFetchSession<O extends Offset>(): FetchSession<O> {
  let id = noSession;
  let epoch = 0;
  let known: Known<O> = new Map();

  const restart = (sessionId: number): void => {
    id = sessionId; // naming it makes the broker end the old session instead of keeping it for two minutes
    epoch = 0;
  };

  return {
    next(wanted) {
      if (epoch === 0) known = new Map();
      const topics = moved(known, wanted);
      return { sessionId: id, sessionEpoch: epoch, topics, forgottenTopics: forget(known, wanted) };
    },
    answered(answer) {
      const { errorCode, sessionId } = answer;
      if (isRefusal(answer) || sessionId === noSession) {
        restart(refusals.get(errorCode) === "gone" ? noSession : id);
        return isRefusal(answer);
      }
      id = sessionId;
      epoch = epoch === lastEpoch ? 1 : epoch + 1;
      return false;
    },
    failed: () => restart(id),
    askedFrom: (topic, partition) => known.get(topic)?.get(partition),
  };
}

/** What is wanted and differs from what the broker knows; it counts as known afterwards. */
function moved<O extends Offset>(known: Known<O>, wanted: FetchTopic<O>[]): FetchTopic<O>[] {
  const changed: FetchTopic<O>[] = [];
  for (const { topic, partitions } of wanted) {
    let offsets = known.get(topic);
    if (offsets === undefined) {
      offsets = new Map();
      known.set(topic, offsets);
    }
    const some = partitions.filter(({ partition, fetchOffset }) => offsets.get(partition) !== fetchOffset);
    for (const { partition, fetchOffset } of some) offsets.set(partition, fetchOffset);
    if (some.length > 0) changed.push({ topic, partitions: some });
  }
  return changed;
}

/**
 * What the broker knows and is no longer wanted; forgotten afterwards. Requires that all wanted partitions are known.
 */
function forget<O extends Offset>(known: Known<O>, wanted: FetchTopic<O>[]): SessionRequest<O>["forgottenTopics"] {
  const size = wanted.reduce((sum, { partitions }) => sum + partitions.length, 0);
  if (size === sizeOf(known)) return [];
  const kept = new Map(wanted.map(({ topic, partitions }) => [topic, new Set(partitions.map((p) => p.partition))]));
  const forgotten: SessionRequest<O>["forgottenTopics"] = [];
  for (const [topic, offsets] of known) {
    const partitions = [...offsets.keys()].filter((partition) => !kept.get(topic)?.has(partition));
    for (const partition of partitions) offsets.delete(partition);
    if (offsets.size === 0) known.delete(topic);
    if (partitions.length > 0) forgotten.push({ topic, partitions });
  }
  return forgotten;
}

function sizeOf(known: Known<unknown>): number {
  let size = 0;
  for (const offsets of known.values()) size += offsets.size;
  return size;
}
