// Record keys: which request waits behind which. Tokens are read without being verified, so whatever is sent here must
// not throw.
import fc from "fast-check";
import { normalize, recordKey } from "../../src/protocol/record-key.ts";

const jwt = (payload: unknown): string =>
  `head.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.signature`;

test.each<[string, string, unknown, string | undefined]>([
  ["login", "a login, lower case", "Ada", "ada"],
  ["login", "full-width letters, as NFKC has them", "Ａｄａ", "ada"],
  ["login", "letter and accent apart, as the one letter", "Ame\u0301lie", "am\u00e9lie"],
  ["login", "a ligature, as its letters", "ﬁona", "fiona"],
  ["login", "white space stays, it is not the key's to judge", " Ada ", " ada "],
  ["login", "an empty login", "", undefined],
  ["email", "an address", "Ada@Example.ORG", "ada@example.org"],
  ["login", "1,024 bytes", "ab".repeat(512), "ab".repeat(512)],
  ["login", "more bytes than a key may have", "a".repeat(1025), undefined],
  ["email", "more bytes than a key may have once it is normalised", "\ufdfa".repeat(32), undefined],
  ["token", "an id of more bytes than a key may have", `${"i".repeat(1025)}.secret`, undefined],
  ["token", "what stands before the dot", "id.secret", "id"],
  ["token", "before the first dot", "id.se.cret", "id"],
  ["token", "no dot", "idsecret", undefined],
  ["token", "nothing before the dot", ".secret", undefined],
  ["token", "empty", "", undefined],
  ["session", "sid of an access token", jwt({ sid: "s1", sub: "7" }), "s1"],
  ["session", "id of a refresh token", "s1.secret", "s1"],
  ["session", "an access token without sid", jwt({ sub: "7" }), undefined],
  ["session", "a number as sid", jwt({ sid: 1 }), undefined],
  ["user", "sub of an access token", jwt({ sid: "s1", sub: "7" }), "7"],
  ["user", "an operator's token", jwt({ sub: "operator:ada" }), "operator:ada"],
  ["user", "a number as sub", jwt({ sub: 7 }), undefined],
  ["user", "not a token", "garbage", undefined],
  ["user", "a payload that is no JSON", "a.bm90IGpzb24.c", undefined],
  ["user", "null as payload", jwt(null), undefined],
  ["user", "a list as payload", jwt(["sub"]), undefined],
  ["user", "a text as payload", jwt("sub"), undefined],
])("%s: %s", (kind, _what, value, expected) => {
  expect(recordKey({ kind, field: "it" }, { it: value })).toBe(expected);
});

test.each([undefined, null, 7, {}, ["a.b"], Buffer.from("a.b")])(
  "a field that is no text (%p) gives no key",
  (value) => {
    for (const kind of ["login", "email", "token", "session", "user"])
      expect(recordKey({ kind, field: "it" }, { it: value })).toBeUndefined();
  },
);

test("a request without a rule has no key; a kind that does not exist is a fault of ours", () => {
  expect(recordKey(undefined, { it: "x" })).toBeUndefined();
  expect(() => recordKey({ kind: "planet", field: "it" }, { it: "x" })).toThrow("no such kind of record key: planet");
});

test("garbage never throws, and a key is a text or nothing", () => {
  const kinds = fc.constantFrom("login", "email", "token", "session", "user");
  const garbage = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(fc.base64String(), { maxLength: 4 }).map((parts) => parts.join(".")),
    fc.json().map((text) => `a.${Buffer.from(text).toString("base64url")}.c`),
  );
  fc.assert(
    fc.property(kinds, garbage, (kind, it) => {
      const key = recordKey({ kind, field: "it" }, { it });
      expect(["string", "undefined"]).toContain(typeof key);
    }),
  );
});

test("a text that is too long is not normalised: a megabyte of marks, which would take minutes to put in order, is refused at once", () => {
  const marks = `a${"\u0301\u0323".repeat(500_000)}`;
  const began = performance.now();
  for (const kind of ["login", "email"]) expect(recordKey({ kind, field: "it" }, { it: marks })).toBeUndefined();
  expect(performance.now() - began).toBeLessThan(50);
});

test("case and form of the letters make no other key", () => {
  const words = fc.string({ unit: fc.constantFrom(..."abcxyzäöüéñčşøåÀÉÑ0189._-") });
  fc.assert(
    fc.property(words, (word) => {
      for (const form of [word.toUpperCase(), word.normalize("NFD"), word.normalize("NFKD").toUpperCase()])
        expect(normalize(form)).toBe(normalize(word));
    }),
  );
});
