// One gRPC call, from its arrival to its status: the caller's deadline becomes the request's timeout, cancelling stops
// the wait, and metadata is passed on (metadata.ts). Each call is counted once, with its final status, and no fault
// ends the process. Methods and commands are in methods.ts.
import { type handleUnaryCall, Metadata, type ServerUnaryCall, status } from "@grpc/grpc-js";
import type { AuthClient, CallOptions } from "../client/types.ts";
import type { Verifier } from "../client/verifier.ts";
import type { Config } from "../config/read.ts";
import type { Clock } from "../lib/clock.ts";
import { asError } from "../lib/errors.ts";
import { refuse } from "../protocol/errors.ts";
import type { Logger } from "../runtime/log.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { type CallMetadata, type Device, deviceTokenOf, readMetadata } from "./metadata.ts";
import type { Ask } from "./methods.ts";
import { type CallStatus, faultText, isFault, statusOf, statusOfGone } from "./status.ts";

/** Verifies access tokens: from the feeds while they are fresh, otherwise by asking the fleet. */
export type BridgeVerifier = Pick<Verifier, "verify" | "end">;

export interface BridgeDeps {
  client: AuthClient;
  verifier: BridgeVerifier;
  config: Config;
  log: Logger;
  metrics: Metrics;
  clock: Clock;
  /** Whether there is a key of the fleet to seal to. */
  canSeal(): boolean;
}

/** A method as grpc-js's untyped dispatch sees it: its request type is only in proto/auth.proto. */
export type Method = (request: never, ask: Ask, device: () => Device | undefined) => Promise<object>;

type Call = ServerUnaryCall<object, object>;

/** Returns a function that makes grpc-js handlers of methods. Call it once per process: it registers the metrics. */
export function makeCalls(parts: BridgeDeps): (name: string, method: Method) => handleUnaryCall<object, object> {
  const count = countCalls(parts);
  const unknownDevice = countUnknown(parts);
  return (name, method) => (call, callback) => {
    const ended = count(name);
    const gone = new AbortController();
    const leave = (): void => gone.abort(new Error("The caller has ended the call."));
    call.once("cancelled", leave);
    if (call.cancelled) leave();
    answer(call, method, gone.signal)
      .then(
        ({ reply, trailer }) => {
          ended(status.OK);
          callback(null, reply, trailer);
        },
        (thrown: unknown) => {
          const outcome = gone.signal.aborted ? statusOfGone(isPast(call, parts.clock)) : statusFor(thrown, name, call);
          ended(outcome.code);
          callback(outcome);
        },
      )
      .catch((error: unknown) => parts.log.error({ method: name, err: asError(error) }, "A reply could not be sent."));
  };

  async function answer(
    call: Call,
    method: Method,
    signal: AbortSignal,
  ): Promise<{ reply: object; trailer: Metadata }> {
    const metadata = readMetadata(call, parts.config);
    const options = optionsOf(call, metadata, { signal, parts });
    const device = (): Device | undefined => {
      if (metadata.client?.ip == null) unknownDevice();
      return metadata.client;
    };
    const trailer = new Metadata();
    const ask: Ask = async (topic, input) => {
      const result = await parts.client.request(topic, input, options);
      const token = metadata.isTrusted ? deviceTokenOf(result) : undefined;
      if (token !== undefined) trailer.set("auth-client-device-token", token);
      return result;
    };
    return { reply: await method(call.request as never, ask, device), trailer };
  }

  function statusFor(thrown: unknown, name: string, call: Call): CallStatus {
    if (isFault(thrown))
      parts.log.error({ method: name, fault: faultText(thrown, call.request) }, "A call has failed.");
    return statusOf(thrown);
  }
}

/**
 * How long the caller still waits. grpc-js converts the timeout to a local time, so clocks do not matter.
 * @throws Refusal DEADLINE_EXCEEDED where it has passed
 */
function optionsOf(
  call: Call,
  { traceparent, idempotencyKey, deviceToken }: CallMetadata,
  { signal, parts: { config, clock } }: { signal: AbortSignal; parts: BridgeDeps },
): CallOptions {
  const left = Number(call.getDeadline()) - clock.now();
  if (left <= 0) throw refuse("DEADLINE_EXCEEDED");
  return {
    timeoutMs: Number.isFinite(left) ? Math.ceil(left) : config.AUTH_GRPC_TIMEOUT,
    signal,
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(deviceToken === undefined ? {} : { deviceToken }),
  };
}

function isPast(call: Call, clock: Clock): boolean {
  return clock.now() >= Number(call.getDeadline());
}

const hour = 3_600_000;

/** Counts calls without a client address, and logs that once an hour. */
function countUnknown({ metrics, log, clock }: BridgeDeps): () => void {
  const calls = metrics.counter(
    "auth_client_unknown_total",
    "Calls without the address of the device they are for (auth-client-ip, of a caller that is trusted): no limit by network sees them.",
  );
  let since: number | undefined;
  let count = 0;
  return () => {
    calls.inc();
    count += 1;
    if (since !== undefined && clock.monotonic() - since < hour) return;
    since = clock.monotonic();
    log.warn(
      { calls: count },
      "Calls come without auth-client-ip from a caller that may set it (AUTH_GRPC_TRUSTED, AUTH_GRPC_TRUST_CLIENT): limits by network do not see them.",
    );
    count = 0;
  };
}

/** Starts timing a call; calling the result ends it. */
function countCalls({ metrics, clock }: BridgeDeps): (method: string) => (code: status) => void {
  const calls = metrics.counter("auth_bridge_calls_total", "gRPC calls that ended, by status.", ["method", "code"]);
  const seconds = metrics.histogram("auth_bridge_seconds", "From a gRPC call's arrival to its status.", ["method"]);
  return (method) => {
    const began = clock.monotonic();
    return (code) => {
      calls.inc({ method, code: status[code] });
      seconds.observe({ method }, (clock.monotonic() - began) / 1000);
    };
  };
}
