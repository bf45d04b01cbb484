// The requester: sends requests and matches replies. One reply consumer per process in a group of its own, which takes
// one partition, picked at random, of the service's reply topic, so no rebalance ever moves a pending reply and bytes
// read stay flat with the number of instances. Two instances on one partition drop each other's replies: they are
// matched by id, and by a mac that only the fleet can make. States: connecting -> ready <-> unhealthy -> closing ->
// closed. Calls made before ready wait, in bounded number. It promises: every call ends, by its reply, its deadline,
// its signal or close(). Late replies are counted and dropped, and so are replies that the caller takes for none. It
// learns the broker's clock from its probe and from every reply.
// The same consumer reads the fleet feed: a command that nobody serves is refused NO_WORKERS instead of waiting for its
// deadline.
import { setTimeout as sleep } from "node:timers/promises";
import { single } from "../kafka/assigner.ts";
import { makeBrokerClock } from "../kafka/broker-clock.ts";
import { KafkaFault } from "../kafka/faults.ts";
import type { Consumption, KafkaPort } from "../kafka/kafka.ts";
import type { InRecord, TopicPartition } from "../kafka/records.ts";
import { asError } from "../lib/errors.ts";
import { randomId } from "../lib/random-id.ts";
import { AnyRefusal } from "../lib/refusal.ts";
import type { Logger } from "../runtime/log.ts";
import { makeFleetView, reportEveryMs } from "./fleet-feed.ts";
import { sharedHeaders, singleHeader } from "./headers.ts";
import type { BusProtocol } from "./names.ts";
import { type OutgoingRequest, type Reply, requestHeaders } from "./outgoing-request.ts";
import { refuserWith } from "./refusals.ts";
import { isReplyMac } from "./seal/reply-mac.ts";
import type { Sender } from "./sender.ts";

export type { Reply } from "./outgoing-request.ts";

export interface RequesterDeps {
  protocol: BusProtocol;
  kafka: KafkaPort;
  sender: Sender;
  /** Name of the service; its reply topic is the protocol's prefix for reply topics and this name. */
  name: string;
  /** What to do where its reply topic is missing: a sentence for the error. */
  whenNoReplyTopic: string;
  /** What it may be asked for: of these it notices that nobody serves them. */
  topics: ReadonlySet<string>;
  log: Logger;
  now(): number;
  monotonic(): number;
  /** Counts replies nobody waits for any more. */
  late(): void;
  /** Counts replies that the caller took for none. */
  ignored(): void;
}

export interface Requester {
  /** @throws Error where the service has no reply topic; Refusal UNAVAILABLE at close() */
  ready(): Promise<void>;
  readonly healthy: boolean;
  /** Calls that wait for a reply. */
  readonly pending: number;
  /** Name of the topic on which replies come. */
  readonly replyTopic: string;
  /** Unix ms by the broker's clock; by ours before it is ready. */
  brokerNow(): number;
  /**
   * @throws Refusal DEADLINE_EXCEEDED, UNAVAILABLE, NO_WORKERS, OVERLOADED, INVALID_INPUT; the signal's reason, as it
   *   is; what read() throws
   */
  request<T>(request: OutgoingRequest<T>): Promise<T>;
  close(drainMs: number): Promise<void>;
}

interface Pending {
  topic: string;
  deadline: number;
  replySecret: Buffer | undefined;
  /** Unix ms by our clock; undefined before it is sent. */
  sentAt: number | undefined;
  /** Gets each reply that comes under its id. */
  replied(reply: Reply): void;
  reject(reason: unknown): void;
  /** Lets go of the caller's signal, which may outlive many calls. */
  release(): void;
}

const sweepMs = 20;
const probeEveryMs = 100;
const maxPending = 20_000;
const producePauseMs = 100;

/** What a call is told that close() ends, or that comes after it. */
export const closedMessage = "The client is closed.";

export function makeRequester(parts: RequesterDeps): Requester {
  const { kafka, sender, log, monotonic } = parts;
  const { names, codes } = parts.protocol;
  const refuse = refuserWith(codes);
  const closedFault = () => refuse("UNAVAILABLE", { message: closedMessage });
  const { fleetTopic } = names;
  const { probe: probeHeader } = names.headers;
  const replyTopic = `${names.replyTopicPrefix}${parts.name}`;
  const clock = makeBrokerClock({ now: parts.now, monotonic });
  const probe = randomId();
  const probesSentAt: number[] = [];
  const pending = new Map<string, Pending>();
  let partition = 0;
  let consumption: Consumption | undefined;
  let sweeper: NodeJS.Timeout | undefined;
  let ticker: NodeJS.Timeout | undefined;
  const fleet = makeFleetView({ topics: parts.topics });
  let fleetRead: bigint | undefined; // the feed's offset that comes next
  let state: "connecting" | "ready" | "closed" = "connecting";
  const probed = Promise.withResolvers<void>();
  /** Aborted by close(): what waits for a broker must not outlive it. */
  const over = new AbortController();
  const closed = new Promise<never>((_resolve, reject) => {
    over.signal.addEventListener("abort", () => reject(closedFault()));
  });
  closed.catch(() => undefined);

  const onRecords = (records: InRecord[], { topic }: TopicPartition): void => {
    if (topic === fleetTopic) {
      fleet.take(records);
      fleetRead = records.at(-1)!.offset + 1n;
      return;
    }
    for (const record of records) {
      if (record.headers[probeHeader] === undefined) onReply(record);
      else onProbe(record);
    }
  };

  const onProbe = (record: InRecord): void => {
    const [id, number] = (singleHeader(record, probeHeader)?.toString("latin1") ?? "").split(".");
    if (id !== probe) return;
    learnClock(record, probesSentAt[Number(number)]);
    probed.resolve();
  };

  const onReply = (record: InRecord): void => {
    const correlationId = singleHeader(record, sharedHeaders.correlationId);
    const call = pending.get(correlationId?.toString("latin1") ?? ""); // byte for byte: our own ids are ASCII
    if (call === undefined) {
      parts.late();
      return;
    }
    learnClock(record, call.sentAt);
    const { value } = record;
    if (value === null) {
      parts.ignored();
      return;
    }
    const outcome = singleHeader(record, names.headers.outcome)?.toString("utf8") ?? "";
    const { replySecret: secret } = call;
    const given = singleHeader(record, names.headers.replyMac);
    const authentic =
      secret !== undefined && isReplyMac(given, secret, { replyTopic, correlationId, code: outcome, value });
    call.replied({ value, outcome, authentic });
  };

  /** The broker took the record after we sent what it answers, and before it is here. */
  const learnClock = ({ timestamp: at }: InRecord, sentAt: number | undefined): void => {
    if (sentAt !== undefined && at > 0) clock.sample({ sentAt, at, ackedAt: parts.now() });
  };

  /** Position first, requests later: the first replies must not fall before the first fetch (spring-kafka#2318). */
  const connect = async (): Promise<void> => {
    const count = await untilAnswered(() => kafka.partitionsOf(replyTopic));
    if (count === undefined) {
      throw new Error(`There is no topic ${replyTopic}. ${parts.whenNoReplyTopic}`);
    }
    const feed = (await untilAnswered(() => kafka.partitionsOf(fleetTopic))) !== undefined;
    if (state === "closed") throw closedFault(); // a consumer that is made now would never be closed
    if (!feed)
      log.warn(`There is no topic ${fleetTopic}: run ${names.setupCommand}. Nobody is told when no worker is there.`);
    partition = Math.floor(Math.random() * count);
    consumption = kafka.consume({
      group: `${parts.name}.${randomId()}`,
      topics: feed ? [replyTopic, fleetTopic] : [replyTopic],
      from: "latest",
      assign: single(replyTopic, () => partition),
      onAssigned: () => undefined,
      onRecords,
    });
    await consumption.joined;
    await loopback();
    if (state !== "connecting") return;
    state = "ready";
    if (feed) ticker = setInterval(tick(), reportEveryMs);
    ticker?.unref();
  };

  /**
   * Whether the feed's broker answers and has nothing that we have not read: then its silence is the fleet's. Not where
   * our own records wait too: brokers that lack a replica answer questions and take nothing, from nobody.
   */
  const feedIsQuiet = async (acknowledgedBefore: number): Promise<boolean> => {
    if (sender.pending > 0 && sender.acknowledged === acknowledgedBefore) return false;
    const end = (await kafka.endOffsets(fleetTopic)).get(0);
    fleetRead ??= end;
    return end !== undefined && end === fleetRead;
  };

  const tick = (): (() => void) => {
    let acknowledged = sender.acknowledged;
    return () => {
      const before = acknowledged;
      acknowledged = sender.acknowledged;
      void fleet.tick(() => feedIsQuiet(before));
    };
  };

  /** Ends early at close(). */
  const pauseFor = (ms: number): Promise<void> => sleep(ms, undefined, { signal: over.signal }).catch(() => undefined);

  /** Asks until brokers answer; requests of this time end by their own deadlines. */
  const untilAnswered = async <T>(ask: () => Promise<T>): Promise<T> => {
    for (let pause = 100; ; pause = Math.min(pause * 2, 2000)) {
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof KafkaFault) || error.kind !== "unavailable") throw error;
        if (over.signal.aborted) throw closedFault();
        log.warn({ err: error }, "Kafka does not answer, tried again");
        await pauseFor(pause);
      }
    }
  };

  /** Writes to our own partition until we read it there: then replies are read too. */
  const loopback = async (): Promise<void> => {
    const send = (): void => {
      const headers = { [probeHeader]: `${probe}.${probesSentAt.push(parts.now()) - 1}` };
      const record = { topic: replyTopic, partition, key: null, value: null, headers };
      sender.send(record).catch((error: unknown) => log.debug({ err: error }, "probe failed, tried again"));
    };
    send();
    const timer = setInterval(send, probeEveryMs);
    try {
      await Promise.race([probed.promise, closed]);
    } finally {
      clearInterval(timer);
    }
  };

  const settle = (id: string, call: Pending): Pending => {
    pending.delete(id);
    call.release();
    if (pending.size === 0) {
      clearInterval(sweeper);
      sweeper = undefined;
    }
    return call;
  };

  const sweep = (): void => {
    const time = monotonic();
    for (const [id, call] of pending) {
      if (call.deadline <= time) settle(id, call).reject(refuse("DEADLINE_EXCEEDED"));
    }
  };

  let connecting: Promise<void> | undefined;
  const ready = async (): Promise<void> => {
    if (state === "ready") return;
    if (over.signal.aborted) throw closedFault();
    connecting ??= Promise.race([connect(), closed]).catch((error: unknown) => {
      connecting = undefined; // a missing topic may be created meanwhile: the next call looks again
      throw error;
    });
    await connecting;
  };

  const enter = <T>(id: string, request: OutgoingRequest<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const { signal, topic, replySecret } = request;
      const abort = (): void => settle(id, call).reject(signal?.reason);
      const release = (): void => signal?.removeEventListener("abort", abort);
      /** Several replies may be read at a time: the first that is one ends the call. */
      const ended = (end: () => void): void => {
        if (pending.get(id) !== call) {
          parts.late();
          return;
        }
        fleet.answered(topic);
        settle(id, call);
        end();
      };
      const replied = (reply: Reply): void => {
        request.read(reply).then(
          (read) => (read === undefined ? parts.ignored() : ended(() => resolve(read.answer))),
          (error: unknown) => ended(() => reject(asError(error))),
        );
      };
      const deadline = monotonic() + request.timeoutMs;
      const call: Pending = { topic, deadline, replySecret, sentAt: undefined, replied, reject, release };
      pending.set(id, call);
      sweeper ??= setInterval(sweep, sweepMs);
      signal?.addEventListener("abort", abort, { once: true });
    });

  const send = async (id: string, request: OutgoingRequest<unknown>): Promise<void> => {
    const begun = monotonic();
    await ready();
    for (let call = pending.get(id); call !== undefined; call = pending.get(id)) {
      call.sentAt ??= parts.now();
      const left = Math.max(1, Math.round(request.timeoutMs - (monotonic() - begun)));
      try {
        return await sender.send({
          topic: request.topic,
          key: request.key === undefined ? null : Buffer.from(request.key),
          value: request.value,
          headers: requestHeaders(id, request, { names, replyTopic, partition, left }),
        });
      } catch (error) {
        if (!(error instanceof KafkaFault)) throw error;
        if (error.kind === "too-large") throw refuse("INVALID_INPUT", { message: "the request is too large" });
        if (error.kind !== "unavailable") throw refuse("UNAVAILABLE", { message: error.message });
        await pauseFor(producePauseMs);
      }
    }
  };

  return {
    ready,
    replyTopic,
    brokerNow: clock.now,
    get healthy() {
      return state === "ready" && (consumption?.healthy ?? false);
    },
    get pending() {
      return pending.size;
    },
    async request(request) {
      if (state === "closed") throw closedFault();
      if (pending.size >= maxPending)
        throw refuse("OVERLOADED", { message: "Too many calls wait for a reply.", retryAfterMs: 1000 });
      if (fleet.nobodyServes(request.topic))
        throw refuse("NO_WORKERS", { message: `No worker serves ${request.topic} now.`, retryAfterMs: reportEveryMs });
      request.signal?.throwIfAborted();
      const id = randomId();
      const answer = enter(id, request);
      send(id, request).catch((error: unknown) => {
        const call = pending.get(id);
        if (call !== undefined)
          settle(id, call).reject(
            error instanceof AnyRefusal ? error : refuse("UNAVAILABLE", { message: asError(error).message }),
          );
      });
      return answer;
    },
    async close(drainMs) {
      if (state === "closed") return;
      state = "closed";
      clearInterval(ticker);
      const end = monotonic() + drainMs;
      while (pending.size > 0 && monotonic() < end) await sleep(sweepMs);
      for (const [id, call] of pending) settle(id, call).reject(closedFault());
      over.abort();
      await consumption?.close();
    },
  };
}
