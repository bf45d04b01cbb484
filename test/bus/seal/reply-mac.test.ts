// The mac of a reply, against an HMAC that is made here by hand from what docs/protocol.md says.
import { createHmac } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { isReplyMac, type MacInput, makeReplySecret, replyMac } from "../../../src/bus/seal/reply-mac.ts";

const secret = Buffer.alloc(32, 5);
const input: MacInput = {
  replyTopic: "auth.reply.gateway",
  correlationId: Buffer.from([0, 255, 195, 40, 7]),
  code: "ok",
  value: Buffer.from([0, 0, 0, 0, 20, 2]),
};

const hex = (text: string): string => Buffer.from(text).toString("hex");

test("is HMAC-SHA-256 over four parts, each after its length", () => {
  const bytes = [
    `00000012${hex("auth.reply.gateway")}`,
    "00000005" + "00ffc32807",
    `00000002${hex("ok")}`,
    "00000006" + "000000001402",
  ].join("");
  const mac = createHmac("sha256", secret).update(Buffer.from(bytes, "hex")).digest("base64url");
  expect(replyMac(secret, input)).toBe(mac);
});

describe("a mac", () => {
  const mac = Buffer.from(replyMac(secret, input));

  test.each<[string, Partial<MacInput>]>([
    ["another reply topic", { replyTopic: "auth.reply.bridge" }],
    ["another correlation id", { correlationId: Buffer.from([0, 254, 195, 40, 7]) }],
    ["no correlation id", { correlationId: undefined }],
    ["another code", { code: "OK" }],
    ["another value", { value: Buffer.from([0, 0, 0, 0, 20, 3]) }],
    [
      "a byte moved from one part to the next",
      { replyTopic: "auth.reply.gatewa", correlationId: Buffer.from([121, 0, 255, 195, 40, 7]) },
    ],
  ])("does not fit %s", (_what, change) => {
    expect(isReplyMac(mac, secret, { ...input, ...change })).toBe(false);
    expect(isReplyMac(mac, secret, input)).toBe(true); // the control
  });

  test("does not fit another request, and no other text is one", () => {
    expect(isReplyMac(mac, Buffer.alloc(32, 6), input)).toBe(false);
    for (const given of [undefined, Buffer.alloc(0), mac.subarray(1), Buffer.concat([mac, Buffer.from("=")])])
      expect(isReplyMac(given, secret, input)).toBe(false);
  });
});

test("a reply secret is new each time, and none changes when others are made", () => {
  const made = Array.from({ length: 1000 }, () => makeReplySecret());
  const texts = made.map((each) => each.toString("hex"));
  made.push(...Array.from({ length: 1000 }, () => makeReplySecret()));
  expect(made.slice(0, 1000).map((each) => each.toString("hex"))).toEqual(texts);
  expect(new Set(made.map((each) => each.toString("hex"))).size).toBe(2000);
  expect(made.filter((each) => each.length !== 32 || each.every((byte) => byte === 0))).toEqual([]);
});
