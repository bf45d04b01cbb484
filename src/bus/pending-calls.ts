// The pending calls of a requester, by correlation id. Each ends exactly once: by the first reply that its caller
// accepts, its deadline, its signal, or fail(). It then removes its listener from the signal, which may outlive many
// calls. Knows nothing about Kafka.
import { asError } from "../lib/errors.ts";
import { InFlight } from "../lib/in-flight.ts";
import type { AnyRefusal } from "../lib/refusal.ts";
import type { OutgoingRequest, Reply } from "./outgoing-request.ts";

/** accepted: it ended the call. ignored: the caller rejected it. late: the call ended while it was read. */
export type ReplyUse = "accepted" | "ignored" | "late";

interface PendingCall {
  request: OutgoingRequest<unknown>;
  /** Monotonic ms. */
  deadline: number;
  /** Unix ms by our clock; undefined before it is sent. */
  sentAt: number | undefined;
  resolve(answer: unknown): void;
  reject(reason: unknown): void;
  onAbort(): void;
}

const sweepMs = 20;

export class PendingCalls {
  readonly #monotonic: () => number;
  readonly #tooLate: () => AnyRefusal;
  readonly #calls = new Map<string, PendingCall>();
  readonly #inFlight = new InFlight();
  #sweeper: NodeJS.Timeout | undefined;

  /** @param tooLate what a call ends with at its deadline */
  constructor(monotonic: () => number, tooLate: () => AnyRefusal) {
    this.#monotonic = monotonic;
    this.#tooLate = tooLate;
  }

  get size(): number {
    return this.#calls.size;
  }

  /** Resolves when no call is pending. */
  idle(): Promise<void> {
    return this.#inFlight.idle();
  }

  get(id: string): PendingCall | undefined {
    return this.#calls.get(id);
  }

  /** @returns settles when the call ends */
  add<T>(id: string, request: OutgoingRequest<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const { signal, timeoutMs } = request;
    const onAbort = (): void => this.fail(id, signal?.reason);
    const deadline = this.#monotonic() + timeoutMs;
    this.#calls.set(id, { request, deadline, sentAt: undefined, resolve, reject, onAbort });
    this.#inFlight.begin();
    this.#sweeper ??= setInterval(() => this.#sweep(), sweepMs);
    signal?.addEventListener("abort", onAbort, { once: true });
    return promise as Promise<T>;
  }

  /** Several replies may be read at a time: the first one that is accepted ends the call. */
  async reply(id: string, reply: Reply): Promise<ReplyUse> {
    const call = this.#calls.get(id)!;
    const end = await call.request.read(reply).then(
      (read) => read && (() => call.resolve(read.answer)),
      (error: unknown) => () => call.reject(asError(error)),
    );
    if (end === undefined) return "ignored";
    if (this.#calls.get(id) !== call) return "late";
    this.#remove(id, call);
    end();
    return "accepted";
  }

  /** Ends the call, if it has not ended. */
  fail(id: string, reason: unknown): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    this.#remove(id, call);
    call.reject(reason);
  }

  failAll(reason: () => AnyRefusal): void {
    for (const id of this.#calls.keys()) this.fail(id, reason());
  }

  #sweep(): void {
    const time = this.#monotonic();
    for (const [id, { deadline }] of this.#calls) if (deadline <= time) this.fail(id, this.#tooLate());
  }

  #remove(id: string, { request, onAbort }: PendingCall): void {
    this.#calls.delete(id);
    this.#inFlight.end();
    request.signal?.removeEventListener("abort", onAbort);
    if (this.#calls.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}
