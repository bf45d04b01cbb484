// An attacker who reads and writes every topic, auth.key included, from before a client's first start: they learn no
// secret, swap no answer, repeat no effect, make no token and bring no key back. Each with a control in which one
// mechanism is off, and then they do. And a bridge that was told another fleet's thumbprint.
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import avsc from "avsc";
import type { InRecord, OutRecord } from "../src/kafka/records.ts";
import { mostVersion } from "../src/protocol/fleet-cert.ts";
import { commandSchemas } from "../src/protocol/generated/schemas.ts";
import type { Problem } from "../src/runtime/http.ts";
import { called } from "./authctl/authctl.ts";
import { connectGateway } from "./bridge/gateway.ts";
import { type Genuine as GenuineLogin, genuineLogin, reseal } from "./support/attacks.ts";
import { BrokerAttacker, type Genuine, keyRecord } from "./support/broker-attacker.ts";
import { without } from "./support/faults.ts";
import { type Fleet, startFleet } from "./support/fleet.ts";
import { type Mailbox, mailbox, type Seen } from "./support/mailbox.ts";
import { end, launch } from "./support/processes.ts";
import { type Raw, rawRequests } from "./support/raw.ts";
import { runFolder } from "./support/stack.ts";
import { type TestFleet, testFleet } from "./support/test-fleet.ts";
import { until } from "./support/until.ts";
import { type Confirmed, confirmed } from "./support/users.ts";

const login = "auth.session.login";
const stranger = "b917Uo0YbOJGxKEONUIxEtQyxrY1jFVwDoEDvbSTbMs";
const attacker = new BrokerAttacker();
let own: Fleet;
let fleet: TestFleet;
let seen: Mailbox;
let raw: Raw;
let alice: Confirmed;
let mallory: Confirmed;
let careful: Victim;
let trusting: Victim;
let careless: Victim;
let bridge: string;

interface Answer {
  ok?: unknown;
  refused?: { code: string; details: Record<string, string>; authentic?: boolean; retryAfterMs?: number };
}

interface Victim {
  child: ChildProcess;
  ask(what: string, input?: object): Promise<Answer>;
}

/** A service that has never been there before. */
async function victim(name: string, env: Record<string, string>, node: string[] = []): Promise<Victim> {
  const child = launch([], { env, folder: `${runFolder()}/victim-${name}`, node, script: "support/victim.ts" });
  const waiting = new Map<number, (answer: Answer) => void>();
  let last = 0;
  child.on("message", ({ id, ...answer }: Answer & { id: number }) => waiting.get(id)?.(answer));
  await new Promise<Answer>((resolve, reject) => {
    waiting.set(0, resolve);
    child.once("exit", () => reject(new Error(`${name} ended`)));
  });
  return {
    child,
    ask: (what, input = {}) =>
      new Promise((resolve) => {
        last += 1;
        waiting.set(last, resolve);
        child.send({ id: last, what, input });
      }),
  };
}

const ofFleet = async (): Promise<Genuine[]> => {
  const { jwks } = await fleet.client.request("auth.key.list", {});
  const { keys } = JSON.parse(jwks) as { keys: Genuine[] };
  return keys.map((key) => ({ ...key, state: "active", version: 1, createdAt: 1, activeAt: 1, retiredAt: null }));
};

beforeAll(async () => {
  own = await startFleet("attacker", { env: { AUTH_REQUIRE_SEALED: "true" } });
  bridge = own.grpc;
  fleet = await testFleet(own);
  seen = mailbox(fleet.kafka, [login, "auth.reply.gateway", "auth.reply.bridge", "auth.key"]);
  await seen.ready;
  await fleet.kafka.produce(attacker.keyRecords(await ofFleet()));
  const { AUTH_FLEET_ID: _, ...unaware } = own.env;
  [raw, alice, mallory, careful, trusting, careless] = await Promise.all([
    rawRequests(fleet),
    confirmed(fleet),
    confirmed(fleet),
    victim("careful", own.env),
    victim("trusting", unaware),
    victim("careless", own.env, without("no-mac", "late-keys")),
    own.boot("bridge", "deceived", { AUTH_FLEET_ID: stranger }),
  ]);
}, 120_000);
afterAll(async () => {
  for (const service of [careful, trusting, careless]) service?.child.kill();
  await fleet?.close();
  await own.stop();
});

const credentials = ({ login: name, password }: Confirmed) => ({ login: name, password });
const requestOf = ({ login: name }: Confirmed) => seen.all(login).filter(({ key }) => String(key) === name);
const header = (record: InRecord, name: string): string => String(record.headers[name]);
const replyTo = (request: InRecord, topic = "auth.reply.gateway"): Promise<Seen> =>
  seen.last(topic, (reply) => header(reply, "kafka_correlationId") === header(request, "kafka_correlationId"));
const headersOf = ({ headers }: InRecord): OutRecord["headers"] => headers as OutRecord["headers"];

async function sessionsOf({ id }: Confirmed): Promise<number> {
  const { rows } = await fleet.sql.query<{ n: number }>("SELECT count(*)::int AS n FROM sessions WHERE user_id = $1", [
    id,
  ]);
  return rows[0]!.n;
}

test("learns no secret: what a client seals with the fleet's id in hand is not for them", async () => {
  expect(await careful.ask("login", credentials(alice))).toMatchObject({ ok: { tokens: { userId: alice.id } } });
  const [request] = requestOf(alice);
  expect(await attacker.opened(request!)).toBeUndefined();
  // The control: a client without the fleet's id seals to the key that they put on auth.key.
  expect((await trusting.ask("login", credentials(mallory))).refused?.details["reason"]).toBe("unknown-kid");
  expect(await attacker.opened(requestOf(mallory)[0]!)).toMatchObject({ password: mallory.password });
});

test("makes no token: neither a verifier nor the bridge takes one of a key that they put on auth.key", async () => {
  const forged = await attacker.token(alice.tokens.accessToken);
  const gateway = await connectGateway(bridge);
  await until("the verifiers are fresh", async () => {
    const both = await Promise.all(
      [careful, trusting].map((each) => each.ask("verify", { token: alice.tokens.accessToken })),
    );
    return both.every(({ ok }) => (ok as { by?: string } | undefined)?.by === "local");
  });
  expect((await careful.ask("verify", { token: forged })).refused?.code).toBe("TOKEN_INVALID");
  expect(await gateway.call("CurrentUser", { access_token: forged })).toMatchObject({ code: "TOKEN_INVALID" });
  expect(await gateway.call("CurrentUser", { access_token: alice.tokens.accessToken })).toMatchObject({ status: "OK" });
  gateway.close();
  // The control: without the fleet's id their token is an administrator's.
  expect(await trusting.ask("verify", { token: forged })).toMatchObject({ ok: { userId: alice.id, roles: ["admin"] } });
});

describe("swaps no answer", () => {
  /**
   * While the fleet is held, a call of mallory's gets alice's answer.
   * @returns how the call ends when the fleet goes on
   */
  async function swapped(
    service: Victim,
    make: (alices: Seen, call: Seen) => OutRecord[],
    resume: () => Promise<void>,
  ): Promise<Answer> {
    expect(await service.ask("login", credentials(alice))).toMatchObject({ ok: { tokens: { userId: alice.id } } });
    const alices = await replyTo(requestOf(alice).at(-1)!);
    const before = requestOf(mallory).length;
    const worker = own.processes.get("worker-1")!;
    worker.kill("SIGSTOP");
    try {
      const call = service.ask("login", credentials(mallory));
      await until("mallory's request is there", () => requestOf(mallory).length > before);
      await fleet.kafka.produce(make(alices, requestOf(mallory).at(-1)!));
      await resume();
      worker.kill("SIGCONT");
      return await call;
    } finally {
      worker.kill("SIGCONT");
    }
  }

  const to = (call: Seen, value: Buffer | null, headers: OutRecord["headers"]): OutRecord => ({
    topic: "auth.reply.gateway",
    partition: Number(header(call, "kafka_replyPartition")),
    key: null,
    value,
    headers: { ...headers, kafka_correlationId: header(call, "kafka_correlationId") },
  });

  test("alice's tokens do not come to mallory's call, with her mac or without", async () => {
    const copies = (alices: Seen, call: Seen): OutRecord[] => {
      const { "auth-reply-mac": _, ...bare } = headersOf(alices);
      return [to(call, alices.value, headersOf(alices)), to(call, alices.value, bare)];
    };
    const before = Number((await careful.ask("ignored")).ok);
    const all = () => until("both are seen", async () => Number((await careful.ask("ignored")).ok) === before + 2);
    expect(await swapped(careful, copies, all)).toMatchObject({ ok: { tokens: { userId: mallory.id } } });
    // The control: a client that does not look at macs.
    expect(await swapped(careless, copies, async () => undefined)).toMatchObject({
      ok: { tokens: { userId: alice.id } },
    });
  }, 60_000);

  test("a refusal that may come before opening ends a call, and is marked as nobody's word", async () => {
    const busy = { code: "OVERLOADED", message: "busy", retryAfterMs: 36_000_000, details: {} };
    const refusal = (alices: Seen, call: Seen): OutRecord[] => {
      const type = avsc.Type.forSchema(commandSchemas[login].reply as unknown as avsc.Schema);
      const schema = alices.value!.subarray(0, 5);
      const value = Buffer.concat([schema, type.toBuffer({ outcome: { "auth.Refusal": busy } })]);
      return [to(call, value, { "auth-outcome": "OVERLOADED" })];
    };
    const { refused } = await swapped(careful, refusal, async () => undefined);
    expect(refused).toMatchObject({ code: "OVERLOADED", authentic: false, retryAfterMs: 60_000 });
  }, 60_000);
});

describe("repeats no effect", () => {
  let genuine: GenuineLogin;
  let first: Seen;
  beforeAll(async () => {
    genuine = await genuineLogin(fleet);
    await careful.ask("login", credentials(alice));
    first = requestOf(alice).at(-1)!;
  });

  /**
   * Copies her login to another service's reply topic, under another correlation id.
   * @returns the outcome, and what it counted
   */
  async function copied(): Promise<[string, number]> {
    const before = await sessionsOf(alice);
    const id = randomBytes(16).toString("base64url");
    const headers = {
      ...headersOf(first),
      kafka_correlationId: id,
      kafka_replyTopic: "auth.reply.bridge",
      kafka_replyPartition: "0",
    };
    await fleet.kafka.produce([{ topic: login, key: first.key, value: first.value, headers }]);
    const reply = await seen.last("auth.reply.bridge", (each) => header(each, "kafka_correlationId") === id);
    return [header(reply, "auth-outcome"), (await sessionsOf(alice)) - before];
  }

  /** Sends a foreign client's login under these correlation ids, one after the other. @param jti of its seal */
  async function repeated(jti: string | undefined, ids: Buffer[]): Promise<[string[], number]> {
    const before = await sessionsOf(genuine.user);
    const { sealed } = reseal(genuine, { header: { jti } });
    const outcomes: string[] = [];
    for (const kafka_correlationId of ids) {
      const headers = { ...genuine.record.headers, "auth-idempotency-key": undefined, kafka_correlationId };
      const made = await raw.record({ ...genuine.record, fields: { ...genuine.clear, sealed }, headers });
      const earlier = seen.all("auth.reply.gateway").length;
      await fleet.kafka.produce([made]);
      const isReply = ({ headers: { kafka_correlationId: id } }: Seen) =>
        id instanceof Buffer && kafka_correlationId.equals(id);
      await until("it is answered", () => seen.all("auth.reply.gateway").slice(earlier).some(isReply));
      outcomes.push(header(seen.all("auth.reply.gateway").filter(isReply).at(-1)!, "auth-outcome"));
    }
    return [outcomes, (await sessionsOf(genuine.user)) - before];
  }

  const binary = () => Buffer.concat([Buffer.of(0xff), randomBytes(15)]);
  const nearly = (id: Buffer) => Buffer.concat([Buffer.of(0xfe), id.subarray(1)]);
  const short = Buffer.from("short");

  /**
   * A foreign client's login, its record sent again under all headers that a seal does not bind.
   * @returns outcomes, and what it counted
   */
  async function underOtherHeaders(): Promise<[string[], number]> {
    const before = await sessionsOf(genuine.user);
    const outcomes: string[] = [];
    const changes = [
      {},
      { "auth-timeout": "300000" },
      { "auth-deadline": String(Date.now() + 3_600_000) },
      { "auth-device": "d1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.AAAA", "auth-repeat": "" },
      { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", kafka_replyPartition: "0" },
    ];
    for (const change of changes) {
      const id = randomBytes(16).toString("base64url");
      const headers = { ...genuine.record.headers, ...change, kafka_correlationId: id };
      await fleet.kafka.produce([await raw.record({ ...genuine.record, headers })]);
      const reply = await seen.last("auth.reply.gateway", (each) => header(each, "kafka_correlationId") === id);
      outcomes.push(header(reply, "auth-outcome"));
    }
    return [outcomes, (await sessionsOf(genuine.user)) - before];
  }
  const fiveTimes = Array(5).fill("ok");

  test("not under other headers: that is the first answer again", async () => {
    expect(await underOtherHeaders()).toEqual([fiveTimes, 1]);
    expect(await underOtherHeaders()).toEqual([fiveTimes, 0]);
  });

  test("not under another reply topic, not under a correlation id that differs in one byte, not without anything it is known by", async () => {
    expect(await copied()).toEqual(["SEAL_INVALID", 0]);
    const id = binary();
    expect(await repeated(`b64:${id.toString("base64url")}`, [id, nearly(id), id])).toEqual([
      ["ok", "SEAL_INVALID", "ok"],
      1,
    ]);
    expect(await repeated(undefined, [short, short])).toEqual([["INVALID_INPUT", "INVALID_INPUT"], 0]);
  });

  test("the controls: a worker that does not look at the reply topic, that decodes keys, that needs none, that does not share answers", async () => {
    await own.start("worker", "worker-2", {}, without("no-rpt", "lossy-jti", "no-key-needed", "no-inbox"));
    await end(own.processes.get("worker-1")!);
    expect(await underOtherHeaders()).toEqual([fiveTimes, 1]); // as worker-1 had counted it
    await careful.ask("login", credentials(alice));
    first = requestOf(alice).at(-1)!;
    expect(await copied()).toEqual(["ok", 1]);
    const id = binary();
    expect(await repeated(id.toString("utf8"), [id, nearly(id)])).toEqual([["ok", "ok"], 2]);
    expect(await repeated(undefined, [short, short])).toEqual([["ok", "ok"], 2]);
  }, 60_000);
});

test("stops nobody for ever: the fleet takes back that its key is gone, in whatever version, and what is no record counts for nothing", async () => {
  const resigned = await victim("resigned", own.env, without("gone-for-ever"));
  const login = (service: Victim) => service.ask("login", credentials(alice));
  /** It has no key to seal to; which reason is told hangs on what else they wrote. */
  const isStopped = async (service: Victim) =>
    /^(no|uncertified)-key$/.test((await login(service)).refused?.details["reason"] ?? "");
  const relay = own.processes.get("relay-1")!;
  relay.kill("SIGSTOP");
  try {
    const key = (await ofFleet()).find(({ use }) => use === "enc")!;
    const { kid } = key;
    for (const version of [mostVersion, 2 ** 53]) await fleet.kafka.produce([keyRecord({ ...key, version })]);
    await fleet.kafka.produce([keyRecord({ kid, use: "enc", gone: true, version: 2 ** 53 })]);
    for (const service of [careful, resigned]) expect(await login(service)).toHaveProperty("ok");
    await fleet.kafka.produce([keyRecord({ kid, use: "enc", gone: true, version: mostVersion })]);
    await until("they have stopped it", () => isStopped(careful));
    await until("and the other", () => isStopped(resigned));
  } finally {
    relay.kill("SIGCONT");
  }
  await until("the fleet has taken it back", async () => "ok" in (await login(careful)));
  const fresh = await victim("fresh", own.env);
  expect(await login(fresh)).toHaveProperty("ok");
  expect(await isStopped(resigned)).toBe(true); // the control
  for (const service of [resigned, fresh]) service.child.kill();
}, 90_000);

test("brings no key back: what was revoked stays gone, though its own record with its certificate comes again", async () => {
  const kidsOf = async (service: Victim) => (await service.ask("kids")).ok as string[];
  const [old] = await kidsOf(careful);
  // What they had put in its place has been written again by the relay.
  const genuine = await seen.last(
    "auth.key",
    ({ key, json }) => String(key) === old && json?.["x"] !== attacker.signing.publicJwk.x,
  );
  expect((await called(["keys", "revoke", "--yes", "--", old!], own.env)).code).toBe(0);
  const gone = async (service: Victim) => !(await kidsOf(service)).includes(old!);
  await until("its end is heard of", async () => (await gone(careful)) && (await gone(careless)));
  await end(own.processes.get("relay-1")!); // else it is soon written again that the key is gone
  await fleet.kafka.produce([keyRecord(genuine.json as Genuine)]);
  await until("the control: who goes by what came last has it again", async () => !(await gone(careless)));
  expect(await gone(careful)).toBe(true);
}, 60_000);

describe("a bridge that was told another thumbprint", () => {
  test("is not ready, and says why; one that was told the fleet's is", async () => {
    const why = /^No key on auth\.key counts: \S+ has no certificate of the fleet's root key\..*AUTH_FLEET_ID/;
    const readiness = async (name: string) => {
      const response = await fetch(`${own.http[name]}/readyz`);
      return { status: response.status, body: (await response.json()) as { ready: boolean; failing?: Problem[] } };
    };
    const reasonOf = async (name: string) => (await readiness(name)).body.failing?.[0]?.reason ?? "";
    await until("it has read auth.key", async () => why.test(await reasonOf("deceived")));
    expect(await readiness("deceived")).toMatchObject({
      status: 503,
      body: { ready: false, failing: [{ name: "keys" }] },
    });
    expect(await readiness("bridge-1")).toMatchObject({ status: 200, body: { ready: true } });
    const [deceived, sound] = [await connectGateway(own.grpc), await connectGateway(bridge)];
    expect([await deceived.health("auth.Auth"), await sound.health("auth.Auth")]).toEqual(["NOT_SERVING", "SERVING"]);
    for (const each of [deceived, sound]) each.close();
  });

  test("takes no key: every call is UNAVAILABLE, and nobody is a user", async () => {
    const [deceived, sound] = [await connectGateway(own.grpc), await connectGateway(bridge)];
    const { access_token } = (await sound.call("Authenticate", credentials(alice))).reply as { access_token: string };
    const calls: [string, object][] = [
      ["CreateUser", { ...credentials(alice), login: "somebody-new", email: "new@example.com", username: "somebody" }],
      ["RegistrationUser", { token_pod: alice.confirmationToken }],
      ["RefreshToken", { refresh_token: alice.tokens.refreshToken }],
      ["Authenticate", credentials(alice)],
      ["CurrentUser", { access_token }],
      ["LogOutUser", { token_pod: access_token }],
    ];
    for (const [method, request] of calls) {
      const { status, code, details, reply } = await deceived.call(method, request);
      expect([method, status, code, reply]).toEqual([method, "UNAVAILABLE", "UNAVAILABLE", undefined]);
      expect(details).toMatch(/has no certificate of the fleet's root key.*AUTH_FLEET_ID.*authctl keys root/);
    }
    expect(await sound.call("CurrentUser", { access_token })).toMatchObject({
      status: "OK",
      reply: { is_active: true },
    }); // the control
    for (const each of [deceived, sound]) each.close();
  });
});
