// The seal of a request: what opens, and what is refused.
import fc from "fast-check";
import { base64url, calculateJwkThumbprint, decodeProtectedHeader } from "jose";
import { openRequest, openSeal, parseSealingKey, type RequestToSeal, sealRequest } from "../../../src/bus/seal/seal.ts";
import {
  fields,
  fleet,
  handmade,
  idempotencyKey,
  now,
  opened,
  outcome,
  pair,
  requester,
  toOpen,
  toSeal,
} from "./sealed-requests.ts";

describe("a sealed request", () => {
  it("opens to all its fields, typed as in clear", async () => {
    const sealed = await sealRequest(toSeal);
    expect(await openRequest({ ...toOpen, sealed })).toEqual(fields);
  });

  /** The form of docs/protocol.md, so that any JOSE library can make and read it. */
  it("is a compact JWE with top, rpt, rkt, jti and exp in its protected header", async () => {
    const sealed = await sealRequest(toSeal);
    const { epk, ...header } = decodeProtectedHeader(sealed);
    expect(epk).toMatchObject({ kty: "EC", crv: "P-256" });
    expect(header).toEqual({
      alg: "ECDH-ES+A256KW",
      enc: "A256GCM",
      kid: "fleet-1",
      top: "auth.session.login",
      rpt: "auth.reply.test",
      rkt: await calculateJwkThumbprint(requester.jwk),
      jti: idempotencyKey,
      exp: now / 1000 + 60,
    });
    expect(sealed.split(".")).toHaveLength(5);
  });

  it("holds whole numbers as decimal strings and bytes as base64url", async () => {
    const inside = await openSeal(await sealRequest(toSeal), fleet.privateKey);
    expect(inside).toMatchObject({ count: "3", big: "9007199254740991", ratio: 0.5, bytes: "AQL_", list: ["1", "2"] });
  });

  it("of another library, with plain JSON numbers, opens too", async () => {
    const content = { ...fields, bytes: "AQL_" };
    expect(await openRequest({ ...toOpen, sealed: await handmade({}, content) })).toEqual(fields);
  });

  it("without reply key opens where the record has none", async () => {
    const none = { replyKeyThumbprint: undefined };
    expect(await opened(none, none)).toBe("ok");
    expect(await opened(none)).toBe("SEAL_INVALID rkt");
    expect(await opened({}, none)).toBe("SEAL_INVALID rkt");
    expect(await opened({ idempotencyKey: undefined })).toBe("SEAL_INVALID jti");
  });

  it("is refused in a record that nothing would know again, whatever the seal says", async () => {
    const record = { idempotencyKey: undefined };
    expect(await opened(record, record)).toBe("INVALID_INPUT");
    expect(await opened({}, record)).toBe("INVALID_INPUT");
  });

  it.each<[string, string, Partial<RequestToSeal>]>([
    ["top", "another topic", { topic: "auth.account.delete" }],
    ["rpt", "another reply topic", { replyTopic: "auth.reply.other" }],
    ["rkt", "another reply key", { replyKeyThumbprint: "other" }],
    ["jti", "another idempotency key", { idempotencyKey: "other" }],
    ["exp", "a time that is past", { expiresAt: now - 5_000 }],
    ["exp", "a time more than an hour ahead", { expiresAt: now + 3_606_000 }],
    ["unknown-kid", "a key the fleet does not have", {}],
  ])("is refused (%s) in a record with %s", async (reason, _name, seal) => {
    const key = reason === "unknown-kid" ? { ...fleet.jwk, kid: "gone" } : fleet.jwk;
    expect(await opened({})).toBe("ok"); // the control
    expect(await opened({ ...seal, key })).toBe(`SEAL_INVALID ${reason}`);
  });

  it("may end an hour ahead, and clocks may differ by 5 s", async () => {
    expect(await opened({ expiresAt: now + 3_605_000 })).toBe("ok");
    expect(await opened({ expiresAt: now - 4_000 })).toBe("ok");
  });

  it("is judged by the time of its record, and must end within bounds that the broker does not set", async () => {
    expect(await opened({}, { receivedAt: now + 70_000 })).toBe("SEAL_INVALID exp");
    const years = 5 * 365 * 86_400_000; // so much the broker's clock is off, and the sender's by it
    const seal = { expiresAt: now + years + 60_000 };
    const received = { receivedAt: now + years };
    expect(await opened(seal, { ...received, endsBetween: [now - 60_000, now + 4_500_000] })).toBe("SEAL_INVALID exp");
    expect(await opened(seal, received)).toBe("ok"); // the control
    expect(await opened({}, { endsBetween: [now - 60_000, now + 4_500_000] })).toBe("ok");
  });

  it("needs a whole number as its end", async () => {
    for (const exp of [undefined, null, String(now / 1000 + 60), now / 1000 + 60.5]) {
      const sealed = await handmade({ exp }, { ...fields, bytes: "AQL_" });
      expect(await outcome(() => openRequest({ ...toOpen, sealed }))).toBe("SEAL_INVALID exp");
    }
  });

  it("with a changed header does not open, even if the record agrees with the change", async () => {
    const sealed = await sealRequest(toSeal);
    const [head, ...rest] = sealed.split(".");
    const header = JSON.parse(Buffer.from(head!, "base64url").toString()) as object;
    const changed = [base64url.encode(JSON.stringify({ ...header, top: "auth.account.delete" })), ...rest].join(".");
    const record = { ...toOpen, topic: "auth.account.delete" };
    expect(await outcome(() => openRequest({ ...record, sealed: changed }))).toBe("SEAL_INVALID jwe");
  });

  it("to another key under our kid does not open", async () => {
    const other = await pair();
    expect(await opened({ key: { ...other.jwk, kid: "fleet-1" } })).toBe("SEAL_INVALID jwe");
  });

  it.each<[string, object]>([
    ["alg ECDH-ES", { alg: "ECDH-ES" }],
    ["alg ECDH-ES+A128KW", { alg: "ECDH-ES+A128KW" }],
    ["enc A128GCM", { enc: "A128GCM" }],
    ["enc A256CBC-HS512", { enc: "A256CBC-HS512" }],
    ["zip", { zip: "DEF" }],
  ])("with %s is refused", async (_name, header) => {
    const sealed = await handmade(header, { ...fields, bytes: "AQL_" });
    expect(await outcome(() => openRequest({ ...toOpen, sealed }))).toBe("SEAL_INVALID jwe");
  });

  it("on a curve other than P-256 is refused", async () => {
    const other = await pair("ECDH-ES+A256KW", "P-384");
    const sealed = await handmade({}, fields, other.jwk);
    expect(await outcome(() => openRequest({ ...toOpen, sealed }))).toBe("SEAL_INVALID jwe");
  });

  it("that holds no JSON object is refused", async () => {
    for (const content of ["", "no json", "[]", "null", '"text"', "1"]) {
      const sealed = await handmade({}, content);
      expect(await outcome(() => openRequest({ ...toOpen, sealed }))).toBe("SEAL_INVALID jwe");
    }
  });

  it("of whatever text is refused and never a fault", async () => {
    const sealed = await sealRequest(toSeal);
    const parts = sealed.split(".");
    const header = decodeProtectedHeader(sealed);
    const some = fc.constantFrom(
      "alg",
      "enc",
      "kid",
      "epk",
      "apu",
      "apv",
      "crit",
      "zip",
      "p2c",
      "exp",
      "top",
      "key_ops",
    );
    const epk = fc.dictionary(fc.constantFrom("kty", "crv", "x", "y", "d", "key_ops", "ext", "use"), fc.jsonValue());
    const value = fc.oneof(
      fc.jsonValue(),
      epk.map((more) => ({ ...(header["epk"] as object), ...more })),
    );
    const odd = fc
      .dictionary(some, value, { minKeys: 1 })
      .map((more) => [base64url.encode(JSON.stringify({ ...header, ...more })), ...parts.slice(1)].join("."));
    const mixed = fc
      .array(fc.oneof(fc.constantFrom(...parts), fc.string()), { maxLength: 7 })
      .map((list) => list.join("."));
    await fc.assert(
      fc.asyncProperty(fc.oneof(odd, mixed, fc.string(), fc.string({ unit: "binary" })), async (text) => {
        fc.pre(text !== sealed);
        expect(await outcome(() => openRequest({ ...toOpen, sealed: text }))).toMatch(/^SEAL_(INVALID|REQUIRED)/);
        expect(await outcome(() => openSeal(text, fleet.privateKey))).toMatch(/^(SEAL_INVALID|ok)/);
        expect(await outcome(() => parseSealingKey(text))).toBe("SEAL_INVALID reply-key");
      }),
      { numRuns: 300 },
    );
  });
});
