// The lines that docs/operations.md shows are what it says.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { type CheckedRow, checkRow } from "../../../src/authctl/import/rows.ts";
import { makePasswords } from "../../../src/crypto/passwords.ts";

const page = readFileSync(join(import.meta.dirname, "..", "..", "..", "docs", "operations.md"), "utf8");
const roles = { known: new Set(["admin"]), names: new Map() };
const judged = (given: Record<string, unknown>): CheckedRow => checkRow({ position: 1, nextByte: 0, given }, roles);

test("every line of docs/operations.md is a user whose password is the one it names", async () => {
  const block = page.slice(page.indexOf("### From a file")).split("```")[1]!;
  const lines = block.split("\n").filter((line) => line.startsWith("{"));
  expect(lines.length).toBe(10);
  const passwords = makePasswords({ memoryKiB: 64, time: 1, parallelism: 1 });
  for (const line of lines) {
    const found = judged(JSON.parse(line) as Record<string, unknown>);
    if (!("candidate" in found)) throw new Error(found.reject.message);
    expect(await passwords.verify("correct horse", found.candidate.hash)).toEqual({ ok: true, stale: true });
  }
});

test("what a reject tells of a row has an end, and no hash in it", () => {
  const found = judged({ login: "x".repeat(5000), email: { hash: "secret" }, hash: "secret" });
  expect(JSON.stringify(found).length).toBeLessThan(500);
  expect(JSON.stringify(found)).not.toContain("secret");
});

test("names and addresses are judged by the rules of registration, and come in the form that is stored", () => {
  const hash = `$2b$04$${"a".repeat(53)}`;
  const reasonOf = (more: Record<string, unknown>): string => {
    const found = judged({ login: "ada.lovelace", email: "ada@example.com", hash, ...more });
    return "reject" in found ? found.reject.reason : `taken as ${found.candidate.login} ${found.candidate.email}`;
  };
  expect(reasonOf({ login: "ＡＤＡ１", email: "Ada@BÜcher.example" })).toBe("taken as ADA1 Ada@xn--bcher-kva.example");
  for (const login of ["ada@home", "ada＠home", "id：17", "\u3164\u3164\u3164\u3164", "p\u0430ypal"])
    expect([login, reasonOf({ login })]).toEqual([login, "login-invalid"]);
  for (const username of ["\u200b\u200b\u200b\u200b", "abcd\u202e"])
    expect([username, reasonOf({ username })]).toEqual([username, "username-invalid"]);
  for (const email of ['"a\r\nb"@example.com', "ada\u200b@example.com", "ada@example.com,eve@example.com"])
    expect([email, reasonOf({ email })]).toEqual([email, "email-invalid"]);
});

test("a hash that is not verified here is rejected by its algorithm's name, and never with its text", () => {
  const rejected = (hash: unknown) => {
    const found = judged({ login: "ada.lovelace", email: "ada@example.com", hash });
    return "reject" in found ? [found.reject.reason, found.reject.algorithm] : [];
  };
  expect(rejected("$6$rounds=5000$saltsalt$abcdefghijklm")).toEqual(["hash-unknown", "sha512-crypt"]);
  expect(rejected("$argon2id$v=19$m=64,t=2,p=1,keyid=c2VjcmV0$c2FsdHNhbHQ$abcdefghijklmnopqrstuv")).toEqual([
    "hash-unknown",
    "argon2 with a secret key",
  ]);
  expect(rejected(`$2b$31$${"a".repeat(53)}`)).toEqual(["hash-too-costly", "bcrypt"]);
  expect(rejected("hunter2")).toEqual(["hash-unknown", "unknown"]);
  expect(JSON.stringify(judged({ login: "ada.lovelace", email: "ada@example.com", hash: "hunter2" }))).not.toContain(
    "hunter2",
  );
});
