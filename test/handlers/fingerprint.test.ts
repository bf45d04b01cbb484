// Which requests are one and the same: whatever order their fields come in, and whichever version of the schema their requester has.
import { randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import type { DataKeys } from "../../src/crypto/envelope.ts";
import { fingerprintOf, isFingerprintOf } from "../../src/handlers/fingerprint.ts";

const key = { id: 7, key: randomBytes(32) };
const keys = { current: () => key, get: () => key } as unknown as DataKeys;
const same = (one: object, other: object) => isFingerprintOf(keys, fingerprintOf(keys, one), other);

test("the order of fields does not matter; any value does", () => {
  expect(
    same({ login: "ada", client: { ip: "1", device: "2" } }, { client: { device: "2", ip: "1" }, login: "ada" }),
  ).toBe(true);
  expect(same({ login: "ada", client: { ip: "1" } }, { login: "ada", client: { ip: "2" } })).toBe(false);
  expect(same({ roles: ["a", "b"] }, { roles: ["b", "a"] })).toBe(false);
  expect(same({ everywhere: false }, {})).toBe(false);
  expect(same({ text: "" }, {})).toBe(false);
});

test("a request that an earlier worker answered is the same for one whose schema has another optional field", () => {
  expect(same({ login: "ada" }, { login: "ada", locale: null })).toBe(true);
  expect(same({ login: "ada", client: { ip: "1" } }, { login: "ada", client: { ip: "1", device: null } })).toBe(true);
  expect(same({ login: "ada" }, { login: "ada", locale: "de" })).toBe(false); // the control
});
