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
import { xaesOpen, xaesSeal } from "../../src/crypto/xaes.ts";

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

  it("does not open under another key of the same name, for another purpose, or damaged", () => {
    const wrapped = wrapDataKey([old], makeDataKey(), "inbox");
    const message = "the key 2025.a does not open the data key for";
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
    const sealed = xaesSeal(key, { plaintext, aad }, nonce);
    expect(sealed.toString("hex")).toBe(nonce.toString("hex") + expected);
    expect(xaesOpen(key, { sealed, aad })).toEqual(plaintext);
  });
});

describe("a box", () => {
  const keys = new DataKeys([
    { id: 1, purpose: "inbox", key: makeDataKey() },
    { id: 2, purpose: "inbox", key: makeDataKey() },
    { id: 3, purpose: "outbox", key: makeDataKey() },
  ]);
  const box = keys.box("inbox");

  it("opens to what was sealed, for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.string(), (bytes, aad) => {
        expect(box.open(box.seal(Buffer.from(bytes), aad), Buffer.from(aad))).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it("does not open with one bit changed, anywhere", () => {
    const sealed = box.seal(Buffer.from("secret"), "row 1");
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed[at]! ^= 1;
      expect(() => box.open(changed, "row 1")).toThrow();
    }
    expect(box.open(sealed, "row 1").toString()).toBe("secret");
  });

  it("does not open for another row or another purpose, nor cut short", () => {
    const sealed = box.seal(Buffer.from("secret"), "row 1");
    expect(() => box.open(sealed, "row 2")).toThrow("does not open");
    expect(() => keys.box("outbox").open(sealed, "row 1")).toThrow("for inbox, not for outbox");
    expect(() => box.open(sealed.subarray(0, 20), "row 1")).toThrow("not a sealed box");
    expect(() => box.open(sealed.subarray(0, -1), "row 1")).toThrow("does not open");
  });

  it("is sealed with the newest key and opened with the one it names", () => {
    const before = new DataKeys([keys.get("inbox", 1)]);
    const sealed = before.box("inbox").seal(Buffer.from("x"), "");
    expect(keys.current("inbox").id).toBe(2);
    expect(keys.all("inbox").map(({ id }) => id)).toEqual([2, 1]);
    expect(box.open(sealed, "").toString()).toBe("x");
  });

  it("is not sealed with a key that others may not have yet, unless there is no other", () => {
    const [first, second] = [keys.get("inbox", 1), { ...keys.get("inbox", 2), pending: true }];
    expect(new DataKeys([first, second]).current("inbox").id).toBe(1);
    expect(new DataKeys([first, { ...second, pending: false }]).current("inbox").id).toBe(2);
    expect(new DataKeys([second, { ...first, pending: true }]).current("inbox").id).toBe(1);
    const sealed = new DataKeys([second]).box("inbox").seal(Buffer.from("x"), "");
    expect(new DataKeys([first, second]).box("inbox").open(sealed, "").toString()).toBe("x");
  });

  it("says which data key is not loaded, so that it can be", () => {
    const sealed = box.seal(Buffer.from("x"), "");
    const before = new DataKeys([keys.get("inbox", 1)]).box("inbox");
    expect(() => before.open(sealed, "")).toThrow(UnknownDataKey);
    expect(() => before.open(sealed, "")).toThrow("data key 2 is not loaded");
  });

  it("is never the same twice", () => {
    const sealed = new Set(Array.from({ length: 100 }, () => box.seal(Buffer.from("x"), "").toString("hex")));
    expect(sealed.size).toBe(100);
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
