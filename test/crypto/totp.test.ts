// TOTP against the vectors of RFC 6238, its window, and that no code is accepted twice. Base32 against RFC 4648.
import { describe, expect, test } from "@jest/globals";
import { base32, judgeTotp, makeTotpSecret, totpCode, totpStep, totpUri } from "../../src/crypto/totp.ts";
import { fromBase32 } from "../support/factors.ts";

const rfcSecret = Buffer.from("12345678901234567890");

// Appendix B, SHA-1. It has eight digits; six are the last six of them (RFC 4226, section 5.3).
test.each([
  [59, "94287082"],
  [1111111109, "07081804"],
  [1111111111, "14050471"],
  [1234567890, "89005924"],
  [2000000000, "69279037"],
  [20000000000, "65353130"],
])("at %i s the code is that of RFC 6238", (seconds, code) => {
  expect(totpCode(rfcSecret, totpStep(seconds * 1000))).toBe(code.slice(-6));
});

describe("a code", () => {
  const secret = makeTotpSecret();
  const now = 1_700_000_010_000;
  const step = totpStep(now);
  const judge = (code: string, lastStep = 0) => judgeTotp(secret, code, { now, lastStep });

  test("counts for its own step, the one before and the one after", () => {
    expect([-2, -1, 0, 1, 2].map((offset) => judge(totpCode(secret, step + offset)))).toEqual([
      "wrong",
      { step: step - 1 },
      { step },
      { step: step + 1 },
      "wrong",
    ]);
  });
  test("is good for 90 s, to the millisecond: in its own 30 s, in those before and in those after; once", () => {
    const begins = step * 30_000;
    const code = totpCode(secret, step);
    const outcomes = [-30_001, -30_000, 0, 29_999, 59_999, 60_000].map((ms) =>
      judgeTotp(secret, code, { now: begins + ms, lastStep: 0 }),
    );
    expect(outcomes).toEqual(["wrong", { step }, { step }, { step }, { step }, "wrong"]);
    expect(judgeTotp(secret, code, { now: begins + 59_999, lastStep: step })).toBe("replayed");
  });
  test("is not accepted again, nor one that is older", () => {
    expect(judge(totpCode(secret, step), step)).toBe("replayed");
    expect(judge(totpCode(secret, step - 1), step)).toBe("replayed");
    expect(judge(totpCode(secret, step + 1), step)).toEqual({ step: step + 1 });
  });
  test("may be typed with a blank in the middle", () => {
    const code = totpCode(secret, step);
    expect(judge(`${code.slice(0, 3)} ${code.slice(3)}`)).toEqual({ step });
  });
  test.each(["", "12345", "1234567", "none  ", "٣٤٥٦٧٨", "12345a", "-12345"])("%p is wrong", (code) => {
    expect(judge(code)).toBe("wrong");
  });
  test("of another secret is wrong", () => {
    const other = makeTotpSecret();
    const codes = [step - 1, step, step + 1].map((each) => totpCode(secret, each));
    const strange = [step - 1, step, step + 1]
      .map((each) => totpCode(other, each))
      .filter((each) => !codes.includes(each));
    expect(strange.map((each) => judge(each))).toEqual(strange.map(() => "wrong"));
  });
});

test.each([
  ["f", "MY"],
  ["fo", "MZXQ"],
  ["foo", "MZXW6"],
  ["foob", "MZXW6YQ"],
  ["fooba", "MZXW6YTB"],
  ["foobar", "MZXW6YTBOI"],
])("base32 of %s is that of RFC 4648 without padding", (plain, encoded) => {
  expect(base32(Buffer.from(plain))).toBe(encoded);
});

test("the URI has everything an app needs, also with letters that are special in a URI", () => {
  const secret = makeTotpSecret();
  const uri = new URL(totpUri(secret, { issuer: "A & B", login: "ada?/:#" }));
  expect([uri.protocol, uri.host]).toEqual(["otpauth:", "totp"]);
  expect(decodeURIComponent(uri.pathname)).toBe("/A & B:ada?/:#");
  const { secret: shown, ...rest } = Object.fromEntries(uri.searchParams);
  expect(rest).toEqual({ issuer: "A & B", algorithm: "SHA1", digits: "6", period: "30" });
  expect(fromBase32(shown!)).toEqual(secret);
});
