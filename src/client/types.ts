// The fleet as a service sees it: one typed method per command, and the options of every call.
import type { Commands } from "../protocol/generated/schemas.ts";

export interface CallOptions {
  /**
   * Timeout of the whole call in ms. Default 30,000; longer than 300,000 is cut; 0 or less is DEADLINE_EXCEEDED;
   * anything that is not a number is INVALID_INPUT.
   */
  timeoutMs?: number;
  /** Ends the wait with the signal's reason; the command may still be carried out. */
  signal?: AbortSignal;
  /**
   * At least 128 random bits as text: 22 to 256 characters of printable ASCII. Use the same one again to get the same
   * answer. Default: a new one.
   */
  idempotencyKey?: string;
  /** W3C trace context of the caller; an invalid one is ignored. */
  traceparent?: string;
  /**
   * The user's device token, from the last login or refresh (`deviceToken`). Store it on the device, for example in a
   * cookie, and send it with every login; an invalid one counts as missing.
   */
  deviceToken?: string;
}

/**
 * Hooks for the service's tracing and metrics; they must not block. A hook that throws is logged and does not affect
 * the call.
 */
export interface CallHooks {
  /** W3C trace context for calls without one, e.g. of the active span. */
  traceparent?(): string | undefined;
  /** After each call: its outcome is `ok`, a refusal's code, or `aborted`. */
  called?(call: { topic: Topic; outcome: string; ms: number; traceparent: string | undefined }): void;
}

export type Topic = keyof Commands;

/** The fleet as a service sees it. A refused command rejects with `Refusal` (errors.ts): check its `code`. */
export interface AuthClient {
  /**
   * Sends one command and waits for its answer. Every failure rejects the returned promise, once; no call ends the
   * process.
   * @throws Refusal with the fleet's code; without an answer, DEADLINE_EXCEEDED or UNAVAILABLE from this side
   */
  request<T extends Topic>(
    topic: T,
    input: Commands[T]["input"],
    options?: CallOptions,
  ): Promise<Commands[T]["result"]>;
  /**
   * Resolves when replies can be received; earlier calls wait for that.
   * @throws Refusal UNAVAILABLE where it is closed first
   */
  ready(): Promise<void>;
  /** Whether requests can be sent and replies received now. */
  readonly healthy: boolean;
  /** Calls without an answer yet. */
  readonly pending: number;
  /**
   * Accepts no more calls, waits up to drainMs for the pending ones, rejects the rest with UNAVAILABLE, and
   * disconnects.
   */
  close(drainMs?: number): Promise<void>;
}
