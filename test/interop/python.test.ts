// docs/protocol.md by a service that is not ours: client.py, in Python with stock libraries, carries out the journey of
// journey.py against a fleet, and this file says what must have come of it. Once where seals are optional, and once as
// a fleet is by default, where they are not.
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Fleet, startFleet } from "../support/fleet.ts";
import { type FleetAddresses, sharedFleet } from "../support/fleet-addresses.ts";
import { type Mailbox, mailbox } from "../support/mailbox.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { newUser, type TestUser } from "../support/users.ts";
import { startPython } from "./child.ts";
import { needed, pythonWithRequirements } from "./venv.ts";

let python: string;
beforeAll(async () => {
  python = await pythonWithRequirements();
}, 300_000);

test("a machine without Python is told what to install", async () => {
  await expect(pythonWithRequirements("no-such-python")).rejects.toThrow(needed);
});

type Steps = Record<string, Record<string, unknown>>;

/** Speaks with journey.py: gives it the fleet, a user and the confirmation token, and gathers its steps. */
async function journey(fleet: TestFleet, user: TestUser): Promise<Steps> {
  const { child } = startPython({ python, script: "journey.py", name: fleet.name });
  const tell = (line: object): void => void child.stdin.write(`${JSON.stringify(line)}\n`);
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const complaints = text(child.stderr);
  const steps: Steps = {};
  tell({ settings: settingsOf(fleet), user });
  for await (const line of createInterface({ input: child.stdout })) {
    const { step, ...what } = JSON.parse(line) as { step: string };
    steps[step] = what;
    if (step === "registered") tell({ token: await fleet.confirmationToken(user.username) });
  }
  if ((await ended) !== 0) throw new Error(`journey.py ended after [${Object.keys(steps)}]:\n${await complaints}`);
  return steps;
}

const settingsOf = ({ env, prefix }: FleetAddresses) => ({
  brokers: env["AUTH_KAFKA_BROKERS"],
  registry: env["AUTH_REGISTRY_URL"],
  service: "test",
  prefix,
  fleet_id: env["AUTH_FLEET_ID"],
});

const ok = { code: "ok" };

describe.each([
  { kind: "that takes bare secrets too", noSeal: ok, addresses: async () => sharedFleet() },
  { kind: "that requires seals", noSeal: { code: "SEAL_REQUIRED" }, addresses: startSealing },
])("a service in Python, with a fleet $kind,", ({ noSeal, addresses }) => {
  let fleet: TestFleet;
  let requests: Mailbox;
  let user: TestUser;
  let steps: Steps;
  const told = (step: string, name: string): unknown => ({ ...steps[step] })[name];
  beforeAll(async () => {
    fleet = await testFleet(await addresses());
    requests = mailbox(fleet.kafka, ["auth.account.register", "auth.session.login"]);
    await requests.ready;
    user = newUser("py");
    steps = await journey(fleet, user);
  }, 120_000);
  afterAll(() => fleet.close());

  test("registers, and the same idempotency key gives the first answer or a conflict", () => {
    expect(steps["registered"]).toEqual({
      userId: expect.any(Number),
      again: told("registered", "userId"),
      conflict: { code: "IDEMPOTENCY_CONFLICT" },
      taken: { code: "LOGIN_TAKEN" },
    });
  });

  test("confirms once, by the link with what registering answered, and by nothing less", () => {
    expect(steps["confirmed"]).toEqual({
      userId: told("registered", "userId"),
      refused: {
        neither: { code: "INVALID_INPUT", field: "registrationSecret" },
        both: { code: "INVALID_INPUT", field: "password" },
        wrongSecret: { code: "INVALID_CREDENTIALS" },
        wrongPassword: { code: "INVALID_CREDENTIALS" },
      },
      twice: { code: "TOKEN_INVALID", reason: "used" },
    });
  });

  test("logs in once for one idempotency key, and not with a wrong password", () => {
    expect(steps["logged in"]).toEqual({
      sessionId: expect.any(String),
      sameAnswer: true,
      wrong: { code: "INVALID_CREDENTIALS" },
      devices: {
        form: expect.stringMatching(/^d1\.[A-Za-z0-9_-]{35}\.[A-Za-z0-9_-]{43}$/),
        renewed: true,
        forged: false,
      },
    });
  });

  test("is told by the fleet whose token it has, and when it asks too late", () => {
    expect(steps["inspected"]).toEqual({
      userId: told("registered", "userId"),
      login: user.login,
      isActive: true,
      isVerified: true,
      roles: [],
      sessionId: told("logged in", "sessionId"),
    });
    expect(steps["was too late"]).toEqual({ code: "DEADLINE_EXCEEDED" });
  });

  test("verifies the token by itself, knows how old its knowledge is, and refuses a forged one", () => {
    expect(steps["verified"]).toEqual({
      userId: told("registered", "userId"),
      login: user.login,
      sessionId: told("logged in", "sessionId"),
      ageMs: expect.any(Number),
      forged: { code: "TOKEN_INVALID" },
    });
    expect(told("verified", "ageMs")).toBeLessThanOrEqual(10_000);
  });

  test("cannot use a seal in another place than its own", () => {
    expect(steps["attacked"]).toEqual({
      anotherTopic: { code: "SEAL_INVALID", reason: "top" },
      anotherReplyTopic: { code: "SEAL_INVALID", reason: "rpt" },
      anotherField: { code: "SEAL_INVALID", reason: "fields", field: "everywhere" },
      anotherIdempotencyKey: { code: "SEAL_INVALID", reason: "jti" },
      anotherCorrelationId: { code: "SEAL_INVALID", reason: "jti" },
      noKey: { code: "INVALID_INPUT", header: "auth-idempotency-key" },
      anotherRecordKey: { code: "INVALID_INPUT", field: "key" },
      noSeal,
      binary: ok,
      asItWas: ok,
    });
  });

  test("takes no reply for the fleet's but one with the mac of its request, and a refusal from before opening for what it is", () => {
    expect(steps["was deceived"]).toEqual({
      ignored: 7,
      told: { code: "OVERLOADED", authentic: false, retryAfterMs: 60_000 },
      genuine: { code: "INVALID_CREDENTIALS", authentic: true },
    });
  });

  test("takes no key that is not certified by the root key it was told of", () => {
    expect(steps["mistrusted"]).toEqual({ asked: { code: "UNAVAILABLE", reason: "uncertified-key" }, believes: false });
  });

  test("refuses the token by itself a moment after the logout, and that session's only", () => {
    const { tookMs, ...rest } = { ...steps["logged out"] };
    expect(rest).toEqual({
      before: ok,
      local: "SESSION_REVOKED",
      asked: { code: "SESSION_REVOKED" },
      otherSession: ok,
    });
    expect(tookMs).toBeLessThan(5000);
    console.log(`refused ${Number(tookMs).toFixed(0)} ms after the logout's reply (${fleet.name})`);
  });

  test("is told what happened, in order and without gaps", () => {
    const { events, sameId } = steps["was told"] as { events: Record<string, unknown>[]; sameId: boolean };
    const types = ["UserRegistered", "UserConfirmed", "LoggedIn", "LoggedOut"]; // logged in four times
    expect(events.filter(({ type }) => types.includes(String(type).slice("auth.event.".length)))).toHaveLength(7);
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, at) => at + 1));
    expect(new Set(events.map(({ key }) => key))).toEqual(new Set([String(told("registered", "userId"))]));
    expect(sameId).toBe(true);
  });

  test("sees who serves", () => {
    expect(steps["saw the fleet"]).toEqual({ processes: ["worker"] });
  });

  test("put no secret on the broker", () => {
    const login = user.login.toUpperCase();
    const mine = ["auth.account.register", "auth.session.login"].flatMap((topic) =>
      requests.all(topic).filter(({ value }) => new RegExp(`${user.login}|${login}`).test(String(value))),
    );
    expect(mine).toHaveLength(9); // four to register, five to log in
    for (const { value } of mine) {
      expect(String(value)).toMatch(/eyJ[\w-]+\.[\w-]+\.[\w-]+\.[\w-]+\.[\w-]+/);
      expect(String(value)).not.toContain(user.password);
    }
  });
});

let sealing: Fleet | undefined;
afterAll(() => sealing?.stop());

async function startSealing(): Promise<FleetAddresses> {
  sealing = await startFleet("interop", { processes: ["worker", "relay"], env: { AUTH_REQUIRE_SEALED: "true" } });
  return sealing;
}
