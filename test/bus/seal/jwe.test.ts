import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import fc from "fast-check";
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader, type JWK } from "jose";
import { alg, enc, openPlain, readPlain, sealCompact } from "../../../src/bus/seal/jwe.ts";

const pair = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
const own = pair();
const other = pair();
const header = { kid: "fleet-1", top: "auth.session.login", exp: 1_790_000_000 };

/** By its plain form alone, never by jose. */
function opened(text: string, key: KeyObject = own.privateKey): string | undefined {
  const plain = readPlain(text);
  return plain && openPlain(plain, key)?.toString("utf8");
}

const byJose = async (text: string, key: KeyObject = own.privateKey): Promise<string> =>
  new TextDecoder().decode((await compactDecrypt(text, key, { maxDecompressedLength: 0 })).plaintext);

const joseSeal = (text: string, head: object, key: KeyObject = own.publicKey): Promise<string> =>
  new CompactEncrypt(Buffer.from(text)).setProtectedHeader({ alg, enc, ...head }).encrypt(key);

const texts = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.json());

describe("a seal made here", () => {
  it("is opened by jose and here, whatever it holds", async () => {
    await fc.assert(
      fc.asyncProperty(texts, fc.dictionary(fc.constantFrom("top", "rkt", "jti"), fc.string()), async (text, more) => {
        const well = text.toWellFormed();
        const sealed = sealCompact(Buffer.from(well), { recipient: own.publicKey, header: { ...header, ...more } });
        expect(await byJose(sealed)).toBe(well);
        expect(opened(sealed)).toBe(well);
        expect(decodeProtectedHeader(sealed)).toMatchObject({ ...header, ...more, alg, enc });
      }),
    );
  });

  it("opens for nobody else, also where its sender is known here under the same kid", async () => {
    const sealed = sealCompact(Buffer.from("x"), { recipient: own.publicKey, header });
    expect(opened(sealed)).toBe("x");
    expect(opened(sealed, other.privateKey)).toBeUndefined();
    await expect(byJose(sealed, other.privateKey)).rejects.toThrow();
    expect(opened(sealed)).toBe("x");
  });
});

describe("a seal made by jose", () => {
  it("is opened here, whatever it holds", async () => {
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        const well = text.toWellFormed();
        const sealed = await joseSeal(well, header);
        expect(opened(sealed)).toBe(well);
        expect(opened(sealed)).toBe(well); // by the key that is remembered
      }),
    );
  });

  it("with a header other than the plain one is left to jose", async () => {
    for (const more of [{ cty: "json" }, { apu: "YQ", apv: "Yg" }, { typ: "JOSE" }, { kid: undefined }]) {
      expect(readPlain(await joseSeal("x", { ...header, ...more }))).toBeUndefined();
    }
    expect(readPlain(await joseSeal("x", header))).toBeDefined(); // the control
  });
});

/** What opens here must open with jose, to the same bytes: this path may refuse more, never less. */
describe("a seal that was tampered with", () => {
  const sealed = sealCompact(Buffer.from('{"password":"x"}'), { recipient: own.publicKey, header });
  const parts = sealed.split(".");
  const head = decodeProtectedHeader(sealed) as { epk: JWK };
  const anew = (change: object): string =>
    [Buffer.from(JSON.stringify({ ...head, ...change })).toString("base64url"), ...parts.slice(1)].join(".");

  it("opens neither here nor with jose, or with both alike", async () => {
    const replaced = fc
      .tuple(fc.nat(sealed.length - 1), fc.string({ maxLength: 2 }))
      .map(([at, text]) => sealed.slice(0, at) + text + sealed.slice(at + 1));
    const character = fc
      .tuple(fc.nat(sealed.length - 1), fc.constantFrom(..."ABCDEFwxyz0129-_"))
      .map(([at, text]) => sealed.slice(0, at) + text + sealed.slice(at + 1));
    const swapped = fc.shuffledSubarray(parts, { minLength: 3 }).map((some) => some.join("."));
    const members = fc.constantFrom("alg", "enc", "kid", "epk", "apu", "apv", "crit", "zip", "exp");
    const odd = fc.dictionary(members, fc.jsonValue(), { minKeys: 1 }).map(anew);
    let both = 0;
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.constant(sealed), replaced, character, swapped, odd), async (text) => {
        const here = opened(text);
        if (here === undefined) return;
        both += 1;
        expect(await byJose(text)).toBe(here);
      }),
      { numRuns: 1000 },
    );
    expect(both).toBeGreaterThan(0); // the control
  });

  it("is not opened where its ephemeral key is no point of the curve, has a private part or another spelling", () => {
    const { x, y } = head.epk;
    for (const epk of [
      { ...head.epk, x: y, y: x },
      { ...head.epk, x: "A".repeat(43), y: "A".repeat(43) },
      { ...head.epk, d: x },
      { ...head.epk, y: `${y}=` },
      { kty: "EC", crv: "P-256", x },
      null,
      [],
      "epk",
    ]) {
      expect(opened(anew({ epk }))).toBeUndefined();
    }
    expect(opened(anew({}))).toBe('{"password":"x"}'); // the control
  });

  it("is not opened where a text has a length that base64url does not have", () => {
    const [first, wrapped, nonce, text, tag] = parts;
    expect(
      readPlain([first, wrapped, nonce, `${text}${"A".repeat((5 - (text!.length % 4)) % 4)}`, tag].join(".")),
    ).toBe(undefined);
    expect(readPlain([first, wrapped, nonce, text, `${tag}A`].join("."))).toBeUndefined();
    expect(readPlain([first, `${wrapped}A`, nonce, text, tag].join("."))).toBeUndefined();
  });
});

/** docs/protocol.md, Seals: a sender may keep its ephemeral key for one recipient up to an hour. */
describe("the ephemeral key of a sender", () => {
  const time = { ms: 0 };
  const clock = { now: () => time.ms, monotonic: () => time.ms };
  const epk = (sealed: string) => decodeProtectedHeader(sealed)["epk"];

  it("is kept for one recipient up to an hour, and is another for another", () => {
    const recipient = createPublicKey(createPrivateKey(own.privateKey.export({ format: "pem", type: "pkcs8" })));
    const seal = (key: KeyObject = recipient) => sealCompact(Buffer.from("x"), { recipient: key, header }, clock);
    const first = seal();
    time.ms = 3_599_999;
    expect(epk(seal())).toEqual(epk(first));
    expect(epk(seal(other.publicKey))).not.toEqual(epk(first));
    time.ms = 3_600_000;
    const later = seal();
    expect(epk(later)).not.toEqual(epk(first));
    expect(opened(first)).toBe("x");
    expect(opened(later)).toBe("x");
  });

  it("never makes a content key or a nonce the same twice", () => {
    const seals = Array.from({ length: 200 }, () =>
      sealCompact(Buffer.from("sixteen or more"), { recipient: own.publicKey, header }),
    );
    for (const part of [1, 2, 3, 4]) expect(new Set(seals.map((sealed) => sealed.split(".")[part])).size).toBe(200);
  });
});
