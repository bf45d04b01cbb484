import { createHmac } from "node:crypto";
import fc from "fast-check";
import {
  base64url,
  errors,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWTHeaderParameters,
  type JWTPayload,
  jwtVerify,
  SignJWT,
  UnsecuredJWT,
} from "jose";
import { peekAccess } from "../../src/crypto/access-tokens.ts";
import { DataKeys, makeDataKey } from "../../src/crypto/envelope.ts";
import { activated, generateKeyRow, type Keyring, loadKeyring } from "../../src/crypto/keys.ts";
import { makeTokens, type Tokens, type TokensOptions } from "../../src/crypto/tokens.ts";
import { Refusal } from "../../src/protocol/errors.ts";

const dataKeys = new DataKeys([{ id: 1, purpose: "signing", key: makeDataKey() }]);
const start = 1_790_000_000_000;
const time = { ms: start };
const clock = { now: () => time.ms, monotonic: () => time.ms };
const subject = {
  userId: 42,
  login: "ada",
  roles: ["admin", "user"],
  sessionId: "0199f3a0-1111-7222-8333-444455556666",
  generation: 3,
  amr: ["pwd"],
  authTime: start - 5000,
};

async function keyringOf(alg: "ES256" | "EdDSA" | "RS256"): Promise<Keyring> {
  const rows = [await generateKeyRow(alg, dataKeys.cipher("signing"), clock)];
  return await loadKeyring(
    rows.map((row) => activated(row, clock)),
    dataKeys,
  );
}

let keyring: Keyring;
let options: TokensOptions;
let tokens: Tokens;

beforeAll(async () => {
  keyring = await keyringOf("ES256");
  options = { keyring: () => keyring, issuer: "auth", audience: "platform", accessTtlMs: 900_000, clock };
  tokens = makeTokens(options);
});

beforeEach(() => {
  time.ms = start;
});

/** The code with which a token is refused; anything else that is thrown is a fault. */
async function outcome(verification: Promise<unknown>): Promise<string> {
  try {
    await verification;
    return "ok";
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

function decoded(token: string): [Record<string, unknown>, Record<string, unknown>] {
  const [header, payload] = token.split(".").map((part) => Buffer.from(part, "base64url").toString());
  return [JSON.parse(header!), JSON.parse(payload!)];
}

/** A token of ours with changes, signed with the fleet's own key. */
async function forged(change: { header?: object; claims?: object }): Promise<string> {
  const { token } = await tokens.issueAccess(subject);
  const [header, claims] = decoded(token);
  const changed = { ...header, ...change.header } as JWTHeaderParameters;
  return await new SignJWT({ ...claims, ...change.claims })
    .setProtectedHeader(changed)
    .sign(keyring.signing().key, { crit: { urgent: true } });
}

describe("an access token", () => {
  /** RFC 9068, 2.1 and 2.2: typ at+jwt; iss, exp, aud, sub, client_id, iat, jti. */
  it("has the header and the claims of RFC 9068", async () => {
    const { token, expiresAt } = await tokens.issueAccess(subject);
    const [header, claims] = decoded(token);
    expect(header).toEqual({ alg: "ES256", typ: "at+jwt", kid: keyring.signing().kid });
    expect(claims).toEqual({
      iss: "auth",
      aud: "platform",
      sub: "42",
      client_id: "platform",
      login: "ada",
      roles: ["admin", "user"],
      sid: subject.sessionId,
      gen: 3,
      amr: ["pwd"],
      auth_time: start / 1000 - 5,
      iat: start / 1000,
      exp: start / 1000 + 900,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(expiresAt).toBe(start + 900_000);
  });

  it.each(["ES256", "EdDSA", "RS256"] as const)("signed with %s says who was verified", async (alg) => {
    const own = await keyringOf(alg);
    const { verifyAccess, issueAccess } = makeTokens({ ...options, keyring: () => own });
    const { token, expiresAt } = await issueAccess(subject);
    const [tokenId, keyId] = [expect.any(String), own.signing().kid];
    expect(await verifyAccess(token)).toEqual({ ...subject, tokenId, keyId, issuedAt: start, expiresAt });
  });

  it("holds until 5 s after its end, and is then expired", async () => {
    const { token, expiresAt } = await tokens.issueAccess(subject);
    time.ms = expiresAt + 4_999;
    expect(await outcome(tokens.verifyAccess(token))).toBe("ok");
    time.ms = expiresAt + 5_000;
    expect(await outcome(tokens.verifyAccess(token))).toBe("TOKEN_EXPIRED");
  });

  it("that has expired is genuine all the same, where everything else of it holds", async () => {
    const { token } = await tokens.issueAccess(subject);
    const byJose = await forged({ header: { jwk: { kty: "EC" } } }); // not the plain form: jose judges it
    const wrong = [
      await forged({ claims: { aud: "another" } }),
      await forged({ claims: { exp: undefined } }),
      await forged({ header: { typ: "JWT" } }),
      `${token.slice(0, -10)}AAAAAAAAAA`,
    ];
    time.ms = start + 86_400_000;
    for (const each of [token, byJose]) {
      expect(await outcome(tokens.verifyAccess(each))).toBe("TOKEN_EXPIRED");
      expect(await tokens.verifyGenuine(each)).toMatchObject({ userId: 42, sessionId: subject.sessionId });
    }
    for (const each of wrong) expect(await outcome(tokens.verifyGenuine(each))).toBe("TOKEN_INVALID");
  });

  it("that has expired is told so only if its signature holds", async () => {
    const { token, expiresAt } = await tokens.issueAccess(subject);
    const other = await keyringOf("ES256");
    const stranger = makeTokens({
      ...options,
      keyring: () => ({ ...other, signing: () => ({ ...other.signing(), kid: keyring.signing().kid }) }),
    });
    const foreign = (await stranger.issueAccess(subject)).token;
    time.ms = expiresAt + 60_000;
    expect(await outcome(tokens.verifyAccess(token))).toBe("TOKEN_EXPIRED"); // the control
    expect(await outcome(tokens.verifyAccess(foreign))).toBe("TOKEN_INVALID");
    expect(await outcome(tokens.verifyAccess(`${token.slice(0, -4)}AAAA`))).toBe("TOKEN_INVALID");
  });

  /** ASVS 9.2; RFC 8725, 3.8 to 3.12: issuer, audience, expiry, type. */
  it.each<[string, { header?: object; claims?: object }]>([
    ["another type", { header: { typ: "JWT" } }],
    ["no type", { header: { typ: undefined } }],
    ["an operator's type", { header: { typ: "operator+jwt" } }],
    ["no kid", { header: { kid: undefined } }],
    ["a kid that is no text", { header: { kid: 5 } }],
    ["an unknown kid", { header: { kid: "other" } }],
    ["a kid from the prototype", { header: { kid: "constructor" } }],
    ["a critical extension", { header: { crit: ["urgent"], urgent: 1 } }],
    ["another issuer", { claims: { iss: "other" } }],
    ["another audience", { claims: { aud: "other" } }],
    ["no issuer", { claims: { iss: undefined } }],
    ["no audience", { claims: { aud: undefined } }],
    ["no end", { claims: { exp: undefined } }],
    ["an end that is no number", { claims: { exp: "2999" } }],
    ["a time not yet come", { claims: { nbf: start / 1000 + 60 } }],
    ["no subject", { claims: { sub: undefined } }],
    ["a subject that is no user id", { claims: { sub: "operator:eve" } }],
    ["a subject beyond whole numbers", { claims: { sub: "9999999999999999" } }],
    ["no session", { claims: { sid: undefined } }],
    ["roles that are no list", { claims: { roles: "admin" } }],
    ["a generation that is no number", { claims: { gen: "3" } }],
  ])("with %s is invalid, though its signature holds", async (_name, change) => {
    expect(await outcome(tokens.verifyAccess(await forged({})))).toBe("ok"); // the control
    expect(await outcome(tokens.verifyAccess(await forged(change)))).toBe("TOKEN_INVALID");
  });

  /** RFC 8725, 2.1; ASVS 9.1.2. */
  it("without a signature is invalid", async () => {
    const [, claims] = decoded((await tokens.issueAccess(subject)).token);
    const none = base64url.encode(JSON.stringify({ alg: "none", typ: "at+jwt", kid: keyring.signing().kid }));
    expect(await outcome(tokens.verifyAccess(new UnsecuredJWT(claims).encode()))).toBe("TOKEN_INVALID");
    for (const signature of ["", "AAAA"]) {
      const token = `${none}.${base64url.encode(JSON.stringify(claims))}.${signature}`;
      expect(await outcome(tokens.verifyAccess(token))).toBe("TOKEN_INVALID");
    }
  });

  /** RFC 8725, 2.1: the public key must not serve as the secret of an HMAC. */
  it("signed by HMAC with a public key is invalid", async () => {
    const { kid } = keyring.signing();
    const [, claims] = decoded((await tokens.issueAccess(subject)).token);
    const spki = await exportSPKI(keyring.verification(kid)!.key);
    const jwk = JSON.stringify(keyring.jwks().keys[0]);
    for (const secret of [spki, spki.trim(), jwk]) {
      const input = [{ alg: "HS256", typ: "at+jwt", kid }, claims].map((part) =>
        base64url.encode(JSON.stringify(part)),
      );
      const signature = createHmac("sha256", secret).update(input.join(".")).digest("base64url");
      expect(await outcome(tokens.verifyAccess([...input, signature].join(".")))).toBe("TOKEN_INVALID");
    }
  });

  it("that names an algorithm other than its key's is invalid", async () => {
    const { token } = await tokens.issueAccess(subject);
    const [header, claims] = decoded(token);
    for (const alg of ["ES384", "RS256", "EdDSA", "PS256", "HS256", "none", "es256", ""]) {
      const parts = [{ ...header, alg }, claims].map((part) => base64url.encode(JSON.stringify(part)));
      const changed = [...parts, token.split(".")[2]].join(".");
      expect(await outcome(tokens.verifyAccess(changed))).toBe("TOKEN_INVALID");
    }
  });

  /** ASVS 9.1.3; RFC 8725, 3.10: jku, jwk, x5u and x5c are never trusted. */
  it("that brings its own key is invalid", async () => {
    const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
    const jwk = await exportJWK(publicKey);
    const [, claims] = decoded((await tokens.issueAccess(subject)).token);
    for (const extra of [
      { jwk },
      { jku: "http://127.0.0.1:1/jwks" },
      { x5u: "http://127.0.0.1:1/x" },
      { x5c: ["AAAA"] },
    ]) {
      const header = { alg: "ES256", typ: "at+jwt", kid: keyring.signing().kid, ...extra };
      const token = await new SignJWT(claims).setProtectedHeader(header).sign(privateKey);
      expect(await outcome(tokens.verifyAccess(token))).toBe("TOKEN_INVALID");
    }
    // The control: with our own key these members change nothing.
    expect(await outcome(tokens.verifyAccess(await forged({ header: { jwk } })))).toBe("ok");
  });

  it("is invalid once its key is gone", async () => {
    const { token } = await tokens.issueAccess(subject);
    const later = await keyringOf("ES256");
    const { verifyAccess } = makeTokens({ ...options, keyring: () => later });
    expect(await outcome(verifyAccess(token))).toBe("TOKEN_INVALID");
  });

  /** The plain path of jws.ts beside jose alone: the same tokens hold, the same are expired, the same invalid. */
  it("is judged as jose alone judges it", async () => {
    const byJose = async (token: string): Promise<string> => {
      const times = { currentDate: new Date(time.ms), clockTolerance: 5, requiredClaims: ["exp"] };
      const named = { typ: "at+jwt", issuer: "auth", audience: "platform", algorithms: ["ES256"] };
      const code = (error: unknown) => (error instanceof errors.JWTExpired ? "TOKEN_EXPIRED" : "TOKEN_INVALID");
      return jwtVerify(token, keyring.verification(keyring.signing().kid)!.key, { ...named, ...times }).then(
        () => "ok",
        code,
      );
    };
    const second = fc.integer({ min: -3, max: 3 }).map((off) => start / 1000 + off * 5);
    const claims = fc.record(
      {
        iss: fc.constantFrom("auth", "other", ["auth"], null),
        aud: fc.constantFrom("platform", "other", ["platform"], ["other", "platform"], [], null),
        exp: fc.oneof(second, fc.constantFrom("2999999999", null, 1e12, undefined)),
        nbf: fc.oneof(second, fc.constantFrom(null, "1", undefined)),
      },
      { requiredKeys: [] },
    );
    const header = fc.record(
      { typ: fc.constantFrom("at+jwt", "AT+JWT", "application/at+jwt", "JWT") },
      { requiredKeys: [] },
    );
    const seen = new Set<string>();
    // One of each outcome, so that the control does not hang on chance.
    const examples: [Record<string, unknown>, Record<string, unknown>][] = [
      [{}, {}],
      [{ exp: start / 1000 - 15 }, {}],
      [{ iss: "other" }, {}],
    ];
    await fc.assert(
      fc.asyncProperty(claims, header, async (changed, head) => {
        const token = await forged({ claims: changed, header: head });
        const expected = await byJose(token);
        seen.add(expected);
        const ours = await outcome(tokens.verifyAccess(token));
        const noTime = expected === "ok" && !Number.isInteger(decoded(token)[1]["exp"]); // jose takes it, accessForm does not
        expect(ours).toBe(noTime ? "TOKEN_INVALID" : expected);
      }),
      { numRuns: 200, examples },
    );
    expect([...seen].sort()).toEqual(["TOKEN_EXPIRED", "TOKEN_INVALID", "ok"]); // the control
  });

  it("of whatever text is refused and never a fault", async () => {
    const { token } = await tokens.issueAccess(subject);
    const parts = token.split(".");
    const json = fc.json().map((text) => base64url.encode(text));
    const part = fc.oneof(fc.string(), json, fc.constantFrom(...parts), fc.base64String());
    const mutated = fc
      .tuple(fc.nat(token.length - 1), fc.string({ maxLength: 3 }))
      .map(([at, text]) => token.slice(0, at) + text + token.slice(at + 1));
    const claims = fc.dictionary(fc.constantFrom("alg", "typ", "kid", "crit", "b64", "jwk"), fc.jsonValue());
    const header = claims.map((value) =>
      [
        base64url.encode(JSON.stringify({ alg: "ES256", kid: keyring.signing().kid, ...value })),
        parts[1],
        parts[2],
      ].join("."),
    );
    const any = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(part, { maxLength: 6 }).map((list) => list.join(".")),
      mutated,
      header,
    );
    await fc.assert(
      fc.asyncProperty(any, async (text) => {
        fc.pre(text !== token);
        expect(await outcome(tokens.verifyAccess(text))).toBe("TOKEN_INVALID");
        peekAccess(text);
      }),
      { numRuns: 500 },
    );
  });

  it("has one spelling: other pad bits in its last letter are refused", async () => {
    const { token } = await tokens.issueAccess(subject);
    const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const last = letters.indexOf(token.slice(-1));
    const others = [1, 7, 15].map((bits) => token.slice(0, -1) + letters[last + bits]); // 64 bytes leave four bits of the last letter unused
    for (const other of others) expect(await outcome(tokens.verifyAccess(other))).toBe("TOKEN_INVALID");
    expect(await outcome(tokens.verifyAccess(token))).toBe("ok"); // the control
  });

  it("with any claims whatever, signed by us, is refused and never a fault", async () => {
    const names = fc.constantFrom(
      "iss",
      "aud",
      "sub",
      "exp",
      "iat",
      "nbf",
      "sid",
      "gen",
      "roles",
      "login",
      "jti",
      "auth_time",
    );
    await fc.assert(
      fc.asyncProperty(fc.dictionary(names, fc.jsonValue(), { minKeys: 1 }), async (claims) => {
        const { kid, key } = keyring.signing();
        const header = { alg: "ES256", typ: "at+jwt", kid };
        const signed = await new SignJWT(claims as JWTPayload).setProtectedHeader(header).sign(key);
        expect(["TOKEN_INVALID", "TOKEN_EXPIRED"]).toContain(await outcome(tokens.verifyAccess(signed)));
      }),
      { numRuns: 100 },
    );
  });

  it("longer than 8,192 characters is invalid without being parsed", async () => {
    expect(await outcome(tokens.verifyAccess(await forged({ claims: { more: "x".repeat(4000) } })))).toBe("ok"); // the control
    expect(await outcome(tokens.verifyAccess(await forged({ claims: { more: "x".repeat(8000) } })))).toBe(
      "TOKEN_INVALID",
    );
  });

  it("is not judged without a keyring: that is our fault, not the token's", async () => {
    const { token } = await tokens.issueAccess(subject);
    const blind = makeTokens({
      ...options,
      keyring: () => {
        throw new Error("no keys yet");
      },
    });
    await expect(blind.verifyAccess(token)).rejects.toThrow("no keys yet");
  });
});

describe("a peek into an access token", () => {
  it("finds user and session without verifying anything", async () => {
    const { token } = await tokens.issueAccess(subject);
    const expected = { userId: 42, sessionId: subject.sessionId };
    expect(peekAccess(token)).toEqual(expected);
    expect(peekAccess(`${token.slice(0, -4)}AAAA`)).toEqual(expected);
  });

  it("finds nothing where there is nothing", async () => {
    for (const text of ["", "x", "a.b.c", await forged({ claims: { sid: "x" } })])
      expect(peekAccess(text)).toBeUndefined();
    expect(peekAccess(await forged({ claims: { sub: "9999999999999999" } }))).toBeUndefined();
    expect(peekAccess(`${(await tokens.issueAccess(subject)).token}${"A".repeat(9000)}`)).toBeUndefined();
  });
});
