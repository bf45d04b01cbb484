import fc from "fast-check";
import {
  base64url,
  CompactEncrypt,
  type CryptoKey,
  calculateJwkThumbprint,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from "jose";
import {
  bareReply,
  mergeSealed,
  openReply,
  openRequest,
  parseReplyKey,
  type RequestToOpen,
  type RequestToSeal,
  sealReply,
  sealRequest,
  splitSealed,
  thumbprint,
} from "../../../src/bus/seal/seal.ts";
import { Refusal } from "../../../src/protocol/errors.ts";

const now = 1_790_000_000_000;
const idempotencyKey = "b3f1d8c2a4e64f7e9a0b1c2d3e4f5a6b";
const fields = {
  login: "ada",
  password: "correct horse",
  rotating: true,
  count: 3,
  big: 9_007_199_254_740_991,
  ratio: 0.5,
  client: { ip: "192.0.2.1", userAgent: null, device: null },
  bytes: Buffer.from([1, 2, 255]),
  list: [1, 2],
};
const { password, ...clear } = fields;

let fleet: { privateKey: CryptoKey; jwk: JWK & { kid: string } };
let requester: { privateKey: CryptoKey; jwk: JWK; text: string };
let toSeal: RequestToSeal;
let toOpen: Omit<RequestToOpen, "sealed">;

async function pair(alg = "ECDH-ES+A256KW", crv = "P-256") {
  const { privateKey, publicKey } = await generateKeyPair(alg, { crv, extractable: true });
  return { privateKey, jwk: await exportJWK(publicKey) };
}

beforeAll(async () => {
  const [ours, theirs] = [await pair(), await pair()];
  fleet = { ...ours, jwk: { ...ours.jwk, kid: "fleet-1" } };
  requester = { ...theirs, text: JSON.stringify(theirs.jwk) };
  const replyKeyThumbprint = thumbprint(requester.jwk);
  const both = { topic: "auth.session.login", replyTopic: "auth.reply.test", replyKeyThumbprint, idempotencyKey };
  toSeal = { ...both, fields, key: fleet.jwk, expiresAt: now + 60_000 };
  const keys = (kid: string) => (kid === "fleet-1" ? fleet.privateKey : undefined);
  toOpen = { ...both, clear, keys, requireSealed: true, sealedFields: ["password"], receivedAt: now };
});

/** ok, or the code with the reason and the field; anything else that is thrown is a fault. */
async function outcome(run: () => unknown): Promise<string> {
  try {
    await run();
    return "ok";
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return [error.code, error.details["reason"], error.details["field"]].filter(Boolean).join(" ");
  }
}

const opened = async (seal: Partial<RequestToSeal>, open: Partial<RequestToOpen> = {}) =>
  await outcome(async () => openRequest({ ...toOpen, sealed: await sealRequest({ ...toSeal, ...seal }), ...open }));

/** A seal made by hand, with whatever header and content. */
async function handmade(header: object, content: string | object = fields, key: JWK = fleet.jwk): Promise<string> {
  const own = decodeProtectedHeader(await sealRequest(toSeal));
  const { epk, ...rest } = own;
  const { alg, ...all } = { ...rest, ...header } as { alg: string; enc: string };
  const plaintext = Buffer.from(typeof content === "string" ? content : JSON.stringify(content));
  const direct = alg === "ECDH-ES" ? "ECDH-ES" : alg;
  return await new CompactEncrypt(plaintext)
    .setProtectedHeader({ alg: direct, ...all })
    .encrypt(await importJWK(key, direct));
}

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
    const inside = await openReply(await sealRequest(toSeal), fleet.privateKey);
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
        expect(await outcome(() => openReply(text, fleet.privateKey))).toMatch(/^(SEAL_INVALID|ok)/);
        expect(await outcome(() => parseReplyKey(text))).toBe("SEAL_INVALID reply-key");
      }),
      { numRuns: 300 },
    );
  });
});

describe("the reply secret", () => {
  const replySecret = Buffer.alloc(32, 7);

  it("is taken out before anything else sees the request, and told at once", async () => {
    const told: Buffer[] = [];
    const sealed = await sealRequest({ ...toSeal, replySecret });
    const request = await openRequest({ ...toOpen, sealed, opened: (secret) => void told.push(secret) });
    expect([told, request]).toEqual([[replySecret], fields]);
    const refused = {
      ...toOpen,
      sealed,
      clear: { ...clear, login: "eve" },
      opened: (secret: Buffer) => void told.push(secret),
    };
    expect(await outcome(() => openRequest(refused))).toBe("SEAL_INVALID fields login");
    expect(told).toHaveLength(2);
  });

  it("may be absent: such a request is served, and its reply has no mac", async () => {
    const told: Buffer[] = [];
    const sealed = await sealRequest(toSeal);
    await openRequest({ ...toOpen, sealed, opened: (secret) => void told.push(secret) });
    expect(told).toEqual([]);
  });

  const good = replySecret.toString("base64url");
  it.each<[string, unknown]>([
    ["null", null],
    ["empty", ""],
    ["a number", 7],
    ["an object", { secret: good }],
    ["a list", [good]],
    ["31 bytes", Buffer.alloc(31).toString("base64url")],
    ["33 bytes", Buffer.alloc(33).toString("base64url")],
    ["padded", `${good}=`],
    ["base64", Buffer.alloc(32, 255).toString("base64").slice(0, 43)],
    ["another spelling of the same bytes", `${good.slice(0, -1)}d`],
    ["with a line end", `${good}\n`],
  ])("that is %s is refused, and no mac is made with it", async (_form, secret) => {
    const content = { ...fields, bytes: "AQL_" };
    const told: Buffer[] = [];
    const open = (text: string) => openRequest({ ...toOpen, sealed: text, opened: (each) => void told.push(each) });
    expect(await outcome(async () => open(await handmade({}, { ...content, $reply: secret })))).toBe(
      "SEAL_INVALID reply",
    );
    expect(told).toEqual([]);
    expect(await outcome(async () => open(await handmade({}, { ...content, $reply: good })))).toBe("ok"); // the control
  });

  it("in a bare object is taken out too", async () => {
    const sealed = JSON.stringify({ password, $reply: good });
    const open = { ...toOpen, clear: { login: "ada" }, requireSealed: false, sealed };
    expect(await openRequest(open)).toEqual({ login: "ada", password });
  });
});

describe("what stands beside a seal", () => {
  const beside = (change: object) => opened({}, { clear: { ...clear, ...change } });

  it.each<[string, object]>([
    ["login", { login: "eve" }],
    ["login", { login: null }],
    ["rotating", { rotating: false }],
    ["count", { count: 4 }],
    ["count", { count: "3" + "0" }],
    ["ratio", { ratio: 0.25 }],
    ["client", { client: null }],
    ["client.ip", { client: { ...clear.client, ip: "192.0.2.2" } }],
    ["client.device", { client: { ...clear.client, device: "phone" } }],
    ["bytes", { bytes: Buffer.from([1, 2]) }],
    ["list", { list: [1] }],
    ["list.1", { list: [1, 3] }],
    ["more", { more: "a field that is not inside" }],
    ["more", { more: false }],
  ])("cannot be changed: %s", async (field, change) => {
    expect(await beside({})).toBe("ok"); // the control
    expect(await beside(change)).toBe(`SEAL_INVALID fields ${field}`);
  });

  it("may have a field of a newer schema, if it holds null or its default", async () => {
    const newer = { ...clear, added: null, client: { ...clear.client, added: null }, mode: "plain" };
    expect(await opened({}, { clear: newer, defaults: { mode: "plain" } })).toBe("ok");
    expect(await opened({}, { clear: newer, defaults: { mode: "other" } })).toBe("SEAL_INVALID fields mode");
    expect(await opened({}, { clear: newer })).toBe("SEAL_INVALID fields mode");
  });

  it("may lack a field of a newer requester, which is kept as it is inside", async () => {
    const sealed = await sealRequest({
      ...toSeal,
      fields: { ...fields, added: 5, client: { ...fields.client, os: "x" } },
    });
    expect(await openRequest({ ...toOpen, sealed })).toEqual({
      ...fields,
      added: "5",
      client: { ...fields.client, os: "x" },
    });
  });

  it("never reaches a prototype", async () => {
    const sealed = await handmade({}, `{"password":"x","__proto__":{"admin":true},"constructor":{"a":1}}`);
    const request = await openRequest({ ...toOpen, clear: {}, sealed });
    expect((request as { admin?: boolean }).admin).toBeUndefined();
    expect(Object.getPrototypeOf(request)).toBe(Object.prototype);
    const inherited = await handmade({}, "{}");
    const missing = { ...toOpen, clear: {}, sealedFields: ["toString"], sealed: inherited };
    expect(await outcome(() => openRequest(missing))).toBe("SEAL_INVALID fields toString");
  });
});

describe("a sealed field", () => {
  it.each<[string, object]>([
    ["absent", {}],
    ["null", { password: null }],
    ["a number", { password: 1 }],
    ["an object", { password: { $ne: 1 } }],
  ])("that is %s inside is refused", async (_name, secret) => {
    const sealed = await handmade({}, { login: "ada", ...secret });
    const open = { ...toOpen, clear: { login: "ada" }, sealed };
    expect(await outcome(() => openRequest(open))).toBe("SEAL_INVALID fields password");
  });

  it("under a parent that is null is not asked for", async () => {
    const open = { ...toOpen, clear: {}, sealedFields: ["proof.code"] };
    const given = (proof: unknown) => async () => openRequest({ ...open, sealed: await handmade({}, { proof }) });
    expect(await outcome(given(null))).toBe("ok");
    expect(await outcome(given({ code: "123456" }))).toBe("ok");
    expect(await outcome(given({}))).toBe("SEAL_INVALID fields proof.code");
  });
});

describe("a bare request", () => {
  const bare = { sealed: JSON.stringify({ password }), clear: { login: "ada", count: 3 } };

  it("is refused where seals are required", async () => {
    for (const sealed of [bare.sealed, ` \n${bare.sealed}`, "{", ""]) {
      expect(await outcome(() => openRequest({ ...toOpen, ...bare, sealed }))).toBe("SEAL_REQUIRED");
    }
  });

  it("is accepted where they are not, and takes from the clear what it lacks", async () => {
    const open = { ...toOpen, ...bare, requireSealed: false };
    expect(await openRequest(open)).toEqual({ login: "ada", count: 3, password });
  });

  it("must agree with the clear where it repeats it, and must have the secrets", async () => {
    const open = { ...toOpen, ...bare, requireSealed: false };
    const given = (inside: object) => outcome(() => openRequest({ ...open, sealed: JSON.stringify(inside) }));
    expect(await given({ password, login: "ada", count: "3" })).toBe("ok");
    expect(await given({ password, login: "eve" })).toBe("SEAL_INVALID fields login");
    expect(await given({ login: "ada" })).toBe("SEAL_INVALID fields password");
    expect(await outcome(() => openRequest({ ...open, sealed: "{nonsense" }))).toBe("SEAL_INVALID jwe");
  });

  it("being allowed does not loosen what a seal must be", async () => {
    expect(await opened({ topic: "other" }, { requireSealed: false })).toBe("SEAL_INVALID top");
    expect(await opened({}, { requireSealed: false, clear: { ...clear, more: 1 } })).toBe("SEAL_INVALID fields more");
  });
});

describe("a reply key", () => {
  it("is a public EC key on P-256, named by its RFC 7638 thumbprint", async () => {
    const { jwk, thumbprint: name } = parseReplyKey(JSON.stringify({ ...requester.jwk, kid: "x", use: "enc" }));
    expect(name).toBe(await calculateJwkThumbprint(requester.jwk));
    expect(jwk).toEqual(requester.jwk);
  });

  it("is remembered by its text", () => {
    expect(parseReplyKey(requester.text)).toBe(parseReplyKey(requester.text));
    expect(parseReplyKey(` ${requester.text}`)).not.toBe(parseReplyKey(requester.text));
  });

  it("is forgotten after a thousand others, and those in use stay", async () => {
    const [first, used] = [requester.text, JSON.stringify(fleet.jwk)];
    const [before, kept] = [parseReplyKey(first), parseReplyKey(used)];
    for (let at = 0; at < 1000; at++) {
      parseReplyKey(JSON.stringify({ ...requester.jwk, kid: String(at) }));
      parseReplyKey(used);
    }
    expect(parseReplyKey(used)).toBe(kept);
    expect(parseReplyKey(first)).not.toBe(before);
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
      expect(await outcome(() => parseReplyKey(JSON.stringify(each)))).toBe("SEAL_INVALID reply-key");
    expect(await outcome(() => parseReplyKey("{"))).toBe("SEAL_INVALID reply-key");
    expect(await outcome(() => parseReplyKey(JSON.stringify(jwk)))).toBe("ok"); // the control
  });
});

describe("a sealed reply", () => {
  const secret = { tokens: { accessToken: "a.b.c", refreshToken: "r" } };

  it("opens for its requester only", async () => {
    const replyKey = parseReplyKey(requester.text);
    const sealed = await sealReply(secret, replyKey);
    expect(decodeProtectedHeader(sealed)).toMatchObject({ kid: replyKey.thumbprint });
    expect(await openReply(sealed, requester.privateKey)).toEqual(secret);
    expect(await outcome(() => openReply(sealed, fleet.privateKey))).toBe("SEAL_INVALID jwe");
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
