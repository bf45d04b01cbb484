// A fleet on its own, without the platform's JSON topics: confirmation goes out through auth.mail, its token sealed to the fleet's key.
// With AUTH_MAIL_SEAL_KEY it is sealed to a mailer of somebody else. With AUTH_HIDE_EMAIL nobody learns whether an address has an account, and its owner is told.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import avsc from "avsc";
import { calculateJwkThumbprint, compactDecrypt, decodeProtectedHeader, exportJWK, generateKeyPair } from "jose";
import { openReply } from "../src/bus/seal.ts";
import { openPool } from "../src/db/pool.ts";
import { loadFleetKeys } from "../src/fleet-keys.ts";
import { mailSchema } from "../src/generated/schemas.ts";
import { variables } from "../src/variables.ts";
import { end, type Fleet, quiet, startFleet, type TestFleet, testFleet } from "./support/fleet.ts";
import type { Seen } from "./support/mailbox.ts";
import { refusalOf, somebody } from "./support/people.ts";

let own: Fleet;
let fleet: TestFleet;
beforeAll(async () => {
  own = await startFleet("mail", {
    roles: ["worker", "relay"],
    env: { AUTH_LEGACY_TOPICS: "false", AUTH_HIDE_EMAIL: "true" },
  });
  fleet = await testFleet(own);
}, 90_000);
afterAll(async () => {
  await fleet.close();
  await own.stop();
});

interface Mail {
  kind: string;
  to: string;
  sealed: string;
}

const decode = (record: Seen): Mail =>
  avsc.Type.forSchema(mailSchema as unknown as avsc.Schema).fromBuffer(record.value!.subarray(5)) as Mail;

async function mailTo(address: string, kind: string): Promise<Mail> {
  return decode(
    await fleet.mails.last("auth.mail", (record) => decode(record).to === address && decode(record).kind === kind),
  );
}

/** As the fleet's own mailer opens it. */
async function open(sealed: string): Promise<Record<string, unknown>> {
  const pool = await openPool({ url: fleet.env["AUTH_DATABASE_URL"]!, size: 2, applicationName: "test" });
  const keys = await loadFleetKeys(pool, variables.AUTH_MASTER_KEY.parse(fleet.env["AUTH_MASTER_KEY"]!), quiet);
  const key = keys.keyring().opening(decodeProtectedHeader(sealed).kid!);
  keys.stop();
  await pool.end();
  return openReply(sealed, key!);
}

test("registering sends a mail whose token is sealed, and confirms the account", async () => {
  const person = somebody();
  expect(await fleet.client.request("auth.account.register", person)).toEqual({ userId: null, confirmationSent: true });
  const mail = await mailTo(person.email, "confirm");
  const { token, username } = await open(mail.sealed);
  expect(username).toBe(person.username);
  expect(await fleet.client.request("auth.account.confirm", { token: String(token) })).toMatchObject({
    sessionId: expect.any(String),
  });
});

test("the outbox keeps neither token nor address in clear", async () => {
  const person = somebody();
  await fleet.client.request("auth.account.register", person);
  const { rows } = await fleet.sql.query<{ body: object; secret: Buffer | null }>(
    "SELECT body, secret FROM outbox WHERE topic = 'auth.mail'",
  );
  expect(rows.length).toBeGreaterThan(0);
  for (const { body, secret } of rows) // a published one has forgotten its secret
    expect(JSON.stringify(body) + (secret?.toString("latin1") ?? "")).not.toContain("@example.com");
});

test("a taken e-mail address looks like success, and its owner is told", async () => {
  const owner = somebody();
  await fleet.client.request("auth.account.register", owner);
  const again = { ...somebody(), email: owner.email.toUpperCase() };
  expect(await fleet.client.request("auth.account.register", again)).toEqual({ userId: null, confirmationSent: true });
  expect((await mailTo(owner.email, "email-taken")).kind).toBe("email-taken");
  const { rowCount } = await fleet.sql.query("SELECT FROM users WHERE login = $1", [again.login]);
  expect(rowCount).toBe(0);
  // The control: a taken login is still told.
  expect(await refusalOf(fleet.client.request("auth.account.register", { ...somebody(), login: owner.login }))).toBe(
    "LOGIN_TAKEN",
  );
});

test("ten at once with one address: one account, nobody learns which", async () => {
  const { email } = somebody();
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => fleet.client.request("auth.account.register", { ...somebody(), email })),
  );
  expect(answers).toEqual(Array.from({ length: 10 }, () => ({ userId: null, confirmationSent: true })));
  const { rowCount } = await fleet.sql.query("SELECT FROM users WHERE email = $1", [email]);
  expect(rowCount).toBe(1);
});

test("with AUTH_MAIL_SEAL_KEY a mailer outside opens it with any JOSE library, and the fleet cannot", async () => {
  const { publicKey, privateKey } = await generateKeyPair("ECDH-ES+A256KW", { crv: "P-256", extractable: true });
  const jwk = await exportJWK(publicKey);
  await end(own.processes.get("relay-1")!);
  await own.start("relay", "relay-outside", {
    AUTH_MAIL_SEAL_KEY: JSON.stringify({ ...jwk, use: "enc", kid: "ours" }),
  });
  const person = somebody();
  await fleet.client.request("auth.account.register", person);
  const { sealed } = await mailTo(person.email, "confirm");
  const { plaintext, protectedHeader } = await compactDecrypt(sealed, privateKey);
  expect(protectedHeader).toMatchObject({
    alg: "ECDH-ES+A256KW",
    enc: "A256GCM",
    kid: await calculateJwkThumbprint(jwk),
  });
  const { token, username } = JSON.parse(Buffer.from(plaintext).toString()) as Record<string, string>;
  expect(username).toBe(person.username);
  await expect(open(sealed)).rejects.toThrow(); // the control: the fleet's own mails it opens, above
  const answer = await fleet.client.request("auth.account.confirm", { token: token! });
  expect(answer.sessionId).toEqual(expect.any(String));
}, 30_000);
