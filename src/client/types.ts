// What a service sees of the fleet: one typed method per command, and the rules every call follows.
import type { Commands } from "../protocol/generated/schemas.ts";

export interface CallOptions {
  /**
   * Time for the whole call in ms. Default 30,000; more than 300,000 is cut; 0 or less is DEADLINE_EXCEEDED; no number
   * is INVALID_INPUT.
   */
  timeoutMs?: number;
  /** Ends the waiting with the signal's reason, as it is; the command may still be carried out. */
  signal?: AbortSignal;
  /**
   * At least 128 random bits as text: 22 to 256 characters of printable ASCII. Give the same one to ask again for the
   * same answer. Default: a new one.
   */
  idempotencyKey?: string;
  /** W3C trace context of the caller; what is none is left out. */
  traceparent?: string;
  /**
   * The token by which the fleet knows the user's device, as the last login or refresh gave it (`deviceToken`). Keep it
   * where the device keeps it, such as a cookie, and give it with every login: whatever does not hold counts as none.
   */
  deviceToken?: string;
}

/**
 * What a service may hang its tracing and metrics on; must not wait. One that throws is logged and changes nothing for
 * the call.
 */
export interface CallHooks {
  /** W3C trace context for calls that bring none, e.g. from the active span. */
  traceparent?(): string | undefined;
  /** After each call: its outcome is `ok`, a refusal's code, or `aborted`. */
  called?(call: { topic: Topic; outcome: string; ms: number; traceparent: string | undefined }): void;
}

export type Topic = keyof Commands;

/** The fleet as a service sees it. A refused command rejects with `Refusal` (errors.ts): read its `code`. */
export interface AuthClient {
  /**
   * Sends one command and waits for its answer.
   * Every failure is the rejection of the promise that is returned, once; no call ends the process.
   * @throws Refusal with the fleet's code; DEADLINE_EXCEEDED and UNAVAILABLE may also come from this side, where no
   * answer came.
   */
  request<T extends Topic>(
    topic: T,
    input: Commands[T]["input"],
    options?: CallOptions,
  ): Promise<Commands[T]["result"]>;
  /**
   * Resolves when replies can be received: calls made earlier wait for it.
   * @throws Refusal UNAVAILABLE where it is closed before
   */
  ready(): Promise<void>;
  /** Whether requests can be sent and replies received now. */
  readonly healthy: boolean;
  /** Calls that have no answer yet. */
  readonly pending: number;
  /**
   * Takes no more calls, waits up to drainMs for the pending ones, rejects what is left with UNAVAILABLE, and
   * disconnects.
   */
  close(drainMs?: number): Promise<void>;
}
