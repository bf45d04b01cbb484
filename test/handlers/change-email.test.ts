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
  const person = await confirmed(fleet);
  const wanted = newUser("new").email;
  await change(person, wanted);
  return { person, wanted, token: await mailedToken(fleet, wanted, "email-confirm") };
}

describe("auth.account.change-email", () => {
  test("mails a link to the new address and a notice to the old one, and changes nothing yet", async () => {
    const { person, wanted } = await moving();
    await mailTo(fleet, person.email, "email-change-requested");
    expect(mailsTo(fleet, wanted)).toEqual(["email-confirm"]);
    expect(await emailOf(person)).toBe(person.email);
    expect(await events(person)).toEqual(["EmailChangeRequested"]);
  });

  test("refuses a taken address in any case, but not the account's own in another case", async () => {
    const [person, owner, waiting] = [await confirmed(fleet), await confirmed(fleet), await registered(fleet)];
    expect(await refusalOf(change(person, owner.email.toUpperCase()))).toBe("EMAIL_TAKEN");
    expect(await change(person, waiting.email)).toEqual({}); // nobody has it yet
    expect(await change(person, person.email.toUpperCase())).toEqual({});
    const same = await refused(change(person, person.email));
    expect([same.code, same.details["field"]]).toEqual(["INVALID_INPUT", "newEmail"]);
  });

  test("refuses a wrong password, and counts it", async () => {
    const person = await confirmed(fleet);
    const wanted = newUser().email;
    expect(await refusalOf(change(person, wanted, { password: "not the one" }))).toBe("INVALID_CREDENTIALS");
    const { rows } = await fleet.sql.query("SELECT count(*)::int AS n FROM outbox WHERE user_id = $1 AND kind = $2", [
      person.id,
      "PasswordRefused",
    ]);
    expect(rows).toEqual([{ n: 1 }]);
    expect(await change(person, wanted)).toEqual({}); // the control
  });

  test("refuses what is no address, an empty password, and who holds no good token", async () => {
    const person = await confirmed(fleet);
    const bad = await refused(change(person, "nobody"));
    expect([bad.code, bad.details["field"]]).toEqual(["INVALID_INPUT", "newEmail"]);
    expect(await refusalOf(change(person, newUser().email, { password: "" }))).toBe("INVALID_INPUT");
    expect(await refusalOf(change(person, newUser().email, { accessToken: "garbage" }))).toBe("TOKEN_INVALID");
  });

  test("is THROTTLED beyond AUTH_MAILS_PER_HOUR, and says when to ask again", async () => {
    const person = await confirmed(fleet);
    for (let time = 0; time < 3; time += 1) await change(person, newUser().email);
    const { code, details, retryAfterMs = 0 } = await refused(change(person, newUser().email));
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
    const { person, wanted, token } = await moving();
    expect(await confirm(token)).toEqual({});
    expect(await emailOf(person)).toBe(wanted);
    await mailTo(fleet, person.email, "email-changed");
    await mailTo(fleet, wanted, "email-changed");
    expect(await events(person)).toEqual(["EmailChangeRequested", "EmailChanged"]);
    const { accessToken } = person.tokens;
    expect(await fleet.client.request("auth.session.inspect", { accessToken })).toMatchObject({ userId: person.id });
  });

  test("works once, and frees the old address", async () => {
    const { person, token } = await moving();
    await confirm(token);
    expect(await refusalOf(confirm(token))).toBe("TOKEN_INVALID");
    const next = { ...newUser(), email: person.email };
    expect(await fleet.client.request("auth.account.register", next)).toMatchObject({ userId: expect.any(Number) });
  });

  test("takes back links that were mailed before: to the old address, and to a third one", async () => {
    const { person, wanted, token } = await moving();
    const third = newUser().email;
    await change(person, third);
    await fleet.client.request("auth.password.forgot", { email: person.email });
    const [other, reset] = [
      await mailedToken(fleet, third, "email-confirm"),
      await mailedToken(fleet, person.email, "reset"),
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
    const people = [await confirmed(fleet), await confirmed(fleet)];
    const wanted = newUser("both").email;
    const tokens: string[] = [];
    for (const [index, person] of people.entries()) {
      await change(person, wanted);
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
    expect((await Promise.all(people.map(emailOf))).filter((email) => email === wanted)).toHaveLength(1);
  });

  test("refuses a link whose time is over, a link from before a change of the password, a banned account", async () => {
    const late = await moving();
    await fleet.sql.query("UPDATE one_time_tokens SET expires_at = now() WHERE user_id = $1", [late.person.id]);
    expect(await refusalOf(confirm(late.token))).toBe("TOKEN_EXPIRED");
    const { person, token } = await moving();
    const { accessToken } = person.tokens;
    const input = { accessToken, currentPassword: person.password, newPassword: "quite another one" };
    await fleet.client.request("auth.password.change", input);
    expect(await refusalOf(confirm(token))).toBe("TOKEN_INVALID");
    const banned = await moving();
    await fleet.sql.query("UPDATE users SET banned_at = now() WHERE id = $1", [banned.person.id]);
    expect(await refusalOf(confirm(banned.token))).toBe("BANNED");
  });

  test("refuses what is no such link: nothing, garbage, a link of another purpose", async () => {
    const person = await confirmed(fleet);
    await fleet.client.request("auth.password.forgot", { email: person.email });
    expect(await refusalOf(confirm(""))).toBe("INVALID_INPUT");
    expect(await refusalOf(confirm("garbage"))).toBe("TOKEN_INVALID");
    expect(await refusalOf(confirm(await mailedToken(fleet, person.email, "reset")))).toBe("TOKEN_INVALID");
    const { token } = await moving();
    expect(await refusalOf(fleet.client.request("auth.account.confirm", { token, ...byPassword(person) }))).toBe(
      "TOKEN_INVALID",
    );
  });
});
