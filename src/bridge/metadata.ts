// The metadata of a call: what everybody may send (idempotency key, trace), and what a caller says about the device
// that it serves. The latter only counts from trusted callers, because limits by network depend on it: anybody else
// could blame another network. Invalid metadata is INVALID_INPUT with its name; an invalid trace starts a new one. What
// an untrusted caller says about a device is ignored.
import type { PeerCertificate } from "node:tls";
import type { ServerUnaryCall } from "@grpc/grpc-js";
import type { Config } from "../config/read.ts";
import { readIp } from "../protocol/client-address.ts";
import { invalid, type Refusal } from "../protocol/errors.ts";
import { readTraceparent } from "../runtime/tracing.ts";
import { faultsKey, type MetadataName } from "./incoming.ts";

/** The field `client` of commands. */
export interface Device {
  ip: string | null;
  userAgent: string | null;
  device: string | null;
}

export interface CallMetadata {
  traceparent: string | undefined;
  idempotencyKey: string | undefined;
  /** undefined: unknown. */
  client: Device | undefined;
  deviceToken: string | undefined;
  /** Whether the caller may name the device that it calls for, and receives that device's token. */
  isTrusted: boolean;
}

type Rules = Pick<Config, "AUTH_GRPC_TRUSTED" | "AUTH_GRPC_TRUST_CLIENT">;
type Call = Pick<ServerUnaryCall<object, object>, "metadata" | "getAuthContext">;

const longest: Record<MetadataName, number> = {
  "auth-idempotency-key": 256,
  "auth-client-ip": 64,
  "auth-client-user-agent": 512,
  "auth-client-device": 256,
  "auth-client-device-token": 8192, // an impossible token counts as missing (client/connect.ts)
};
const shortestKey = 22;

/** @throws Refusal INVALID_INPUT */
export function readMetadata(call: Call, rules: Rules): CallMetadata {
  const read = reader(call);
  const idempotencyKey = read("auth-idempotency-key");
  if (idempotencyKey !== undefined && idempotencyKey.length < shortestKey)
    throw wrong("auth-idempotency-key", `must have at least ${shortestKey} characters, 128 random bits`);
  const traceparent = readTraceparent(call.metadata.get("traceparent")[0]);
  if (!isTrusted(call, rules))
    return { traceparent, idempotencyKey, client: undefined, deviceToken: undefined, isTrusted: false };
  const given = read("auth-client-ip");
  const ip = given === undefined ? undefined : readIp(given);
  if (given !== undefined && ip === undefined) throw wrong("auth-client-ip", "must be an IP address");
  const [userAgent, device] = [read("auth-client-user-agent"), read("auth-client-device")];
  const isKnown = [ip, userAgent, device].some((each) => each !== undefined);
  const client = { ip: ip ?? null, userAgent: userAgent ?? null, device: device ?? null };
  const deviceToken = read("auth-client-device-token");
  return { traceparent, idempotencyKey, client: isKnown ? client : undefined, deviceToken, isTrusted: true };
}

/** The device token in a result of the fleet; the messages of package `auth` have no field for it. */
export function deviceTokenOf(result: object): string | undefined {
  const { deviceToken, tokens } = result as { deviceToken?: unknown; tokens?: { deviceToken?: unknown } | null };
  const token = deviceToken ?? tokens?.deviceToken;
  return typeof token === "string" ? token : undefined;
}

/** An empty text counts as missing: some clients send empty values. */
function reader({ metadata }: Call): (name: MetadataName) => string | undefined {
  const noted = metadata.get(faultsKey)[0];
  const faults = (noted === undefined ? {} : JSON.parse(String(noted))) as Partial<Record<MetadataName, string>>;
  return (name) => {
    const fault = faults[name];
    if (fault !== undefined) throw wrong(name, fault);
    const value = metadata.get(name)[0]?.toString() || undefined;
    if (value !== undefined && value.length > longest[name])
      throw wrong(name, `must have at most ${longest[name]} characters`);
    return value;
  };
}

const wrong = (name: MetadataName, problem: string): Refusal => invalid(name, problem);

function isTrusted(call: Call, { AUTH_GRPC_TRUST_CLIENT: all, AUTH_GRPC_TRUSTED: trusted }: Rules): boolean {
  if (all) return true;
  if (trusted === undefined) return false;
  const { sslPeerCertificate } = call.getAuthContext();
  return namesOf(sslPeerCertificate).some((name) => trusted.includes(name));
}

const nameKinds = ["DNS", "URI", "email", "IP Address"];

/** The names in a verified certificate: its common name and its alternative names. */
export function namesOf(
  certificate: Partial<Pick<PeerCertificate, "subject" | "subjectaltname">> | undefined,
): string[] {
  const common: unknown = certificate?.subject?.CN; // a list where there are several
  const alternative = (certificate?.subjectaltname ?? "").match(/(?:"(?:[^"\\]|\\.)*"|[^,"])+/g) ?? [];
  const names = alternative.flatMap((each) => {
    const [, kind, value] = /^\s*([^:]+):(.*)$/s.exec(each) ?? [];
    return nameKinds.includes(kind ?? "") ? [unquoted(value!)] : [];
  });
  return [[common].flat(), names].flat().filter((name): name is string => typeof name === "string" && name !== "");
}

/** Node writes a name with a comma or a quote as JSON, so that one name cannot look like two. */
function unquoted(value: string): string {
  try {
    return value.startsWith('"') ? (JSON.parse(value) as string) : value;
  } catch {
    return "";
  }
}
