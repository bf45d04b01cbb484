import fc from "fast-check";
import {
  DataKeys,
  loadDataKeys,
  makeDataKey,
  masterKid,
  UnknownDataKey,
  unwrapDataKey,
  wrapDataKey,
} from "../../src/crypto/envelope.ts";
import { xaesDecrypt, xaesEncrypt } from "../../src/crypto/xaes.ts";

const old = { kid: "2025.a", key: Buffer.alloc(32, 1) };
const young = { kid: "2026-b_1", key: Buffer.alloc(32, 2) };

describe("a data key", () => {
  it("is wrapped by the first master key and unwrapped by any", () => {
    const key = makeDataKey();
    const wrapped = wrapDataKey([old], key, "inbox");
    expect(masterKid(wrapped)).toBe("2025.a");
    expect(unwrapDataKey([young, old], wrapped, "inbox")).toEqual(key);
    expect(masterKid(wrapDataKey([young, old], key, "inbox"))).toBe("2026-b_1");
  });

  it("names the master key that is missing", () => {
    const wrapped = wrapDataKey([old], makeDataKey(), "inbox");
    expect(() => unwrapDataKey([young], wrapped, "inbox")).toThrow("AUTH_MASTER_KEY lacks the key 2025.a");
  });

  it("is not unwrapped under another key of the same name, for another purpose, or damaged", () => {
    const wrapped = wrapDataKey([old], makeDataKey(), "inbox");
    const message = "the key 2025.a does not unwrap the data key for";
    expect(() => unwrapDataKey([{ ...young, kid: old.kid }], wrapped, "inbox")).toThrow(message);
    expect(() => unwrapDataKey([old], wrapped, "outbox")).toThrow(message);
    const flipped = wrapped.slice(0, -3) + (wrapped.at(-3) === "A" ? "B" : "A") + wrapped.slice(-2);
    expect(() => unwrapDataKey([old], flipped, "inbox")).toThrow(message);
    expect(() => unwrapDataKey([old], wrapped.slice(0, -8), "inbox")).toThrow("damaged");
    expect(() => unwrapDataKey([old], "nonsense", "inbox")).toThrow("not a wrapped data key");
  });

  it("never appears in an error", () => {
    const key = makeDataKey();
    const wrapped = wrapDataKey([old], key, "inbox");
    const attempts = [() => unwrapDataKey([young], wrapped, "inbox"), () => unwrapDataKey([old], wrapped, "x")];
    for (const attempt of attempts) expect(attempt).toThrow(expect.not.stringContaining(key.toString("base64url")));
  });
});

/** c2sp.org/XAES-256-GCM, test vectors: the two branches of the CMAC subkey. */
describe("XAES-256-GCM", () => {
  const nonce = Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWX");
  const plaintext = Buffer.from("XAES-256-GCM");

  it.each([
    [1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"],
    [3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"],
  ])("gives the published ciphertext for key %d", (fill, text, expected) => {
    const [key, aad] = [Buffer.alloc(32, fill), Buffer.from(text)];
    const encrypted = xaesEncrypt(key, { plaintext, aad }, nonce);
    expect(encrypted.toString("hex")).toBe(nonce.toString("hex") + expected);
    expect(xaesDecrypt(key, { encrypted, aad })).toEqual(plaintext);
  });
});

describe("an encrypted value", () => {
  const keys = new DataKeys([
    { id: 1, purpose: "inbox", key: makeDataKey() },
    { id: 2, purpose: "inbox", key: makeDataKey() },
    { id: 3, purpose: "outbox", key: makeDataKey() },
  ]);
  const cipher = keys.cipher("inbox");

  it("decrypts to what was encrypted, for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.string(), (bytes, aad) => {
        expect(cipher.decrypt(cipher.encrypt(Buffer.from(bytes), aad), Buffer.from(aad))).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it("is not decrypted with one bit changed, anywhere", () => {
    const encrypted = cipher.encrypt(Buffer.from("secret"), "row 1");
    for (let at = 0; at < encrypted.length; at++) {
      const changed = Buffer.from(encrypted);
      changed[at]! ^= 1;
      expect(() => cipher.decrypt(changed, "row 1")).toThrow();
    }
    expect(cipher.decrypt(encrypted, "row 1").toString()).toBe("secret");
  });

  it("is not decrypted for another row or another purpose, nor cut short", () => {
    const encrypted = cipher.encrypt(Buffer.from("secret"), "row 1");
    expect(() => cipher.decrypt(encrypted, "row 2")).toThrow("cannot be decrypted");
    expect(() => keys.cipher("outbox").decrypt(encrypted, "row 1")).toThrow("for inbox, not for outbox");
    expect(() => cipher.decrypt(encrypted.subarray(0, 20), "row 1")).toThrow("not an encrypted value");
    expect(() => cipher.decrypt(encrypted.subarray(0, -1), "row 1")).toThrow("cannot be decrypted");
  });

  it("is encrypted with the newest key and decrypted with the one it names", () => {
    const before = new DataKeys([keys.get("inbox", 1)]);
    const encrypted = before.cipher("inbox").encrypt(Buffer.from("x"), "");
    expect(keys.current("inbox").id).toBe(2);
    expect(keys.all("inbox").map(({ id }) => id)).toEqual([2, 1]);
    expect(cipher.decrypt(encrypted, "").toString()).toBe("x");
  });

  it("is not encrypted with a key that others may not have yet, unless there is no other", () => {
    const [first, second] = [keys.get("inbox", 1), { ...keys.get("inbox", 2), pending: true }];
    expect(new DataKeys([first, second]).current("inbox").id).toBe(1);
    expect(new DataKeys([first, { ...second, pending: false }]).current("inbox").id).toBe(2);
    expect(new DataKeys([second, { ...first, pending: true }]).current("inbox").id).toBe(1);
    const encrypted = new DataKeys([second]).cipher("inbox").encrypt(Buffer.from("x"), "");
    expect(new DataKeys([first, second]).cipher("inbox").decrypt(encrypted, "").toString()).toBe("x");
  });

  it("says which data key is not loaded, so that it can be", () => {
    const encrypted = cipher.encrypt(Buffer.from("x"), "");
    const before = new DataKeys([keys.get("inbox", 1)]).cipher("inbox");
    expect(() => before.decrypt(encrypted, "")).toThrow(UnknownDataKey);
    expect(() => before.decrypt(encrypted, "")).toThrow("data key 2 is not loaded");
  });

  it("is never the same twice", () => {
    const encrypted = new Set(Array.from({ length: 100 }, () => cipher.encrypt(Buffer.from("x"), "").toString("hex")));
    expect(encrypted.size).toBe(100);
  });
});

describe("the data keys of a process", () => {
  it("are loaded from their rows", () => {
    const key = makeDataKey();
    const keys = loadDataKeys(
      [young, old],
      [{ id: 7, purpose: "refresh", wrapped: wrapDataKey([old], key, "refresh") }],
    );
    expect(keys.current("refresh")).toEqual({ id: 7, purpose: "refresh", key });
    expect(() => keys.get("inbox", 8)).toThrow(UnknownDataKey);
    expect(() => keys.current("inbox")).toThrow("no data key for inbox");
  });

  it("do not load where one row was moved to another purpose", () => {
    const wrapped = wrapDataKey([old], makeDataKey(), "inbox");
    expect(() => loadDataKeys([old], [{ id: 1, purpose: "signing", wrapped }])).toThrow("for signing");
  });
});
