// Device tokens: what holds, for which record key and how long; whatever else a caller sends counts as none, and never
// as a fault. The form is made anew here by docs/protocol.md, with nothing of the code under test.
import { createHmac, randomBytes } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { type DeviceTokens, makeDeviceTokens } from "../../src/crypto/device-token.ts";
import { DataKeys } from "../../src/crypto/envelope.ts";

const day = 86_400_000;
const now = Date.parse("2026-11-30T12:00:00Z");
const key = Buffer.alloc(32, 7);
const others = [
  { id: 3, purpose: "attempts", key },
  { id: 4, purpose: "device", key: Buffer.alloc(32, 8) },
];
const tokensOf = (
  keys: { id: number; purpose: string; key: Buffer; pending?: boolean }[],
  ttlMs = 90 * day,
): DeviceTokens => makeDeviceTokens(() => new DataKeys(keys), ttlMs);
const tokens = tokensOf([{ id: 5, purpose: "device", key }, ...others]);
const id = Buffer.from("000102030405060708090a0b0c0d0e0f", "hex");
const issue = (more = {}) => tokens.issue({ recordKey: "ada", epoch: 2, id, now, ...more });
const verify = (token: string, more = {}, by = tokens) => by.verify(token, { recordKey: "ada", at: now, ...more });

/** As the documents say. */
function built({ keyId = 5, made = 20_787, epoch = 2, secret = key, recordKey = "ada", version = "d1" } = {}): string {
  const head = Buffer.concat([u32(keyId), u32(made).subarray(2), u32(epoch), id]);
  const text = `${version}.${head.toString("base64url")}`;
  return `${text}.${createHmac("sha256", secret).update(`${text}.${recordKey}`).digest("base64url")}`;
}
const u32 = (value: number): Buffer => Buffer.from([24, 16, 8, 0].map((shift) => (value >>> shift) & 255));

test("has the documented form, at most 100 characters, and holds for its record key", () => {
  expect(issue()).toBe(built());
  expect(issue()).toHaveLength(82);
  expect(issue()).toMatch(/^[A-Za-z0-9._-]+$/);
  expect(verify(issue())).toEqual({ id, epoch: 2 });
  expect(verify(built())).toEqual({ id, epoch: 2 });
  const long = "ü".repeat(2000);
  expect(verify(issue({ recordKey: long }), { recordKey: long })).toEqual({ id, epoch: 2 });
});

test("has a new random id each time, or that of the token it renews", () => {
  const made = Array.from({ length: 50 }, () =>
    verify(tokens.issue({ recordKey: "ada", epoch: 0, now }))!.id.toString("hex"),
  );
  expect(new Set(made).size).toBe(50);
  expect(verify(issue({ now: now + 10 * day }), { at: now + 100 * day })).toEqual({ id, epoch: 2 });
});

test.each([["bob"], ["Ada"], ["ada "], ["ad"], [""], ["ada@example.com"]])(
  "of another record key, %j, counts as none",
  (recordKey) => {
    expect(verify(issue(), { recordKey })).toBeUndefined();
    expect(verify(issue({ recordKey }), { recordKey })).toEqual({ id, epoch: 2 }); // the control: its own
  },
);

test("of an address holds for both spellings of its domain, in which the fleet keeps it or not", () => {
  const [typed, stored] = ["ada@b\u00fccher.example", "ada@xn--bcher-kva.example"];
  for (const recordKey of [typed, stored])
    for (const other of [typed, stored])
      expect(verify(issue({ recordKey }), { recordKey: other })).toEqual({ id, epoch: 2 });
  expect(verify(issue({ recordKey: typed }), { recordKey: "ada@bucher.example" })).toBeUndefined();
  expect(issue({ recordKey: stored })).toBe(built({ recordKey: stored }));
});

describe("whatever is changed", () => {
  const token = issue();
  test("each character of it matters, to whichever it is changed", () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    const passed = [...token].flatMap((own, at) =>
      [...alphabet].filter(
        (each) => each !== own && verify(token.slice(0, at) + each + token.slice(at + 1)) !== undefined,
      ),
    );
    expect(passed).toEqual([]);
  });

  test.each([
    ["another key's id", built({ keyId: 4 })],
    ["the id of a key for something else", built({ keyId: 3 })],
    ["the id of no key", built({ keyId: 4_294_967_295 })],
    ["another key", built({ secret: Buffer.alloc(32, 9) })],
    ["another version", built({ version: "d2" })],
    ["another day, without the key", built().replace(built().slice(3, 38), built({ made: 20_788 }).slice(3, 38))],
    ["another epoch, without the key", built().replace(built().slice(3, 38), built({ epoch: 3 }).slice(3, 38))],
  ])("%s counts as none", (_what, text) => {
    expect(verify(text)).toBeUndefined();
  });

  test.each([
    [""],
    ["d1"],
    ["d1.."],
    [token.slice(0, -1)],
    [`${token}A`],
    [` ${token}`],
    [`${token}\n`],
    [token.toUpperCase()],
    [token.replace("d1.", "")],
    ["x".repeat(256)],
    ["d1.".repeat(80)],
    ["\0"],
    ["null"],
    [`${token},${token}`],
  ])("%j is no token", (text) => {
    expect(verify(text)).toBeUndefined();
  });

  test("so are random texts", () => {
    for (let n = 0; n < 500; n += 1) {
      const text = `d1.${randomBytes(27).toString("base64url").slice(0, 35)}.${randomBytes(33).toString("base64url").slice(0, 43)}`;
      expect(verify(text)).toBeUndefined();
    }
  });
});

describe("time", () => {
  const madeAt = Date.parse("2026-11-30T00:00:00Z");
  const at = (days: number, more = 0) =>
    verify(issue({ now: madeAt }), { at: madeAt + days * day + more }) !== undefined;

  test("is good for 90 days, and clocks may differ by a day", () => {
    expect([at(0), at(90), at(90, day - 1), at(91), at(400)]).toEqual([true, true, true, false, false]);
    expect([at(0, -1), at(-1), at(-1, -1), at(-30)]).toEqual([true, true, false, false]);
  });

  test("is what AUTH_KNOWN_DEVICE_TTL says", () => {
    const short = tokensOf([{ id: 5, purpose: "device", key }], 2 * day);
    const ages = [0, 2, 3].map(
      (age) => verify(issue({ now: madeAt }), { at: madeAt + age * day }, short) !== undefined,
    );
    expect(ages).toEqual([true, true, false]);
  });
});

describe("keys that turn", () => {
  const next = { id: 9, purpose: "device", key: Buffer.alloc(32, 11) };
  const turned = tokensOf([{ id: 5, purpose: "device", key }, next]);

  test("a token outlives the next key, which makes the new ones", () => {
    expect(verify(issue(), {}, turned)).toEqual({ id, epoch: 2 });
    const newer = turned.issue({ recordKey: "ada", epoch: 2, now });
    expect([verify(newer, {}, turned)?.epoch, verify(newer)]).toEqual([2, undefined]);
    expect(Buffer.from(newer.slice(3, 38), "base64url").readUInt32BE(0)).toBe(9);
  });

  test("a key that other processes may not have yet makes none", () => {
    const early = tokensOf([
      { id: 5, purpose: "device", key },
      { ...next, pending: true },
    ]);
    expect(
      Buffer.from(early.issue({ recordKey: "ada", epoch: 0, now }).slice(3, 38), "base64url").readUInt32BE(0),
    ).toBe(5);
  });

  test("whose key is gone counts as none", () => {
    expect(verify(issue(), {}, tokensOf([next]))).toBeUndefined();
  });
});
