// A request in flight, and the reply that ends it.
import { readTraceparent } from "../runtime/tracing.ts";
import { sharedHeaders } from "./headers.ts";
import type { BusNames } from "./names.ts";

/** A reply with a request's correlation id; anybody with write access to the reply topic can have made it. */
export interface Reply {
  value: Buffer;
  /** The header outcome. */
  outcome: string;
  /** Whether it has the mac of its request; false also where the request had no reply secret. */
  authentic: boolean;
}

export interface OutgoingRequest<T> {
  topic: string;
  key: string | undefined;
  value: Buffer;
  /** JWK text of the key for sealed reply fields. */
  replyKey: string | undefined;
  idempotencyKey: string;
  /** The secret inside the seal, for reply macs. */
  replySecret: Buffer | undefined;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** An invalid one is left out. */
  traceparent?: string | undefined;
  /** The device token. */
  deviceToken?: string | undefined;
  /** Reads a reply. undefined: it is not one, and the request keeps waiting. What it throws ends the request. */
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
