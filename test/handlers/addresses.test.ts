// Every command that takes an e-mail address, against a live fleet: what is refused, and that two spellings of one
// address are one.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { commandSchemas } from "../../src/protocol/generated/schemas.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { bySecret, confirmed, loggedIn, newUser, refused, registered } from "../support/users.ts";

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
afterAll(() => fleet.close());

/** `topic field` of each address that a request can have. */
const addressFields = Object.entries(commandSchemas).flatMap(([topic, { request }]) => {
  const schema = request as { fields: readonly { name: string }[]; sealedFields?: readonly { name: string }[] };
  const names = [...schema.fields, ...(schema.sealedFields ?? [])].map(({ name }) => name);
  return names.filter((name) => /email/i.test(name)).map((name) => `${topic} ${name}`);
});

const asked: Record<string, (address: string) => Promise<unknown>> = {
  "auth.account.register email": (email) => fleet.client.request("auth.account.register", { ...newUser(), email }),
  "auth.account.resend email": (email) => fleet.client.request("auth.account.resend", { email }),
  "auth.password.forgot email": (email) => fleet.client.request("auth.password.forgot", { email }),
  "auth.account.change-email newEmail": async (newEmail) => {
    const { password, ...user } = await owner;
    const { accessToken } = await loggedIn(fleet, { ...user, password });
    return fleet.client.request("auth.account.change-email", { accessToken, password, newEmail });
  },
};
let owner: ReturnType<typeof confirmed>;

test("every one of them is tried", () => {
  owner = confirmed(fleet);
  expect(Object.keys(asked).sort()).toEqual(addressFields.sort());
});

describe("is refused by all of them:", () => {
  test.each([
    ["quotes", '"ada lovelace"@example.com'],
    ["a zero width space", "ada\u200b@example.com"],
    ["a filler", "ada\u3164@example.com"],
    ["a second address", "ada@example.com,eve@example.com"],
    ["a line end in quotes, at the gate of texts", '"a\r\nb"@example.com'],
  ])("%s", async (_what, address) => {
    for (const [name, ask] of Object.entries(asked)) {
      const refusal = await refused(ask(address));
      expect([name, refusal.code, refusal.details["field"]]).toEqual([name, "INVALID_INPUT", name.split(" ")[1]]);
    }
  });
});

test("an internationalised address is one account however it is spelled, and mails go to its form in ASCII", async () => {
  const local = newUser().login;
  const [unicode, ascii] = [`${local}@BÜcher.example`, `${local}@xn--bcher-kva.example`];
  const user = await registered(fleet, { ...newUser(), email: unicode });
  const mail = await fleet.mails.last("auth", (record) => record.json?.["username"] === user.username);
  expect(mail.json?.["email"]).toBe(ascii);
  await fleet.client.request("auth.account.confirm", {
    token: String(mail.json?.["token"]),
    ...bySecret(user),
  });
  for (const email of [ascii, unicode.toUpperCase()]) {
    const again = await refused(fleet.client.request("auth.account.register", { ...newUser(), email }));
    expect([email, again.code]).toEqual([email, "EMAIL_TAKEN"]);
  }
  const { rows } = await fleet.sql.query("SELECT email, email_key FROM users WHERE id = $1", [user.id]);
  expect(rows).toEqual([{ email: ascii, email_key: ascii }]);
});
