// One gRPC call, from its arrival to its status: the caller's deadline becomes the request's time, its cancellation
// ends the waiting, its metadata is handed on (metadata.ts). Each call is counted once, with the status it ended in,
// and nothing it meets ends the process. It knows no method and no command; methods.ts does.
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

/** Whom an access token speaks for: from the feeds while they are fresh, from the fleet otherwise. */
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

/** A method as grpc-js's untyped dispatch sees it: which request it takes only proto/auth.proto says. */
export type Method = (request: never, ask: Ask, device: () => Device | undefined) => Promise<object>;

type Call = ServerUnaryCall<object, object>;

/** Makes what turns a method into grpc-js's handler. To be called once per process: it registers the metrics. */
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
 * How long the caller still waits. grpc-js has turned its timeout into a time of this machine, so clocks do not matter.
 * @throws Refusal DEADLINE_EXCEEDED where that is over
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

/** Counts the calls that nobody said an address for; the log says it once an hour. */
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

/** Starts the clock of one call; what it returns ends it. */
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
