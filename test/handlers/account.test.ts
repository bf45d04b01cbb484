// Registering, confirming and asking for another link, through Kafka: every ok reply and every refusal.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { newOpaque } from "../../src/crypto/opaque.ts";
import { called } from "../authctl/authctl.ts";
import { stolenPassword } from "../support/fleet.ts";
import { operatorToken } from "../support/operator.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { bySecret, confirmed, loggedIn, newUser, refusalOf, refused, registered } from "../support/users.ts";

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
afterAll(() => fleet.close());

describe("auth.account.register", () => {
  test("makes an account, tells its id, and mails a link in the topic auth", async () => {
    const user = newUser();
    const result = await fleet.client.request("auth.account.register", user);
    expect(result).toEqual({
      userId: expect.any(Number),
      confirmationSent: true,
      registrationSecret: expect.stringMatching(/^[\w-]{43}$/),
    });
    const mail = await fleet.mails.last("auth", (record) => record.json?.["username"] === user.username);
    expect(mail.json).toEqual({
      id: result.userId,
      token: expect.any(String),
      username: user.username,
      email: user.email,
    });
    expect(String(mail.key)).toBe(String(result.userId));
  });

  test("keeps the password as Argon2id at the configured cost, and nothing else of it", async () => {
    const user = await registered(fleet);
    const { rows } = await fleet.sql.query("SELECT hash FROM credentials WHERE user_id = $1", [user.id]);
    expect(rows).toEqual([{ hash: expect.stringMatching(/^\$argon2id\$v=19\$m=7168,t=1,p=1\$/) }]);
  });

  test("refuses a login that is taken, in any case and in any Unicode form", async () => {
    const user = await registered(fleet, { ...newUser("ä"), username: newUser().login });
    const again = { ...newUser(), login: user.login.normalize("NFD").toUpperCase() };
    expect(await refusalOf(fleet.client.request("auth.account.register", again))).toBe("LOGIN_TAKEN");
  });

  test("refuses an e-mail address that a confirmed account has, in any case", async () => {
    const user = await confirmed(fleet);
    const again = { ...newUser(), email: user.email.toUpperCase() };
    expect(await refusalOf(fleet.client.request("auth.account.register", again))).toBe("EMAIL_TAKEN");
  });

  test("beside an account that waits with the same address it is ok: each has a link, and the first that is confirmed has the address", async () => {
    const first = await registered(fleet);
    const second = await registered(fleet, { ...newUser(), email: first.email.toUpperCase() });
    const tokens = [await fleet.confirmationToken(first.username), await fleet.confirmationToken(second.username)];
    expect(
      await fleet.client.request("auth.account.confirm", { token: tokens[1]!, ...bySecret(second) }),
    ).toMatchObject({
      userId: second.id,
    });
    const late = await refused(fleet.client.request("auth.account.confirm", { token: tokens[0]!, ...bySecret(first) }));
    expect([late.code, late.details]).toEqual(["TOKEN_INVALID", { reason: "address-taken" }]);
    const third = { ...newUser(), email: first.email };
    expect(await refusalOf(fleet.client.request("auth.account.register", third))).toBe("EMAIL_TAKEN");
  });

  test("lets one of twenty at once have the login", async () => {
    const { login } = newUser();
    const calls = Array.from({ length: 20 }, () =>
      fleet.client.request("auth.account.register", { ...newUser(), login }),
    );
    const outcomes = await Promise.all(
      calls.map((call) =>
        call.then(
          () => "ok",
          (error: { code: string }) => error.code,
        ),
      ),
    );
    expect(outcomes.filter((each) => each === "ok")).toHaveLength(1);
    expect(outcomes.filter((each) => each === "LOGIN_TAKEN")).toHaveLength(19);
  });

  test.each([
    ["an empty", "login", { login: "" }],
    ["a login of 3 characters as", "login", { login: "abc" }],
    ["a login of 33 characters as", "login", { login: "x".repeat(33) }],
    ["a control character in the", "login", { login: "a\u0000bcd" }],
    ["outer blanks in the", "login", { login: " abcd" }],
    ["the form of a user id as", "login", { login: "id:12" }],
    ["an empty", "username", { username: "" }],
    ["33 characters as", "username", { username: "x".repeat(33) }],
    ["an empty", "email", { email: "" }],
    ["a bare word as", "email", { email: "nobody" }],
    ["a host without a dot in", "email", { email: "a@b" }],
    ["over 254 characters as", "email", { email: `${"x".repeat(250)}@example.com` }],
    ["an empty", "locale", { locale: "" }],
    ["a word as", "locale", { locale: "German!" }],
    ["an underscore in the", "locale", { locale: "pt_BR" }],
    ["36 characters as", "locale", { locale: "en-u-abcdefgh-bcdefghi-cdefghij-abcd" }],
    ["over 1,024 bytes as", "password", { password: "x".repeat(1025) }],
  ])("refuses %s %s", async (_what, field, bad) => {
    const refusal = await refused(fleet.client.request("auth.account.register", { ...newUser(), ...bad }));
    expect([refusal.code, refusal.details["field"]]).toEqual(["INVALID_INPUT", field]);
  });

  test.each(["", "1234567", "💥💥💥💥💥💥💥"])("refuses the short password %j as weak", async (password) => {
    const refusal = await refused(fleet.client.request("auth.account.register", { ...newUser(), password }));
    expect([refusal.code, refusal.details["reason"]]).toEqual(["WEAK_PASSWORD", "short"]);
  });

  test("refuses a common password, a stolen one, and one made of the login, and says why", async () => {
    const user = newUser();
    const reasonOf = async (password: string): Promise<string | undefined> =>
      (await refused(fleet.client.request("auth.account.register", { ...user, password }))).details["reason"];
    expect(await reasonOf("password1")).toBe("common");
    expect(await reasonOf(stolenPassword)).toBe("breached");
    expect(await reasonOf(`${user.login}!`)).toBe("context");
    expect(await fleet.client.request("auth.account.register", user)).toMatchObject({ confirmationSent: true });
  });

  test("keeps the language that was given, in its canonical form; operators see it, and whoever gave none has the fleet's", async () => {
    const actorToken = await operatorToken(fleet);
    const shown = async (locale: string | null) => {
      const { login } = await registered(fleet, { ...newUser(), locale });
      return (await fleet.client.request("auth.admin.get-user", { actorToken, target: login })).locale;
    };
    expect(await shown("pt-br")).toBe("pt-BR");
    expect(await shown("xx")).toBe("xx"); // well-formed, whether there is a text in it or not
    expect(await shown("en-u-abcdefgh-bcdefghi-cdefghij-abc")).toMatch(/^en-u-/); // 35 characters
    expect(await shown(null)).toBeNull();
    const { login } = await registered(fleet);
    const show = async (name: string) => (await called(["users", "show", name], fleet.env)).stdout;
    expect(await show(login)).toMatch(/\nlanguage +\(the fleet's\)\n/);
    expect(await show((await registered(fleet, { ...newUser(), locale: "ru" })).login)).toMatch(/\nlanguage +ru\n/);
  });

  test("counts a password by code points after NFKC", async () => {
    const user = { ...newUser(), password: "💥💥💥💥💥💥💥💥" };
    expect(await fleet.client.request("auth.account.register", user)).toMatchObject({ confirmationSent: true });
  });

  /** ASVS 6.2.5, 6.2.8, 6.2.9. */
  test("takes a password of whatever characters, 64 and more, whole and as it was typed", async () => {
    const alike = await confirmed(fleet, { ...newUser(), password: "qmzvhtkw" });
    expect(await loggedIn(fleet, alike)).toMatchObject({ userId: alike.id });
    const long = `${"aé 7".repeat(204)}Zed!`; // 1,024 bytes
    const user = await confirmed(fleet, { ...newUser(), password: long });
    expect(await loggedIn(fleet, user)).toMatchObject({ userId: user.id });
    for (const other of [
      long.slice(0, -1),
      `${long.slice(0, -1)}?`,
      long.toLowerCase(),
      `${long.slice(0, -4)} Zed!`.slice(1),
    ])
      expect(await refusalOf(loggedIn(fleet, { ...user, password: other }))).toBe("INVALID_CREDENTIALS");
  });

  test("asked again with its key, it answers the same and makes no second account", async () => {
    const user = newUser();
    const options = { idempotencyKey: `register-${user.login}-again` };
    const first = await fleet.client.request("auth.account.register", user, options);
    expect(await fleet.client.request("auth.account.register", user, options)).toEqual(first);
    // The control: without the key it is another request.
    expect(await refusalOf(fleet.client.request("auth.account.register", user))).toBe("LOGIN_TAKEN");
  });

  test("keeps its refusal: asked again with its key after the login is free, it is still taken", async () => {
    const user = await registered(fleet);
    const options = { idempotencyKey: `register-${user.login}-refused` };
    const again = { ...newUser(), login: user.login };
    expect(await refusalOf(fleet.client.request("auth.account.register", again, options))).toBe("LOGIN_TAKEN");
    await fleet.sql.query("DELETE FROM users WHERE id = $1", [user.id]);
    expect(await refusalOf(fleet.client.request("auth.account.register", again, options))).toBe("LOGIN_TAKEN");
    expect(await fleet.client.request("auth.account.register", again)).toMatchObject({ confirmationSent: true });
  });

  test("with the same key and another request is a conflict", async () => {
    const options = { idempotencyKey: `register-${newUser().login}-conflict` };
    await fleet.client.request("auth.account.register", newUser(), options);
    expect(await refusalOf(fleet.client.request("auth.account.register", newUser(), options))).toBe(
      "IDEMPOTENCY_CONFLICT",
    );
  });
});

describe("auth.account.confirm", () => {
  test("opens a session and tells the platform in the topic registration", async () => {
    const user = await confirmed(fleet);
    expect(user.tokens).toMatchObject({
      userId: user.id,
      sessionId: expect.any(String),
      refreshToken: expect.any(String),
    });
    const profile = await fleet.mails.last("registration", (record) => record.json?.["id"] === user.id);
    expect(profile.json).toEqual({ id: user.id, username: user.username });
    const identity = await fleet.client.request("auth.session.inspect", { accessToken: user.tokens.accessToken });
    expect(identity).toMatchObject({ userId: user.id, login: user.login, isActive: true, isVerified: true });
  });

  test("works once", async () => {
    const user = await confirmed(fleet);
    const { confirmationToken: token } = user;
    const used = await refused(fleet.client.request("auth.account.confirm", { token, ...bySecret(user) }));
    expect([used.code, used.details]).toEqual(["TOKEN_INVALID", { reason: "used" }]);
    const forged = await refused(
      fleet.client.request("auth.account.confirm", {
        token: newOpaque(token.split(".")[0]!).token,
        ...bySecret(user),
      }),
    );
    expect([forged.code, forged.details]).toEqual(["TOKEN_INVALID", {}]);
  });

  test("works once of twenty times at once, and for the others not at all", async () => {
    const user = await registered(fleet);
    const token = await fleet.confirmationToken(user.username);
    const calls = Array.from({ length: 20 }, () =>
      fleet.client.request("auth.account.confirm", { token, ...bySecret(user) }),
    );
    const outcomes = await Promise.all(
      calls.map((call) =>
        call.then(
          () => "ok",
          (error: { code: string }) => error.code,
        ),
      ),
    );
    expect(outcomes.sort()).toEqual([...Array.from({ length: 19 }, () => "TOKEN_INVALID"), "ok"]);
    const { rows } = await fleet.sql.query("SELECT count(*)::int AS sessions FROM sessions WHERE user_id = $1", [
      user.id,
    ]);
    expect(rows).toEqual([{ sessions: 1 }]);
  });

  test("a second link of a confirmed account is no good any more", async () => {
    const user = await registered(fleet);
    const first = await fleet.confirmationToken(user.username);
    await fleet.client.request("auth.account.resend", { email: user.email });
    await fleet.mails.count("auth", 2, (record) => record.json?.["username"] === user.username);
    const second = await fleet.confirmationToken(user.username);
    expect(second).not.toBe(first);
    await fleet.client.request("auth.account.confirm", { token: second, ...bySecret(user) });
    expect(await refusalOf(fleet.client.request("auth.account.confirm", { token: first, ...bySecret(user) }))).toBe(
      "TOKEN_INVALID",
    );
  });

  test("refuses a link whose time is over", async () => {
    const user = await registered(fleet);
    const token = await fleet.confirmationToken(user.username);
    await fleet.sql.query("UPDATE one_time_tokens SET expires_at = now() WHERE user_id = $1", [user.id]);
    expect(await refusalOf(fleet.client.request("auth.account.confirm", { token, ...bySecret(user) }))).toBe(
      "TOKEN_EXPIRED",
    );
  });

  test("refuses a banned account", async () => {
    const user = await registered(fleet);
    const token = await fleet.confirmationToken(user.username);
    await fleet.sql.query("UPDATE users SET banned_at = now() WHERE id = $1", [user.id]);
    expect(await refusalOf(fleet.client.request("auth.account.confirm", { token, ...bySecret(user) }))).toBe("BANNED");
  });

  test("refuses what is no confirmation token: nothing, garbage, a forged secret, an access token, a refresh token", async () => {
    const user = await confirmed(fleet);
    const { confirmationToken, tokens } = user;
    const confirm = (token: string) =>
      refusalOf(fleet.client.request("auth.account.confirm", { token, ...bySecret(user) }));
    expect(await confirm("")).toBe("INVALID_INPUT");
    expect(await confirm("garbage")).toBe("TOKEN_INVALID");
    expect(await confirm(newOpaque(confirmationToken.split(".")[0]!).token)).toBe("TOKEN_INVALID");
    expect(await confirm(tokens.accessToken)).toBe("TOKEN_INVALID");
    expect(await confirm(tokens.refreshToken)).toBe("TOKEN_INVALID");
  });
});

describe("auth.account.resend", () => {
  test("sends another link that works, whatever the case of the address", async () => {
    const user = await registered(fleet);
    expect(await fleet.client.request("auth.account.resend", { email: user.email.toUpperCase() })).toEqual({});
    await fleet.mails.count("auth", 2, (record) => record.json?.["username"] === user.username);
    const token = await fleet.confirmationToken(user.username);
    expect(await fleet.client.request("auth.account.confirm", { token, ...bySecret(user) })).toMatchObject({
      userId: user.id,
    });
  });

  test("says ok for an address without an account, and for a confirmed one, and sends nothing", async () => {
    const user = await confirmed(fleet);
    expect(await fleet.client.request("auth.account.resend", { email: newUser().email })).toEqual({});
    expect(await fleet.client.request("auth.account.resend", { email: user.email })).toEqual({});
    // The control: a mail that is sent after these two arrives, and there is no other.
    const other = await registered(fleet);
    await fleet.mails.last("auth", (record) => record.json?.["username"] === other.username);
    expect(fleet.mails.all("auth").filter((record) => record.json?.["username"] === user.username)).toHaveLength(1);
  });

  test("for nobody leaves rows that bear no id of a user", async () => {
    const waiting = await registered(fleet);
    for (const email of [newUser().email, waiting.email]) await fleet.client.request("auth.account.resend", { email });
    const { rows } = await fleet.sql.query<{ nobody: boolean; user_id: string }>(
      "SELECT body = '{}' AS nobody, user_id FROM outbox WHERE kind = 'ConfirmationRequested'",
    );
    const ids = (nobody: boolean) => rows.filter((row) => row.nobody === nobody).map((row) => Number(row.user_id));
    expect(ids(true).length).toBeGreaterThan(0);
    expect(ids(true).filter((id) => id > 0)).toEqual([]);
    expect(ids(false)).toContain(waiting.id); // the control
  });

  test("refuses what is no e-mail address", async () => {
    expect(await refusalOf(fleet.client.request("auth.account.resend", { email: "nobody" }))).toBe("INVALID_INPUT");
  });
});

test("a confirmed account logs in; before that, who knows the password is told NOT_CONFIRMED", async () => {
  const user = await registered(fleet);
  expect(await refusalOf(loggedIn(fleet, user))).toBe("NOT_CONFIRMED");
  expect(await refusalOf(loggedIn(fleet, { ...user, password: "not the one" }))).toBe("INVALID_CREDENTIALS");
  await fleet.client.request("auth.account.confirm", {
    token: await fleet.confirmationToken(user.username),
    ...bySecret(user),
  });
  expect(await loggedIn(fleet, user)).toMatchObject({ userId: user.id });
});
