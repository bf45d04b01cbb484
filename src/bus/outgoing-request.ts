// One request on its way out, and the reply that ends it.
import { readTraceparent } from "../runtime/tracing.ts";
import { sharedHeaders } from "./headers.ts";
import type { BusNames } from "./names.ts";

/** A reply that came under a request's correlation id; anybody who may write to the reply topic can have made it. */
export interface Reply {
  value: Buffer;
  /** The header outcome. */
  outcome: string;
  /** Whether it carries the mac of its request; false also where the request brought no reply secret. */
  authentic: boolean;
}

export interface OutgoingRequest<T> {
  topic: string;
  key: string | undefined;
  value: Buffer;
  /** JWK text of the key that reply secrets are sealed to. */
  replyKey: string | undefined;
  idempotencyKey: string;
  /** What stands inside its seal for macs. */
  replySecret: Buffer | undefined;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** What is none is left out. */
  traceparent?: string | undefined;
  /** The token by which the user's device is known. */
  deviceToken?: string | undefined;
  /**
   * Makes the call's end of a reply. undefined: it is none, and the call goes on waiting. What it throws ends the call.
   */
  read(reply: Reply): Promise<{ answer: T } | undefined>;
}

/** The headers of a request that is sent now. @param to.left ms until its deadline */
export function requestHeaders(
  id: string,
  request: OutgoingRequest<unknown>,
  to: { names: BusNames; replyTopic: string; partition: number; left: number },
) {
  const traceparent = readTraceparent(request.traceparent);
  const { headers: own } = to.names;
  return {
    [sharedHeaders.correlationId]: id,
    [sharedHeaders.replyTopic]: to.replyTopic,
    [sharedHeaders.replyPartition]: String(to.partition),
    [own.timeout]: String(to.left),
    [own.idempotencyKey]: request.idempotencyKey,
    ...(request.replyKey !== undefined && { [own.replyKey]: request.replyKey }),
    ...(request.deviceToken !== undefined && { [own.device]: request.deviceToken }),
    ...(traceparent !== undefined && { [sharedHeaders.traceparent]: traceparent }),
  };
}
