// Operators' tokens, key by key and claim by claim: what counts and what does not, with the exact code. What the fleet
// makes of them through its commands is in test/handlers/operators.test.ts.
import { createHmac, generateKeyPairSync, type KeyObject } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { base64url, calculateJwkThumbprint, exportJWK, type JWK, SignJWT, UnsecuredJWT } from "jose";
import { DataKeys, makeDataKey } from "../../src/crypto/envelope.ts";
import {
  decryptOperator,
  encryptOperator,
  isOperatorName,
  newSigner,
  operatorOfKey,
  peekOperator,
  publicHalfOf,
  publicKeyOf,
  signerFrom,
  signOperatorToken,
  verifyOperatorToken,
} from "../../src/crypto/operators.ts";
import { Refusal } from "../../src/protocol/errors.ts";

const now = 1_790_000_000_000;
const seconds = now / 1000;
const cipher = new DataKeys([{ id: 1, purpose: "operator", key: makeDataKey() }]).cipher("operator");

async function outcome(verification: Promise<unknown>): Promise<string> {
  try {
    await verification;
    return "ok";
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

const pairs = {
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  EdDSA: generateKeyPairSync("ed25519"),
};
type Alg = keyof typeof pairs;
const pem = (key: KeyObject): string => String(key.export({ format: "pem", type: "pkcs8" }));

describe.each(["ES256", "EdDSA"] as const)("a token signed with %s", (alg: Alg) => {
  const { privateKey, publicKey } = pairs[alg];
  const keyOf = async () => ({
    ...(await publicHalfOf(JSON.stringify(publicKey.export({ format: "jwk" })))),
    addedAt: 0,
  });
  const judged = async (token: string, at = now) =>
    outcome(verifyOperatorToken(token, { name: "ada", key: await keyOf(), issuer: "auth", now: at }));
  const claims = { iss: "operator:ada", sub: "operator:ada", aud: "auth", iat: seconds, exp: seconds + 60 };
  const kidOf = async () => (await keyOf()).kid;

  /** By a foreign hand: jose, not this project's signer. */
  async function signed(change: object = {}, header: object = {}, key = privateKey): Promise<string> {
    const all = { alg, typ: "operator+jwt", kid: await kidOf(), ...header };
    return new SignJWT({ ...claims, ...change }).setProtectedHeader(all as never).sign(key, { crit: { urgent: true } });
  }
  /** With the very text of header and payload. */
  async function raw(payload: string, header?: string): Promise<string> {
    const sound = await signed();
    const head = header === undefined ? sound.split(".")[0]! : base64url.encode(header);
    const input = `${head}.${base64url.encode(payload)}`;
    const { sign } = await import("node:crypto");
    const mac = sign(alg === "ES256" ? "sha256" : null, Buffer.from(input), {
      key: privateKey,
      dsaEncoding: "ieee-p1363",
    });
    return `${input}.${mac.toString("base64url")}`;
  }

  test("counts where authctl or anybody else's library made it, until 5 s after its end", async () => {
    const own = signOperatorToken(await signerFrom(pem(privateKey)), { name: "ada", issuer: "auth", now });
    for (const token of [
      own,
      await signed(),
      await signed({ aud: ["auth"], jti: "x", more: 1 }),
      await raw(JSON.stringify(claims)),
    ]) {
      expect(await judged(token)).toBe("ok");
      expect(await judged(token, now + 64_999)).toBe("ok");
      expect(await judged(token, now + 65_000)).toBe("TOKEN_EXPIRED");
      expect(await judged(token, now - 5000)).toBe("ok"); // a clock that is ahead by the leeway
      expect(await judged(token, now - 5001)).toBe("TOKEN_INVALID");
      expect(peekOperator(token)).toEqual({ name: "ada", kid: await kidOf() });
    }
    expect(await judged(await signed({ exp: seconds + 1 }))).toBe("ok");
  });

  test("has the thumbprint of its key as kid", async () => {
    expect(await kidOf()).toBe(await calculateJwkThumbprint(publicKey.export({ format: "jwk" }) as JWK));
  });

  const unsigned = async () => new UnsecuredJWT(claims).encode();
  const encoded = (value: object) => base64url.encode(JSON.stringify(value));
  const byHmac = async (secret: string | Buffer) => {
    const input = `${encoded({ alg: "HS256", typ: "operator+jwt", kid: await kidOf() })}.${encoded(claims)}`;
    return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
  };
  const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const strangerEd = generateKeyPairSync("ed25519").privateKey;
  const another = alg === "ES256" ? strangerEd : stranger;
  const anotherAlg = alg === "ES256" ? "EdDSA" : "ES256";
  const twice = (name: string, value: unknown) =>
    `{${JSON.stringify(name)}:${JSON.stringify(value)},${JSON.stringify(claims).slice(1)}`;

  const bad: [string, () => Promise<string>][] = [
    ["no token", async () => "not a token"],
    ["without its signature", async () => (await signed()).replace(/[^.]*$/, "")],
    ["with another part", async () => `${await signed()}.x`],
    ["alg none", unsigned],
    [
      "alg none with typ and kid",
      async () => `${encoded({ alg: "none", typ: "operator+jwt", kid: await kidOf() })}.${encoded(claims)}.`,
    ],
    [
      "HS256 with the public key (PEM) as its secret",
      () => byHmac(publicKey.export({ format: "pem", type: "spki" }) as string),
    ],
    ["HS256 with the public key (JWK) as its secret", async () => byHmac(JSON.stringify(await exportJWK(publicKey)))],
    ["a stranger's signature under the operator's kid", () => signed({}, {}, alg === "ES256" ? stranger : strangerEd)],
    ["another algorithm than its key's", () => signed({}, { alg: anotherAlg }, another)],
    [
      "a stranger's key in jwk",
      async () =>
        signed(
          {},
          { jwk: await exportJWK(alg === "ES256" ? stranger : strangerEd) },
          alg === "ES256" ? stranger : strangerEd,
        ),
    ],
    ["another typ", () => signed({}, { typ: "JWT" })],
    ["the typ of an access token", () => signed({}, { typ: "at+jwt" })],
    ["the typ of a service", () => signed({}, { typ: "service+jwt" })],
    ["no typ", () => signed({}, { typ: undefined })],
    ["a critical extension", () => signed({}, { crit: ["urgent"], urgent: true })],
    ["another audience", () => signed({ aud: "platform" })],
    ["several audiences", () => signed({ aud: ["auth", "other"] })],
    ["no audience", () => signed({ aud: undefined })],
    ["another issuer", () => signed({ iss: "auth" })],
    ["no issuer", () => signed({ iss: undefined })],
    ["another operator as issuer", () => signed({ iss: "operator:eve" })],
    ["another operator as subject", () => signed({ sub: "operator:eve" })],
    ["no subject", () => signed({ sub: undefined })],
    ["a user's subject", () => signed({ sub: "1" })],
    ["a life of 61 s", () => signed({ exp: seconds + 61 })],
    ["a life of a year", () => signed({ exp: seconds + 31_536_000 })],
    ["a life of a year that is over", () => signed({ iat: seconds - 31_536_000, exp: seconds - 60 })],
    ["no end", () => signed({ exp: undefined })],
    ["an end that is a text", async () => raw(JSON.stringify({ ...claims, exp: String(seconds + 60) }))],
    ["an end before its birth", () => signed({ iat: seconds + 4, exp: seconds + 3 })],
    ["no birth", () => signed({ iat: undefined })],
    ["a birth in the future", () => signed({ iat: seconds + 6, exp: seconds + 60 })],
    ["a birth between two seconds", () => signed({ iat: seconds + 0.5 })],
    ["a beginning in the future (nbf)", () => signed({ nbf: seconds + 60 })],
    ["its subject twice", () => raw(twice("sub", "operator:eve"))],
    [
      "its subject twice, once in other letters",
      () => raw(`{"\\u0073ub":"operator:eve",${JSON.stringify(claims).slice(1)}`),
    ],
    ["its end twice", () => raw(twice("exp", seconds + 60))],
    [
      "its kid twice",
      async () =>
        raw(JSON.stringify(claims), `{"alg":"${alg}","typ":"operator+jwt","kid":"x","kid":"${await kidOf()}"}`),
    ],
    ["claims that are a list", () => raw("[]")],
    ["claims that are no JSON", () => raw("{")],
  ];

  test.each(bad)("and %s is invalid", async (_what, make) => {
    expect(await judged(await make())).toBe("TOKEN_INVALID");
  });

  test("a name within a claim may be there again", async () => {
    expect(
      await judged(
        await raw(`{"more":{"sub":"x","a":[{"sub":"y"}]},"text":"\\"sub\\":",${JSON.stringify(claims).slice(1)}`),
      ),
    ).toBe("ok");
  });

  test("has one spelling: other pad bits in its last letter are refused", async () => {
    const sound = await signed();
    const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const last = letters.indexOf(sound.slice(-1)); // 64 bytes leave four bits of the last letter unused
    for (const bits of [1, 7, 15])
      expect(await judged(sound.slice(0, -1) + letters[last + bits])).toBe("TOKEN_INVALID");
    expect(await judged(sound)).toBe("ok"); // the control
  });

  test("whatever its text is, is judged and never a fault", async () => {
    const sound = await signed();
    const mutated = fc
      .tuple(fc.nat(sound.length - 1), fc.string({ maxLength: 3 }))
      .map(([at, text]) => sound.slice(0, at) + text + sound.slice(at + 1));
    const part = fc.oneof(
      fc.string(),
      fc.json().map((text) => base64url.encode(text)),
      fc.constantFrom(...sound.split(".")),
    );
    const any = fc.oneof(
      fc.string({ unit: "binary" }),
      mutated,
      fc.array(part, { maxLength: 5 }).map((parts) => parts.join(".")),
    );
    await fc.assert(
      fc.asyncProperty(any, async (text) => {
        fc.pre(text !== sound);
        peekOperator(text);
        expect(await judged(text)).toBe("TOKEN_INVALID");
      }),
      { numRuns: 300 },
    );
  });
});

describe("a peek", () => {
  test("tells an operator's token from others, and says no name that can be nobody's", async () => {
    const part = (value: unknown) => base64url.encode(JSON.stringify(value));
    const token = (header: unknown, payload: unknown) => `${part(header)}.${part(payload)}.x`;
    const typ = "operator+jwt";
    expect(peekOperator(token({ typ, kid: "k" }, { sub: "operator:a.b_c@d-e" }))).toEqual({
      name: "a.b_c@d-e",
      kid: "k",
    });
    for (const sub of ["operator:", "operator:a b", `operator:${"x".repeat(65)}`, "ada", 7, null, undefined])
      expect(peekOperator(token({ typ }, { sub }))).toEqual({ name: undefined, kid: undefined });
    for (const other of [
      "",
      "x",
      "a.b.c",
      token({ typ: "at+jwt" }, {}),
      token(null, null),
      `${token({ typ }, {})}${"A".repeat(9000)}`,
    ])
      expect(peekOperator(other)).toBeUndefined();
  });
});

describe("a key", () => {
  const { privateKey, publicKey } = pairs.EdDSA;
  const jwk = publicKey.export({ format: "jwk" });

  test("is a public JWK for ES256 or EdDSA, of which the members that make the key count", async () => {
    const made = await publicKeyOf(JSON.stringify({ ...jwk, use: "sig", kid: "mine" }));
    expect(made).toEqual({
      kid: await calculateJwkThumbprint(jwk as JWK),
      alg: "EdDSA",
      jwk: { kty: "OKP", crv: "Ed25519", x: jwk.x },
    });
    expect((await publicKeyOf(JSON.stringify(pairs.ES256.publicKey.export({ format: "jwk" })))).alg).toBe("ES256");
  });

  test("of another kind, or none, is refused; a private one without being repeated", async () => {
    const others = [
      generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey.export({ format: "jwk" }),
      generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ format: "jwk" }),
      generateKeyPairSync("x25519").publicKey.export({ format: "jwk" }),
      { ...jwk, x: "AAAA" },
      { kty: "oct", k: "AAAA" },
      {},
      [],
      null,
      7,
    ];
    for (const text of [...others.map((each) => JSON.stringify(each)), "", "{", pem(privateKey)])
      await expect(publicKeyOf(text)).rejects.toThrow(/^must be a public key for ES256/);
    const secret = privateKey.export({ format: "jwk" });
    await expect(publicKeyOf(JSON.stringify(secret))).rejects.toThrow(/^has the private part/);
    await expect(publicKeyOf(JSON.stringify(secret))).rejects.not.toThrow(secret.d!);
  });

  test("to sign with is PEM or a JWK, which may say whose it is; what is wrong with one repeats nothing of it", async () => {
    const fresh = newSigner("ada");
    expect([operatorOfKey(fresh), operatorOfKey(pem(privateKey)), operatorOfKey("{}")]).toEqual([
      "ada",
      undefined,
      undefined,
    ]);
    for (const text of [
      fresh,
      pem(privateKey),
      pem(pairs.ES256.privateKey),
      JSON.stringify(privateKey.export({ format: "jwk" })),
    ])
      expect((await signerFrom(text)).kid).toBe((await publicHalfOf(text)).kid);
    for (const text of ["", "{}", "a secret", '{"kty":"OKP","d":"a secret"}', JSON.stringify(jwk)])
      await expect(signerFrom(text)).rejects.toThrow(/^must be a private key [^"]+$/);
  });
});

describe("an operator's row", () => {
  const ada = {
    name: "ada",
    permissions: ["users.ban"],
    keys: [{ kid: "k", alg: "EdDSA" as const, jwk: { kty: "OKP" }, addedAt: 1 }],
  };

  test("is decrypted for the name that it was encrypted for, and nothing else is", () => {
    const encrypted = encryptOperator(cipher, ada);
    expect(decryptOperator(cipher, "ada", encrypted)).toEqual(ada);
    expect(() => decryptOperator(cipher, "eve", encrypted)).toThrow();
    expect(() =>
      decryptOperator(cipher, "ada", Buffer.concat([encrypted.subarray(0, -1), Buffer.from([encrypted.at(-1)! ^ 1])])),
    ).toThrow();
  });

  test("has a name of few characters", () => {
    expect(["a", "A.b_c@d-e", "x".repeat(64)].map(isOperatorName)).toEqual([true, true, true]);
    expect(["", "a b", "a:b", "ä", "x".repeat(65), "a\n"].some(isOperatorName)).toBe(false);
  });
});
