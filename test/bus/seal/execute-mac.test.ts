// Which replies carry the mac of their request: every one to a request that was opened, however it ended; and none
// before.

import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { makeTextGate } from "../../../src/bus/avro/text-gate.ts";
import type { BusCommand, Call } from "../../../src/bus/command.ts";
import { makeExecute } from "../../../src/bus/execute.ts";
import { Lane } from "../../../src/bus/lanes.ts";
import { isReplyMac, makeReplySecret } from "../../../src/bus/seal/reply-mac.ts";
import { type RequestToSeal, sealRequest, thumbprint } from "../../../src/bus/seal/seal.ts";
import { busNames } from "../../../src/protocol/bus-names.ts";
import { refuse } from "../../../src/protocol/errors.ts";
import { quiet } from "../../support/logger.ts";

const monotonic = () => performance.now();
const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const jwk = publicKey.export({ format: "jwk" }) as { kty: string };
const kid = thumbprint(jwk);
const topic = "auth.test";
const replyTopic = "auth.reply.x";
const jti = "b3f1d8c2a4e64f7e9a0b1c2d3e4f5a6b";
const correlationId = Buffer.from([0, 255, 195, 40, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
const receivedAt = 1_800_000_000_000;
const schema = { type: "record", name: "R", fields: [{ name: "sealed", type: "string" }] };

interface Asked {
  seal?: Partial<RequestToSeal>;
  command?: Partial<BusCommand>;
  key?: string;
  leftMs?: number;
  full?: boolean;
}

/** @returns the outcome, and whose mac the reply carries */
async function asked({
  seal = {},
  command = {},
  key,
  leftMs = 10_000,
  full = false,
}: Asked): Promise<[string, string]> {
  const replySecret = makeReplySecret();
  const bound = { topic, replyTopic, replyKeyThumbprint: undefined, idempotencyKey: jti };
  const given = {
    ...bound,
    fields: { password: "x" },
    replySecret,
    key: { ...jwk, kid },
    expiresAt: receivedAt + 60_000,
  };
  const sealed = await sealRequest({ ...given, ...seal });
  const lane = () => new Lane({ width: 1, cost: 100, queueTarget: 1 }, monotonic);
  const lanes = { hash: lane(), db: lane(), cheap: lane() };
  if (full) for (let n = 0; n < 2; n += 1) lanes.hash.admit(monotonic() + 1000);
  const execute = makeExecute({
    protocol: { names: busNames },
    codec: {
      encode: (_subject, value) => Buffer.from(JSON.stringify(value)),
      decode: async () => ({ sealed }),
    },
    lanes,
    log: quiet,
    monotonic,
    openingKey: (asked) => (asked === kid ? privateKey : undefined),
    requireSealed: true,
    sealsEndBetween: () => [0, Number.POSITIVE_INFINITY],
    isTransient: () => false,
  });
  const served: BusCommand = {
    topic,
    lane: "cheap",
    storesAnswer: true,
    minResponseMs: undefined,
    keyKind: "any",
    sealedFields: { request: ["password"], reply: [] },
    texts: makeTextGate(schema as never),
    requestDefaults: {},
    resultName: "auth.TestResult",
    keyOf: () => "right",
    handle: async (request) => ({ seen: Object.keys(request) }),
    answered: async () => false,
    ...command,
  };
  const headers = { reply: { topic: replyTopic, partition: 0, correlationId }, callerKey: jti } as Call["headers"];
  const record = {
    topic,
    partition: 0,
    offset: 0n,
    timestamp: receivedAt,
    key: key ? Buffer.from(key) : null,
    value: null,
    headers: {},
  };
  const done = await execute(
    record,
    served,
    { topic, headers, recordedAt: receivedAt, deadline: monotonic() + leftMs },
    false,
  );
  const { value } = done.reply;
  const mac = done.reply.headers["auth-reply-mac"] as Buffer | undefined;
  const input = { replyTopic, correlationId, code: done.outcome, value: value! };
  const whose = mac === undefined ? "nobody's" : isReplyMac(mac, replySecret, input) ? "its own" : "another's";
  if (done.outcome === "ok") expect(String(value)).not.toContain("$reply");
  return [done.outcome, whose];
}

describe("a request that was opened is answered with its mac", () => {
  test.each<[string, string, Asked]>([
    ["ok", "when it is carried out", {}],
    [
      "LOGIN_TAKEN",
      "when its handler refuses",
      { command: { handle: async () => Promise.reject(refuse("LOGIN_TAKEN")) } },
    ],
    [
      "IDEMPOTENCY_CONFLICT",
      "when its key is another's",
      { command: { handle: async () => Promise.reject(refuse("IDEMPOTENCY_CONFLICT")) } },
    ],
    ["INTERNAL", "when its handler fails", { command: { handle: async () => Promise.reject(new Error("a fault")) } }],
    [
      "INTERNAL",
      "when its reply is too large",
      { command: { handle: async () => ({ large: "x".repeat(1_000_001) }) } },
    ],
    [
      "OVERLOADED",
      "when its handler finds no place",
      { command: { handle: async () => Promise.reject(refuse("OVERLOADED")) } },
    ],
    ["INVALID_INPUT", "when its record key is wrong", { key: "wrong" }],
    ["SEAL_INVALID", "when what is inside is not what must be", { seal: { fields: {} } }],
  ])("%s %s", async (outcome, _when, given) => {
    expect(await asked(given)).toEqual([outcome, "its own"]);
  });
});

describe("a request that was not opened is refused without one", () => {
  test.each<[string, string, Asked]>([
    ["DEADLINE_EXCEEDED", "past its time", { leftMs: -1 }],
    ["OVERLOADED", "at admission to the hash lane", { command: { lane: "hash" }, full: true }],
    ["SEAL_INVALID", "for another topic", { seal: { topic: "auth.other" } }],
    ["SEAL_INVALID", "for another reply topic", { seal: { replyTopic: "auth.reply.y" } }],
    ["SEAL_INVALID", "to a key that is gone", { seal: { key: { ...jwk, kid: "gone" } } }],
    ["SEAL_INVALID", "with a reply secret of another form", { seal: { replySecret: Buffer.alloc(31) } }],
  ])("%s %s", async (outcome, _when, given) => {
    expect(await asked(given)).toEqual([outcome, "nobody's"]);
  });

  test("and so is one that was opened and brought no reply secret", async () => {
    expect(await asked({ seal: { replySecret: undefined } })).toEqual(["ok", "nobody's"]);
  });
});
