// A fetch session (KIP-227), the consumer's side: a fetch names only what is new, has moved, or is given up, and the
// answer only what has records or a new end. Without one every partition is named in every fetch and answered, and an
// idle worker makes its broker and itself spend more on lists than on records. Measured with kafkajs, `npm run bench --
// roundtrip-1` on 2 cores: CPU a request 1.39 -> 0.49 ms in a worker and 1.14 -> 0.81 ms in the broker, and 2.8 -> 1.5
// times the p50 of a bare echo.
// Promises: what the consumer wants is what the broker knows, or the next fetch names everything again. Any fault ends
// in that: a fault in an answer, an answer that did not come, a broker that has forgotten the session or keeps none
// (its cache has 1,000 places by default).

/** Offsets are as the driver has them. */
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
  /** 0: everything is named and a session is asked for. */
  sessionEpoch: number;
  topics: FetchTopic<O>[];
  forgottenTopics: { topic: string; partitions: number[] }[];
}

export interface FetchAnswer {
  errorCode: number;
  sessionId: number;
}

/** What a broker knows of one consumer's wishes. */
export interface FetchSession<O extends Offset> {
  next(wanted: FetchTopic<O>[]): SessionRequest<O>;
  /** @returns whether the session was refused, so that the same must be asked again */
  answered(answer: FetchAnswer): boolean;
  /** Nobody can tell what the broker knows now. */
  failed(): void;
  /** From where it was asked for last; undefined: it was not, or is not any more. */
  askedFrom(topic: string, partition: number): O | undefined;
}

const noSession = 0;
const lastEpoch = 2 ** 31 - 1;
/** FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH: the protocol's numbers. */
const refusals = new Map([
  [70, "gone"],
  [71, "out of step"],
]);

/** Whether the session is refused and nothing else: the same can be asked anew. */
export const isRefusal = ({ errorCode }: Pick<FetchAnswer, "errorCode">): boolean => refusals.has(errorCode);

type Known<O> = Map<string, Map<number, O>>;

export function makeFetchSession<O extends Offset>(): FetchSession<O> {
  let id = noSession;
  let epoch = 0;
  let known: Known<O> = new Map();

  const restart = (sessionId: number): void => {
    id = sessionId; // with its number the broker ends the old session instead of keeping it for two minutes
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

/** What is wanted and not known as it is wanted; known afterwards. */
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

/** What is known and not wanted any more, where all that is wanted is known; forgotten afterwards. */
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
