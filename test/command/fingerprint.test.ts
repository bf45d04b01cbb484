// Which requests are one and the same: whatever order their fields come in, and whichever version of the schema their
// requester has.
import { randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import { compareFingerprint, requestFingerprint } from "../../src/command/fingerprint.ts";
import type { DataKeys } from "../../src/crypto/envelope.ts";

const key = { id: 7, key: randomBytes(32) };
const keys = { current: () => key, get: () => key } as unknown as DataKeys;
const sameness = (one: object, other: object) => compareFingerprint(keys, requestFingerprint(keys, one), other);
const same = (one: object, other: object) => sameness(one, other) === "same";

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

test("an operator's token stands for its subject, so one made anew makes a renewed request; a user's stands for its text", () => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const token = (typ: string, sub: string, signature: string) =>
    `${part({ typ, kid: "k" })}.${part({ sub })}.${signature}`;
  const ban = (actorToken: string, target = "mallory") => ({ actorToken, target });
  const first = ban(token("operator+jwt", "operator:ada", "one"));
  expect(sameness(first, ban(token("operator+jwt", "operator:ada", "one")))).toBe("same");
  expect(sameness(first, ban(token("operator+jwt", "operator:ada", "two")))).toBe("renewed");
  expect(sameness(first, ban(token("operator+jwt", "operator:eve", "two")))).toBe("other");
  expect(sameness(first, ban(token("operator+jwt", "operator:ada", "two"), "alice"))).toBe("other");
  expect(sameness(ban(token("at+jwt", "1", "one")), ban(token("at+jwt", "1", "two")))).toBe("other");
  expect(sameness(ban("operator:ada"), first)).toBe("other");
});
