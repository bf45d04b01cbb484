// A bridge in this process before a pretended fleet that answers as a test tells it. For what the real fleet cannot be
// made to do at will: refuse with each of its codes, never answer, fail. The journey through the real one is in
// journey.test.ts.
import { setTimeout as delay } from "node:timers/promises";
import type { ChannelCredentials } from "@grpc/grpc-js";
import { pino } from "pino";
import type { BridgeVerifier } from "../../src/bridge/call.ts";
import { makeBridge } from "../../src/bridge/server.ts";
import type { AuthClient, CallOptions } from "../../src/client/types.ts";
import { type Environment, readConfig } from "../../src/config/read.ts";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import { makeMetrics } from "../../src/runtime/metrics.ts";
import { connectGateway } from "./gateway.ts";

interface Asked {
  topic: string;
  input: unknown;
  options: CallOptions;
}

export type Reply = (asked: Asked) => Promise<unknown>;

/** Answers nothing until the bridge gives up waiting. */
export const silence: Reply = ({ options }) =>
  new Promise((_, reject) => options.signal?.addEventListener("abort", () => reject(options.signal?.reason)));

export function configOf(env: Environment = {}) {
  return readConfig({ AUTH_GRPC_HOST: "127.0.0.1", AUTH_GRPC_PORT: "0", ...env }, "ctl");
}

interface BridgeOptions {
  env?: Environment;
  channel?: ChannelCredentials;
  /** By which the gateway reaches it. */
  host?: string;
  clock?: Clock;
}

export async function startBridge(options: BridgeOptions = {}) {
  const { env = {}, channel, host = "localhost", clock = systemClock } = options;
  const fleet = { asked: [] as Asked[], healthy: true, reply: silence };
  const request = (topic: string, input: unknown, options: CallOptions) => {
    const asked = { topic, input, options };
    fleet.asked.push(asked);
    return fleet.reply(asked);
  };
  const client = {
    request: request as AuthClient["request"],
    ready: async () => {},
    close: async () => {},
    pending: 0,
    get healthy() {
      return fleet.healthy;
    },
  };
  /**
   * Never fresh, so that every question reaches the pretended fleet; the real one is in journey.test.ts and
   * verifier.test.ts.
   */
  const verifier: BridgeVerifier = {
    verify: async (token, options) => ({ ...(await options!.inspect!(token)), by: "fleet", fresh: true, ageMs: 0 }),
    end: () => undefined,
  };
  const logged: string[] = [];
  const log = pino({}, { write: (line: string) => logged.push(line) });
  const metrics = makeMetrics({ process: "bridge" });
  const bridge = makeBridge({ client, verifier, config: configOf(env), log, metrics, clock, canSeal: () => true });
  const { port } = await bridge.start();
  const gateway = await connectGateway(`${host}:${port}`, channel).catch(async (error: unknown) => {
    await bridge.stop(0);
    throw error;
  });
  const stop = async () => {
    gateway.close();
    await bridge.stop(1000);
    metrics.stop();
  };
  /** Another caller, whom the test closes. */
  const connectTo = (other: ChannelCredentials) => connectGateway(`localhost:${port}`, other);
  return { bridge, fleet, gateway, logged, metrics, port, connectTo, stop };
}

export type StartedBridge = Awaited<ReturnType<typeof startBridge>>;

/** Waits until it is so, at most 5 s. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const end = systemClock.monotonic() + 5000;
  while (!(await isSo())) {
    if (systemClock.monotonic() > end) throw new Error(`It did not come within 5 s: ${isSo}`);
    await delay(10);
  }
}

export const tokens = {
  deviceToken: "d1.of-the-device.mac",
  userId: 7,
  sessionId: "0198c0de-0000-7000-8000-000000000001",
  accessToken: "access.token.here",
  accessExpiresAt: 1,
  refreshToken: "session.refresh-token",
  refreshExpiresAt: 2,
};

export const identity = {
  userId: 7,
  login: "ada.l",
  isActive: true,
  isVerified: true,
  roles: [] as string[],
  sessionId: tokens.sessionId,
  expiresAt: 1,
};
