import { inspect } from "node:util";
import {
  CompactEncrypt,
  CompactSign,
  calculateJwkThumbprint,
  compactDecrypt,
  compactVerify,
  importJWK,
  type JWK,
} from "jose";
import { DataKeys, makeDataKey } from "../../src/crypto/envelope.ts";
import { activated, decryptKeyRow, generateKeyRow, type KeyRow, loadKeyring } from "../../src/crypto/keys.ts";
import { systemClock } from "../../src/lib/clock.ts";

const dataKeys = new DataKeys([{ id: 1, purpose: "signing", key: makeDataKey() }]);
const cipher = dataKeys.cipher("signing");
const clock = { ...systemClock, now: () => 1_000 };

function retired(row: KeyRow): KeyRow {
  return { ...row, state: "retired", retiredAt: 2_000 };
}

describe("a fleet key", () => {
  it.each(["ES256", "EdDSA", "RS256"] as const)("for %s signs, and its published half verifies", async (alg) => {
    const row = activated(await generateKeyRow(alg, cipher, clock), clock);
    const keyring = await loadKeyring([row], dataKeys);
    const { kid, key } = keyring.signing();
    const signed = await new CompactSign(Buffer.from("x")).setProtectedHeader({ alg, kid }).sign(key);
    const [published] = keyring.jwks().keys;
    expect(published).toMatchObject({ kid: row.kid, use: "sig", alg });
    expect((await compactVerify(signed, await importJWK(published!))).payload).toEqual(new Uint8Array([0x78]));
    expect(keyring.verification(kid)).toMatchObject({ kid, alg });
  });

  it("for sealing opens what was sealed to its published half", async () => {
    const row = activated(await generateKeyRow("ECDH-ES+A256KW", cipher, clock), clock);
    const keyring = await loadKeyring([row], dataKeys);
    const { alg, use, ...jwk } = keyring.sealing();
    expect({ alg, use, crv: jwk.crv }).toEqual({ alg: "ECDH-ES+A256KW", use: "enc", crv: "P-256" });
    const header = { alg, enc: "A256GCM" };
    const sealed = await new CompactEncrypt(Buffer.from("x"))
      .setProtectedHeader(header)
      .encrypt(await importJWK(jwk, alg));
    expect((await compactDecrypt(sealed, keyring.opening(jwk.kid)!)).plaintext).toEqual(new Uint8Array([0x78]));
  });

  /** RFC 7638. */
  it("is named by the thumbprint of its public half", async () => {
    const row = await generateKeyRow("ES256", cipher, clock);
    expect(row).toMatchObject({ use: "sig", state: "next", createdAt: 1_000, activeAt: null, retiredAt: null });
    expect(await calculateJwkThumbprint(row.publicJwk as JWK)).toBe(row.kid);
  });

  it.each(["ES256", "EdDSA", "RS256", "ECDH-ES+A256KW"] as const)(
    "for %s shows its private half nowhere",
    async (alg) => {
      const row = activated(await generateKeyRow(alg, cipher, clock), clock);
      const { d } = JSON.parse(cipher.decrypt(row.encryptedPrivateKey, row.kid).toString()) as { d: string };
      const opened = await decryptKeyRow(row, dataKeys);
      const shown = [
        row.publicJwk,
        (await loadKeyring([row], dataKeys)).jwks(),
        row.encryptedPrivateKey.toString("latin1"),
        opened,
        inspect(opened, { depth: 9, showHidden: true }),
      ];
      expect(d.length).toBeGreaterThan(40);
      expect(JSON.stringify(shown)).not.toContain(d);
      expect(JSON.stringify(opened.privateKey.export({ format: "jwk" }))).toContain(d); // the control
    },
  );

  it("is published from its encrypted part, not from what the row says", async () => {
    const [row, other] = [await generateKeyRow("ES256", cipher, clock), await generateKeyRow("ES256", cipher, clock)];
    const { publicJwk } = await decryptKeyRow({ ...row, publicJwk: other.publicJwk }, dataKeys);
    expect(publicJwk).toEqual(row.publicJwk);
  });

  it("is not decrypted under another kid or another data key", async () => {
    const [row, other] = [await generateKeyRow("ES256", cipher, clock), await generateKeyRow("ES256", cipher, clock)];
    await expect(decryptKeyRow({ ...row, kid: other.kid }, dataKeys)).rejects.toThrow("cannot be decrypted");
    const strangers = new DataKeys([{ id: 1, purpose: "signing", key: makeDataKey() }]);
    await expect(decryptKeyRow(row, strangers)).rejects.toThrow("cannot be decrypted");
    const swapped = {
      ...row,
      kid: other.kid,
      encryptedPrivateKey: cipher.encrypt(cipher.decrypt(row.encryptedPrivateKey, row.kid), other.kid),
    };
    await expect(decryptKeyRow(swapped, dataKeys)).rejects.toThrow("holds another key");
  });
});

describe("a keyring", () => {
  it("signs with the active key and verifies with every one of them", async () => {
    const [next, active, last] = [
      await generateKeyRow("ES256", cipher, clock),
      activated(await generateKeyRow("EdDSA", cipher, clock), clock),
      retired(await generateKeyRow("RS256", cipher, clock)),
    ];
    const keyring = await loadKeyring([next, active, last], dataKeys);
    expect(keyring.signing().kid).toBe(active.kid);
    for (const { kid } of [next, active, last]) expect(keyring.verification(kid)?.kid).toBe(kid);
    expect(keyring.jwks().keys.map(({ kid }) => kid)).toEqual([active.kid, next.kid, last.kid]);
  });

  it("signs with the one that became active last, while two are", async () => {
    const [early, late] = [await generateKeyRow("ES256", cipher, clock), await generateKeyRow("ES256", cipher, clock)];
    const rows = [activated(late, { ...clock, now: () => 9 }), activated(early, { ...clock, now: () => 5 })];
    expect((await loadKeyring(rows, dataKeys)).signing().kid).toBe(late.kid);
    expect((await loadKeyring(rows.reverse(), dataKeys)).signing().kid).toBe(late.kid);
  });

  it("does not take a key of one use for the other", async () => {
    const [sig, enc] = [
      activated(await generateKeyRow("ES256", cipher, clock), clock),
      activated(await generateKeyRow("ECDH-ES+A256KW", cipher, clock), clock),
    ];
    const keyring = await loadKeyring([sig, enc], dataKeys);
    expect(keyring.verification(enc.kid)).toBeUndefined();
    expect(keyring.opening(sig.kid)).toBeUndefined();
    expect([keyring.verification(sig.kid)?.kid, keyring.sealing().kid]).toEqual([sig.kid, enc.kid]);
  });

  it("says so where no key is active", async () => {
    const keyring = await loadKeyring([await generateKeyRow("ES256", cipher, clock)], dataKeys);
    expect(() => keyring.signing()).toThrow("no sig key is active");
    expect(() => keyring.sealing()).toThrow("no enc key is active");
  });
});
