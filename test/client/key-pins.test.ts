// Pins: what a thumbprint is, what may be pinned, and that a key under a pinned name must be that key.
import { describe, expect, test } from "@jest/globals";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from "jose";
import { isPinned, keyThumbprint, readPins } from "../../src/client/key-pins.ts";
import { type SealingJwk, sealingKeys } from "../../src/client/sealing-key.ts";
import { makeLogger } from "../../src/log.ts";
import { refused } from "../support/people.ts";

const quiet = makeLogger("silent", {});

async function publicKey(alg: string): Promise<JWK & { kid: string }> {
  const jwk = await exportJWK((await generateKeyPair(alg, { extractable: true })).publicKey);
  return { ...jwk, kid: await calculateJwkThumbprint(jwk) };
}

describe("a thumbprint", () => {
  test.each(["ES256", "EdDSA", "RS256", "ECDH-ES+A256KW"])("of a key for %s is RFC 7638's", async (alg) => {
    const { kid, ...jwk } = await publicKey(alg);
    expect(keyThumbprint({ ...jwk, use: "sig", alg, kid: "another" })).toBe(kid);
  });

  test("is not made of a key that we do not know", () => {
    expect(keyThumbprint({ kty: "oct", k: "AAAA" })).toBeUndefined();
    expect(keyThumbprint({ kty: "constructor" })).toBeUndefined();
  });
});

describe("a pin", () => {
  test("is a thumbprint", async () => {
    const { kid } = await publicKey("ES256");
    expect([...readPins([kid])]).toEqual([kid]);
    for (const bad of [[], [""], ["x"], [`${kid}A`], [kid.slice(1)], [`${kid.slice(0, -1)}B`], [kid, "k1"]])
      expect(() => readPins(bad)).toThrow(/^must be thumbprints of keys as `authctl keys list` shows them/);
  });

  test("fits one key under its own name alone", async () => {
    const [ours, theirs] = [await publicKey("ES256"), await publicKey("ES256")];
    const pins = readPins([ours.kid]);
    expect(isPinned(ours, pins)).toBe(true);
    expect(isPinned(theirs, pins)).toBe(false);
    expect(isPinned({ ...theirs, kid: ours.kid }, pins)).toBe(false);
    expect(isPinned({ ...ours, kid: theirs.kid }, pins)).toBe(false);
    expect(isPinned(theirs, undefined)).toBe(true); // the control
  });
});

describe("the key to seal to", () => {
  const listing = (...keys: JWK[]) => {
    const asked = { times: 0 };
    const list = async () => {
      asked.times += 1;
      return { jwks: JSON.stringify({ keys: keys.map((key) => ({ ...key, use: "enc" })) }) };
    };
    return { asked, list };
  };
  const chosen = async (pins: string[] | undefined, ...keys: JWK[]): Promise<SealingJwk> =>
    sealingKeys({ pins: pins && readPins(pins), log: quiet, list: listing(...keys).list }).get();

  test("is the first that is pinned, and the first of all where none is", async () => {
    const [first, second] = [await publicKey("ECDH-ES+A256KW"), await publicKey("ECDH-ES+A256KW")];
    expect((await chosen(undefined, first, second)).kid).toBe(first.kid);
    expect((await chosen([second.kid, first.kid], first, second)).kid).toBe(first.kid);
    expect((await chosen([second.kid], first, second)).kid).toBe(second.kid);
  });

  test("is none where an attacker answers with a key of his own, also under a pinned name", async () => {
    const [ours, theirs] = [await publicKey("ECDH-ES+A256KW"), await publicKey("ECDH-ES+A256KW")];
    for (const listed of [theirs, { ...theirs, kid: ours.kid }]) {
      const { code, details, message } = await refused(chosen([ours.kid], listed));
      expect([code, details["reason"]]).toEqual(["UNAVAILABLE", "unpinned-key"]);
      expect(message).toMatch(/is not pinned.*authctl keys list.*AUTH_KEY_PINS/);
    }
  });

  test("is asked for once, however many calls were told that the fleet does not know it", async () => {
    const { asked, list } = listing(await publicKey("ECDH-ES+A256KW"));
    const keys = sealingKeys({ pins: undefined, log: quiet, list });
    const used = await Promise.all(Array.from({ length: 50 }, () => keys.get()));
    expect(asked.times).toBe(1);
    const again = await Promise.all(
      used.map(async (key, at) => {
        for (let n = 0; n < at; n += 1) await Promise.resolve(); // each hears it at another moment
        keys.forget(key);
        return keys.get();
      }),
    );
    expect(asked.times).toBe(2);
    expect(new Set(again).size).toBe(1);
  });
});
