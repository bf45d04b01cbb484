// The longest texts that come through and those that do not: how long they keep an event loop.
import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { makeTextGate, textFieldsOf } from "../src/bus/avro/text-gate.ts";
import { type RequestToSeal, sealRequest } from "../src/bus/seal/seal.ts";
import { normalize, type RecordKeyRule, recordKey } from "../src/protocol/record-key.ts";
import { connectGateway } from "./bridge/gateway.ts";
import { sharedFleet } from "./support/fleet-addresses.ts";
import { type Fields, goodRequest, put, type RequestSchema, recordOf, schemas } from "./support/text-cases.ts";
import { worker } from "./support/text-worker.ts";

function isRefused(check: () => void): boolean {
  try {
    check();
    return false;
  } catch {
    return true;
  }
}

describe("an event loop", () => {
  const fillings: Record<string, (bytes: number) => string> = {
    "a character of 33 bytes when it is normalised": (bytes) => "\ufdfa".repeat(bytes / 3),
    "marks to be put in order": (bytes) => `a${"\u0301\u0323".repeat((bytes - 1) / 4)}`,
    "capitals that grow": (bytes) => "\u0130".repeat(bytes / 2),
    "dots, signs and digits": (bytes) => "id:1.@x%".repeat(bytes / 8),
    "a token of dots": (bytes) => `a.${"b".repeat(bytes - 4)}.c`,
    braces: (bytes) => `${"[".repeat(bytes / 2)}${"]".repeat(bytes / 2)}`,
  };

  /** A request whose texts, all or one, are as long as they may be, or so many times as long. */
  function longest(schema: RequestSchema, fill: (bytes: number) => string, times: number): Fields {
    const request = goodRequest(schema);
    for (const { path, maxBytes } of textFieldsOf(schema))
      if (path !== "sealed") put(request, path, fill(maxBytes * times));
    return request;
  }

  /**
   * ms that the event loop's thread computes for it, the least of three tries: never less than it is kept from other
   * work for, and not more where other processes want the machine, too.
   */
  async function computedMs(work: () => Promise<unknown>): Promise<number> {
    let least = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < 3 && least > 50; tries += 1) {
      const before = process.threadCpuUsage();
      await work();
      const { user, system } = process.threadCpuUsage(before);
      least = Math.min(least, (user + system) / 1000);
    }
    return least;
  }

  /** As long as they may be, of every kind; and far too long. */
  const tries = (schema: RequestSchema): Fields[] => [
    ...Object.values(fillings).map((fill) => longest(schema, fill, 1)),
    longest(schema, fillings["marks to be put in order"]!, 60),
  ];

  test("of a worker is not kept from its work for 50 ms by the longest texts of any command", async () => {
    const ask = worker();
    const slow: string[] = [];
    for (const [topic, schema] of schemas) {
      for (const request of tries(schema)) {
        const value = recordOf({ topic, path: "", what: "", request });
        const ms = await computedMs(() => ask({ topic }, value));
        if (ms > 50) slow.push(`${topic}: ${ms} ms`);
      }
    }
    expect(slow).toEqual([]);
  }, 120_000);

  test("of a requester is not, from the call until the request is sealed", async () => {
    const key = { ...generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" }), kid: "k" };
    const took: [topic: string, ms: number][] = [];
    for (const [topic, schema] of schemas) {
      const gate = makeTextGate(schema);
      for (const request of tries(schema)) {
        const ms = await computedMs(async () => {
          if (isRefused(() => gate.checkRequest(request))) return;
          recordKey((schema as { recordKey?: RecordKeyRule }).recordKey, request);
          const seal = { topic, replyKeyThumbprint: undefined, idempotencyKey: "x", expiresAt: 0, key };
          await sealRequest({ fields: request, ...seal } as RequestToSeal);
        });
        took.push([topic, ms]);
      }
    }
    expect(took.filter(([, ms]) => ms > 50)).toEqual([]);
  }, 120_000);

  test("of the bridge is not: 63,000 bytes that are 693,000 when they are normalised are refused in milliseconds", async () => {
    const gateway = await connectGateway(sharedFleet().grpc);
    const long = "\ufdfa".repeat(21_000);
    const calls: [method: string, request: object][] = [
      ["Authenticate", { login: long, password: "a password" }],
      ["Authenticate", { login: "ada.lovelace", password: long }],
      ["CreateUser", { login: long, username: "ada.lovelace", email: "ada@example.com", password: "a password" }],
      ["CreateUser", { login: "ada.lovelace", username: long, email: "ada@example.com", password: "a password" }],
      ["CreateUser", { login: "ada.lovelace", username: "ada.lovelace", email: long, password: "a password" }],
      ["RegistrationUser", { token_pod: long }],
      ["RefreshToken", { refresh_token: long }],
      ["CurrentUser", { access_token: long }],
      ["LogOutUser", { token_pod: long }],
    ];
    for (const [method, request] of calls) {
      const tries: number[] = [];
      for (let each = 0; each < 3; each += 1) {
        const began = performance.now();
        expect(await gateway.call(method, request)).toMatchObject({
          status: "INVALID_ARGUMENT",
          code: "INVALID_INPUT",
        });
        tries.push(performance.now() - began);
      }
      if (Math.min(...tries) > 250) throw new Error(`${method} took ${tries.join(", ")} ms`); // a busy machine's, not a minute
    }
    gateway.close();
  });

  test("would be, were such a text normalised (the control)", () => {
    const normalizedMs = (bytes: number): number => {
      const marks = fillings["marks to be put in order"]!(bytes);
      const before = process.threadCpuUsage();
      normalize(marks);
      const { user, system } = process.threadCpuUsage(before);
      return (user + system) / 1000;
    };
    // Twice as long takes four times as long; how fast the machine is says where it begins, and a record has room for 1
    // MB.
    let bytes = 30_000;
    while (normalizedMs(bytes) <= 50) bytes *= 2;
    expect(bytes).toBeLessThan(1_000_000);
  }, 60_000);
});
