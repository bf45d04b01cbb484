// Secrets by their names and forms: what sounds like a secret is sealed in every schema, and the search that
// test/secrets.test.ts goes by finds a secret in every form.
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { filesBelow, formsOf, lookFor, needlesOf } from "./support/grep.ts";
import { newPassword } from "./support/scenarios.ts";

const root = join(import.meta.dirname, "..");

interface Field {
  name: string;
  type: unknown;
}

interface AvroRecord {
  type: "record";
  name: string;
  sealedFields?: { name: string }[];
  fields: Field[];
}

/** Every record of a schema, those within included. */
function recordsIn(schema: unknown): AvroRecord[] {
  if (typeof schema !== "object" || schema === null) return [];
  const own = (schema as AvroRecord).type === "record" ? [schema as AvroRecord] : [];
  return [...own, ...Object.values(schema).flatMap(recordsIn)];
}

/** totpSecret, MFACode and recovery_codes in words. */
const words = (name: string): string[] =>
  name
    .replace(/([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])/g, "$1$3_$2$4")
    .toLowerCase()
    .split("_");
const secretWords =
  /^(passwords?|passphrase|pass|pin|tokens?|secrets?|codes?|challenges?|cookies?|otp|totp|seeds?|keys?|jwks?|pem|nonce|salt|hash|verifier|assertion|signature|credentials?|authorization|bearer|private|proof|answers?|link|url)$/;

/** `Record.field` of whatever stands in clear and sounds like a secret. */
function soundsSecret(records: AvroRecord[]): string[] {
  return records.flatMap((record) =>
    record.fields
      .filter(({ name }) => words(name).some((word) => secretWords.test(word)))
      .map(({ name }) => `${record.name}.${name}`),
  );
}

/** What sounds like a secret and is none. */
const harmless: Record<string, string> = {
  "Refusal.code": "the name of a refusal",
  "LoginRefused.code": "the name of a refusal",
  "AdminRefused.code": "the name of a refusal",
  "LoginResult.tokens": "a record whose secret parts are sealed: tokens.accessToken, tokens.refreshToken",
  "LoginResult.challenge": "a record whose secret part is sealed: challenge.challenge",
  "ListResult.jwks": "public keys",
  "UserConfirmed.proof": "which kind of proof it was",
  "AddOperatorRequest.publicKey": "a public key",
  "Operator.keys": "ids and times of public keys",
};

const schemaFiles = filesBelow(join(root, "schemas"), (path) => path.endsWith(".avsc"));
const everyRecord = schemaFiles.flatMap((file) => recordsIn(JSON.parse(readFileSync(file, "utf8"))));

describe("the schemas", () => {
  test("have what sounds like a secret inside the seal only", () => {
    const clear = [...new Set(soundsSecret(everyRecord))];
    expect(clear.filter((name) => !(name in harmless))).toEqual([]);
    expect(Object.keys(harmless).filter((name) => !clear.includes(name))).toEqual([]); // no exception that nobody needs
    expect(schemaFiles.length).toBeGreaterThan(30);
  });

  test.each(["resetToken", "password", "recovery_codes", "totpSecret", "privateKey", "MFACode"])(
    "would be caught with %s in clear, at any depth (the control)",
    (name) => {
      const field = (type: unknown): unknown => ({ type: "record", name: "Inner", fields: [{ name, type }] });
      const nested = { type: "array", items: ["null", { type: "map", values: field("string") }] };
      expect(soundsSecret(recordsIn({ type: "record", name: "Outer", fields: [{ name: "a", type: nested }] }))).toEqual(
        [`Inner.${name}`],
      );
    },
  );

  test("have no field both sealed and in clear, and seal nothing under a parent that is not there", () => {
    const faults = everyRecord.flatMap((record) =>
      (record.sealedFields ?? []).filter(({ name }) => {
        const names = name.split(".");
        const leaf = names.pop();
        const parents = names.map((name) => record.fields.find((field) => field.name === name));
        const holder = names.length === 0 ? record : recordsIn(parents.at(-1)?.type)[0];
        return holder === undefined || parents.length > 1 || holder.fields.some((field) => field.name === leaf);
      }),
    );
    expect(faults).toEqual([]);
  });

  test("of the platform's JSON have one token, in the topic auth: the one exception", () => {
    const files = filesBelow(join(root, "schemas", "legacy"));
    const named = files.flatMap((file) => {
      const { properties } = JSON.parse(readFileSync(file, "utf8")) as { properties: object };
      const fields = Object.keys(properties).map((name) => ({ name, type: "string" }));
      return soundsSecret([{ type: "record", name: basename(file, ".json"), fields }]);
    });
    expect(named).toEqual(["auth.token"]);
  });
});

describe("the search", () => {
  const value = newPassword();

  test("finds a secret in each of its forms, wherever in a file it stands", () => {
    const forms = [...formsOf(value)];
    expect(forms.map(([form]) => form)).toEqual(
      expect.arrayContaining(["plain", "json", "json in json", "ascii json", "hex"]),
    );
    expect(forms.filter(([form]) => form.startsWith("base64")).length).toBe(6);
    const look = lookFor(needlesOf([{ name: "it", value }]));
    for (const [form, bytes] of forms) {
      for (const before of [0, 1, 2, 3, 1001]) {
        const file = Buffer.concat([Buffer.alloc(before, "ab"), bytes, Buffer.alloc(before === 3 ? 0 : 5, "x")]);
        expect([...look(file)].map((hit) => hit.form)).toContain(form);
      }
    }
  });

  test("finds base64 of a text that has the secret within", () => {
    const look = lookFor(needlesOf([{ name: "it", value }]));
    for (const around of ["", "a", "ab", "abc", "abcd"]) {
      for (const encoding of ["base64", "base64url", "hex"] as const) {
        const text = Buffer.from(`${around}${value}${around}!`).toString(encoding);
        expect([...look(Buffer.from(text))].length).toBeGreaterThan(0);
      }
    }
  });

  test("finds nothing where it is not, and refuses what is too short to look for", () => {
    expect([...lookFor(needlesOf([{ name: "it", value }]))(Buffer.from(newPassword().repeat(50)))]).toEqual([]);
    expect(() => needlesOf([{ name: "a code", value: "123456" }])).toThrow("too short");
  });
});
