// The requester: sends requests and matches replies, by id and by a mac that only the fleet can make.
// - States: connecting -> ready <-> unhealthy -> closed. Calls made before it is ready wait, in bounded number.
// - Every call ends, by its reply, its deadline, its signal or close() (pending-calls.ts). Late replies are counted and
//   dropped, and so are replies that the caller rejects.
// - Replies come on one partition (reply-partition.ts). The same consumer reads the fleet feed: a command that nobody
//   serves is refused with NO_WORKERS instead of waiting for its deadline (fleet-view.ts).
import { KafkaFault } from "../kafka/faults.ts";
import type { InRecord } from "../kafka/records.ts";
import { asError } from "../lib/errors.ts";
import { randomId } from "../lib/random-id.ts";
import { AnyRefusal } from "../lib/refusal.ts";
import { retry } from "../lib/retry.ts";
import { settledWithin } from "../lib/timeout.ts";
import { reportEveryMs } from "./fleet-feed.ts";
import { FleetView } from "./fleet-view.ts";
import { sharedHeaders, singleHeader } from "./headers.ts";
import type { BusProtocol } from "./names.ts";
import { type OutgoingRequest, requestHeaders } from "./outgoing-request.ts";
import { PendingCalls } from "./pending-calls.ts";
import { refuserWith } from "./refusals.ts";
import { ReplyPartition, type ReplyPartitionDeps } from "./reply-partition.ts";
import { isReplyMac } from "./seal/reply-mac.ts";

export type { Reply } from "./outgoing-request.ts";

export interface RequesterDeps extends Omit<ReplyPartitionDeps, "names" | "fleet" | "onReply"> {
  protocol: BusProtocol;
  /** The commands that it may send: it notices when nobody serves one. */
  topics: ReadonlySet<string>;
  /** Counts replies to calls that have ended. */
  late(): void;
  /** Counts replies that the caller rejected. */
  ignored(): void;
}

const maxPending = 20_000;
const producePauseMs = 100;

/** The message for calls that close() ends, and for calls after it. */
export const closedMessage = "The client is closed.";

export class Requester {
  readonly #deps: RequesterDeps;
  readonly #refuse: ReturnType<typeof refuserWith>;
  readonly #fleet: FleetView;
  readonly #calls: PendingCalls;
  readonly #replies: ReplyPartition;
  #isClosed = false as boolean;

  constructor(deps: RequesterDeps) {
    const { names, codes } = deps.protocol;
    this.#deps = deps;
    this.#refuse = refuserWith(codes);
    this.#fleet = new FleetView(deps.topics);
    this.#calls = new PendingCalls(deps.monotonic, () => this.#refuse("DEADLINE_EXCEEDED"));
    const onReply = (record: InRecord): void => void this.#onReply(record);
    this.#replies = new ReplyPartition({ ...deps, names, fleet: this.#fleet, onReply });
  }

  /** @throws Error where the service has no reply topic; Refusal UNAVAILABLE at close() */
  ready(): Promise<void> {
    return this.#replies.ready();
  }

  get healthy(): boolean {
    return !this.#isClosed && this.#replies.healthy;
  }

  /** Calls that wait for a reply. */
  get pending(): number {
    return this.#calls.size;
  }

  /** Name of the topic on which replies come. */
  get replyTopic(): string {
    return this.#replies.topic;
  }

  /** Unix ms by the broker's clock; by ours before it is ready. */
  brokerNow(): number {
    return this.#replies.brokerNow();
  }

  /**
   * @throws Refusal DEADLINE_EXCEEDED, UNAVAILABLE, NO_WORKERS, OVERLOADED, INVALID_INPUT; the signal's reason; what
   *   read() throws
   */
  async request<T>(request: OutgoingRequest<T>): Promise<T> {
    this.#check(request);
    const id = randomId();
    const answer = this.#calls.add(id, request);
    this.#send(id, request).catch((error: unknown) => this.#calls.fail(id, this.#refusalFor(error)));
    return answer;
  }

  async close(drainMs: number): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await settledWithin(drainMs, () => this.#calls.idle());
    this.#calls.failAll(() => this.#closedFault());
    this.#fleet.stop();
    await this.#replies.close(this.#closedFault());
  }

  #closedFault(): AnyRefusal {
    return this.#refuse("UNAVAILABLE", { message: closedMessage });
  }

  /** @throws Refusal, or the signal's reason, where the request is not sent at all */
  #check({ topic, signal }: OutgoingRequest<unknown>): void {
    if (this.#isClosed) throw this.#closedFault();
    if (this.#calls.size >= maxPending)
      throw this.#refuse("OVERLOADED", { message: "Too many calls wait for a reply.", retryAfterMs: 1000 });
    if (this.#fleet.nobodyServes(topic))
      throw this.#refuse("NO_WORKERS", { message: `No worker serves ${topic} now.`, retryAfterMs: reportEveryMs });
    signal?.throwIfAborted();
  }

  async #send(id: string, request: OutgoingRequest<unknown>): Promise<void> {
    const begun = this.#deps.monotonic();
    await this.ready();
    await retry(() => this.#produce(id, request, begun), {
      firstMs: producePauseMs,
      longestMs: producePauseMs,
      isTransient: (error) => error instanceof KafkaFault && error.kind === "unavailable",
      signal: this.#replies.closing,
      onRetry: () => undefined,
    });
  }

  /** Sends the request, unless its call has ended meanwhile. */
  async #produce(id: string, request: OutgoingRequest<unknown>, begun: number): Promise<void> {
    const { protocol, sender, now, monotonic } = this.#deps;
    const call = this.#calls.get(id);
    if (call === undefined) return;
    call.sentAt ??= now();
    const { topic: replyTopic, partition } = this.#replies;
    const left = Math.max(1, Math.round(request.timeoutMs - (monotonic() - begun)));
    await sender.send({
      topic: request.topic,
      key: request.key === undefined ? null : Buffer.from(request.key),
      value: request.value,
      headers: requestHeaders(id, request, { names: protocol.names, replyTopic, partition, left }),
    });
  }

  #refusalFor(error: unknown): AnyRefusal {
    if (error instanceof AnyRefusal) return error;
    if (error instanceof KafkaFault && error.kind === "too-large")
      return this.#refuse("INVALID_INPUT", { message: "the request is too large" });
    return this.#refuse("UNAVAILABLE", { message: asError(error).message });
  }

  async #onReply(record: InRecord): Promise<void> {
    const correlationId = singleHeader(record, sharedHeaders.correlationId);
    const id = correlationId?.toString("latin1") ?? ""; // byte for byte: our own ids are ASCII
    const call = this.#calls.get(id);
    if (call === undefined) return this.#deps.late();
    this.#replies.learnClock(record, call.sentAt);
    const { value } = record;
    if (value === null) return this.#deps.ignored();
    const { outcome: outcomeHeader, replyMac } = this.#deps.protocol.names.headers;
    const code = singleHeader(record, outcomeHeader)?.toString("utf8") ?? "";
    const { replySecret: secret } = call.request;
    const authentic =
      secret !== undefined &&
      isReplyMac(singleHeader(record, replyMac), secret, { replyTopic: this.replyTopic, correlationId, code, value });
    const use = await this.#calls.reply(id, { value, outcome: code, authentic });
    if (use === "accepted") this.#fleet.answered(call.request.topic);
    else this.#deps[use]();
  }
}
