// One gRPC call, from its arrival to its status: the caller's deadline becomes the request's time, its cancellation ends the waiting,
// its trace and idempotency key are handed on. Each call is counted once, with the status it ended in.
// It knows no method and no command; methods.ts does.
import { type handleUnaryCall, type ServerUnaryCall, status } from "@grpc/grpc-js";
import type { AuthClient, CallOptions } from "../client/types.ts";
import type { Verifier } from "../client/verifier.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import type { Logger } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { Ask } from "./methods.ts";
import { type CallStatus, faultText, isFault, statusOf, statusOfGone } from "./status.ts";

/** Whom an access token speaks for: from the feeds while they are fresh, from the fleet otherwise. */
export type BridgeVerifier = Pick<Verifier, "verify" | "end">;

export interface BridgeParts {
  client: AuthClient;
  verifier: BridgeVerifier;
  config: Config;
  log: Logger;
  metrics: Metrics;
  clock: Clock;
}

/** A method as grpc-js's untyped dispatch sees it: which request it takes only proto/auth.proto says. */
export type Method = (request: never, ask: Ask) => Promise<object>;

type Call = ServerUnaryCall<object, object>;

/** Makes what turns a method into grpc-js's handler. To be called once per process: it registers the metrics. */
export function makeCalls(parts: BridgeParts): (name: string, method: Method) => handleUnaryCall<object, object> {
  const count = countCalls(parts);
  return (name, method) => (call, callback) => {
    const ended = count(name);
    const gone = new AbortController();
    call.once("cancelled", () => gone.abort(new Error("The caller has ended the call.")));
    const options = optionsOf(call, gone.signal, parts);
    method(call.request as never, (topic, input) => parts.client.request(topic, input, options)).then(
      (reply) => {
        ended(status.OK);
        callback(null, reply);
      },
      (thrown: unknown) => {
        const outcome = gone.signal.aborted ? statusOfGone(isPast(call, parts.clock)) : answerTo(thrown, name, call);
        ended(outcome.code);
        callback(outcome);
      },
    );
  };

  function answerTo(thrown: unknown, name: string, call: Call): CallStatus {
    if (isFault(thrown))
      parts.log.error({ method: name, fault: faultText(thrown, call.request) }, "A call has failed.");
    return statusOf(thrown);
  }
}

/** How long the caller still waits. grpc-js has turned its timeout into a time of this machine, so clocks do not matter. */
function optionsOf(call: Call, signal: AbortSignal, { config, clock }: BridgeParts): CallOptions {
  const left = Number(call.getDeadline()) - clock.now();
  const traceparent = headerOf(call, "traceparent");
  const idempotencyKey = headerOf(call, "auth-idempotency-key");
  return {
    timeoutMs: Number.isFinite(left) ? Math.max(1, Math.floor(left)) : config.AUTH_GRPC_TIMEOUT,
    signal,
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  };
}

function headerOf(call: Call, name: string): string | undefined {
  return call.metadata.get(name)[0]?.toString() || undefined;
}

function isPast(call: Call, clock: Clock): boolean {
  return clock.now() >= Number(call.getDeadline());
}

/** Starts the clock of one call; what it returns ends it. */
function countCalls({ metrics, clock }: BridgeParts): (method: string) => (code: status) => void {
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
