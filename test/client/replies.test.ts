// Which records a client takes for the reply to its call, over a Kafka that the test plays, with an attacker who writes
// to the reply topic whatever they like. And by whose clock a seal ends.
import { generateKeyPairSync } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Codec } from "../../src/bus/avro/codec.ts";
import { replyMac } from "../../src/bus/seal/reply-mac.ts";
import { openSeal, thumbprint } from "../../src/bus/seal/seal.ts";
import { type ConnectedClient, connectClient } from "../../src/client/connect.ts";
import type { ConsumeOptions, KafkaPort } from "../../src/kafka/kafka.ts";
import type { InRecord, OutRecord } from "../../src/kafka/records.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { Refusal, type RefusalCode, refusals } from "../../src/protocol/errors.ts";
import { commandSchemas } from "../../src/protocol/generated/schemas.ts";
import { makeLogger } from "../../src/runtime/log.ts";
import { refused } from "../support/users.ts";

const replyTopic = "auth.reply.test";
const login = commandSchemas["auth.session.login"];
const subjects = { "auth.session.login-value": login.request, "auth.session.LoginReply": login.reply };
const source = {
  idOf: async () => 1,
  versionOf: async (subject: string) => subjects[subject as keyof typeof subjects],
};
const codec = new Codec(source, subjects);
await codec.warm();

const pair = () => {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = publicKey.export({ format: "jwk" });
  return { jwk, privateKey, kid: thumbprint(jwk as { kty: string }) };
};
const [first, second] = [pair(), pair()];

interface Request {
  record: OutRecord;
  header: Record<string, unknown>;
  inside: Record<string, unknown>;
  correlationId: Buffer;
}

let requests: Request[];
let readers: ConsumeOptions[];
let ignored: number;
/** How much the broker's clock is ahead of ours, ms. */
let ahead: number;
let client: ConnectedClient;
let keys: InRecord[];
let arrived: () => void;

const brokerNow = (): number => Date.now() + ahead;

function publish({ jwk, kid }: typeof first, activeAt: number): void {
  const body = { ...jwk, kid, use: "enc", alg: "ECDH-ES+A256KW", state: "active", activeAt, version: 1 };
  const place = { topic: "auth.key", partition: 0, offset: BigInt(keys.length), timestamp: 0 };
  keys.push({ ...place, key: Buffer.from(kid), value: Buffer.from(JSON.stringify(body)), headers: {} });
}

/** Gives a reader what stands on a topic. */
function deliver(topic: string, records: InRecord[]): void {
  const reader = readers.find(({ topics }) => topics.includes(topic))!;
  for (const record of records) reader.onRecords([record], record, record.offset + 1n);
}

const bytesOf = (headers: OutRecord["headers"]): InRecord["headers"] =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value : Buffer.from(value)]),
  );

async function produced(record: OutRecord): Promise<void> {
  if (record.topic === replyTopic) return reply(record.headers, null);
  const { sealed } = (await codec.decode("auth.session.login-value", record.value)) as { sealed: string };
  const header = JSON.parse(Buffer.from(sealed.split(".")[0]!, "base64url").toString()) as Record<string, unknown>;
  const { privateKey } = [first, second].find(({ kid }) => kid === header["kid"])!;
  const correlationId = Buffer.from(String(record.headers["kafka_correlationId"]));
  requests.push({ record, header, inside: await openSeal(sealed, privateKey), correlationId });
  arrived();
}

/** A record on the reply topic, at the broker's time. */
function reply(headers: OutRecord["headers"], value: Buffer | null): void {
  const place = { topic: replyTopic, partition: 0, offset: 0n, timestamp: brokerNow() };
  deliver(replyTopic, [{ ...place, key: null, value, headers: bytesOf(headers) }]);
}

beforeEach(() => {
  [requests, readers, ignored, ahead, keys] = [[], [], 0, 0, []];
  publish(first, 1);
  const kafka = {
    produce: async (records: OutRecord[]) => {
      for (const record of records) await produced(record);
    },
    consume(options: ConsumeOptions) {
      readers.push(options);
      if (options.topics.includes("auth.key")) setImmediate(() => deliver("auth.key", keys));
      const nothing = async (): Promise<void> => undefined;
      return { joined: nothing(), healthy: true, commit: nothing, pause() {}, resume() {}, close: nothing };
    },
    partitionsOf: async (topic: string) => (topic === "auth.fleet" ? undefined : 1),
    endOffsets: async () => new Map([[0, BigInt(keys.length)]]),
  } as unknown as KafkaPort;
  const log = makeLogger("silent", {});
  client = connectClient({
    kafka,
    schemas: source,
    name: "test",
    log,
    clock: systemClock,
    ignored() {
      ignored += 1;
    },
  });
});
afterEach(() => client.close(0));

/** A login under way, and its request as it stands on its topic. */
async function calling(
  timeoutMs = 20_000,
): Promise<{ call: Promise<object>; request: Request; next(): Promise<Request> }> {
  const next = async (): Promise<Request> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    arrived = resolve;
    await promise;
    return requests.at(-1)!;
  };
  const coming = next();
  const call = client.request("auth.session.login", { login: "ada", password: "secret" }, { timeoutMs });
  call.catch(() => undefined);
  return { call, request: await coming, next };
}

const hours = 10 * 3_600_000;
const refusal = (code: string, details: Record<string, string> = {}): Buffer =>
  codec.encode("auth.session.LoginReply", {
    outcome: { "auth.Refusal": { code, message: "m", retryAfterMs: hours, details } },
  });
const answered = codec.encode.bind(codec, "auth.session.LoginReply", {
  outcome: { "auth.session.LoginResult": { tokens: null, challenge: null, sealed: "" } },
});

const secretOf = ({ inside }: Request): Buffer => Buffer.from(String(inside["$reply"]), "base64url");
const mac = ({ correlationId, ...request }: Request, code: string, value: Buffer, change: object = {}): string =>
  replyMac(secretOf({ correlationId, ...request }), { replyTopic, correlationId, code, value, ...change });
const to = ({ correlationId }: Request, code: string, more: OutRecord["headers"] = {}): OutRecord["headers"] => ({
  kafka_correlationId: correlationId,
  "auth-outcome": code,
  ...more,
});
/** Whatever came is read by now. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

/** docs/protocol.md: what may be said before a request is opened. */
const early = ["OVERLOADED", "THROTTLED", "DEADLINE_EXCEEDED", "UNAVAILABLE", "UNSUPPORTED_SCHEMA"].concat([
  "INVALID_INPUT",
  "SEAL_REQUIRED",
  "SEAL_INVALID",
  "INTERNAL",
]);

describe("a refusal without a mac", () => {
  test.each(Object.keys(refusals) as RefusalCode[])(
    "%s ends a call only where it may come before opening",
    async (code) => {
      const { call, request } = await calling();
      const value = refusal(code);
      reply(to(request, code), value);
      await settled();
      if (early.includes(code)) {
        expect(await refused(call)).toMatchObject({ code, authentic: false, retryAfterMs: 60_000 });
        expect(ignored).toBe(0);
        return;
      }
      expect([client.pending, ignored]).toEqual([1, 1]);
      reply(to(request, code, { "auth-reply-mac": mac(request, code, value) }), value); // the control: the fleet's own
      expect(await refused(call)).toMatchObject({ code, authentic: true, retryAfterMs: hours });
    },
  );
});

describe("no reply is", () => {
  const codeless = refusal("OVERLOADED");
  const cases: [string, (request: Request) => [OutRecord["headers"], Buffer | null]][] = [
    ["an answer without a mac", (request) => [to(request, "ok"), answered()]],
    ["an answer under a code that may come early", (request) => [to(request, "OVERLOADED"), answered()]],
    ["a refusal under another code than its own", (request) => [to(request, "THROTTLED"), codeless]],
    ["one without a code", ({ correlationId }) => [{ kafka_correlationId: correlationId }, codeless]],
    ["no Avro", (request) => [to(request, "OVERLOADED"), Buffer.from("garbage")]],
    ["nothing", (request) => [to(request, "OVERLOADED"), null]],
    ["a code nobody knows", (request) => [to(request, "SOMETHING_NEW"), refusal("SOMETHING_NEW")]],
    ["NO_WORKERS, which this side says", (request) => [to(request, "NO_WORKERS"), refusal("NO_WORKERS")]],
    ...(
      [
        ["for another correlation id", { correlationId: Buffer.from("another") }],
        ["for another reply topic", { replyTopic: "auth.reply.other" }],
        ["for another code", { code: "NOT_FOUND" }],
        ["for another value", { value: answered }],
      ] as [string, object][]
    ).map(([what, change]): (typeof cases)[number] => [
      `an answer with a mac ${what}`,
      (request) => {
        const other = "value" in change ? { value: codeless } : change;
        return [to(request, "ok", { "auth-reply-mac": mac(request, "ok", answered(), other) }), answered()];
      },
    ]),
    [
      "an answer with its mac given twice",
      (request) => {
        const given = Buffer.from(mac(request, "ok", answered()));
        return [to(request, "ok", { "auth-reply-mac": [given, given] }), answered()];
      },
    ],
    [
      "an answer with another call's mac",
      (request) => {
        const other = replyMac(Buffer.alloc(32), {
          replyTopic,
          correlationId: request.correlationId,
          code: "ok",
          value: answered(),
        });
        return [to(request, "ok", { "auth-reply-mac": other }), answered()];
      },
    ],
  ];
  test.each(cases)("%s: it is counted, and the call goes on waiting", async (_what, make) => {
    const { call, request } = await calling();
    const [headers, value] = make(request);
    reply(headers, value);
    await settled();
    expect([client.pending, ignored]).toEqual([1, 1]);
    const genuine = refusal("INVALID_CREDENTIALS");
    reply(
      to(request, "INVALID_CREDENTIALS", { "auth-reply-mac": mac(request, "INVALID_CREDENTIALS", genuine) }),
      genuine,
    );
    expect((await refused(call)).code).toBe("INVALID_CREDENTIALS");
  });

  test("one to a correlation id that only decodes to that of the call", async () => {
    const { call, request } = await calling();
    const value = refusal("OVERLOADED");
    const { correlationId } = request;
    const longer = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), correlationId]); // a byte order mark before it
    reply({ ...to(request, "OVERLOADED"), kafka_correlationId: longer }, value);
    await settled();
    expect(client.pending).toBe(1);
    reply(to(request, "OVERLOADED"), value);
    expect(await refused(call)).toBeInstanceOf(Refusal);
  });
});

test("each request has a secret of its own, also the second of one call", async () => {
  const seen = new Set<string>();
  for (let n = 0; n < 20; n += 1) seen.add(secretOf((await calling()).request).toString("hex"));
  expect(seen.size).toBe(20);
});

describe("a seal ends a minute after its call, by the broker's clock", () => {
  test.each([0, -20 * 60_000, 20 * 60_000])("which is ahead of ours by %s ms", async (ms) => {
    ahead = ms;
    const { request } = await calling(5000);
    const end = Number(request.header["exp"]) * 1000 - brokerNow();
    expect(end).toBeGreaterThan(63_000);
    expect(end).toBeLessThanOrEqual(66_000);
    expect(request.header).toMatchObject({ top: "auth.session.login", rpt: replyTopic });
  });

  test("also after that was set: the refusal tells it, and the same key is sealed again, once", async () => {
    await calling();
    ahead = -20 * 60_000;
    const { call, request, next } = await calling();
    const again = next();
    reply(to(request, "SEAL_INVALID"), refusal("SEAL_INVALID", { reason: "exp" }));
    const repeated = await again;
    expect(Number(repeated.header["exp"]) * 1000 - brokerNow()).toBeLessThanOrEqual(81_000);
    expect(repeated.header["jti"]).toBe(request.header["jti"]);
    reply(to(repeated, "SEAL_INVALID"), refusal("SEAL_INVALID", { reason: "exp" }));
    expect((await refused(call)).details["reason"]).toBe("exp");
  });
});

test("a key that the fleet does not know: auth.key is read to its end, and sealed again, once", async () => {
  const { call, request, next } = await calling();
  publish(second, 2);
  const again = next();
  reply(to(request, "SEAL_INVALID"), refusal("SEAL_INVALID", { reason: "unknown-kid" }));
  await settled();
  expect(requests).toHaveLength(1); // the topic's end was asked for, and is not read yet
  deliver("auth.key", keys.slice(1));
  const repeated = await again;
  expect([request.header["kid"], repeated.header["kid"]]).toEqual([first.kid, second.kid]);
  expect(repeated.header["jti"]).toBe(request.header["jti"]);
  reply(to(repeated, "SEAL_INVALID"), refusal("SEAL_INVALID", { reason: "unknown-kid" }));
  expect((await refused(call)).details["reason"]).toBe("unknown-kid");
});
