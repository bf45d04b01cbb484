// Confirming: the link and a proof of who registered, so that nobody can make an account ready for the owner of an
// address to open. What the link alone must be is in account.test.ts; who goes without a proof is in
// ../bridge/journey.test.ts.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import {
  byPassword,
  bySecret,
  loggedIn,
  newUser,
  type Registered,
  refusalOf,
  refused,
  registered,
} from "../support/users.ts";

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
afterAll(() => fleet.close());

interface Waiting extends Registered {
  token: string;
}

async function waiting(): Promise<Waiting> {
  const user = await registered(fleet);
  return { ...user, token: await fleet.confirmationToken(user.username) };
}

type Given = { registrationSecret?: string; password?: string; client?: { ip: string } };

const confirm = ({ token }: Waiting, given: Given, idempotencyKey?: string) =>
  fleet.client.request(
    "auth.account.confirm",
    { token, registrationSecret: "", password: "", ...given },
    { ...(idempotencyKey && { idempotencyKey }) },
  );

const isConfirmed = async ({ id }: Registered): Promise<boolean> =>
  (await fleet.sql.query("SELECT FROM users WHERE id = $1 AND confirmed_at IS NOT NULL", [id])).rowCount === 1;

async function events({ id }: Registered): Promise<unknown[]> {
  const { rows } = await fleet.sql.query<{ kind: string; proof?: string; code?: string }>(
    "SELECT kind, body->>'proof' AS proof, body->>'code' AS code FROM outbox WHERE user_id = $1 AND topic = 'auth.event' ORDER BY id",
    [id],
  );
  return rows.map(({ kind, proof, code }) => [kind, ...[proof, code].filter(Boolean)].join(" "));
}

async function attemptsAt({ id }: Registered): Promise<number> {
  const { rows } = await fleet.sql.query<{ n: number }>(
    "SELECT COALESCE(sum(cardinality(attempts)), 0)::int AS n FROM login_attempts WHERE user_id = $1",
    [id],
  );
  return rows[0]!.n;
}

describe.each([
  ["the registration secret", bySecret, "secret", ["otp"]],
  ["the password", byPassword, "password", ["pwd", "otp"]],
] as const)("by the link and %s", (_name, proof, name, amr) => {
  test("confirms, opens a session, and says what proved it", async () => {
    const user = await waiting();
    const { accessToken, userId } = await confirm(user, proof(user));
    expect(userId).toBe(user.id);
    const { amr: shown } = JSON.parse(Buffer.from(accessToken.split(".")[1]!, "base64url").toString()) as {
      amr: string[];
    };
    expect(shown).toEqual(amr);
    expect(await events(user)).toEqual(["UserRegistered", `UserConfirmed ${name}`, "LoggedIn"]);
    const { rows } = await fleet.sql.query("SELECT registration_hash FROM users WHERE id = $1", [user.id]);
    expect(rows).toEqual([{ registration_hash: null }]);
  });

  test("of another account is INVALID_CREDENTIALS, and the link stays good", async () => {
    const [user, other] = [await waiting(), await waiting()];
    const client = { ip: "203.0.113.7" };
    expect(await refusalOf(confirm(user, { ...proof(other), client }))).toBe("INVALID_CREDENTIALS");
    expect(await isConfirmed(user)).toBe(false);
    expect((await events(user)).at(-1)).toBe("LoginRefused INVALID_CREDENTIALS");
    expect(await confirm(user, { ...proof(user), client })).toMatchObject({ userId: user.id });
  });
});

test("without either, or with both, is INVALID_INPUT, and confirms nothing", async () => {
  const user = await waiting();
  const neither = await refused(confirm(user, {}));
  expect([neither.code, neither.details["field"]]).toEqual(["INVALID_INPUT", "registrationSecret"]);
  const both = await refused(confirm(user, { ...bySecret(user), password: user.password }));
  expect([both.code, both.details["field"]]).toEqual(["INVALID_INPUT", "password"]);
  expect(await isConfirmed(user)).toBe(false);
  expect(await events(user)).toEqual(["UserRegistered"]);
});

test("whoever made an account with another's address has nothing of it when the owner opens the link", async () => {
  const owner = newUser();
  const attacker = { ...newUser(), email: owner.email };
  const theirs = await registered(fleet, attacker);
  const token = await fleet.confirmationToken(theirs.username);
  // The owner of the mailbox knows neither what registering answered nor the password.
  const guesses = [
    { registrationSecret: randomBytes(32).toString("base64url") },
    { password: "what I always take" },
    {},
  ];
  for (const given of guesses)
    expect(await refusalOf(confirm({ ...theirs, token }, given))).toMatch(/INVALID_(CREDENTIALS|INPUT)/);
  expect(await refusalOf(loggedIn(fleet, attacker))).toBe("NOT_CONFIRMED");
  const mine = await registered(fleet, owner);
  await confirm({ ...mine, token: await fleet.confirmationToken(mine.username) }, bySecret(mine));
  expect(await loggedIn(fleet, owner)).toMatchObject({ userId: mine.id });
  const late = await refused(confirm({ ...theirs, token }, bySecret(theirs)));
  expect([late.code, late.details]).toEqual(["TOKEN_INVALID", { reason: "address-taken" }]);
});

test("a password is an attempt at the account, as at a login: counted, delayed, and taken back by the right one; a secret is none", async () => {
  const user = await waiting();
  const client = { ip: "203.0.113.8" };
  for (let time = 0; time < 3; time += 1)
    expect(await refusalOf(confirm(user, { registrationSecret: "wrong", client }))).toBe("INVALID_CREDENTIALS");
  expect(await attemptsAt(user)).toBe(0);
  let code = "";
  for (let time = 0; time < 5; time += 1) code = await refusalOf(confirm(user, { password: "wrong", client }));
  expect([code, await attemptsAt(user)]).toEqual(["INVALID_CREDENTIALS", 5]);
  for (let time = 0; time < 5; time += 1)
    await refusalOf(fleet.client.request("auth.session.login", { login: user.login, password: "wrong", client }));
  const throttled = await refused(confirm(user, { ...byPassword(user), client }));
  expect([throttled.code, throttled.details["reason"]]).toEqual(["THROTTLED", "attempts"]);
  // The secret needs no wait, and the right password takes back what its network has counted.
  await fleet.sql.query("UPDATE login_attempts SET attempts = attempts[1:3] WHERE user_id = $1", [user.id]);
  expect(await confirm(user, { ...byPassword(user), client })).toMatchObject({ userId: user.id });
  expect(await attemptsAt(user)).toBe(0);
});

test("another password under the key of an answer is a conflict, and counts", async () => {
  const user = await waiting();
  const key = `confirm-of-${user.login}-guessed`;
  const client = { ip: "203.0.113.9" };
  expect(await refusalOf(confirm(user, { password: "wrong", client }, key))).toBe("INVALID_CREDENTIALS");
  expect(await refusalOf(confirm(user, { ...byPassword(user), client }, key))).toBe("IDEMPOTENCY_CONFLICT");
  expect(await attemptsAt(user)).toBe(2);
  const again = `${key}-again`;
  const tokens = await confirm(user, { ...bySecret(user) }, again);
  expect(await confirm(user, { ...bySecret(user) }, again)).toEqual(tokens);
});

test("an account that was imported has no registration secret, and is confirmed by its password", async () => {
  const user = await waiting();
  await fleet.sql.query("UPDATE users SET registration_hash = NULL WHERE id = $1", [user.id]);
  expect(await refusalOf(confirm(user, bySecret(user)))).toBe("INVALID_CREDENTIALS");
  expect(await confirm(user, byPassword(user))).toMatchObject({ userId: user.id });
});

test("a banned account is told of only to whoever has proved that it is theirs", async () => {
  const user = await waiting();
  await fleet.sql.query("UPDATE users SET banned_at = now() WHERE id = $1", [user.id]);
  expect(await refusalOf(confirm(user, { registrationSecret: "wrong" }))).toBe("INVALID_CREDENTIALS");
  expect(await refusalOf(confirm(user, bySecret(user)))).toBe("BANNED");
  expect(await refusalOf(confirm(user, byPassword(user)))).toBe("BANNED");
  expect(await attemptsAt(user)).toBe(0); // the password was right
  expect((await events(user)).slice(-2)).toEqual(["LoginRefused BANNED", "LoginRefused BANNED"]);
});

test("the database keeps the secret's hash alone", async () => {
  const { id, registrationSecret } = await waiting();
  const { rows } = await fleet.sql.query<{ text: string }>("SELECT users::text AS text FROM users WHERE id = $1", [id]);
  expect(rows[0]!.text).not.toContain(Buffer.from(registrationSecret).toString("hex"));
  expect(rows[0]!.text).not.toContain(registrationSecret);
});
