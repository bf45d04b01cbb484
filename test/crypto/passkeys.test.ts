// Passkeys below the handlers: options, decoys, and that whatever is sent instead of a credential is judged and never
// thrown.
import { randomBytes } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  decoyCredentials,
  judgeAssertion,
  judgeRegistration,
  loginOptions,
  parseCredential,
  registrationOptions,
  userHandle,
} from "../../src/crypto/passkeys.ts";
import { makeAuthenticator } from "../support/authenticator.ts";

const party = { id: "localhost", name: "test", origins: ["http://localhost:3000"] };
const key = randomBytes(32);
const secret = randomBytes(32);
const user = { handle: userHandle(key, 7), login: "ada" };
const registration = () => registrationOptions({ party, secret, timeoutMs: 60_000, user, known: [] });

async function registered(device = makeAuthenticator()) {
  const credential = parseCredential(device.create(await registration()))!;
  return { device, ...(await judgeRegistration(credential, { party, secret }))! };
}

test("options ask for no attestation, and name the user by an opaque handle only", async () => {
  const options = JSON.parse(await registration()) as Record<string, unknown>;
  expect(options).toMatchObject({
    attestation: "none",
    rp: { id: "localhost", name: "test" },
    user: { id: user.handle, name: "ada" },
    authenticatorSelection: { residentKey: "preferred", userVerification: "preferred" },
  });
  expect(Buffer.from(user.handle, "base64url")).toHaveLength(32);
  expect(userHandle(key, 8)).not.toBe(user.handle);
});

test("an attestation that comes unasked is not looked at, whatever it says", async () => {
  const device = makeAuthenticator();
  const { response, ...rest } = JSON.parse(device.create(await registration())) as {
    response: { attestationObject: string };
  };
  const object = Buffer.from(response.attestationObject, "base64url").toString("latin1");
  const claimed = object.replace("fmtdnone", "fmtdtpm!"); // of the same length
  expect(claimed).not.toBe(object);
  const attestationObject = Buffer.from(claimed, "latin1").toString("base64url");
  const credential = parseCredential(JSON.stringify({ ...rest, response: { ...response, attestationObject } }))!;
  expect(await judgeRegistration(credential, { party, secret })).toMatchObject({
    credentialId: device.credentials[0]!.id,
  });
});

describe("decoys", () => {
  test("are always the same for a login, and another's for another", () => {
    expect(decoyCredentials(key, "ada")).toEqual(decoyCredentials(key, "ada"));
    expect(decoyCredentials(key, "ada")).not.toEqual(decoyCredentials(key, "bob"));
    expect(decoyCredentials(randomBytes(32), "ada")).not.toEqual(decoyCredentials(key, "ada"));
  });
  test("are one or two", () => {
    const counts = Array.from({ length: 200 }, (_, at) => decoyCredentials(key, `user${at}`).length);
    expect(new Set(counts)).toEqual(new Set([1, 2]));
  });
});

test("what is no credential is undefined", () => {
  for (const text of [
    "",
    "null",
    "1",
    "[]",
    "{}",
    '{"id":1,"response":{}}',
    '{"id":"a b","response":{}}',
    '{"id":"a","response":null}',
    "x".repeat(20_000),
  ])
    expect(parseCredential(text)).toBeUndefined();
});

test("whatever stands in a credential is judged: nothing is thrown, nothing accepted", async () => {
  const { device, credentialId, publicKey, signCount } = await registered();
  const options = await loginOptions({
    party,
    secret,
    timeoutMs: 60_000,
    allowed: [credentialId],
    verification: "required",
  });
  const good = JSON.parse(device.get(options)) as { response: Record<string, unknown> };
  const expected = { party, secret, credentialId, publicKey, signCount, handle: user.handle, verified: true };
  expect(await judgeAssertion(good as never, expected)).toEqual({ signCount: 1, userVerified: true }); // the control
  const made = JSON.parse(makeAuthenticator().create(await registration())) as { response: Record<string, unknown> };
  const names = fc.constantFrom("clientDataJSON", "authenticatorData", "signature", "attestationObject");
  await fc.assert(
    fc.asyncProperty(names, fc.oneof(fc.jsonValue(), fc.base64String()), async (name, value) => {
      const malformed = { ...good, response: { ...good.response, [name]: value } };
      if (name !== "attestationObject") expect(await judgeAssertion(malformed as never, expected)).toBe("wrong");
      const other = { ...made, response: { ...made.response, [name]: value } };
      if (name === "clientDataJSON" || name === "attestationObject")
        expect(await judgeRegistration(other as never, { party, secret })).toBeUndefined();
    }),
    { numRuns: 200 },
  );
});
