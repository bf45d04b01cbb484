import fc from "fast-check";
import { parseFields } from "../../../src/bus/seal/sealed-fields.ts";

const objects = fc.dictionary(fc.string(), fc.jsonValue());

describe("the JSON of a seal", () => {
  it("is read as JSON is, however it is spelled", () => {
    const spellings = fc.constantFrom<(value: object) => string>(
      (value) => JSON.stringify(value),
      (value) => JSON.stringify(value, null, 2),
      (value) => ` ${JSON.stringify(value)}\n`,
      (value) =>
        JSON.stringify(value).replace(/[^ -~]/g, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`),
    );
    fc.assert(
      fc.property(objects, spellings, (value, spell) => {
        const text = spell(value);
        expect(parseFields(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it("is refused where a member is given twice, at any depth and in any spelling", () => {
    const nest = fc.constantFrom<(text: string) => string>(
      (text) => text,
      (text) => `{"a":${text}}`,
      (text) => `{"a":[1,{"b":${text}}],"c":"d"}`,
      (text) => `{ "a" : [ [ ${text} ] ] }`,
    );
    const name = fc.string({ minLength: 1 }).map((text) => text.toWellFormed());
    fc.assert(
      fc.property(name, fc.jsonValue(), fc.jsonValue(), nest, (given, first, second, within) => {
        const [plain, escaped] = [JSON.stringify(given), `"${[...given].map(escaped16).join("")}"`];
        const text = (again: string) =>
          within(`{${plain}:${JSON.stringify(first)},${again}:${JSON.stringify(second)}}`);
        expect(() => parseFields(text(plain))).toThrow("twice");
        expect(() => parseFields(text(escaped))).toThrow("twice");
        expect(parseFields(text(JSON.stringify(`${given}2`)))).toBeDefined(); // the control
      }),
    );
  });

  it("must be an object", () => {
    for (const text of ["", "null", "[]", "1", '"text"', "{", "\ufeff{}"]) expect(() => parseFields(text)).toThrow();
    expect(parseFields("{}")).toEqual({});
  });

  it("may have a member of JavaScript's own, which is only a member", () => {
    const text = '{"__proto__":{"admin":true},"constructor":1}';
    expect(Object.keys(parseFields(text))).toEqual(["__proto__", "constructor"]);
    expect(() => parseFields('{"__proto__":1, "__proto__":2}')).toThrow("twice");
  });
});

const escaped16 = (character: string): string =>
  [...Array(character.length).keys()]
    .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`)
    .join("");
