// Forgetting and resetting a password through Kafka: the ok replies, every refusal, and what becomes of sessions,
// tokens and links.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { newOpaque } from "../../src/crypto/opaque.ts";
import { mailedToken, mailsTo, mailTo } from "../support/mails.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import {
  byPassword,
  confirmed,
  loggedIn,
  newUser,
  refusalOf,
  refused,
  registered,
  type TestUser,
} from "../support/users.ts";

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
afterAll(() => fleet.close());

const forgot = (email: string) => fleet.client.request("auth.password.forgot", { email });
const another = ({ login }: TestUser) => `a new secret of ${login}`;
function reset(token: string, newPassword: string, idempotencyKey?: string) {
  return fleet.client.request(
    "auth.password.reset",
    { token, newPassword },
    { ...(idempotencyKey && { idempotencyKey }) },
  );
}

/** A confirmed account, and the token of a reset link. */
async function forgetful() {
  const user = await confirmed(fleet);
  await forgot(user.email);
  return { ...user, token: await mailedToken(fleet, user.email, "reset") };
}

async function events(id: number, kind: string): Promise<unknown[]> {
  const { rows } = await fleet.sql.query(
    "SELECT actor, body - 'at' AS body FROM outbox WHERE user_id = $1 AND kind = $2 ORDER BY id",
    [id, kind],
  );
  return rows;
}

describe("auth.password.forgot", () => {
  test("mails a link, whatever the case of the address, and says who asked", async () => {
    const user = await confirmed(fleet);
    expect(await forgot(user.email.toUpperCase())).toEqual({});
    expect(await mailedToken(fleet, user.email, "reset")).toMatch(/^[0-9a-f-]{36}\./);
    expect(await events(user.id, "PasswordResetRequested")).toEqual([{ actor: "anonymous", body: { mailed: true } }]);
  });

  test("says ok and sends nothing for an address without an account, an unconfirmed and a banned one", async () => {
    const unconfirmed = await registered(fleet);
    const banned = await confirmed(fleet);
    await fleet.sql.query("UPDATE users SET banned_at = now() WHERE id = $1", [banned.id]);
    const nobody = newUser();
    for (const { email } of [unconfirmed, banned, nobody]) expect(await forgot(email)).toEqual({});
    // The control: a mail that is asked for after these arrives, and there is no other.
    const other = await forgetful();
    expect(mailsTo(fleet, other.email)).toEqual(["reset"]);
    for (const { email } of [unconfirmed, banned, nobody]) expect(mailsTo(fleet, email)).toEqual([]);
    const { rows } = await fleet.sql.query("SELECT body::text, key FROM outbox WHERE user_id IS NULL AND kind = $1", [
      "PasswordResetRequested",
    ]);
    expect(rows.length).toBeGreaterThan(0);
    expect(JSON.stringify(rows)).not.toContain("@");
  });

  test("mails no more than AUTH_MAILS_PER_HOUR links to one address", async () => {
    const user = await confirmed(fleet);
    for (let time = 0; time < 7; time += 1) await forgot(user.email);
    const { rows } = await fleet.sql.query(
      "SELECT count(*)::int AS links FROM one_time_tokens WHERE user_id = $1 AND purpose = 'reset'",
      [user.id],
    );
    expect(rows).toEqual([{ links: 3 }]);
    expect(await events(user.id, "PasswordResetRequested")).toHaveLength(7);
  });

  test("refuses what is no e-mail address", async () => {
    expect(await refusalOf(forgot("nobody"))).toBe("INVALID_INPUT");
  });
});

describe("auth.password.reset", () => {
  test("from then on the new password is the right one; all sessions are over and none is opened", async () => {
    const user = await forgetful();
    const other = await loggedIn(fleet, user);
    expect(await reset(user.token, another(user))).toEqual({});
    expect(await refusalOf(loggedIn(fleet, user))).toBe("INVALID_CREDENTIALS");
    for (const { accessToken, refreshToken } of [other, user.tokens]) {
      expect(await refusalOf(fleet.client.request("auth.session.inspect", { accessToken }))).toBe("SESSION_REVOKED");
      expect(await refusalOf(fleet.client.request("auth.session.refresh", { refreshToken }))).toBe("SESSION_REVOKED");
    }
    const { rows } = await fleet.sql.query(
      "SELECT count(*)::int AS open FROM sessions WHERE user_id = $1 AND ended_at IS NULL",
      [user.id],
    );
    expect(rows).toEqual([{ open: 0 }]);
    expect(await loggedIn(fleet, { ...user, password: another(user) })).toMatchObject({ userId: user.id });
    expect(await events(user.id, "PasswordReset")).toEqual([{ actor: `user:${user.id}`, body: {} }]);
  });

  test("tells verifiers that the user's access tokens count no more, and the owner by mail", async () => {
    const user = await forgetful();
    await reset(user.token, another(user));
    const { rows } = await fleet.sql.query(
      "SELECT body - 'at' AS body FROM outbox WHERE topic = 'auth.revocation' AND key = $1",
      [`u:${user.id}`],
    );
    expect(rows).toEqual([{ body: { minGeneration: 1, ended: true } }]);
    expect(await mailTo(fleet, user.email, "password-reset")).toMatchObject({ locale: "en" });
  });

  test("works once, also of ten times at once; asked again with its key it is answered again", async () => {
    const user = await forgetful();
    const key = (number: number) => `reset-of-${user.login}-${number}`;
    const answers = await Promise.allSettled(
      Array.from({ length: 10 }, (_, number) => reset(user.token, another(user), key(number))),
    );
    const won = answers.findIndex(({ status }) => status === "fulfilled");
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await reset(user.token, another(user), key(won))).toEqual({});
    expect(await refusalOf(reset(user.token, another(user)))).toBe("TOKEN_INVALID");
    expect(await events(user.id, "PasswordReset")).toHaveLength(1);
  });

  test("takes back every other link that was mailed before", async () => {
    const user = await forgetful();
    await forgot(user.email);
    const second = await mailedToken(fleet, user.email, "reset", 2);
    expect(second).not.toBe(user.token);
    await reset(second, another(user));
    expect(await refusalOf(reset(user.token, "quite another one"))).toBe("TOKEN_INVALID");
  });

  test("a link from before a change of the password is no good any more", async () => {
    const user = await forgetful();
    const { accessToken } = user.tokens;
    const change = { accessToken, currentPassword: user.password, newPassword: another(user) };
    await fleet.client.request("auth.password.change", change);
    expect(await refusalOf(reset(user.token, "quite another one"))).toBe("TOKEN_INVALID");
    expect(await mailTo(fleet, user.email, "password-changed")).toMatchObject({ kind: "password-changed" });
  });

  test("refuses a weak password, and the link stays good", async () => {
    const user = await forgetful();
    const weak = await refused(reset(user.token, "password1"));
    expect([weak.code, weak.details]).toEqual(["WEAK_PASSWORD", { field: "newPassword", reason: "common" }]);
    expect((await refused(reset(user.token, `${user.login}1`))).details["reason"]).toBe("context");
    expect((await refused(reset(user.token, "short"))).details["reason"]).toBe("short");
    expect(await refusalOf(reset(user.token, "x".repeat(1025)))).toBe("INVALID_INPUT");
    expect(await reset(user.token, another(user))).toEqual({});
  });

  test("refuses a link whose time is over, and a banned account", async () => {
    const late = await forgetful();
    await fleet.sql.query("UPDATE one_time_tokens SET expires_at = now() WHERE user_id = $1", [late.id]);
    expect(await refusalOf(reset(late.token, another(late)))).toBe("TOKEN_EXPIRED");
    const banned = await forgetful();
    await fleet.sql.query("UPDATE users SET banned_at = now() WHERE id = $1", [banned.id]);
    expect(await refusalOf(reset(banned.token, another(banned)))).toBe("BANNED");
  });

  test("refuses what is no reset token: nothing, garbage, a forged one, a token of another purpose", async () => {
    const user = await forgetful();
    const code = (token: string) => refusalOf(reset(token, another(user)));
    expect(await code("")).toBe("INVALID_INPUT");
    expect(await code("garbage")).toBe("TOKEN_INVALID");
    expect(await code(newOpaque(user.token.split(".")[0]!).token)).toBe("TOKEN_INVALID");
    expect(await code(user.tokens.accessToken)).toBe("TOKEN_INVALID");
    expect(await code(user.tokens.refreshToken)).toBe("TOKEN_INVALID");
    const fresh = await registered(fleet);
    expect(await code(await fleet.confirmationToken(fresh.username))).toBe("TOKEN_INVALID");
    expect(
      await refusalOf(fleet.client.request("auth.account.confirm", { token: user.token, ...byPassword(user) })),
    ).toBe("TOKEN_INVALID");
  });

  test("gives a password to who has had none", async () => {
    const user = await forgetful();
    await fleet.sql.query("DELETE FROM credentials WHERE user_id = $1", [user.id]);
    await reset(user.token, another(user));
    expect(await loggedIn(fleet, { ...user, password: another(user) })).toMatchObject({ userId: user.id });
  });
});
