// The library for services: its methods follow the commands, its mistakes are told at once, every call ends, and
// closing leaves nothing open.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Client, type ConnectOptions, connect, Refusal } from "../../src/client/index.ts";
import { commandSchemas } from "../../src/protocol/generated/schemas.ts";
import { sharedFleet } from "../support/fleet-addresses.ts";
import { newUser, refusalOf, refused } from "../support/users.ts";

let client: Client;
let options: ConnectOptions;
beforeAll(async () => {
  const { env, prefix } = sharedFleet();
  options = {
    brokers: env["AUTH_KAFKA_BROKERS"]!.split(","),
    registry: env["AUTH_REGISTRY_URL"]!,
    name: "test",
    topicPrefix: prefix,
    fleetId: env["AUTH_FLEET_ID"]!,
  };
  client = connect(options);
  await client.ready();
}, 30_000);
afterAll(() => client.close());

test("has a method for every command", () => {
  const methods = Object.keys(commandSchemas).map((topic) => {
    const [, area = "", command = ""] = topic.split(".");
    const name = command.replace(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase());
    return typeof (client as unknown as Record<string, Record<string, unknown>>)[area]?.[name];
  });
  expect(methods).toEqual(methods.map(() => "function"));
});

test("carries a call there and back", async () => {
  expect(await client.account.register(newUser())).toMatchObject({ confirmationSent: true });
  const answer = client.session.login({ login: "nobody", password: "nothing" });
  await expect(answer).rejects.toBeInstanceOf(Refusal);
});

describe("tells a mistake at once", () => {
  test.each([
    ["brokers", { brokers: [] }],
    ["registry", { registry: "nowhere" }],
    ["name", { name: "Not A Name" }],
    ["fleetId", { fleetId: "k1" }],
    ["fleetId", { fleetId: "" }],
    ["fleetId", { fleetId: [] }],
  ])("in the option %s", (name, bad) => {
    expect(() => connect({ ...options, ...bad })).toThrow(new RegExp(`"${name}" must be`));
  });

  test.each(["maxAgeMs", "cache", "tokenLifeMs"])("in the verifier's option %s", (name) => {
    for (const bad of [Number.NaN, -1, Number.NEGATIVE_INFINITY, "1000", null])
      expect(() => client.verifier({ [name]: bad })).toThrow(new TypeError(`"${name}" must be a number, 0 or more`));
  });

  test("in a field that is missing or of a wrong type", async () => {
    const missing = await refused(client.session.login({ login: "nobody" } as never));
    expect([missing.code, missing.details["field"]]).toEqual(["INVALID_INPUT", "password"]);
    expect(await refusalOf(client.session.logout({ accessToken: "x", everywhere: "yes" } as never))).toBe(
      "INVALID_INPUT",
    );
    expect(await refusalOf(client.request("auth.session.fly" as never, {} as never))).toBe("INVALID_INPUT");
  });
});

test.each([
  ["idempotencyKey", "too short"],
  ["idempotencyKey", "x".repeat(257)],
  ["idempotencyKey", `${"x".repeat(22)}\n`],
  ["idempotencyKey", 7],
  ["deviceToken", {}],
  ["deviceToken", null],
])("is told at once of a wrong %s", async (name, value) => {
  const refusal = await refused(client.key.list({}, { [name]: value }));
  expect([refusal.code, refusal.details["field"]]).toEqual(["INVALID_INPUT", name]);
});

test.each(["", "garbage", "x".repeat(257), "\u0000", "d1.ü"])(
  "a device token that is none (%j) is no error",
  async (deviceToken) => {
    expect(await client.key.list({}, { deviceToken })).toHaveProperty("jwks");
  },
);

test.each(["garbage", "\u0000", 7, {}, null])("a trace that is none (%j) is no error", async (traceparent) => {
  expect(await client.key.list({}, { traceparent: traceparent as string })).toHaveProperty("jwks");
});

describe("every call ends", () => {
  test.each([
    ["NaN", Number.NaN, "INVALID_INPUT"],
    ["text", "5000", "INVALID_INPUT"],
    ["null", null, "INVALID_INPUT"],
    ["0", 0, "DEADLINE_EXCEEDED"],
    ["negative", -1, "DEADLINE_EXCEEDED"],
    ["negative and infinite", Number.NEGATIVE_INFINITY, "DEADLINE_EXCEEDED"],
  ])("at once where its time is %s", async (_, timeoutMs, code) => {
    const refusal = await refused(client.key.list({}, { timeoutMs: timeoutMs as number }));
    expect(refusal.code).toBe(code);
    expect(refusal.message).toContain("timeoutMs");
  });

  test.each([1e12, 2 ** 31, Number.POSITIVE_INFINITY])(
    "not before its answer, though it has %d ms",
    async (timeoutMs) => {
      expect(await client.key.list({}, { timeoutMs })).toHaveProperty("jwks");
    },
  );

  test("by its signal, with the signal's reason", async () => {
    const stop = new AbortController();
    const call = client.session.login({ login: "nobody", password: "nothing" }, { signal: stop.signal });
    stop.abort(new Error("changed my mind"));
    await expect(call).rejects.toThrow("changed my mind");
  });

  test("by close(), which lets what is under way finish and takes nothing more", async () => {
    const other = connect(options);
    await other.ready();
    const calls = Array.from({ length: 20 }, () => other.key.list({}));
    await other.close();
    const answers = await Promise.all(calls);
    expect(answers.every(({ jwks }) => jwks.includes("keys"))).toBe(true);
    expect(await refusalOf(other.key.list({}))).toBe("UNAVAILABLE");
  });

  test("whatever the service's hooks throw", async () => {
    const thrown = (): never => {
      throw new Error("a fault of the service's tracing");
    };
    const hooked = connect({ ...options, hooks: { traceparent: thrown, called: thrown } });
    expect(await hooked.key.list({})).toHaveProperty("jwks");
    await hooked.close();
  });

  test("by close(), also what waits to be ready", async () => {
    const lonely = connect({ ...options, brokers: ["127.0.0.1:1"] });
    const verifier = lonely.verifier();
    const reader = lonely.events(async () => undefined);
    const waiting = [refusalOf(lonely.ready()), refusalOf(verifier.ready()), reader.ready.catch(String)];
    await lonely.close(Number.NaN);
    expect(await Promise.all(waiting)).toEqual(["UNAVAILABLE", "UNAVAILABLE", expect.stringContaining("closed")]);
  });

  test("by close(), though nobody can answer", async () => {
    const lonely = connect({ ...options, brokers: ["127.0.0.1:1"] });
    const call = refusalOf(lonely.key.list({}, { timeoutMs: 60_000 }));
    await lonely.close(50);
    expect(await call).toBe("UNAVAILABLE");
  });
});

test("a service without a reply topic is told what to do", async () => {
  const stranger = connect({ ...options, name: "stranger" });
  await expect(stranger.ready()).rejects.toThrow(/no topic auth\.reply\.stranger.*AUTH_REPLY_SERVICES/);
  await stranger.close(0);
});
