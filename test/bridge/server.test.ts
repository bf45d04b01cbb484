// The bridge as a server: time, cancellation, what it hands on, health, limits, TLS, its end, its metrics.
import { credentials } from "@grpc/grpc-js";
import { refuse } from "../../src/protocol/errors.ts";
import { selfSigned } from "./certificate.ts";
import { identity, type StartedBridge, silence, startBridge, until } from "./pretend-fleet.ts";

const token = { access_token: "a" };
const rejected = (reason: unknown) => () => Promise.reject(reason);

async function countOf({ metrics }: StartedBridge, code: string): Promise<number> {
  const sample = new RegExp(`^auth_bridge_calls_total\\{method="CurrentUser",code="${code}",.*\\} (\\d+)$`, "m");
  return Number(sample.exec(await metrics.text())?.[1] ?? 0);
}

describe("a call", () => {
  let started: StartedBridge;
  beforeAll(async () => {
    started = await startBridge({ env: { AUTH_GRPC_TIMEOUT: "7s" } });
  });
  beforeEach(() => {
    started.fleet.reply = async () => identity;
  });
  afterAll(() => started.stop());

  const lastOptions = () => started.fleet.asked.at(-1)!.options;

  test("with a deadline gives the fleet the time that is left", async () => {
    await started.gateway.call("CurrentUser", token, { deadlineMs: 5000 });
    expect(lastOptions().timeoutMs).toBeGreaterThan(3000);
    expect(lastOptions().timeoutMs).toBeLessThanOrEqual(5000);
  });

  test("without a deadline has AUTH_GRPC_TIMEOUT", async () => {
    await started.gateway.call("CurrentUser", token);
    expect(lastOptions().timeoutMs).toBe(7000);
  });

  test("hands on its trace and its idempotency key, and makes up neither", async () => {
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const metadata = { traceparent, "auth-idempotency-key": "0123456789012345678901" };
    await started.gateway.call("CurrentUser", token, { metadata });
    expect(lastOptions()).toMatchObject({ traceparent, idempotencyKey: "0123456789012345678901" });
    await started.gateway.call("CurrentUser", token);
    expect(Object.keys(lastOptions()).sort()).toEqual(["signal", "timeoutMs"]);
  });

  test("past its deadline is DEADLINE_EXCEEDED and waited for no longer", async () => {
    started.fleet.reply = silence;
    const answer = await started.gateway.call("CurrentUser", token, { deadlineMs: 150 });
    expect(answer.status).toBe("DEADLINE_EXCEEDED");
    await until(() => lastOptions().signal!.aborted);
    await until(async () => (await countOf(started, "DEADLINE_EXCEEDED")) === 1);
  });

  test("that the caller cancels is waited for no longer; one that it does not cancel is", async () => {
    started.fleet.reply = silence;
    const asked = started.fleet.asked.length;
    const caller = new AbortController();
    const cancelled = started.gateway.call("CurrentUser", token, { signal: caller.signal });
    await until(() => started.fleet.asked.length === asked + 1);
    const control = started.gateway.call("CurrentUser", token, { deadlineMs: 1000 });
    await until(() => started.fleet.asked.length === asked + 2);
    caller.abort();
    expect((await cancelled).status).toBe("CANCELLED");
    await until(() => started.fleet.asked[asked]!.options.signal!.aborted);
    await until(async () => (await countOf(started, "CANCELLED")) === 1);
    expect(started.fleet.asked[asked + 1]!.options.signal!.aborted).toBe(false);
    expect((await control).status).toBe("DEADLINE_EXCEEDED");
  });

  test("is counted once with the status it ended in, and timed", async () => {
    const before = [await countOf(started, "OK"), await countOf(started, "NOT_FOUND")];
    await started.gateway.call("CurrentUser", token);
    started.fleet.reply = rejected(refuse("NOT_FOUND"));
    await started.gateway.call("CurrentUser", token);
    expect([await countOf(started, "OK"), await countOf(started, "NOT_FOUND")]).toEqual(before.map((n) => n + 1));
    expect(await started.metrics.text()).toMatch(/^auth_bridge_seconds_count\{.*method="CurrentUser".*\} [1-9]/m);
  });

  test("above 64 KiB is RESOURCE_EXHAUSTED by gRPC itself and never reaches the fleet; one just below does", async () => {
    const asked = started.fleet.asked.length;
    const above = await started.gateway.call("CurrentUser", { access_token: "a".repeat(64 * 1024) });
    expect(above).toMatchObject({ status: "RESOURCE_EXHAUSTED", code: undefined });
    expect(started.fleet.asked).toHaveLength(asked);
    const below = await started.gateway.call("CurrentUser", { access_token: "a".repeat(64 * 1024 - 16) });
    expect(below.status).toBe("OK");
    expect(started.fleet.asked).toHaveLength(asked + 1);
  });
});

describe("health", () => {
  test("is SERVING for the server and for auth.Auth while the client is healthy, and follows it", async () => {
    const { bridge, fleet, gateway, stop } = await startBridge();
    expect(await Promise.all([gateway.health(""), gateway.health("auth.Auth")])).toEqual(["SERVING", "SERVING"]);
    expect(bridge.healthy).toBe(true);
    fleet.healthy = false;
    expect(bridge.healthy).toBe(false);
    await until(async () => (await gateway.health("auth.Auth")) === "NOT_SERVING");
    expect(await gateway.health("")).toBe("NOT_SERVING");
    fleet.healthy = true;
    await until(async () => (await gateway.health("auth.Auth")) === "SERVING");
    expect(await gateway.health("auth.Other")).toBe("NOT_FOUND");
    await stop();
  });

  test("is not there before the start and after the stop", async () => {
    const { bridge, stop } = await startBridge();
    await stop();
    expect(bridge.healthy).toBe(false);
  });
});

describe("stopping", () => {
  test("lets running calls end and takes no more", async () => {
    const { bridge, fleet, gateway, metrics } = await startBridge();
    const { promise, resolve } = Promise.withResolvers<unknown>();
    fleet.reply = () => promise;
    const running = gateway.call("CurrentUser", token);
    await until(() => fleet.asked.length === 1);
    const stopped = bridge.stop(10_000);
    const late = await gateway.call("CurrentUser", token, { deadlineMs: 1000 });
    expect(late.status).not.toBe("OK");
    resolve(identity);
    expect((await running).status).toBe("OK");
    await stopped;
    expect(fleet.asked).toHaveLength(1);
    gateway.close();
    metrics.stop();
  });

  test("cuts what is left after the grace time", async () => {
    const { bridge, fleet, gateway, metrics } = await startBridge();
    const running = gateway.call("CurrentUser", token);
    await until(() => fleet.asked.length === 1);
    await bridge.stop(100);
    expect((await running).status).not.toBe("OK");
    await until(() => fleet.asked[0]!.options.signal!.aborted);
    gateway.close();
    metrics.stop();
  });
});

describe("TLS", () => {
  const ours = selfSigned();
  const theirs = selfSigned();
  const env = { AUTH_GRPC_TLS_CERT: ours.cert, AUTH_GRPC_TLS_KEY: ours.key };

  test("serves who trusts the certificate", async () => {
    const started = await startBridge({ env, channel: credentials.createSsl(Buffer.from(ours.cert)) });
    expect(await started.gateway.health("")).toBe("SERVING");
    await started.stop();
  });

  test("with AUTH_GRPC_TLS_CLIENT_CA serves who shows a certificate, and nobody else", async () => {
    const mutual = { ...env, AUTH_GRPC_TLS_CLIENT_CA: theirs.cert };
    const pair = [Buffer.from(theirs.key), Buffer.from(theirs.cert)] as const;
    const started = await startBridge({ env: mutual, channel: credentials.createSsl(Buffer.from(ours.cert), ...pair) });
    expect(await started.gateway.health("")).toBe("SERVING");
    await started.stop();
    const nobody = credentials.createSsl(Buffer.from(ours.cert));
    const closed = await startBridge({ env: mutual, channel: nobody });
    expect(await closed.gateway.health("")).toBe("UNAVAILABLE");
    await closed.stop();
  });

  test("that is not there is a fault elsewhere than on loopback, also for a bridge that is made without the start of its process", async () => {
    await expect(startBridge({ env: { AUTH_GRPC_HOST: "0.0.0.0" } })).rejects.toThrow(
      "AUTH_GRPC_HOST 0.0.0.0 would take passwords in the open",
    );
    const { port, stop } = await startBridge({ env: { AUTH_GRPC_HOST: "0.0.0.0", AUTH_GRPC_PLAINTEXT: "true" } });
    expect(port).toBeGreaterThan(0);
    await stop();
  });

  test("asked of clients but not given to us is a fault, not plaintext", async () => {
    await expect(startBridge({ env: { AUTH_GRPC_TLS_CLIENT_CA: ours.cert } })).rejects.toThrow(
      "AUTH_GRPC_TLS_CLIENT_CA needs AUTH_GRPC_TLS_CERT and AUTH_GRPC_TLS_KEY",
    );
  });
});

test("a taken port is one sentence that says what to do", async () => {
  const { port, stop } = await startBridge();
  await expect(startBridge({ env: { AUTH_GRPC_PORT: String(port) } })).rejects.toThrow(
    `Port ${port} on 127.0.0.1 is taken by another program: set AUTH_GRPC_PORT to a free port, or to 0 for any.`,
  );
  await stop();
});
