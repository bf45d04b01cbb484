// A bridge before a pretended fleet, and metadata by which callers say for which device they call.
import { identity, type StartedBridge, startBridge, tokens } from "./pretend-fleet.ts";

export const device = {
  "auth-client-ip": "203.0.113.7",
  "auth-client-user-agent": "Mozilla/5.0 (X11; Linux x86_64), like Gecko",
  "auth-client-device": "phone 7",
  "auth-client-device-token": "d1.token-of-the-device",
};
export const client = { ip: "203.0.113.7", userAgent: device["auth-client-user-agent"], device: "phone 7" };
export const key = "0123456789012345678901";
export const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
export const login = { login: "ada.l", password: "correct horse" };

const answers: Record<string, unknown> = {
  "auth.account.register": { userId: 7, confirmationSent: true },
  "auth.session.login": { tokens, challenge: null },
  "auth.session.inspect": identity,
  "auth.session.logout": {},
};
export async function started(options: Parameters<typeof startBridge>[0]): Promise<StartedBridge> {
  const bridge = await startBridge(options);
  bridge.fleet.reply = async ({ topic }) => answers[topic] ?? tokens;
  return bridge;
}
export const lastAsked = ({ fleet }: StartedBridge) => fleet.asked.at(-1)!;
export const clientOf = (bridge: StartedBridge) => (lastAsked(bridge).input as { client?: object }).client;

export async function unknownOf({ metrics }: StartedBridge): Promise<number> {
  return Number(/^auth_client_unknown_total\{.*\} (\d+)$/m.exec(await metrics.text())?.[1] ?? 0);
}

export const bad: [string, string | Buffer | (string | Buffer)[], string][] = [
  ["auth-idempotency-key", "x".repeat(21), "at least 22 characters"],
  ["auth-idempotency-key", "x".repeat(257), "at most 256 characters"],
  ["auth-idempotency-key", [key, key], "is given twice"],
  ["auth-idempotency-key-bin", Buffer.from(key), "must be text, not binary"],
];
export const badOfDevice: typeof bad = [
  ["auth-client-ip", "1.2.3", "must be an IP address"],
  ["auth-client-ip", "unknown", "must be an IP address"],
  ["auth-client-ip", "1.2.3.4, 5.6.7.8", "must be an IP address"],
  ["auth-client-ip", "x".repeat(65), "at most 64 characters"],
  ["auth-client-ip", ["203.0.113.7", "203.0.113.7"], "is given twice"],
  ["auth-client-ip-bin", Buffer.from([203, 0, 113, 7]), "must be text, not binary"],
  ["auth-client-user-agent", "x".repeat(513), "at most 512 characters"],
  ["auth-client-user-agent", ["a", "b"], "is given twice"],
  ["auth-client-device", "x".repeat(257), "at most 256 characters"],
  ["auth-client-device", ["a", "b"], "is given twice"],
  ["auth-client-device-token", ["a", "a"], "is given twice"],
  ["auth-client-device-token-bin", Buffer.from("d1"), "must be text, not binary"],
];
export const nameOf = (header: string) => header.replace(/-bin$/, "");
