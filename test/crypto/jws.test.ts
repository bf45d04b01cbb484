import { generateKeyPairSync, type KeyObject } from "node:crypto";
import fc from "fast-check";
import { CompactSign, compactVerify, type JWTPayload } from "jose";
import { signCompact, verifyPlain } from "../../src/crypto/jws.ts";

type Alg = "ES256" | "EdDSA" | "RS256";
const pairs: Record<Alg, { publicKey: KeyObject; privateKey: KeyObject }> = {
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  EdDSA: generateKeyPairSync("ed25519"),
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
};
const algs = fc.constantFrom<Alg>("ES256", "EdDSA", "RS256");
const payloads = fc.dictionary(fc.string(), fc.jsonValue()).map((payload) => JSON.parse(JSON.stringify(payload)));

const verified = (token: string, alg: Alg = "ES256") =>
  verifyPlain(token, (header) => (header.alg === alg ? pairs[alg].publicKey : undefined))?.payload;

const byJose = async (token: string, alg: Alg): Promise<JWTPayload> => {
  const { payload } = await compactVerify(token, pairs[alg].publicKey, { algorithms: [alg] });
  return JSON.parse(new TextDecoder().decode(payload));
};

describe("a token signed here", () => {
  it("is verified by jose and here, with every algorithm", async () => {
    await fc.assert(
      fc.asyncProperty(algs, payloads, async (alg, payload) => {
        const token = signCompact({ alg, typ: "at+jwt", kid: "k" }, payload, pairs[alg].privateKey);
        expect(await byJose(token, alg)).toEqual(payload);
        expect(verified(token, alg)).toEqual(payload);
      }),
      { numRuns: 60 },
    );
  });
});

describe("a token signed by jose", () => {
  const signed = (alg: Alg, payload: object, more: object = {}) =>
    new CompactSign(Buffer.from(JSON.stringify(payload)))
      .setProtectedHeader({ alg, typ: "at+jwt", kid: "k", ...more })
      .sign(pairs[alg].privateKey);

  it("is verified here, with every algorithm", async () => {
    await fc.assert(
      fc.asyncProperty(algs, payloads, async (alg, payload) => {
        expect(verified(await signed(alg, payload), alg)).toEqual(payload);
      }),
      { numRuns: 60 },
    );
  });

  it("with a header other than the plain one is left to jose", async () => {
    for (const more of [{ cty: "x" }, { typ: undefined }, { jwk: {} }, { kid: 5 as unknown as string }]) {
      expect(verified(await signed("ES256", {}, more))).toBeUndefined();
    }
    expect(verified(await signed("ES256", {}))).toEqual({}); // the control
  });

  it("by an algorithm that its key is not for is left to jose", async () => {
    expect(verified(await signed("EdDSA", {}), "ES256")).toBeUndefined();
  });

  /** What holds here must hold with jose: this path may refuse more, never less. */
  it("and tampered with holds neither here nor with jose, or with both alike", async () => {
    const token = await signed("ES256", { sub: "42", exp: 1 });
    const change = fc
      .tuple(fc.nat(token.length - 1), fc.oneof(fc.string({ maxLength: 2 }), fc.constantFrom(..."ABCwxyz019-_")))
      .map(([at, text]) => token.slice(0, at) + text + token.slice(at + 1));
    let both = 0;
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.constant(token), change), async (text) => {
        const here = verified(text);
        if (here === undefined) return;
        both += 1;
        expect(await byJose(text, "ES256")).toEqual(here);
      }),
      { numRuns: 500 },
    );
    expect(both).toBeGreaterThan(0); // the control
  });

  it("whose payload is no JSON object is left to jose", async () => {
    for (const text of ["[]", "null", "1", "{", "\ufeff{}x"]) {
      const token = await new CompactSign(Buffer.from(text))
        .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: "k" })
        .sign(pairs.ES256.privateKey);
      expect(verified(token)).toBeUndefined();
    }
  });
});
