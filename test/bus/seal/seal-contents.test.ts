// What a seal has inside and what stands beside it in clear: the reply secret, fields of other schemas, bare requests.
import { openRequest, sealRequest } from "../../../src/bus/seal/seal.ts";
import { clear, fields, handmade, opened, outcome, password, toOpen, toSeal } from "./sealed-requests.ts";

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
