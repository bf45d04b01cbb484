// Which logins and user names are taken, and in which form each is stored.
import { describe, expect, test } from "@jest/globals";
import { type NameKind, readLabel, readName } from "../../src/protocol/names.ts";
import { normalize } from "../../src/protocol/record-key.ts";

/** The stored form, or what is wrong. */
function read(kind: NameKind, text: string): string {
  const found = readName(kind, text);
  return "name" in found ? found.name : `no: ${found.problem}`;
}

/** Code points of which a set's characters are taken. */
function characters(set: RegExp, every = 1): string[] {
  const all: string[] = [];
  for (let code = 0; code < 0x110000; code += every) {
    const character = String.fromCodePoint(code);
    if (set.test(character)) all.push(character);
  }
  return all;
}

describe("a login", () => {
  test.each([
    ["Ada_Lovelace-1815.x", "Ada_Lovelace-1815.x"],
    ["ada lovelace", "ada lovelace"],
    ["o'brien+1", "o'brien+1"],
    ["ＡＤＡ１", "ADA1"],
    ["ﬁona", "fiona"],
    ["Amélie", "Amélie"],
    ["Ame\u0301lie", "Am\u00e9lie"],
    ["привет", "привет"],
    ["Ωδησ", "Ωδησ"],
    ["山田tarou", "山田tarou"],
    ["カタカナー", "カタカナー"],
    ["김철수kim", "김철수kim"],
    ["देवनागरी", "देवनागरी"],
    ["علی رضا", "علی رضا"],
    ["שלום12", "שלום12"],
    ["x".repeat(32), "x".repeat(32)],
    ["ⅣⅣ", "IVIV"],
  ])("%s is stored as %s", (text, stored) => {
    expect(read("login", text)).toBe(stored);
  });

  test.each([
    ["too short", "abc"],
    ["too long", "x".repeat(33)],
    ["too long once it is normalised", "\ufdfa\ufdfa"],
    ["too long in lower case", "İ".repeat(17)],
    ["of a megabyte", "\ufdfa".repeat(350_000)],
    ["with an @", "ada@home"],
    ["with a full-width @", "ada＠home"],
    ["like a user id", "id:17"],
    ["like a user id once it is normalised", "ＩＤ：１７"],
    ["like a user id with other digits", "id:١٧"],
    ["that nobody sees", "\u3164\u3164\u3164\u3164"],
    ["with a half-width filler", "ada\uffa0"],
    ["with a soft hyphen", "a\u00adda"],
    ["with a joiner", "ad\u200da"],
    ["with a non-joiner, even where a user name may have it", "کتاب\u200cها"],
    ["with a byte order mark", "\ufeffada"],
    ["with a variation selector", "ada\ufe0f"],
    ["with a control", "a\u0007da"],
    ["with a line separator", "a\u2028da"],
    ["that turns the direction", "a\u202edab"],
    ["with outer spaces", " ada "],
    ["with an outer space of another kind", "\u3000adab"],
    ["with two spaces in a row", "ada  b"],
    ["with Cyrillic among Latin", "p\u0430ypal"],
    ["with Greek among Latin", "\u03bfmega"],
    ["in a script that nobody writes", "ᚠᚢᚦᚨ"],
    ["of jamo that make no syllable", "ᄀᄀᄀᄀ"],
    ["beginning with a mark", "\u0301ada"],
    ["with a heap of marks", `q${"\u0307".repeat(5)}ada`],
    ["with a mark around a letter", "a\u20ddbcd"],
    ["of emoji", "😀😀😀😀"],
    ["with a symbol", "ada™❤x"],
    ["with a private character", "ada\ue000"],
    ["with an unassigned character", "ada\u0378"],
    ["from right to left that begins with a digit", "12שלום"],
    ["from right to left that ends with a sign", "שלום-"],
    ["of two kinds of Arabic digits", "ab\u0661\u06f1"],
  ])("%s is refused", (_what, text) => {
    expect(read("login", text)).toMatch(/^no: must/);
  });

  test("with any invisible character is refused, wherever that stands", () => {
    const invisible = characters(/[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Bidi_Control}]/u);
    expect(invisible.length).toBeGreaterThan(4000);
    const taken = invisible.filter((each) =>
      ["abc", "ab", ""].some((head) => read("login", `${head}${each}cd`).startsWith("no") === false),
    );
    // Some are no more once the login is normalised, which is the form that is stored.
    expect(taken.filter((each) => each.normalize("NFKC") === each)).toEqual([]);
  });

  test("is the same when it is read again, and its key is one that normalising does not change", () => {
    const odd = characters(/[\p{L}\p{M}\p{N}\p{P}\p{S}]/u, 29).map((each) => `ab${each}cd`);
    const stored = odd.map((each) => readName("login", each)).flatMap((found) => ("name" in found ? [found.name] : []));
    expect(stored.length).toBeGreaterThan(300);
    for (const name of new Set(stored)) {
      if (read("login", name) !== name) throw new Error(`${name} is stored as ${read("login", name)}`);
      if (normalize(normalize(name)) !== normalize(name)) throw new Error(`the key of ${name} is not normal`);
    }
  });
});

describe("a user name", () => {
  test.each([
    ["Dr. Müller, PhD", "Dr. Müller, PhD"],
    ["Ame\u0301lie", "Am\u00e9lie"],
    ["کتاب\u200cها", "کتاب\u200cها"],
    ["می\u200cخواهم", "می\u200cخواهم"],
    ["क्\u200dषि देव", "क्\u200dषि देव"],
    ["葛\u{e0100}城太郎", "葛\u{e0100}城太郎"],
    ["👨\u200d👩\u200d👧 family", "👨\u200d👩\u200d👧 family"],
    ["❤\ufe0f❤\ufe0f❤\ufe0f", "❤\ufe0f❤\ufe0f❤\ufe0f"],
    [
      "Tom 🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
      "Tom 🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    ],
    ["Bo\u00a0Ek", "Bo Ek"],
    ["ＡＤＡ１", "ＡＤＡ１"],
    ["ada@home", "ada@home"],
    ["pаypal", "pаypal"],
  ])("%s is stored as %s", (text, stored) => {
    expect(read("username", text)).toBe(stored);
  });

  test.each([
    ["too short", "abc"],
    ["too long once it is normalised", "\ufdfa\ufdfa"],
    ["of spaces", "    "],
    ["of spaces without width", "\u200b\u200b\u200b\u200b"],
    ["of fillers", "\u3164\u3164\u3164\u3164"],
    ["of empty Braille cells", "\u2800\u2800\u2800\u2800"],
    ["of null noteheads", "\u{1d159}".repeat(4)],
    ["of tags", "\u{e0041}".repeat(4)],
    ["that turns the direction", "abcd\u202e"],
    ["with an isolate", "\u2066abcd\u2069"],
    ["with a mark of direction", "abcd\u200f"],
    ["with a newline", "abcd\nefgh"],
    ["with an escape", "\u001b[31mabcd"],
    ["with a non-joiner where it says nothing", "ab\u200ccd"],
    ["with a joiner at its end", "کتاب\u200d"],
    ["with a variation selector on a letter", "a\ufe0fbcd"],
    ["with a replacement character", "ab\ufffdcd"],
    ["with outer spaces", " abcd"],
    ["with a heap of marks", `q${"\u0307".repeat(5)}ada`],
    ["of marks alone", "\u0301\u0302\u0303\u0304"],
  ])("%s is refused", (_what, text) => {
    expect(read("username", text)).toMatch(/^no: must/);
  });

  test("is the same when it is read again", () => {
    const odd = characters(/[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]/u, 29).map((each) => `ab${each}cd`);
    for (const text of odd) {
      const found = readName("username", text);
      if ("name" in found && read("username", found.name) !== found.name)
        throw new Error(`${text} is stored as ${found.name}`);
    }
  });
});

test("a label may be empty and has no shortest length; the rest is as of user names", () => {
  expect(readLabel("", 5)).toEqual({ name: "" });
  expect(readLabel("é🔑", 5)).toEqual({ name: "é🔑" });
  for (const bad of ["abcdef", "a\u202eb", "a\nb", " a", "\u3164"]) expect(readLabel(bad, 5)).toHaveProperty("problem");
});

test("names that are as hard to judge as can be take no milliseconds", () => {
  const hard = [
    "\u0e01".repeat(32),
    `a${"\u0301\u0323".repeat(250)}`,
    "\u200c".repeat(340),
    `${"👨\u200d".repeat(100)}👧`,
    "a ".repeat(500),
  ];
  const began = performance.now();
  for (let times = 0; times < 20; times += 1)
    for (const text of hard) for (const kind of ["login", "username"] as const) readName(kind, text);
  expect((performance.now() - began) / 200).toBeLessThan(5);
});
