// Changing a password through Kafka: the ok reply, every refusal, and what becomes of sessions and tokens.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { mailsTo, mailTo } from "../support/mails.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { type Confirmed, confirmed, loggedIn, refusalOf, refused } from "../support/users.ts";

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
afterAll(() => fleet.close());

const inspect = (accessToken: string) => fleet.client.request("auth.session.inspect", { accessToken });
const refresh = (refreshToken: string) => fleet.client.request("auth.session.refresh", { refreshToken });

interface Change {
  accessToken?: string;
  currentPassword?: string;
  newPassword?: string;
}

const renamed = (user: Confirmed) => `another ${user.password}`;

function change(user: Confirmed, given: Change = {}, idempotencyKey?: string) {
  const { tokens, password: currentPassword } = user;
  const input = { accessToken: tokens.accessToken, currentPassword, newPassword: renamed(user), ...given };
  return fleet.client.request("auth.password.change", input, { ...(idempotencyKey && { idempotencyKey }) });
}

async function events(user: Confirmed, kind: string) {
  const { rows } = await fleet.sql.query(
    "SELECT actor, body->>'sessionId' AS session FROM outbox WHERE user_id = $1 AND kind = $2",
    [user.id, kind],
  );
  return rows;
}

describe("auth.password.change", () => {
  test("from then on the new password is the right one, and the old one is wrong", async () => {
    const user = await confirmed(fleet);
    expect(await change(user)).toEqual({});
    expect(await refusalOf(loggedIn(fleet, user))).toBe("INVALID_CREDENTIALS");
    expect(await loggedIn(fleet, { ...user, password: renamed(user) })).toMatchObject({ userId: user.id });
    expect(await events(user, "PasswordChanged")).toEqual([
      { actor: `user:${user.id}`, session: user.tokens.sessionId },
    ]);
  });

  test("tells the owner by mail, and nobody where it was refused", async () => {
    const user = await confirmed(fleet);
    expect(await refusalOf(change(user, { currentPassword: "not the one" }))).toBe("INVALID_CREDENTIALS");
    await change(user);
    await mailTo(fleet, user.email, "password-changed");
    expect(mailsTo(fleet, user.email)).toEqual(["password-changed"]);
  });

  test("ends all other sessions; the acting one gets a current access token at its next refresh", async () => {
    const user = await confirmed(fleet);
    const other = await loggedIn(fleet, user);
    await change(user);
    expect(await refusalOf(refresh(other.refreshToken))).toBe("SESSION_REVOKED");
    expect(await refusalOf(inspect(other.accessToken))).toBe("SESSION_REVOKED");
    expect(await refusalOf(inspect(user.tokens.accessToken))).toBe("TOKEN_EXPIRED");
    const { accessToken, sessionId } = await refresh(user.tokens.refreshToken);
    expect(await inspect(accessToken)).toMatchObject({ sessionId });
    expect(sessionId).toBe(user.tokens.sessionId);
  });

  test("a wrong current password changes nothing, ends nothing and is counted, once per key", async () => {
    const user = await confirmed(fleet);
    const other = await loggedIn(fleet, user);
    const key = `change-of-${user.login}-wrong`;
    const attempt = (currentPassword: string) => refusalOf(change(user, { currentPassword }, key));
    expect([await attempt("not the one"), await attempt("not the one"), await attempt("another")]).toEqual([
      "INVALID_CREDENTIALS",
      "INVALID_CREDENTIALS",
      "IDEMPOTENCY_CONFLICT",
    ]);
    expect(await inspect(other.accessToken)).toMatchObject({ userId: user.id });
    expect(await loggedIn(fleet, user)).toMatchObject({ userId: user.id });
    expect(await events(user, "PasswordRefused")).toEqual([
      { actor: `user:${user.id}`, session: user.tokens.sessionId },
    ]);
  });

  test("asked again with its key it is answered again, though its access token counts no more", async () => {
    const user = await confirmed(fleet);
    const key = `change-of-${user.login}-again`;
    expect(await change(user, {}, key)).toEqual({});
    expect(await change(user, {}, key)).toEqual({});
    expect(await refusalOf(change(user))).toBe("TOKEN_EXPIRED"); // the control: another key is another request
    expect(await events(user, "PasswordChanged")).toHaveLength(1);
  });

  test("of two changes at once one wins, and its password is the one that counts", async () => {
    const user = await confirmed(fleet);
    const wanted = ["the first of two", "the second of two"];
    const answers = await Promise.allSettled(wanted.map((newPassword) => change(user, { newPassword })));
    const won = answers.findIndex(({ status }) => status === "fulfilled");
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await loggedIn(fleet, { ...user, password: wanted[won]! })).toMatchObject({ userId: user.id });
    expect(await refusalOf(loggedIn(fleet, { ...user, password: wanted[1 - won]! }))).toBe("INVALID_CREDENTIALS");
  });

  test("refuses a weak, an absurd and an unchanged new password", async () => {
    const user = await confirmed(fleet);
    const weak = await refused(change(user, { newPassword: "short" }));
    expect([weak.code, weak.details["field"]]).toEqual(["WEAK_PASSWORD", "newPassword"]);
    const absurd = await refused(change(user, { newPassword: "x".repeat(1025) }));
    expect([absurd.code, absurd.details["field"]]).toEqual(["INVALID_INPUT", "newPassword"]);
    const same = await refused(change(user, { newPassword: user.password }));
    expect([same.code, same.details["field"]]).toEqual(["INVALID_INPUT", "newPassword"]);
    const empty = await refused(change(user, { currentPassword: "" }));
    expect([empty.code, empty.details["field"]]).toEqual(["INVALID_INPUT", "currentPassword"]);
  });

  test("refuses who holds no token of a session that goes on", async () => {
    const user = await confirmed(fleet);
    const { accessToken } = await loggedIn(fleet, user);
    await fleet.client.request("auth.session.logout", { accessToken });
    expect(await refusalOf(change(user, { accessToken }))).toBe("SESSION_REVOKED");
    expect(await refusalOf(change(user, { accessToken: "garbage" }))).toBe("TOKEN_INVALID");
    expect(await refusalOf(change(user, { accessToken: "" }))).toBe("INVALID_INPUT");
    expect(await refusalOf(change(user, { accessToken: user.tokens.refreshToken }))).toBe("TOKEN_INVALID");
  });
});
