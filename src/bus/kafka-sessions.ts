// Fetch sessions for kafkajs 2.2.4 (KIP-227): it names every partition that it holds in every fetch, and gets as many back, so an idle
// worker with 60 partitions made the broker and itself spend more on lists than on records. Here each connection to a broker has a session:
// a fetch names only what is new, has moved, or is given up, and the answer only what has records or a new end.
// Measured, `npm run bench -- roundtrip-1` on 2 cores: CPU a request 1.39 -> 0.49 ms in a worker and 1.14 -> 0.81 ms in the broker, and 2.8 ->
// 1.5 times the p50 of a bare echo; `roundtrip-64` 0.50 -> 0.74 of its rate.
// Promises: what kafkajs asks for is what the broker knows, or the next fetch names everything again. Any fault ends in that: a fault in an
// answer, an answer that did not come, a broker that has forgotten the session or keeps none (its cache has 1,000 places by default).
// Pinned to kafkajs's version, as kafka-traps.ts is; brokers that know no sessions (Fetch below version 7) are asked as before.
//
// One thing more depends on what was given up: kafkajs names what is resumed only in its next fetch, and one that waits for other partitions
// waits 250 ms. With a backlog partitions are paused and resumed all the time, so for a moment after one was given up fetches wait shortly.
import { createRequire } from "node:module";
import { systemClock } from "../clock.ts";

/** What kafkajs asks a broker for. */
export interface FetchTopic {
  topic: string;
  partitions: { partition: number; fetchOffset: string; maxBytes: number }[];
}

export interface SessionRequest {
  sessionId: number;
  /** 0: everything is named and a session is asked for. */
  sessionEpoch: number;
  topics: FetchTopic[];
  forgottenTopics: { topic: string; partitions: number[] }[];
}

interface FetchAnswer {
  errorCode: number;
  sessionId: number;
}

/** What a broker knows of one consumer's wishes. */
export interface FetchSession {
  next(wanted: FetchTopic[]): SessionRequest;
  /** @returns whether the session was refused, so that the same must be asked again */
  answered(answer: FetchAnswer): boolean;
  /** Nobody can tell what the broker knows now. */
  failed(): void;
  /** Whether something was given up within the last half second, which may be wanted again at once. */
  readonly isHeldBack: boolean;
}

const heldBackMs = 500;
/** How long a fetch may wait meanwhile. */
const shortWaitMs = 10;
const noSession = 0;
const lastEpoch = 2 ** 31 - 1;
/** FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH: the protocol's numbers, which kafkajs does not judge in an answer. */
const refusals = new Map([
  [70, "gone"],
  [71, "out of step"],
]);

export function makeFetchSession(monotonic: () => number = systemClock.monotonic): FetchSession {
  let heldBackUntil = 0;
  let id = noSession;
  let epoch = 0;
  let known = new Map<string, Map<number, string>>();

  const all = (wanted: FetchTopic[]): void => {
    known = new Map(
      wanted.map(({ topic, partitions }) => [
        topic,
        new Map(partitions.map((each) => [each.partition, each.fetchOffset])),
      ]),
    );
  };

  const restart = (sessionId: number): void => {
    id = sessionId; // with its number the broker ends the old session instead of keeping it for two minutes
    epoch = 0;
  };

  return {
    next(wanted) {
      if (epoch === 0) {
        all(wanted);
        return { sessionId: id, sessionEpoch: 0, topics: wanted, forgottenTopics: [] };
      }
      const forgottenTopics = forget(known, wanted);
      if (forgottenTopics.length > 0) heldBackUntil = monotonic() + heldBackMs;
      return { sessionId: id, sessionEpoch: epoch, topics: moved(known, wanted), forgottenTopics };
    },
    answered({ errorCode, sessionId }) {
      const refusal = refusals.get(errorCode);
      if (refusal !== undefined || sessionId === noSession) {
        restart(refusal === "gone" ? noSession : id);
        return refusal !== undefined;
      }
      id = sessionId;
      epoch = epoch === lastEpoch ? 1 : epoch + 1;
      return false;
    },
    failed: () => restart(id),
    get isHeldBack() {
      return monotonic() < heldBackUntil;
    },
  };
}

type Known = Map<string, Map<number, string>>;

/** What is wanted and not known as it is wanted; known afterwards. */
function moved(known: Known, wanted: FetchTopic[]): FetchTopic[] {
  const changed: FetchTopic[] = [];
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

/** What is known and not wanted any more; forgotten afterwards. */
function forget(known: Known, wanted: FetchTopic[]): SessionRequest["forgottenTopics"] {
  const size = wanted.reduce((sum, { partitions }) => sum + partitions.length, 0);
  const missing = wanted.some(({ topic, partitions }) => {
    const offsets = known.get(topic);
    return offsets === undefined || partitions.some(({ partition }) => !offsets.has(partition));
  });
  if (!missing && size === sizeOf(known)) return [];
  const kept = new Map(wanted.map(({ topic, partitions }) => [topic, new Set(partitions.map((p) => p.partition))]));
  const forgotten: SessionRequest["forgottenTopics"] = [];
  for (const [topic, offsets] of known) {
    const partitions = [...offsets.keys()].filter((partition) => !kept.get(topic)?.has(partition));
    for (const partition of partitions) offsets.delete(partition);
    if (offsets.size === 0) known.delete(topic);
    if (partitions.length > 0) forgotten.push({ topic, partitions });
  }
  return forgotten;
}

function sizeOf(known: Known): number {
  let size = 0;
  for (const offsets of known.values()) size += offsets.size;
  return size;
}

interface FetchOptions {
  topics: FetchTopic[];
  /** ms */
  maxWaitTime: number;
}

interface ProtocolRequest {
  request: { apiVersion: number };
}

interface Broker {
  connectionPool: { send(request: ProtocolRequest): Promise<FetchAnswer> };
  lookupRequest(
    apiKey: number,
    versions: unknown,
  ): (options: FetchOptions & Partial<SessionRequest>) => ProtocolRequest;
  disconnect(): Promise<void>;
  fetch(options: FetchOptions): Promise<FetchAnswer>;
}

const fetchKey = 1;
const firstWithSessions = 7;
let kept = false;

/** From now on every consumer of kafkajs in this process fetches in sessions. */
export function keepFetchSessions(): void {
  if (kept) return;
  kept = true;
  const require = createRequire(import.meta.url);
  const { prototype } = require("kafkajs/src/broker") as { prototype: Broker };
  const { requests } = require("kafkajs/src/protocol/requests") as { requests: { Fetch: unknown } };
  const withoutSession = prototype.fetch;
  const sessions = new WeakMap<Broker, { session: FetchSession; busy: boolean }>();

  prototype.fetch = async function (this: Broker, options: FetchOptions): Promise<FetchAnswer> {
    const make = this.lookupRequest(fetchKey, requests.Fetch);
    const own = sessions.get(this) ?? { session: makeFetchSession(), busy: false };
    sessions.set(this, own);
    // A consumer asks a broker for one thing at a time; should two ever ask, only one of them can be in step.
    if (own.busy || make(options).request.apiVersion < firstWithSessions) return withoutSession.call(this, options);
    own.busy = true;
    try {
      return await inSession(this, own.session, make, options);
    } finally {
      own.busy = false;
    }
  };
}

async function inSession(
  broker: Broker,
  session: FetchSession,
  make: (options: FetchOptions & SessionRequest) => ProtocolRequest,
  options: FetchOptions,
): Promise<FetchAnswer> {
  const ask = (): Promise<FetchAnswer> => {
    const asked = session.next(options.topics);
    const maxWaitTime = session.isHeldBack ? Math.min(options.maxWaitTime, shortWaitMs) : options.maxWaitTime;
    return broker.connectionPool.send(make({ ...options, ...asked, maxWaitTime }));
  };
  try {
    const answer = await ask();
    if (!session.answered(answer)) return answer;
    const again = await ask();
    session.answered(again);
    return again;
  } catch (error) {
    session.failed();
    if ((error as { name?: unknown }).name === "KafkaJSConnectionClosedError") await broker.disconnect(); // as kafkajs does
    throw error;
  }
}
