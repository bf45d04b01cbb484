// A program of its own, because what it looks for ends a process: lets calls fail in each of their phases, in each way,
// and writes one line of JSON for each. Kafka, the registry and the fleet are pretended, so that each phase can be held
// or refused for itself. Arguments: `phase/failure` pairs; without any, all of them.
import { generateKeyPairSync } from "node:crypto";
import { getEventListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Codec } from "../../src/bus/avro/codec.ts";
import type { SchemaSource } from "../../src/bus/avro/schema-store.ts";
import { replyMac } from "../../src/bus/seal/reply-mac.ts";
import { openSeal, thumbprint } from "../../src/bus/seal/seal.ts";
import { connectClient } from "../../src/client/connect.ts";
import { KafkaFault } from "../../src/kafka/faults.ts";
import type { ConsumeOptions, KafkaPort } from "../../src/kafka/kafka.ts";
import type { OutRecord } from "../../src/kafka/records.ts";
import { Refusal } from "../../src/protocol/errors.ts";
import { commandSchemas } from "../../src/protocol/generated/schemas.ts";
import { makeLogger } from "../../src/runtime/log.ts";

const phases = ["keys", "registry", "produce", "wait", "open"] as const;
type Phase = (typeof phases)[number];
const failures = ["none", "aborted before", "aborted during", "deadline", "close", "away"] as const;
type Failure = (typeof failures)[number];

/**
 * What a phase asks for is answered at once, refused at once, or neither until the scenario is over, when it is
 * refused.
 */
type Answers = "yes" | "no" | "later";

const away = {
  keys: () => new KafkaFault("unavailable", "away"),
  registry: () => new Error("the registry is away"),
  produce: () => new KafkaFault("unavailable", "away"),
  wait: () => new Error("never thrown"),
  open: () => new Error("the registry is away"),
};

const deadlineMs = 60;
const unhandled: unknown[] = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));

/** One phase that does not go well, and the others that do. */
function pretend(troubled: Phase, answers: Answers) {
  const held: (() => void)[] = [];
  let reached = (): void => undefined;
  const inPhase = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const gate = async (phase: Phase): Promise<void> => {
    if (phase !== troubled || answers === "yes") return;
    reached();
    if (answers === "later") await new Promise<void>((resolve) => held.push(resolve));
    throw away[phase]();
  };
  const readers: ConsumeOptions[] = [];
  const deliver = async (request: OutRecord, value: Buffer | null, more: object = {}): Promise<void> => {
    const reader = readers.find(({ topics }) => topics.includes("auth.reply.test"));
    const place = { topic: "auth.reply.test", partition: 0 };
    const headers = Object.fromEntries(
      Object.entries({ ...request.headers, ...more }).map(([name, header]) => [name, Buffer.from(String(header))]),
    );
    reader?.onRecords([{ ...place, offset: 0n, timestamp: 0, key: null, value, headers }], place, 1n);
  };
  const produceOne = async (record: OutRecord): Promise<void> => {
    if (record.topic === "auth.reply.test") return deliver(record, null);
    await gate("produce");
    void gate("wait").then(
      async () => deliver(record, answer, { "auth-outcome": "OVERLOADED", "auth-reply-mac": await macOf(record) }),
      () => undefined,
    );
  };
  const kafka = {
    produce: async (records: OutRecord[]) => {
      for (const record of records) await produceOne(record);
    },
    consume(options: ConsumeOptions) {
      readers.push(options);
      if (options.topics.includes("auth.key")) setImmediate(() => options.onRecords([keyRecord], keyRecord, 1n));
      const nothing = async (): Promise<void> => undefined;
      return { joined: nothing(), healthy: true, commit: nothing, pause() {}, resume() {}, close: nothing };
    },
    partitionsOf: async () => 1,
    async endOffsets(topic: string) {
      if (topic !== "auth.key") return new Map([[0, 0n]]);
      await gate("keys");
      return new Map([[0, 1n]]);
    },
  } as unknown as KafkaPort;
  const schemas: SchemaSource = {
    async idOf(subject) {
      await gate("registry");
      return idOf(subject) + otherVersion;
    },
    async versionOf(subject) {
      await gate("open");
      return bySubject.get(subject);
    },
  };
  const release = (): void => {
    for (const resolve of held) resolve();
  };
  return { kafka, schemas, inPhase, release };
}

const bySubject = new Map<string, object>(
  Object.entries(commandSchemas).flatMap(([topic, { request, reply }]): [string, object][] => [
    [`${topic}-value`, request],
    [`${reply.namespace}.${reply.name}`, reply],
  ]),
);
const subjects = [...bySubject.keys()];
const idOf = (subject: string): number => subjects.indexOf(subject) + 1;
/** The fleet's schemas are other versions than the client's, so that each has to ask for the other's. */
const otherVersion = 1000;
const codec = new Codec(
  { idOf: async (subject) => idOf(subject), versionOf: async (subject) => bySubject.get(subject) },
  Object.fromEntries(bySubject),
);
await codec.warm();

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const { kty, crv, x, y } = publicKey.export({ format: "jwk" });
const kid = thumbprint({ kty, crv, x, y } as { kty: string });
const fleetKey = { kty, crv, x, y, kid, use: "enc", alg: "ECDH-ES+A256KW", state: "active", version: 1 };
const keyRecord = {
  topic: "auth.key",
  partition: 0,
  offset: 0n,
  timestamp: 0,
  key: Buffer.from(kid),
  value: Buffer.from(JSON.stringify(fleetKey)),
  headers: {},
};

/** What everything is answered with. */
const refusal = { code: "OVERLOADED", message: "busy", retryAfterMs: null, details: {} };
const answer = codec.encode("auth.session.LoginReply", { outcome: { "auth.Refusal": refusal } });

async function macOf({ value, headers }: OutRecord): Promise<string> {
  const { sealed } = (await codec.decode("auth.session.login-value", value)) as { sealed: string };
  const { $reply } = await openSeal(sealed, privateKey);
  const correlationId = Buffer.from(String(headers["kafka_correlationId"]));
  const input = { replyTopic: "auth.reply.test", correlationId, code: "OVERLOADED", value: answer };
  return replyMac(Buffer.from(String($reply), "base64url"), input);
}

const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

async function scenario(phase: Phase, failure: Failure): Promise<object> {
  const before = { timers: timers(), unhandled: unhandled.length };
  const world = pretend(
    phase,
    failure === "none" ? "yes" : failure === "away" || failure === "aborted before" ? "no" : "later",
  );
  const outcomes: string[] = [];
  const client = connectClient({
    ...world,
    name: "test",
    log: makeLogger("silent", {}),
    hooks: { called: ({ outcome }) => outcomes.push(outcome) },
  });
  if (phase !== "registry") await client.ready();
  const stop = new AbortController();
  if (failure === "aborted before") stop.abort("changed my mind");
  const timeoutMs = failure === "deadline" || failure === "away" ? deadlineMs : 10_000;
  const call = client
    .request("auth.session.login", { login: "ada", password: "secret" }, { timeoutMs, signal: stop.signal })
    .then(
      () => "answered",
      (error: unknown) => (error instanceof Refusal ? error.code : error),
    );
  if (failure === "aborted during" || failure === "close") await world.inPhase;
  if (failure === "aborted during") stop.abort("changed my mind");
  const closing = failure === "close" ? client.close(10) : undefined;
  const came = await Promise.race([call, sleep(2000, "nothing came", { ref: false })]);
  const { pending } = client;
  const listeners = getEventListeners(stop.signal, "abort").length;
  world.release(); // what was waited for fails now, when nobody waits any more
  await (closing ?? client.close(10));
  await sleep(5, undefined, { ref: false });
  for (let waited = 0; timers() > before.timers && waited < 300; waited += 10)
    await sleep(10, undefined, { ref: false });
  const left = {
    pending,
    listeners,
    timers: Math.max(0, timers() - before.timers),
    unhandled: unhandled.length - before.unhandled,
  };
  return { phase, failure, came, outcomes, ...left };
}

const alive = setInterval(() => undefined, 1000); // waiting in a scenario keeps no process alive, so that it is not counted
const wanted = process.argv.slice(2);
for (const phase of phases) {
  for (const failure of failures) {
    if (wanted.length > 0 && !wanted.includes(`${phase}/${failure}`)) continue;
    process.stdout.write(`${JSON.stringify(await scenario(phase, failure))}\n`);
  }
}
clearInterval(alive);
process.exit();
