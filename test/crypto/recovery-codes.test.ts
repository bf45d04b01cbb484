// Recovery codes: how many bits they have, and in how many spellings one is still known.
import { expect, test } from "@jest/globals";
import { codesPerUser, hashRecoveryCode, makeRecoveryCodes } from "../../src/crypto/recovery-codes.ts";

test("ten are made, all different, each with 125 random bits: more than the 112 below which a slow hash is due (ASVS 6.5.2)", () => {
  const codes = makeRecoveryCodes();
  expect(new Set(codes).size).toBe(codesPerUser);
  for (const code of codes) expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{5}-){4}[0-9A-HJKMNP-TV-Z]{5}$/);
  const letters = new Set(Array.from({ length: 40 }, makeRecoveryCodes).flat().join("").replaceAll("-", ""));
  expect(letters.size).toBe(32); // 5 bits a letter
});

test("a code is the same in lower case, without dashes, with blanks, and with letters that look like digits", () => {
  const code = "01ABC-DEFGH-JKMNP-QRSTV-WXYZ0";
  const hash = hashRecoveryCode(code);
  expect(hash).toHaveLength(32);
  for (const typed of [
    code.toLowerCase(),
    code.replaceAll("-", ""),
    ` ${code.replaceAll("-", " ")} `,
    "olabc-defgh-jkmnp-qrstv-wxyzo",
  ])
    expect(hashRecoveryCode(typed)).toEqual(hash);
  expect(hashRecoveryCode("01ABC-DEFGH-JKMNP-QRSTV-WXYZ1")).not.toEqual(hash);
});

test.each([
  "",
  "123456",
  "01ABC-DEFGH-JKMNP-QRSTV-WXYZ",
  "01ABC-DEFGH-JKMNP-QRSTV-WXYZ00",
  "01ABC-DEFGH-JKMNP-QRSTV-WXYZU",
])("%p cannot be one", (typed) => expect(hashRecoveryCode(typed)).toBeUndefined());
