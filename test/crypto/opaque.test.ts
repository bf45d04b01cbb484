import fc from "fast-check";
import { isUuid, uuidv7 } from "../../src/crypto/ids.ts";
import {
  ancestorDistance,
  formatOpaque,
  hashSecret,
  isSecretOf,
  newOpaque,
  parseOpaque,
  successor,
} from "../../src/crypto/opaque.ts";
import { systemClock } from "../../src/lib/clock.ts";

const id = "0199f3a0-1111-7222-8333-444455556666";

describe("an id", () => {
  /**
   * RFC 9562, 5.7: 48 bits of Unix milliseconds, version 7, variant 10. The time is that of the RFC's example (appendix
   * A.6).
   */
  it("is a UUID of version 7 that begins with the time", () => {
    const made = uuidv7({ ...systemClock, now: () => 0x017f22e279b0 });
    expect(made).toMatch(/^017f22e2-79b0-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(isUuid(made)).toBe(true);
  });

  it("sorts after those of earlier milliseconds and is never given twice", () => {
    const made = Array.from({ length: 1000 }, (_, now) => uuidv7({ ...systemClock, now: () => now * 1e9 }));
    expect([...made].sort()).toEqual(made);
    expect(new Set(Array.from({ length: 1000 }, () => uuidv7({ ...systemClock, now: () => 1 }))).size).toBe(1000);
  });

  it("is written in one way only", () => {
    for (const text of [id.toUpperCase(), `{${id}}`, id.replaceAll("-", ""), `${id}\n`, ""])
      expect(isUuid(text)).toBe(false);
  });
});

describe("an opaque token", () => {
  it("carries its row's id and 32 random bytes", () => {
    const { token, secret } = newOpaque(id);
    expect(token).toMatch(/^[0-9a-f-]{36}\.[A-Za-z0-9_-]{43}$/);
    expect(parseOpaque(token)).toEqual({ id, secret });
    expect(newOpaque(id).token).not.toBe(token);
  });

  it("is read in one spelling only", () => {
    const { token } = newOpaque(id);
    const lastAt = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".indexOf(token.at(-1)!);
    const respelled = token.slice(0, -1) + "BCDFGHJKLNOPRSTVWXZabdefhijlmnpqrtuvxyz12345679-_".at(lastAt % 4);
    const others = [
      respelled,
      `${token}=`,
      ` ${token}`,
      token.toUpperCase(),
      token.replace(".", ":"),
      token.slice(0, -1),
      "",
    ];
    for (const text of others) expect(parseOpaque(text)).toBeUndefined();
  });

  it("is refused without a fault whatever the text", () => {
    fc.assert(fc.property(fc.string(), (text) => expect(parseOpaque(text)).toBeUndefined()));
    const like = fc.tuple(fc.uuid(), fc.string({ minLength: 43, maxLength: 43 })).map((parts) => parts.join("."));
    fc.assert(
      fc.property(like, (text) => {
        const parsed = parseOpaque(text);
        if (parsed !== undefined) expect(formatOpaque(parsed)).toBe(text);
      }),
    );
  });

  it("is known by its hash, which is not the secret", () => {
    const { secret } = newOpaque(id);
    const hash = hashSecret(secret);
    expect(isSecretOf(hash, secret)).toBe(true);
    expect(isSecretOf(hash, hash)).toBe(false);
    expect(isSecretOf(Buffer.alloc(0), secret)).toBe(false);
  });
});

describe("a chain of refresh tokens", () => {
  const refreshKey = Buffer.alloc(32, 7);
  const [root, stranger] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const chain: Buffer[] = [root];
  for (let step = 0; step < 10; step++) chain.push(successor(refreshKey, chain.at(-1)!));

  /** RFC 4231, test case 2 has a short key; successor takes any. */
  it("is HMAC-SHA256", () => {
    const expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    expect(successor(Buffer.from("Jefe"), Buffer.from("what do ya want for nothing?")).toString("hex")).toBe(expected);
  });

  it("gives the same successor again, and another one under another key", () => {
    expect(successor(refreshKey, root)).toEqual(chain[1]);
    expect(successor(Buffer.alloc(32, 8), root)).not.toEqual(chain[1]);
  });

  it("tells how old a token is", () => {
    const currentHash = hashSecret(chain[10]!);
    chain.forEach((presented, at) => {
      expect(ancestorDistance(presented, currentHash, { refreshKey, max: 10 })).toBe(10 - at);
    });
  });

  it("tells an old token from one that was never issued", () => {
    const currentHash = hashSecret(chain[5]!);
    expect(ancestorDistance(stranger, currentHash, { refreshKey, max: 1000 })).toBeUndefined();
    expect(ancestorDistance(chain[6]!, currentHash, { refreshKey, max: 1000 })).toBeUndefined(); // not issued yet
    expect(ancestorDistance(root, currentHash, { refreshKey: Buffer.alloc(32, 8), max: 1000 })).toBeUndefined();
    expect(ancestorDistance(root, currentHash, { refreshKey, max: 5 })).toBe(5); // the control
  });

  it("is walked no further than asked", () => {
    const currentHash = hashSecret(chain[5]!);
    expect(ancestorDistance(root, currentHash, { refreshKey, max: 4 })).toBeUndefined();
    expect(ancestorDistance(root, currentHash, { refreshKey, max: 0 })).toBeUndefined();
  });
});
