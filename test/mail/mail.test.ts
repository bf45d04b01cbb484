// A fleet on its own, without the platform's JSON topics: confirmation goes out through auth.mail, its token sealed to
// the fleet's key. With AUTH_MAIL_SEAL_KEY it is sealed to a mailer of somebody else. With AUTH_HIDE_EMAIL nobody
// learns whether an address has an account, and its owner is told.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { calculateJwkThumbprint, compactDecrypt, exportJWK, generateKeyPair } from "jose";
import { called } from "../authctl/authctl.ts";
import { auditShown, chainWaiting } from "../support/audited.ts";
import { type Fleet, startFleet } from "../support/fleet.ts";
import { mailedToken, mailsTo, mailTo, openMail } from "../support/mails.ts";
import { operatorToken } from "../support/operator.ts";
import { end } from "../support/processes.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { byPassword, newUser, refusalOf, refused } from "../support/users.ts";

let own: Fleet;
let fleet: TestFleet;
beforeAll(async () => {
  own = await startFleet("mail", {
    processes: ["worker", "relay"],
    // Ten hashes at once are not refused on a machine that has other things to do.
    env: { AUTH_LEGACY_TOPICS: "false", AUTH_HIDE_EMAIL: "true", AUTH_HASH_QUEUE_TARGET: "1000" },
  });
  fleet = await testFleet(own);
}, 90_000);
afterAll(async () => {
  await fleet.close();
  await own.stop();
});

/** Registered and confirmed: has the address. */
async function confirmedHere(user = newUser()) {
  await fleet.client.request("auth.account.register", user);
  const token = await mailedToken(fleet, user.email, "confirm");
  return { ...user, tokens: await fleet.client.request("auth.account.confirm", { token, ...byPassword(user) }) };
}

test("registering sends a mail whose token is sealed, and confirms the account", async () => {
  const user = newUser();
  const answered = { userId: null, confirmationSent: true, registrationSecret: expect.stringMatching(/^[\w-]{43}$/) };
  expect(await fleet.client.request("auth.account.register", user)).toEqual(answered);
  const mail = await mailTo(fleet, user.email, "confirm");
  const { token, username } = await openMail(fleet, mail);
  expect(username).toBe(user.username);
  expect(
    await fleet.client.request("auth.account.confirm", { token: String(token), ...byPassword(user) }),
  ).toMatchObject({
    sessionId: expect.any(String),
  });
});

test("a mail says from which address it was asked for, and no other word of whoever asked", async () => {
  const client = { ip: "203.0.113.7", userAgent: "Browser/1.0", device: "Kitchen laptop" };
  const user = { ...newUser(), client };
  const { email, login, username } = await confirmedHere(user);
  const confirmation = await openMail(fleet, await mailTo(fleet, email, "confirm"));
  expect(confirmation).toEqual({ username, login, token: expect.any(String), requestAddress: client.ip });
  await fleet.client.request("auth.account.register", { ...newUser(), email, client });
  expect(await openMail(fleet, await mailTo(fleet, email, "email-taken"))).toEqual({ requestAddress: client.ip });
  const waiting = newUser();
  await fleet.client.request("auth.account.register", waiting);
  const { token: _, ...first } = await openMail(fleet, await mailTo(fleet, waiting.email, "confirm"));
  expect(first).toEqual({ username: waiting.username, login: waiting.login }); // the control: nobody said from where
  await fleet.client.request("auth.account.resend", { email: waiting.email, client });
  const again = await openMail(fleet, await mailTo(fleet, waiting.email, "confirm", 2));
  expect(again).toMatchObject({ requestAddress: client.ip });
});

test("every mail is in its receiver's own language: also one that somebody else's request has brought about", async () => {
  const waiting = { ...newUser(), locale: "RU" };
  await fleet.client.request("auth.account.register", waiting);
  await fleet.client.request("auth.account.resend", { email: waiting.email });
  const owner = await confirmedHere({ ...newUser(), locale: "ru" });
  const asker = await confirmedHere({ ...newUser(), locale: "pt-br" });
  const { accessToken } = asker.tokens;
  const { password } = asker;
  const free = newUser().email;
  for (const newEmail of [owner.email, free])
    await fleet.client.request("auth.account.change-email", { accessToken, password, newEmail });
  await fleet.client.request("auth.account.register", { ...newUser(), email: owner.email, locale: "de" });
  await fleet.client.request("auth.password.forgot", { email: asker.email });
  const change = { token: await mailedToken(fleet, asker.email, "reset"), newPassword: `another ${password}` };
  await fleet.client.request("auth.password.reset", change);
  const localeOf = async (address: string, kind: string, wanted = 1) =>
    (await mailTo(fleet, address, kind, wanted)).locale;
  expect(await localeOf(waiting.email, "confirm", 2)).toBe("ru");
  expect(await localeOf(owner.email, "email-taken", 2)).toBe("ru");
  expect(await localeOf(free, "email-confirm")).toBe("pt-BR");
  for (const kind of ["confirm", "email-change-requested", "reset", "password-reset"])
    expect(await localeOf(asker.email, kind)).toBe("pt-BR");
  const plain = newUser();
  await fleet.client.request("auth.account.register", plain);
  expect(await localeOf(plain.email, "confirm")).toBe("en"); // AUTH_MAIL_LOCALE
});

test("the outbox keeps neither token nor address in clear", async () => {
  const user = newUser();
  await fleet.client.request("auth.account.register", user);
  const { rows } = await fleet.sql.query<{ body: object; secret: Buffer | null }>(
    "SELECT body, secret FROM outbox WHERE topic = 'auth.mail'",
  );
  expect(rows.length).toBeGreaterThan(0);
  for (const { body, secret } of rows) // a published one has forgotten its secret
    expect(JSON.stringify(body) + (secret?.toString("latin1") ?? "")).not.toContain("@example.com");
});

test("a taken e-mail address looks like success, and its owner is told", async () => {
  const owner = await confirmedHere();
  const again = { ...newUser(), email: owner.email.toUpperCase() };
  expect(await fleet.client.request("auth.account.register", again)).toEqual({
    userId: null,
    confirmationSent: true,
    registrationSecret: expect.stringMatching(/^[\w-]{43}$/), // of no use, and no other answer
  });
  expect((await mailTo(fleet, owner.email, "email-taken")).kind).toBe("email-taken");
  const { rows } = await fleet.sql.query("SELECT email, email_key, decoy FROM users WHERE login = $1", [again.login]);
  expect(rows).toEqual([{ email: "", email_key: "", decoy: true }]); // it keeps the login taken, as an account would
  // The control: a taken login is still told.
  expect(await refusalOf(fleet.client.request("auth.account.register", { ...newUser(), login: owner.login }))).toBe(
    "LOGIN_TAKEN",
  );
});

describe("a decoy, which a taken address leaves", () => {
  const owner = newUser();
  const decoy = { ...newUser(), email: owner.email };
  const waiting = newUser();
  const ids = new Map<string, number>();
  let operator: string;
  beforeAll(async () => {
    await confirmedHere(owner);
    await fleet.client.request("auth.account.register", decoy);
    await fleet.client.request("auth.account.register", waiting);
    const { rows } = await fleet.sql.query("SELECT id::int, login FROM users WHERE login = ANY($1)", [
      [owner.login, decoy.login, waiting.login],
    ]);
    for (const { id, login } of rows) ids.set(login, id);
    operator = await operatorToken(fleet);
  });

  test("is no user to administrators and operators, who are told what it is", async () => {
    const ask = { actorToken: operator, reason: "a test" };
    const commands = (target: string) => [
      fleet.client.request("auth.admin.get-user", { actorToken: operator, target }),
      fleet.client.request("auth.admin.list-sessions", { actorToken: operator, target }),
      fleet.client.request("auth.admin.ban-user", { ...ask, target }),
      fleet.client.request("auth.admin.delete-user", { ...ask, target }),
      fleet.client.request("auth.admin.set-roles", { ...ask, target, roles: ["user"] }),
    ];
    for (const target of [decoy.login.toUpperCase(), `id:${ids.get(decoy.login)}`])
      for (const answer of await Promise.all(commands(target).map(refused)))
        expect(answer).toMatchObject({
          code: "NOT_FOUND",
          details: { reason: "decoy" },
          message: expect.stringContaining("is kept taken"),
        });
    const { users } = await fleet.client.request("auth.admin.find-users", {
      actorToken: operator,
      search: "",
      cursor: "",
    });
    expect(users.map(({ login }) => login)).toContain(owner.login); // the control
    expect(users.map(({ login }) => login)).not.toContain(decoy.login);
    expect(
      await fleet.client.request("auth.admin.get-user", { actorToken: operator, target: owner.login }),
    ).toMatchObject({ email: owner.email, isVerified: true });
  });

  test("is none to authctl either", async () => {
    for (const words of [
      ["users", "show", decoy.login],
      ["users", "ban", decoy.login, "--reason", "a test", "--yes"],
      ["audit", "show", "--user", decoy.login],
    ])
      expect(await called(words, own.env)).toMatchObject({
        code: 1,
        stdout: "",
        stderr: expect.stringContaining("The login is kept taken for a while by a registration"),
      });
    expect((await called(["users", "find", decoy.login], own.env)).stdout).toBe("Nobody.\n");
    expect((await called(["users", "show", owner.login], own.env)).stdout).toContain(owner.email); // the control
  });

  test("answers its password as an account would, and no event and no user's row of the audit speaks of it", async () => {
    for (const { login, password } of [waiting, decoy])
      expect(await refusalOf(fleet.client.request("auth.session.login", { login, password }))).toBe("NOT_CONFIRMED");
    const said = async ({ login }: { login: string }) => {
      const { rows } = await fleet.sql.query("SELECT kind, body FROM outbox WHERE user_id = $1 ORDER BY id", [
        ids.get(login),
      ]);
      return rows.map(({ kind, body }) => [kind, body.at !== undefined]);
    };
    const events = (heard: boolean) => ["UserRegistered", "LoginRefused"].map((kind) => [kind, heard]);
    expect(await said(waiting)).toEqual(expect.arrayContaining(events(true))); // the control
    expect((await said(decoy)).filter(([kind]) => kind !== "mail")).toEqual(events(false));
    await chainWaiting(own.env);
    const shown = await auditShown(own.env, "--actor", "anonymous");
    const of = ({ login }: { login: string }) =>
      shown
        .filter(({ personal }) => personal?.["login"] === login)
        .map(({ event, userId, details }) => [event, userId, details["nobody"] ?? false]);
    expect(of(decoy)).toEqual([
      ["UserRegistered", null, true],
      ["LoginRefused", null, true],
    ]);
    expect(of(waiting)).toEqual([["LoginRefused", ids.get(waiting.login), false]]);
  });
});

test("ten at once with one address that somebody has: ten decoys, and nobody learns of it", async () => {
  const { email } = await confirmedHere();
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => fleet.client.request("auth.account.register", { ...newUser(), email })),
  );
  expect(answers.map(({ userId, confirmationSent }) => [userId, confirmationSent])).toEqual(
    Array.from({ length: 10 }, () => [null, true]),
  );
  const { rowCount } = await fleet.sql.query("SELECT FROM users WHERE email = $1", [email]);
  expect(rowCount).toBe(1);
});

test("asking for a taken address looks like success to the asker, and its owner is told", async () => {
  const owner = await confirmedHere();
  const asker = await confirmedHere();
  const { accessToken, userId } = asker.tokens;
  const ask = (newEmail: string) =>
    fleet.client.request("auth.account.change-email", { accessToken, password: asker.password, newEmail });
  const free = newUser().email;
  expect(await ask(owner.email.toUpperCase())).toEqual({});
  expect(await ask(free)).toEqual({});
  await mailTo(fleet, owner.email, "email-taken");
  await mailTo(fleet, free, "email-confirm"); // the control: a free one gets the link
  await mailTo(fleet, asker.email, "email-change-requested", 2);
  expect(mailsTo(fleet, owner.email)).toEqual(["confirm", "email-taken"]);
  const { rows } = await fleet.sql.query(
    "SELECT kind FROM outbox WHERE user_id = $1 AND topic = 'auth.event' AND kind LIKE 'Email%'",
    [userId],
  );
  expect(rows).toEqual([{ kind: "EmailChangeRequested" }, { kind: "EmailChangeRequested" }]);
});

test("with AUTH_MAIL_SEAL_KEY a mailer outside opens it with any JOSE library, and the fleet cannot", async () => {
  const { publicKey, privateKey } = await generateKeyPair("ECDH-ES+A256KW", { crv: "P-256", extractable: true });
  const jwk = await exportJWK(publicKey);
  await end(own.processes.get("relay-1")!);
  await own.start("relay", "relay-outside", {
    AUTH_MAIL_SEAL_KEY: JSON.stringify({ ...jwk, use: "enc", kid: "ours" }),
  });
  const user = newUser();
  await fleet.client.request("auth.account.register", user);
  const mail = await mailTo(fleet, user.email, "confirm");
  const { plaintext, protectedHeader } = await compactDecrypt(mail.sealed, privateKey);
  expect(protectedHeader).toMatchObject({
    alg: "ECDH-ES+A256KW",
    enc: "A256GCM",
    kid: await calculateJwkThumbprint(jwk),
  });
  const { token, username, ...inside } = JSON.parse(Buffer.from(plaintext).toString()) as Record<string, string>;
  expect(username).toBe(user.username);
  const { mailId, at, kind, to, locale } = mail;
  expect(inside).toMatchObject({ mailId, at: String(at), kind, to, locale }); // what a mailer compares with the record
  await expect(openMail(fleet, mail)).rejects.toThrow(); // the control: the fleet's own mails it opens, above
  const answer = await fleet.client.request("auth.account.confirm", { token: token!, ...byPassword(user) });
  expect(answer.sessionId).toEqual(expect.any(String));
}, 30_000);
