// What callers send beside the message: for which device they call, their idempotency key, their trace, their time.
// From whom it counts, what is handed to the fleet, and what is said of bad metadata; by clients of gRPC and, for what
// those would not send, by HTTP/2 itself.
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import {
  bad,
  badOfDevice,
  client,
  clientOf,
  device,
  key,
  lastAsked,
  login,
  nameOf,
  started,
  traceparent,
  unknownOf,
} from "./device-metadata.ts";
import { type StartedBridge, tokens } from "./pretend-fleet.ts";

/**
 * A call as bytes, with headers that no gRPC library sends.
 * @returns status, auth-error and the words; the reset where there is no answer
 */
function rawCall(session: ClientHttp2Session, headers: Record<string, string | string[]>, message = Buffer.alloc(0)) {
  const length = Buffer.alloc(5);
  length.writeUInt32BE(message.length, 1);
  return new Promise<{ status: unknown; code: unknown; details: string }>((resolve) => {
    const stream = session.request({
      ":method": "POST",
      ":path": "/auth.Auth/CurrentUser",
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    let said: IncomingHttpHeaders = {};
    const take = (more: IncomingHttpHeaders) => {
      said = { ...said, ...more };
    };
    stream.on("response", take).on("trailers", take);
    stream.on("error", (error) => take({ "grpc-message": error.message }));
    stream.on("close", () =>
      resolve({
        status: said["grpc-status"],
        code: said["auth-error"],
        details: decodeURI(String(said["grpc-message"] ?? "")),
      }),
    );
    stream.resume();
    stream.end(Buffer.concat([length, message]));
  });
}

describe("a bridge that lets every caller say for which device it calls", () => {
  let bridge: StartedBridge;
  let session: ClientHttp2Session;
  beforeAll(async () => {
    bridge = await started({ env: { AUTH_GRPC_TRUST_CLIENT: "true" } });
    session = connect(`http://localhost:${bridge.port}`);
  });
  afterAll(async () => {
    session.close();
    await bridge.stop();
  });

  test.each([
    ["CreateUser", { login: "ada.l" }],
    ["RegistrationUser", { token_pod: "c" }],
    ["Authenticate", login],
  ])("%s hands the device to its command, and the token as a header", async (method, request) => {
    const before = await unknownOf(bridge);
    const metadata = { ...device, "auth-idempotency-key": key, traceparent };
    expect(await bridge.gateway.call(method, request, { metadata })).toMatchObject({ status: "OK" });
    expect(lastAsked(bridge).input).toMatchObject({ client });
    expect(lastAsked(bridge).options).toMatchObject({
      deviceToken: device["auth-client-device-token"],
      idempotencyKey: key,
      traceparent,
    });
    expect(await unknownOf(bridge)).toBe(before);
  });

  test.each([
    ["RegistrationUser", { token_pod: "c" }],
    ["Authenticate", login],
    ["RefreshToken", { refresh_token: "r" }],
  ])(
    "%s brings the device's token back as trailing metadata, which its message has no field for",
    async (method, request) => {
      const answer = await bridge.gateway.call(method, request, { metadata: device });
      expect(answer).toMatchObject({ status: "OK", deviceToken: tokens.deviceToken });
      expect(JSON.stringify(answer.reply)).not.toContain(tokens.deviceToken);
    },
  );

  test("what gives no token brings none", async () => {
    for (const [method, request] of [
      ["CreateUser", { login: "ada.l" }],
      ["CurrentUser", { access_token: "a" }],
      ["LogOutUser", { token_pod: "a" }],
    ] as const)
      expect(await bridge.gateway.call(method, request, { metadata: device })).toMatchObject({
        status: "OK",
        deviceToken: undefined,
      });
  });

  test("a command that takes no device gets none, and is not counted", async () => {
    const before = await unknownOf(bridge);
    await bridge.gateway.call("LogOutUser", { token_pod: "a" }, { metadata: device });
    expect(lastAsked(bridge).input).toEqual({ accessToken: "a" });
    await bridge.gateway.call("LogOutUser", { token_pod: "a" });
    expect(await unknownOf(bridge)).toBe(before);
  });

  test.each([
    [{ "auth-client-ip": "2001:db8::7" }, { ip: "2001:db8::7", userAgent: null, device: null }, 0],
    [{ "auth-client-ip": "[2001:db8::7]:5678" }, { ip: "2001:db8::7", userAgent: null, device: null }, 0],
    [{ "auth-client-device": "phone 7" }, { ip: null, userAgent: null, device: "phone 7" }, 1],
    [{ "auth-client-ip": "" }, undefined, 1],
    [{}, undefined, 1],
  ])("%j is handed on as %j", async (metadata, expected, unknown) => {
    const before = await unknownOf(bridge);
    expect(await bridge.gateway.call("Authenticate", login, { metadata })).toMatchObject({ status: "OK" });
    expect(clientOf(bridge)).toEqual(expected);
    expect(await unknownOf(bridge)).toBe(before + unknown);
  });

  test("the log says once that callers leave out the address", async () => {
    for (let call = 0; call < 3; call += 1) await bridge.gateway.call("Authenticate", login);
    expect(bridge.logged.filter((line) => line.includes("Calls come without auth-client-ip"))).toHaveLength(1);
  });

  test.each([...bad, ...badOfDevice])(
    "%s of %j is INVALID_INPUT and never reaches the fleet",
    async (name, value, problem) => {
      const asked = bridge.fleet.asked.length;
      for (const [method, request] of [
        ["Authenticate", login],
        ["CurrentUser", { access_token: "a" }],
      ] as const) {
        const answer = await bridge.gateway.call(method, request, { metadata: { [name]: value } });
        expect(answer).toMatchObject({ status: "INVALID_ARGUMENT", code: "INVALID_INPUT" });
        expect(answer.details).toContain(`${nameOf(name)}: `);
        expect(answer.details).toContain(problem);
      }
      expect(bridge.fleet.asked).toHaveLength(asked);
    },
  );

  test.each([
    ["auth-idempotency-key", `${key}\u00e4`],
    ["auth-client-ip", "\u00ff"],
    ["auth-client-device", "tab\there"],
    ["auth-client-device-token", "\u0080\u0081"],
  ])("bytes that are no text as %s are INVALID_INPUT, and not in the log", async (name, value) => {
    const logged = bridge.logged.length;
    expect(await rawCall(session, { [name]: value })).toEqual({
      status: "3",
      code: "INVALID_INPUT",
      details: `${name}: must be printable ASCII`,
    });
    expect(bridge.logged).toHaveLength(logged);
  });

  test("other metadata that is no text is passed over, without a line in the log", async () => {
    const logged = bridge.logged.length;
    expect(await rawCall(session, { "x-other": "\u00e4", traceparent: "\u00ff" })).toMatchObject({ status: "0" });
    expect(bridge.logged).toHaveLength(logged);
  });

  test("nobody can make faults of their own", async () => {
    expect(await rawCall(session, { "auth-metadata-faults": "{no JSON" })).toMatchObject({ status: "0" });
  });

  test.each<[string, Record<string, string>]>([
    ["a control character", { "auth-client-device": "a\u0001b" }],
    ["NUL", { "auth-client-ip": "\u0000" }],
    ["a line end", { "auth-client-user-agent": "a\r\nauth-client-ip: 1.2.3.4" }],
    ["300 KB", { "auth-client-user-agent": "x".repeat(300_000) }],
  ])("%s, which HTTP/2 does not let through, reaches nobody and stops nothing", async (_, headers) => {
    const own = connect(`http://localhost:${bridge.port}`).on("error", () => undefined);
    const asked = bridge.fleet.asked.length;
    const path = { ":path": "/auth.Auth/Authenticate" };
    await Promise.resolve()
      .then(() => rawCall(own, { ...path, ...headers }))
      .catch(() => undefined);
    own.destroy();
    for (const { input } of bridge.fleet.asked.slice(asked)) expect(input).not.toHaveProperty("client");
    expect(await rawCall(session, {})).toMatchObject({ status: "0" });
  });

  test.each([
    ["malformed", "garbage"],
    ["twice", [traceparent, traceparent]],
    ["of zeros", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"],
  ])("a trace that is %s begins a new one", async (_, value) => {
    const answer = await bridge.gateway.call(
      "CurrentUser",
      { access_token: "a" },
      { metadata: { traceparent: value } },
    );
    expect(answer).toMatchObject({ status: "OK" });
    expect(lastAsked(bridge).options).not.toHaveProperty("traceparent");
  });

  test.each([
    ["597H", 596 * 3_600_000],
    ["99999999H", 596 * 3_600_000],
    ["33554432H", 596 * 3_600_000],
    ["2147484S", 596 * 3_600_000],
    ["99999999M", 596 * 3_600_000],
    ["596H", 596 * 3_600_000],
    ["300S", 300_000],
    ["5000000u", 5000],
  ])("a call whose time is %s is served", async (timeout, left) => {
    expect(await rawCall(session, { "grpc-timeout": timeout })).toMatchObject({ status: "0" });
    const { timeoutMs } = lastAsked(bridge).options;
    expect(timeoutMs).toBeLessThanOrEqual(left);
    expect(timeoutMs).toBeGreaterThan(left - 5000);
  });

  test("so is one whose deadline is in a hundred years", async () => {
    const century = 100 * 365 * 86_400_000;
    const answer = await bridge.gateway.call("CurrentUser", { access_token: "a" }, { deadlineMs: century });
    expect(answer).toMatchObject({ status: "OK" });
  });

  test("so is one of another service on the port", async () => {
    const health = { ":path": "/grpc.health.v1.Health/Check", "grpc-timeout": "597H" };
    expect(await rawCall(session, health)).toMatchObject({ status: "0" });
  });

  test("control: grpc-js by itself ends it", async () => {
    const server = new Server();
    new HealthImplementation({ "": "SERVING" }).addToServer(server);
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    const own = connect(`http://127.0.0.1:${port}`);
    const watch = { ":path": "/grpc.health.v1.Health/Watch" };
    // 2^25 hours: of the milliseconds the lowest 32 bits are 0. (Of others it makes a negative time, with a warning.)
    expect(await rawCall(own, { ...watch, "grpc-timeout": "33554432H" })).toMatchObject({ status: "4" });
    own.close();
    await new Promise((resolve) => server.tryShutdown(resolve));
  });

  test("a time of 0 is over, and one that is none is a fault of the call", async () => {
    expect(await rawCall(session, { "grpc-timeout": "0m" })).toMatchObject({ status: "4" });
    expect(await rawCall(session, { "grpc-timeout": "soon" })).toMatchObject({ status: "13" });
  });
});

describe("a bridge that trusts nobody", () => {
  let bridge: StartedBridge;
  beforeAll(async () => {
    bridge = await started({});
  });
  afterAll(() => bridge.stop());

  test("ignores what callers say of devices, counts them as unknown, and gives no token for one", async () => {
    const metadata = { ...device, "auth-idempotency-key": key };
    const { status, deviceToken } = await bridge.gateway.call("Authenticate", login, { metadata });
    expect([status, deviceToken]).toEqual(["OK", undefined]);
    expect(clientOf(bridge)).toBeUndefined();
    expect(lastAsked(bridge).options).toMatchObject({ idempotencyKey: key });
    expect(lastAsked(bridge).options).not.toHaveProperty("deviceToken");
    expect(await unknownOf(bridge)).toBe(1);
  });

  test.each(badOfDevice)("does not look at %s of %j", async (name, value) => {
    expect(await bridge.gateway.call("Authenticate", login, { metadata: { [name]: value } })).toMatchObject({
      status: "OK",
    });
  });

  test.each(bad)("looks at %s of %j", async (name, value) => {
    expect(await bridge.gateway.call("Authenticate", login, { metadata: { [name]: value } })).toMatchObject({
      code: "INVALID_INPUT",
    });
  });
});
