// Inspects a gRPC call before grpc-js reads it, because two things are only visible in the HTTP/2 headers:
// - a timeout above 24.8 days, which overflows Node's timers: grpc-js would end such a call after 1 ms. It is
//   shortened.
// - metadata of ours that is repeated, binary or not text: grpc-js joins repeated values with commas, and drops invalid
//   ones with a log line that contains the value. Problems are stored under `faultsKey`, for metadata.ts to refuse.
//   grpc-js has no public hook for this, so two methods of the given server are wrapped. A test pins the version.
import type { Server } from "@grpc/grpc-js";

/** All of our names in request metadata. */
const metadataNames = [
  "auth-idempotency-key",
  "auth-client-ip",
  "auth-client-user-agent",
  "auth-client-device",
  "auth-client-device-token",
] as const;

export type MetadataName = (typeof metadataNames)[number];

/** JSON: problems by metadata name. Callers cannot set it. */
export const faultsKey = "auth-metadata-faults";

type Headers = Record<string, string | string[] | undefined>;
type Entry = (interceptors: unknown, stream: unknown, headers: Headers, flags: number, raw?: string[]) => void;

const entries = ["_streamHandler", "_channelzHandler"];

/** Call before the server is bound. @throws Error where this version of grpc-js differs inside */
export function wrapIncoming(server: Server): void {
  const inside = server as unknown as Record<string, Entry | undefined>;
  for (const name of entries) {
    const entry = inside[name];
    if (entry === undefined)
      throw new Error(`This version of @grpc/grpc-js has no ${name}: src/bridge/incoming.ts must follow.`);
    inside[name] = function (this: Server, interceptors, stream, headers, flags, raw = []) {
      cutTimeout(headers);
      noteFaults(headers, raw);
      entry.call(this, interceptors, stream, headers, flags, raw);
    };
  }
}

const timeoutKey = "grpc-timeout";
const unitMs: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000001 };
/** 596 hours are below 2^31 ms, 597 are not. */
const longestTimeout = "596H";
const longestTimeoutMs = 596 * 3_600_000;

function cutTimeout(headers: Headers): void {
  const [, digits, unit] = /(\d{1,8})\s*([HMSmun])/.exec(String(headers[timeoutKey] ?? "")) ?? []; // as grpc-js parses it
  if (digits !== undefined && Number(digits) * unitMs[unit!]! > longestTimeoutMs) headers[timeoutKey] = longestTimeout;
}

const isText = (value: string): boolean => /^[\x20-\x7e]*$/.test(value);

/** @param raw names and values alternating, as received */
function noteFaults(headers: Headers, raw: string[]): void {
  const faults: Partial<Record<MetadataName, string>> = {};
  const met = new Set<string>();
  delete headers[faultsKey];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at]!.toLowerCase();
    const ours = metadataNames.find((each) => each === name || `${each}-bin` === name);
    if (!isText(raw[at + 1]!)) delete headers[name];
    if (ours === undefined) continue;
    if (name !== ours) faults[ours] = "must be text, not binary";
    else if (!isText(raw[at + 1]!)) faults[ours] = "must be printable ASCII";
    else if (met.has(name)) faults[ours] = "is given twice";
    met.add(name);
  }
  if (Object.keys(faults).length > 0) headers[faultsKey] = JSON.stringify(faults);
}
