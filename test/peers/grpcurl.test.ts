// grpcurl, a gRPC client in Go, at the bridge: with the gateway's own definition, with what the bridge tells by
// reflection, and its health. Left out on purpose: health by reflection. What protobufjs tells of its map is not taken
// by Go, so grpcurl needs health's definition.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { newUser } from "../support/users.ts";
import { run } from "./program.ts";

const definition = ["-import-path", "test/interop/gateway", "-proto", "auth.proto"];
const healthDefinition = ["-import-path", "node_modules/grpc-health-check/proto", "-proto", "health/v1/health.proto"];

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
afterAll(() => fleet.close());

interface Called {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** @param how its definitions; none: it asks the bridge for them */
function grpcurl(how: string[], method: string, request?: object): Promise<Called> {
  const body = request === undefined ? [] : ["-d", JSON.stringify(request)];
  return run("grpcurl", ["-plaintext", "-max-time", "30", "-emit-defaults", ...how, ...body, fleet.grpc, method]);
}

async function ok<T>(how: string[], method: string, request: object = {}): Promise<T> {
  const { code, stdout, stderr } = await grpcurl(how, method, request);
  expect({ method, code, stderr }).toEqual({ method, code: 0, stderr: "" });
  // By the gateway's definition JSON has maxAge, by reflection max_age: both are read by the fields' own names.
  return JSON.parse(stdout.replace(/"(\w+)":/g, (name) => name.replace(/[A-Z]/g, "_$&").toLowerCase())) as T;
}

interface Session {
  access_token: string;
  cookie: { value: string };
}

describe.each([
  ["the gateway's definition", definition],
  ["what the bridge tells by reflection", []],
])("with %s", (_, how) => {
  const account = newUser("gc");
  const { login, password, username, email } = account;

  test("a user registers, confirms, logs in, is seen, refreshes and logs out", async () => {
    const call = <T>(method: string, request: object) => ok<T>(how, `auth.Auth/${method}`, request);
    expect(await call("CreateUser", { login, password, username, email })).toEqual({ success: true });
    const token_pod = await fleet.confirmationToken(username);
    const { cookie } = await call<Session>("RegistrationUser", { token_pod });
    expect(cookie).toEqual({
      key: "refresh_token",
      value: expect.stringMatching(/^.{80}$/),
      httponly: true,
      secure: true,
      samesite: "none",
      max_age: 604_800,
    });
    const { access_token } = await call<Session>("Authenticate", { login, password });
    const user = await call("CurrentUser", { access_token });
    const seen = { login, is_active: true, is_verified: true, role: "user" };
    expect(user).toEqual({ id: expect.any(Number), ...seen });
    expect(await call("RefreshToken", { refresh_token: cookie.value })).toEqual({
      access_token: expect.stringMatching(/^eyJ/),
    });
    expect(await call("LogOutUser", { token_pod: access_token })).toEqual({});
  }, 60_000);

  test("a refusal is a status with its code in the trailing metadata", async () => {
    const request = { login, password: "another password" };
    const { code, stdout, stderr } = await grpcurl(["-v", ...how], "auth.Auth/Authenticate", request);
    expect(code).not.toBe(0);
    expect(stdout).toMatch(/^auth-error: INVALID_CREDENTIALS$/m);
    expect(stderr).toMatch(/Code: InvalidArgument/);
  });
});

test("it finds the services and their health", async () => {
  const { code, stdout } = await grpcurl([], "list");
  expect({ code, services: stdout.trim().split("\n").sort() }).toEqual({
    code: 0,
    services: expect.arrayContaining(["auth.Auth", "grpc.health.v1.Health"]),
  });
  const health = (service: string) => ok(healthDefinition, "grpc.health.v1.Health/Check", { service });
  expect(await health("auth.Auth")).toEqual({ status: "SERVING" });
  const other = await grpcurl(healthDefinition, "grpc.health.v1.Health/Check", { service: "auth.Other" });
  expect(other).toMatchObject({ stderr: expect.stringMatching(/Code: NotFound/) }); // the control
});
