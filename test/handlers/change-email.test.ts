// Changing an e-mail address through Kafka: the ok replies, every refusal, who gets which mail, and races for one
// address.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { mailedToken, mailsTo, mailTo } from "../support/mails.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { byPassword, type Confirmed, confirmed, newUser, refusalOf, refused, registered } from "../support/users.ts";

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
afterAll(() => fleet.close());

function change(
  { tokens, password }: Confirmed,
  newEmail: string,
  more: { password?: string; accessToken?: string } = {},
) {
  const input = { accessToken: tokens.accessToken, password, newEmail, ...more };
  return fleet.client.request("auth.account.change-email", input);
}

const confirm = (token: string) => fleet.client.request("auth.account.confirm-email", { token });
const emailOf = async ({ id }: Confirmed): Promise<string> =>
  (await fleet.sql.query<{ email: string }>("SELECT email FROM users WHERE id = $1", [id])).rows[0]!.email;

async function events({ id }: Confirmed): Promise<string[]> {
  const { rows } = await fleet.sql.query<{ kind: string; body: object }>(
    "SELECT kind, body FROM outbox WHERE user_id = $1 AND topic = 'auth.event' AND kind LIKE 'Email%' ORDER BY id",
    [id],
  );
  expect(JSON.stringify(rows)).not.toContain("@");
  return rows.map(({ kind }) => kind);
}

/** Somebody who has asked for another address, and the link to it. */
async function moving() {
  const user = await confirmed(fleet);
  const wanted = newUser("new").email;
  await change(user, wanted);
  return { user, wanted, token: await mailedToken(fleet, wanted, "email-confirm") };
}

describe("auth.account.change-email", () => {
  test("mails a link to the new address and a notice to the old one, and changes nothing yet", async () => {
    const { user, wanted } = await moving();
    await mailTo(fleet, user.email, "email-change-requested");
    expect(mailsTo(fleet, wanted)).toEqual(["email-confirm"]);
    expect(await emailOf(user)).toBe(user.email);
    expect(await events(user)).toEqual(["EmailChangeRequested"]);
  });

  test("refuses a taken address in any case, but not the account's own in another case", async () => {
    const [user, owner, waiting] = [await confirmed(fleet), await confirmed(fleet), await registered(fleet)];
    expect(await refusalOf(change(user, owner.email.toUpperCase()))).toBe("EMAIL_TAKEN");
    expect(await change(user, waiting.email)).toEqual({}); // nobody has it yet
    expect(await change(user, user.email.toUpperCase())).toEqual({});
    const same = await refused(change(user, user.email));
    expect([same.code, same.details["field"]]).toEqual(["INVALID_INPUT", "newEmail"]);
  });

  test("refuses a wrong password, and counts it", async () => {
    const user = await confirmed(fleet);
    const wanted = newUser().email;
    expect(await refusalOf(change(user, wanted, { password: "not the one" }))).toBe("INVALID_CREDENTIALS");
    const { rows } = await fleet.sql.query("SELECT count(*)::int AS n FROM outbox WHERE user_id = $1 AND kind = $2", [
      user.id,
      "PasswordRefused",
    ]);
    expect(rows).toEqual([{ n: 1 }]);
    expect(await change(user, wanted)).toEqual({}); // the control
  });

  test("refuses what is no address, an empty password, and who holds no good token", async () => {
    const user = await confirmed(fleet);
    const bad = await refused(change(user, "nobody"));
    expect([bad.code, bad.details["field"]]).toEqual(["INVALID_INPUT", "newEmail"]);
    expect(await refusalOf(change(user, newUser().email, { password: "" }))).toBe("INVALID_INPUT");
    expect(await refusalOf(change(user, newUser().email, { accessToken: "garbage" }))).toBe("TOKEN_INVALID");
  });

  test("is THROTTLED beyond AUTH_MAILS_PER_HOUR, and says when to ask again", async () => {
    const user = await confirmed(fleet);
    for (let time = 0; time < 3; time += 1) await change(user, newUser().email);
    const { code, details, retryAfterMs = 0 } = await refused(change(user, newUser().email));
    expect([code, details]).toEqual(["THROTTLED", { reason: "mails" }]);
    expect(retryAfterMs).toBeGreaterThan(3_000_000);
    expect(retryAfterMs).toBeLessThanOrEqual(3_600_000);
  });
});

describe("the address that is asked for", () => {
  test("gets no more than AUTH_MAILS_PER_HOUR links, whoever asks; a notice is held back by none of them", async () => {
    const { email } = await registered(fleet); // the first of the hour
    const askers = [await confirmed(fleet), await confirmed(fleet), await confirmed(fleet)];
    expect(await change(askers[0]!, email)).toEqual({});
    expect(await change(askers[1]!, email)).toEqual({});
    const { code, retryAfterMs = 0 } = await refused(change(askers[2]!, email));
    expect(code).toBe("THROTTLED");
    expect(retryAfterMs).toBeGreaterThan(3_000_000);
    // The control: another address is free, and the owner of an account that moves is told each time.
    for (let time = 0; time < 3; time += 1) expect(await change(askers[2]!, newUser().email)).toEqual({});
    await mailTo(fleet, askers[2]!.email, "email-change-requested", 3);
  });
});

describe("auth.account.confirm-email", () => {
  test("makes the new address the account's own, tells both, and lets sessions go on", async () => {
    const { user, wanted, token } = await moving();
    expect(await confirm(token)).toEqual({});
    expect(await emailOf(user)).toBe(wanted);
    await mailTo(fleet, user.email, "email-changed");
    await mailTo(fleet, wanted, "email-changed");
    expect(await events(user)).toEqual(["EmailChangeRequested", "EmailChanged"]);
    const { accessToken } = user.tokens;
    expect(await fleet.client.request("auth.session.inspect", { accessToken })).toMatchObject({ userId: user.id });
  });

  test("works once, and frees the old address", async () => {
    const { user, token } = await moving();
    await confirm(token);
    expect(await refusalOf(confirm(token))).toBe("TOKEN_INVALID");
    const next = { ...newUser(), email: user.email };
    expect(await fleet.client.request("auth.account.register", next)).toMatchObject({ userId: expect.any(Number) });
  });

  test("takes back links that were mailed before: to the old address, and to a third one", async () => {
    const { user, wanted, token } = await moving();
    const third = newUser().email;
    await change(user, third);
    await fleet.client.request("auth.password.forgot", { email: user.email });
    const [other, reset] = [
      await mailedToken(fleet, third, "email-confirm"),
      await mailedToken(fleet, user.email, "reset"),
    ];
    await confirm(token);
    expect(await refusalOf(confirm(other))).toBe("TOKEN_INVALID");
    const newPassword = "quite another one";
    expect(await refusalOf(fleet.client.request("auth.password.reset", { token: reset, newPassword }))).toBe(
      "TOKEN_INVALID",
    );
    await fleet.client.request("auth.password.forgot", { email: wanted }); // the control: a new one goes to the new address
    await mailTo(fleet, wanted, "reset");
  });

  test("of two accounts that want one address at once, one has it and the other is told", async () => {
    const users = [await confirmed(fleet), await confirmed(fleet)];
    const wanted = newUser("both").email;
    const tokens: string[] = [];
    for (const [index, user] of users.entries()) {
      await change(user, wanted);
      tokens.push(await mailedToken(fleet, wanted, "email-confirm", index + 1));
    }
    const answers = await Promise.all(
      tokens.map((token) =>
        confirm(token).then(
          () => "ok",
          (error: { code: string }) => error.code,
        ),
      ),
    );
    expect(answers.sort()).toEqual(["EMAIL_TAKEN", "ok"]);
    expect((await Promise.all(users.map(emailOf))).filter((email) => email === wanted)).toHaveLength(1);
  });

  test("refuses a link whose time is over, a link from before a change of the password, a banned account", async () => {
    const late = await moving();
    await fleet.sql.query("UPDATE one_time_tokens SET expires_at = now() WHERE user_id = $1", [late.user.id]);
    expect(await refusalOf(confirm(late.token))).toBe("TOKEN_EXPIRED");
    const { user, token } = await moving();
    const { accessToken } = user.tokens;
    const input = { accessToken, currentPassword: user.password, newPassword: "quite another one" };
    await fleet.client.request("auth.password.change", input);
    expect(await refusalOf(confirm(token))).toBe("TOKEN_INVALID");
    const banned = await moving();
    await fleet.sql.query("UPDATE users SET banned_at = now() WHERE id = $1", [banned.user.id]);
    expect(await refusalOf(confirm(banned.token))).toBe("BANNED");
  });

  test("refuses what is no such link: nothing, garbage, a link of another purpose", async () => {
    const user = await confirmed(fleet);
    await fleet.client.request("auth.password.forgot", { email: user.email });
    expect(await refusalOf(confirm(""))).toBe("INVALID_INPUT");
    expect(await refusalOf(confirm("garbage"))).toBe("TOKEN_INVALID");
    expect(await refusalOf(confirm(await mailedToken(fleet, user.email, "reset")))).toBe("TOKEN_INVALID");
    const { token } = await moving();
    expect(await refusalOf(fleet.client.request("auth.account.confirm", { token, ...byPassword(user) }))).toBe(
      "TOKEN_INVALID",
    );
  });
});
