// The reply key of a requester, the seal of a reply, and records of which some fields are sealed.
import fc from "fast-check";
import { calculateJwkThumbprint, decodeProtectedHeader, exportJWK } from "jose";
import { bareReply, mergeSealed, openSeal, parseSealingKey, sealFor, splitSealed } from "../../../src/bus/seal/seal.ts";
import { fleet, outcome, pair, requester } from "./sealed-requests.ts";

describe("a reply key", () => {
  it("is a public EC key on P-256, named by its RFC 7638 thumbprint", async () => {
    const { jwk, thumbprint: name } = parseSealingKey(JSON.stringify({ ...requester.jwk, kid: "x", use: "enc" }));
    expect(name).toBe(await calculateJwkThumbprint(requester.jwk));
    expect(jwk).toEqual(requester.jwk);
  });

  it("is remembered by its text", () => {
    expect(parseSealingKey(requester.text)).toBe(parseSealingKey(requester.text));
    expect(parseSealingKey(` ${requester.text}`)).not.toBe(parseSealingKey(requester.text));
  });

  it("is forgotten after a thousand others, and those in use stay", async () => {
    const [first, used] = [requester.text, JSON.stringify(fleet.jwk)];
    const [before, kept] = [parseSealingKey(first), parseSealingKey(used)];
    for (let at = 0; at < 1000; at++) {
      parseSealingKey(JSON.stringify({ ...requester.jwk, kid: String(at) }));
      parseSealingKey(used);
    }
    expect(parseSealingKey(used)).toBe(kept);
    expect(parseSealingKey(first)).not.toBe(before);
  });

  it("that is anything else is refused", async () => {
    const { jwk } = requester;
    const bad: unknown[] = [
      await exportJWK(requester.privateKey), // with its private part
      { ...jwk, d: "" },
      (await pair("ECDH-ES+A256KW", "P-384")).jwk,
      (await pair("ECDH-ES+A256KW", "X25519")).jwk,
      { kty: "oct", k: "AAAA" },
      { ...jwk, x: jwk.y, y: jwk.x }, // not on the curve
      { ...jwk, x: "A".repeat(43), y: "A".repeat(43) },
      { ...jwk, x: `${jwk.x}=` },
      { ...jwk, y: undefined },
      { ...jwk, y: 5 },
      { ...jwk, kid: "x".repeat(1024) },
      [jwk],
      null,
      "text",
    ];
    for (const each of bad)
      expect(await outcome(() => parseSealingKey(JSON.stringify(each)))).toBe("SEAL_INVALID reply-key");
    expect(await outcome(() => parseSealingKey("{"))).toBe("SEAL_INVALID reply-key");
    expect(await outcome(() => parseSealingKey(JSON.stringify(jwk)))).toBe("ok"); // the control
  });
});

describe("a sealed reply", () => {
  const secret = { tokens: { accessToken: "a.b.c", refreshToken: "r" } };

  it("opens for its requester only", async () => {
    const replyKey = parseSealingKey(requester.text);
    const sealed = await sealFor(secret, replyKey);
    expect(decodeProtectedHeader(sealed)).toMatchObject({ kid: replyKey.thumbprint });
    expect(await openSeal(sealed, requester.privateKey)).toEqual(secret);
    expect(await outcome(() => openSeal(sealed, fleet.privateKey))).toBe("SEAL_INVALID jwe");
  });

  it("can be bare for a requester without a key", () => {
    expect(bareReply({ ...secret, id: 5 })).toBe('{"tokens":{"accessToken":"a.b.c","refreshToken":"r"},"id":"5"}');
  });
});

describe("a record with sealed fields", () => {
  const paths = ["tokens.accessToken", "tokens.refreshToken", "challenge.challenge", "code"];
  const tokens = { userId: 42, accessToken: "a", refreshToken: "r" };

  it("is parted and put together again", () => {
    const record = { tokens, challenge: { challenge: "c", methods: ["totp"] }, code: "1", at: 5 };
    const before = structuredClone(record);
    const { clear: outside, secret } = splitSealed(record, paths);
    expect(outside).toEqual({ tokens: { userId: 42 }, challenge: { methods: ["totp"] }, at: 5 });
    expect(secret).toEqual({
      tokens: { accessToken: "a", refreshToken: "r" },
      challenge: { challenge: "c" },
      code: "1",
    });
    expect(mergeSealed(outside, secret)).toEqual(record);
    expect(record).toEqual(before);
  });

  it("is parted under an array record by record, and put together in their order", () => {
    const users = [
      { userId: 1, email: "a@x", username: "a" },
      { userId: 2, email: "b@x", username: "b" },
    ];
    const record = { users, cursor: "c" };
    const before = structuredClone(record);
    const { clear: outside, secret } = splitSealed(record, ["users.username", "users.email", "cursor"]);
    expect(outside).toEqual({ users: [{ userId: 1 }, { userId: 2 }] });
    expect(secret).toEqual({ users: users.map(({ email, username }) => ({ username, email })), cursor: "c" });
    expect(mergeSealed(outside, secret)).toEqual(record);
    expect(record).toEqual(before);
    expect(mergeSealed({ users: [] }, secret)).toEqual({ users: [], cursor: "c" }); // nothing is added that has no place
    const empty = { users: [], cursor: "" };
    const parted = splitSealed(empty, ["users.email", "cursor"]);
    expect(mergeSealed(parted.clear, parted.secret)).toEqual(empty);
  });

  it("has nothing to seal under a parent that is null", () => {
    const record = { tokens: null, challenge: null, at: 5 };
    expect(splitSealed(record, paths)).toEqual({ clear: record, secret: {} });
    expect(mergeSealed(record, { tokens: { accessToken: "forged" } })).toEqual(record);
  });

  it("seals a value that is null or empty like any other", () => {
    expect(splitSealed({ code: null, at: 1 }, paths)).toEqual({ clear: { at: 1 }, secret: { code: null } });
    expect(splitSealed({ code: "" }, paths)).toEqual({ clear: {}, secret: { code: "" } });
  });

  it("comes back whole, whatever the record", () => {
    const leaf = fc.oneof(fc.string(), fc.integer(), fc.constant(null));
    const inner = fc.record({ a: leaf, b: leaf, rest: leaf });
    fc.assert(
      fc.property(fc.record({ p: fc.option(inner), q: inner, s: leaf }), (record) => {
        const { clear: outside, secret } = splitSealed(record, ["p.a", "p.b", "q.a", "s"]);
        expect(mergeSealed(outside, secret)).toEqual(record);
        for (const parent of [outside["p"], outside["q"], outside]) expect(parent ?? {}).not.toHaveProperty("a");
      }),
    );
  });
});
