// Certificates of the fleet's keys, held against jose, which knows nothing of ours: each reads what the other makes,
// and of everything else ours takes nothing.
import { createHmac, generateKeyPairSync, type JsonWebKey } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { CompactSign, calculateJwkThumbprint, compactVerify, importJWK, type JWK } from "jose";
import {
  isVersion,
  keyThumbprint,
  makeCert,
  publicMembers,
  readCert,
  readFleetIds,
} from "../../src/protocol/fleet-cert.ts";

const pair = (namedCurve = "P-256") => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
  return { privateKey, publicJwk: publicMembers(publicKey.export({ format: "jwk" }))! };
};
const root = pair();
const other = pair();
const sealing = pair().publicJwk;
const id = keyThumbprint(root.publicJwk)!;
const ids = new Set([id]);
const now = 1_800_000_000_000;
const key = { jwk: { ...sealing, alg: "ECDH-ES+A256KW" }, use: "enc", version: 3, state: "active" };
const payload = { ...key, iat: now / 1000, exp: now / 1000 + 48 * 3600 };
const cert = makeCert(root, key, now);
const header = { alg: "ES256", typ: "fleet-key+jwt", jwk: root.publicJwk };

const text = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const byJose = (head: object, body: unknown = payload, signer = root): Promise<string> =>
  new CompactSign(Buffer.from(JSON.stringify(body)))
    .setProtectedHeader(head as { alg: string })
    .sign(signer.privateKey);

describe("a certificate", () => {
  test("is a JWS that jose verifies with the key in its header, and says what was certified", async () => {
    const { payload: body, protectedHeader } = await compactVerify(
      cert,
      await importJWK(root.publicJwk as JWK, "ES256"),
    );
    expect(protectedHeader).toEqual(header);
    expect(JSON.parse(Buffer.from(body).toString())).toEqual(payload);
  });

  test("of jose is read, and either root's while the root key turns", async () => {
    expect(readCert(await byJose(header), ids)).toEqual(payload);
    const both = new Set([keyThumbprint(other.publicJwk)!, id]);
    expect(readCert(cert, both)).toEqual(payload);
    expect(readCert(await byJose({ ...header, jwk: other.publicJwk }, payload, other), both)).toEqual(payload);
  });

  test("holds nothing of the root's private part, nor of the key's", () => {
    const { d } = root.privateKey.export({ format: "jwk" });
    const made = makeCert(
      { ...root, publicJwk: { ...root.publicJwk, d: d! } },
      { ...key, jwk: { ...key.jwk, d: "x" } },
      now,
    );
    expect(Buffer.from(made.split(".")[0]!, "base64url").toString()).not.toContain(d);
    expect(readCert(made, ids)?.jwk).toEqual(key.jwk);
  });

  const [head = "", body = "", signature = ""] = cert.split(".");
  const flipped = Buffer.from(signature, "base64url");
  flipped[10]! ^= 1;
  const hmac = (secret: string): string => {
    const input = `${text({ ...header, alg: "HS256" })}.${body}`;
    return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
  };

  test.each<[string, () => string | Promise<string>]>([
    ["by another root", () => byJose({ ...header, jwk: other.publicJwk }, payload, other)],
    ["by another root under ours", () => byJose(header, payload, other)],
    ["without a signature", () => `${head}.${body}.`],
    ["with alg none", () => `${text({ ...header, alg: "none" })}.${body}.`],
    ["with alg none and a signature", () => `${text({ ...header, alg: "none" })}.${body}.${signature}`],
    ["by HMAC with the public key", () => hmac(JSON.stringify(root.publicJwk))],
    ["by HMAC with the thumbprint", () => hmac(id)],
    ["with another typ", () => byJose({ ...header, typ: "at+jwt" })],
    ["without typ", () => byJose({ alg: "ES256", jwk: root.publicJwk })],
    ["with a kid beside the key", () => byJose({ ...header, kid: id })],
    ["without a key", () => byJose({ alg: "ES256", typ: "fleet-key+jwt" })],
    ["with more in the key", () => byJose({ ...header, jwk: { ...root.publicJwk, use: "sig" } })],
    ["with crit", () => `${text({ ...header, crit: ["exp"] })}.${body}.${signature}`],
    ["whose signature is changed", () => `${head}.${body}.${flipped.toString("base64url")}`],
    ["whose signature is cut", () => `${head}.${body}.${signature.slice(0, -4)}`],
    ["whose signature is zeros", () => `${head}.${body}.${Buffer.alloc(64).toString("base64url")}`],
    ["whose payload is changed", () => `${head}.${text({ ...payload, state: "next" })}.${signature}`],
    [
      "whose key is changed",
      () => `${text({ ...header, jwk: { ...root.publicJwk, x: other.publicJwk.x } })}.${body}.${signature}`,
    ],
    ["with a fourth part", () => `${cert}.${signature}`],
    ["with blanks", () => ` ${cert}`],
    ["with a line end", () => `${cert}\n`],
    ["whose payload is a list", () => byJose(header, [payload])],
    ["without a version", () => byJose(header, { ...payload, version: undefined })],
    ["with version 0", () => byJose(header, { ...payload, version: 0 })],
    ["with a version that is a text", () => byJose(header, { ...payload, version: "3" })],
    ["with a version beyond what can be counted", () => byJose(header, { ...payload, version: 2 ** 52 + 2 })],
    ["without exp", () => byJose(header, { ...payload, exp: undefined })],
    ["with an exp that is a text", () => byJose(header, { ...payload, exp: "1" })],
    ["without a key inside", () => byJose(header, { ...payload, jwk: undefined })],
  ])("%s is none", async (_what, make) => {
    expect(readCert(await make(), ids)).toBeUndefined();
    expect(readCert(cert, ids)).toEqual(payload); // the control
  });

  test.each([undefined, null, 7, {}, "", "..", "a.b.c", "x".repeat(100_000)])("%j is none", (value) => {
    expect(readCert(value, ids)).toBeUndefined();
  });
});

test.each<[string, JsonWebKey]>([
  ["EC", pair("P-384").publicJwk],
  ["Ed25519", generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" })],
  ["RSA", generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ format: "jwk" })],
])("a thumbprint of an %s key is RFC 7638's, whatever stands beside the key", async (_kind, jwk) => {
  const more = { ...jwk, use: "sig", alg: "x", kid: "another", state: "active" };
  expect(keyThumbprint(more)).toBe(await calculateJwkThumbprint(jwk as JWK));
  for (const none of [{ kty: "oct", k: "AAAA" }, { kty: "constructor" }, {}])
    expect(keyThumbprint(none)).toBeUndefined();
});

test("a fleet's id is one thumbprint, or two", () => {
  const more = keyThumbprint(other.publicJwk)!;
  expect([readFleetIds([id]), readFleetIds([id, more])]).toEqual([[id], [id, more]]);
  for (const bad of [[], [""], ["x"], [`${id}A`], [id.slice(1)], [`${id.slice(0, -1)}B`], [id, "k1"], [id, more, id]])
    expect(() => readFleetIds(bad)).toThrow(/^must be the thumbprint that `authctl keys root` prints, or two/);
});

test("a version is a whole number that can be counted on", () => {
  expect([1, 7, 2 ** 52].map(isVersion)).toEqual([true, true, true]);
  for (const bad of [0, -1, 1.5, 2 ** 52 + 1, Number.NaN, Number.POSITIVE_INFINITY, "1", null, undefined, 1n])
    expect(isVersion(bad)).toBe(false);
});
