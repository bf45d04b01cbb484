// What texts and JSON may be made of by somebody who wants to see them break: as bytes, because some are no text at
// all.
import type { Random } from "./random.ts";

const pieces = [
  "\0",
  "\u0001\u001f\u007f",
  "\u0085\u009f",
  "\r\nBcc: x@evil.example",
  "\ufdfa", // 18 characters once it is normalised
  "\u3164\u115f\u1160\uffa0", // nobody sees them
  "\u200b\u200c\u200d\u2060\ufeff",
  "\u202e\u2066\u2069", // turns the text around
  "e\u0301\u0301\u0301\u0301",
  "\uff41\uff4c\uff49\uff43\uff45", // full width
  "taken\uff1ax@evil.example",
  "id\uff1a17",
  "\u0130\u017f\u1e9e\u2126", // lower case of another length
  "\ud7a3\u1112\u1161\u11ab",
  "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}",
  "\u{10ffff}\u{e0001}",
  "__proto__",
  "constructor",
  "toString",
  "' OR 1=1 --",
  "\\u0000",
  "$" + "{jndi:ldap://x}",
  "%00%0d%0a",
  "<script>",
  "..//..//etc/passwd",
  "ada",
  " ",
];

/** No UTF-8: a lone byte, a cut character, half of a surrogate pair, an overlong slash, beyond the last character. */
const brokenUtf8 = [[0xff], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0xf4, 0x90, 0x80, 0x80], [0x80]];

/** Around what the gate and the rules of names allow. */
const lengths = [0, 1, 3, 4, 32, 33, 254, 255, 256, 512, 513, 1023, 1024, 1025, 2048, 2049, 16_384, 65_537];

export function oddText(random: Random): Buffer {
  switch (random.below(5)) {
    case 0:
      return Buffer.from(`ada${random.pick(pieces)}\0`);
    case 4:
      return Buffer.from(random.pick(pieces));
    case 1:
      return Buffer.concat([
        Buffer.from("ada"),
        Buffer.from(random.pick(brokenUtf8)),
        Buffer.from(random.pick(pieces)),
      ]);
    case 2: {
      const length = random.pick(lengths);
      const piece = random.chance(0.5) ? "a" : random.pick(pieces);
      return Buffer.from(piece.repeat(Math.ceil(length / Buffer.byteLength(piece)))).subarray(0, length);
    }
    default:
      return Buffer.from(Array.from({ length: random.between(1, 8) }, () => random.pick(pieces)).join(""));
  }
}

/** A JSON value as text, that a field may stand for: of any type, any depth. */
export function oddJson(random: Random): string {
  switch (random.below(10)) {
    case 0:
      return random.pick(["null", "true", "false", "0", "-0", "1.5", "-1", "1e400", "-1e400", "1e-400"]);
    case 1:
      return random.pick(["9007199254740993", "9223372036854775808", "1".repeat(400), `0.${"3".repeat(400)}`]);
    case 2:
      return random.pick([
        '""',
        '"\\u0000"',
        '"\\ud800"',
        '"\\udc00\\ud800"',
        '"9223372036854775808"',
        '"-0"',
        '"NaN"',
      ]);
    case 3:
      return random.pick(["[]", "{}", "[[]]", '{"":{}}', '["a","a"]', '{"a":1,"a":2}']);
    case 4: {
      const depth = random.pick([2, 31, 32, 33, 200, 5000, 20_000]);
      return random.chance(0.5)
        ? `${"[".repeat(depth)}${"]".repeat(depth)}`
        : `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
    }
    case 5:
      return random.pick([
        '{"__proto__":{"isAdmin":true}}',
        '{"constructor":{"prototype":{"x":1}}}',
        '{"toString":null,"valueOf":null,"hasOwnProperty":1}',
        '{"then":"x","toJSON":"y","length":-1}',
      ]);
    case 6:
      return `[${Array.from({ length: random.pick([99, 100, 101, 5000]) }, () => '"a"').join()}]`;
    case 7:
      return `{${Array.from({ length: random.pick([100, 3000]) }, (_, at) => `"k${at}":${at}`).join()}}`;
    default:
      return JSON.stringify(oddText(random).toString("latin1"));
  }
}
