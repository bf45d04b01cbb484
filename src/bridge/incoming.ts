// What a gRPC call brings, before grpc-js reads it. Two things are only seen here, on the headers as they came over
// HTTP/2:
// - a timeout above 24.8 days, which does not fit a timer of Node: grpc-js would end such a call after 1 ms. It is cut
//   to what fits.
// - metadata of ours that is given twice, binary or no text: grpc-js joins the first with commas, and drops the last
//   with a line in the log that has its value. What is wrong is noted under `faultsKey`, for metadata.ts to refuse
//   where it matters.
// grpc-js has no public place for this, so its two entries of a call are wrapped on the one server that is given. A
// test holds the version.
import type { Server } from "@grpc/grpc-js";

/** Every name of ours in the metadata of a request. */
const metadataNames = [
  "auth-idempotency-key",
  "auth-client-ip",
  "auth-client-user-agent",
  "auth-client-device",
  "auth-client-device-token",
] as const;

export type MetadataName = (typeof metadataNames)[number];

/** JSON: a problem by the name of each that cannot be read. No caller can set it. */
export const faultsKey = "auth-metadata-faults";

type Headers = Record<string, string | string[] | undefined>;
type Entry = (interceptors: unknown, stream: unknown, headers: Headers, flags: number, raw?: string[]) => void;

const entries = ["_streamHandler", "_channelzHandler"];

/** Before the server is bound. @throws Error where this version of grpc-js has another inside */
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
  const [, digits, unit] = /(\d{1,8})\s*([HMSmun])/.exec(String(headers[timeoutKey] ?? "")) ?? []; // as grpc-js reads it
  if (digits !== undefined && Number(digits) * unitMs[unit!]! > longestTimeoutMs) headers[timeoutKey] = longestTimeout;
}

const isText = (value: string): boolean => /^[\x20-\x7e]*$/.test(value);

/** @param raw names and values in turn, as they came */
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
