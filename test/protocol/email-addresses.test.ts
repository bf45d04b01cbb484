// Which e-mail addresses are taken, and the one form in which each is stored.
import { describe, expect, test } from "@jest/globals";
import { addressKey, storedAddress } from "../../src/protocol/email-addresses.ts";

const domain = `${"b".repeat(60)}.${"c".repeat(60)}.${"d".repeat(60)}.com`;

/** A label of few characters, and of some 50 in punycode. */
const farApart = (seed: number): string =>
  String.fromCodePoint(...Array.from({ length: 14 }, (_, at) => 0x4e00 + ((at * 1471 + seed * 97) % 20_000)));

test.each([
  ["Ada.Lovelace+news@Example.COM", "Ada.Lovelace+news@example.com"],
  ["o'brien@example.com", "o'brien@example.com"],
  ["ada@bücher.example", "ada@xn--bcher-kva.example"],
  ["ada@XN--BCHER-KVA.example", "ada@xn--bcher-kva.example"],
  ["ada@bu\u0308cher.example", "ada@xn--bcher-kva.example"],
  ["ada@faß.example", "ada@xn--fa-hia.example"],
  ["用户@例え。jp", "用户@xn--r8jz45g.jp"],
  ["ａｄａ@ｅxample.com", "ａｄａ@example.com"],
  [`${"a".repeat(64)}@${domain}`.slice(0, 300), `${"a".repeat(64)}@${domain}`],
])("%s is stored as %s, and that as itself", (text, stored) => {
  expect(storedAddress(text)).toBe(stored);
  expect(storedAddress(stored)).toBe(stored);
});

describe("is refused:", () => {
  test.each([
    ["a line end in quotes", '"a\r\nb"@example.com'],
    ["quotes", '"ada"@example.com'],
    ["a space", "ada lovelace@example.com"],
    ["a line end behind", "ada@example.com\n"],
    ["a header behind", "ada@example.com\r\nBcc: eve@example.com"],
    ["a control", "a\u0007da@example.com"],
    ["a zero width space", "ada\u200b@example.com"],
    ["a zero width space in the domain", "ada@exam\u200bple.com"],
    ["a soft hyphen in the domain", "ada@exam\u00adple.com"],
    ["a filler", "ada\u3164@example.com"],
    ["a half-width filler", "ada\uffa0@example.com"],
    ["what turns the direction", "ada\u202e@example.com"],
    ["a full-width @ in the local part", "ada＠evil@example.com"],
    ["a full-width quote in the local part", "＂ada＂@example.com"],
    ["two addresses", "ada@example.com,eve@example.com"],
    ["two addresses with a semicolon", "ada@example.com;eve@example.com"],
    ["a name before it", "Ada <ada@example.com>"],
    ["a comment", "ada(c)@example.com"],
    ["nothing before the @", "@example.com"],
    ["nothing behind the @", "ada@"],
    ["no @", "ada.example.com"],
    ["a dot first", ".ada@example.com"],
    ["two dots", "a..da@example.com"],
    ["a mark first", "\u0301ada@example.com"],
    ["an emoji", "😀@example.com"],
    ["a domain of one label", "ada@localhost"],
    ["a domain with a dot behind", "ada@example.com."],
    ["an address of a host", "ada@1.2.3.4"],
    ["an address of a host in hexadecimal", "ada@0x7f.1"],
    ["an address of a host in brackets", "ada@[1.2.3.4]"],
    ["a percent sign in the domain", "ada@ex%61mple.com"],
    ["a port", "ada@example.com:25"],
    ["a path", "ada@example.com/x"],
    ["an underscore in the domain", "ada@ex_ample.com"],
    ["a hyphen first in the domain", "ada@-example.com"],
    ["a symbol in the domain", "ada@☃.net"],
    ["the same in ASCII", "ada@xn--n3h.net"],
    ["a domain that only looks like punycode", "ada@xn--a.com"],
    ["a local part over 64 bytes", `${"a".repeat(65)}@example.com`],
    ["a local part over 64 bytes in UTF-8", `${"я".repeat(33)}@example.com`],
    ["255 bytes", `${"a".repeat(64)}@${"b".repeat(60)}.${"c".repeat(60)}.${"d".repeat(60)}.museums`],
    ["255 bytes in its stored form, fewer as it was typed", `ada@${[1, 2, 3, 4, 5, 6].map(farApart).join(".")}.com`],
    ["a megabyte", `${"a".repeat(1_000_000)}@example.com`],
  ])("%s", (_what, text) => {
    expect(storedAddress(text)).toBeUndefined();
  });
});

test("two spellings of one address have one key, and a text that is none the key it has elsewhere", () => {
  const spellings = [
    "Ada@bücher.example",
    "ADA@xn--bcher-kva.EXAMPLE",
    "ａda@Bücher.example",
    "ada@bu\u0308cher。example",
  ];
  expect(new Set(spellings.map(addressKey))).toEqual(new Set(["ada@xn--bcher-kva.example"]));
  expect(addressKey("Ada@Bü")).toBe("ada@bü");
});

test("every invisible character is refused, in the local part and in the domain", () => {
  const taken: string[] = [];
  for (let code = 0; code < 0x110000; code += 1) {
    const each = String.fromCodePoint(code);
    if (!/[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Z}]/u.test(each)) continue;
    if (storedAddress(`a${each}a@example.com`) ?? storedAddress(`ada@ex${each}ample.com`))
      taken.push(code.toString(16));
  }
  expect(taken).toEqual([]);
});

test("what is as hard to judge as can be takes no milliseconds", () => {
  const hard = [
    "\ufdfa".repeat(341),
    `a@${"a.".repeat(510)}`,
    `${"a.".repeat(500)}!@example.com`,
    `a${"\u0301\u0323".repeat(250)}@example.com`,
  ];
  const began = performance.now();
  for (let times = 0; times < 25; times += 1) hard.forEach(storedAddress);
  expect((performance.now() - began) / 100).toBeLessThan(5);
});
