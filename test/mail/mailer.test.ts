// The mailer against a real SMTP server: mails arrive once, whatever the server answers and however often a record
// comes; what never can be sent is a dead letter; a mailer that is killed in between leaves an operator the decision.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { SMTPServerOptions } from "smtp-server";
import { identityText } from "../../src/bus/dead-letter.ts";
import { deadLetterHeaders } from "../../src/protocol/bus-names.ts";
import { selfSigned } from "../bridge/certificate.ts";
import { without } from "../support/faults.ts";
import { type Fleet, startFleet } from "../support/fleet.ts";
import type { Seen } from "../support/mailbox.ts";
import { decodeMail, openMail, reencoded, type StoredMail, sealedAnew, sealedToFleet } from "../support/mails.ts";
import { end } from "../support/processes.ts";
import { startSmtp, type TestSmtp, textPart } from "../support/smtp.ts";
import { ownFolder } from "../support/stack.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { until } from "../support/until.ts";
import { byPassword, loggedIn, newUser, type TestUser } from "../support/users.ts";

let own: Fleet;
let fleet: TestFleet;
let smtp: TestSmtp;
const certificate = selfSigned();
const login = { user: "mailer", pass: "a pass:word/@" };

/** Takes mails only from who knows its password. */
const locked: SMTPServerOptions = {
  authOptional: false,
  allowInsecureAuth: true, // its TLS is in front of it
  onAuth({ username = "", password = "" }, _session, callback) {
    const right = username === login.user && password === login.pass;
    callback(right ? null : new Error("wrong"), { user: username });
  },
};

beforeAll(async () => {
  const ca = join(ownFolder("mailer-ca"), "ca.pem");
  writeFileSync(ca, certificate.cert);
  smtp = await startSmtp(locked, certificate);
  own = await startFleet("mailer", {
    processes: ["worker", "relay"],
    env: {
      AUTH_LEGACY_TOPICS: "false",
      AUTH_MAIL_LOCALE: "ru",
      NODE_EXTRA_CA_CERTS: ca,
      AUTH_SMTP_URL: `smtps://${login.user}:${encodeURIComponent(login.pass)}@localhost:${smtp.port}`,
      AUTH_MAIL_FROM: "Auth <auth@example.org>",
      AUTH_MAIL_LINK_URL: "https://example.com/{kind}?token={token}",
    },
  });
  fleet = await testFleet(own);
  await Promise.all([own.start("mailer", "mailer-1"), own.start("mailer", "mailer-2")]);
}, 120_000);
afterAll(async () => {
  await fleet.close();
  await own.stop();
  await smtp.close();
}, 60_000);

async function registered(user: TestUser = newUser()): Promise<TestUser> {
  await fleet.client.request("auth.account.register", user);
  return user;
}

const addressedTo =
  (address: string) =>
  ({ value }: Seen) => {
    try {
      return value !== null && decodeMail({ value } as Seen).to === address;
    } catch {
      return false; // another test's garbage
    }
  };
const recordTo = (address: string) => fleet.mails.last("auth.mail", addressedTo(address));
const letterOf = (address: string) => fleet.mails.last("auth.dead-letter", addressedTo(address));
const reasonOf = ({ headers }: Seen) => String(headers[deadLetterHeaders.error]);
const again = ({ key, value }: Pick<Seen, "key" | "value">, headers: Record<string, string> = {}) =>
  fleet.kafka.produce([{ topic: "auth.mail", key, value, headers }]);
const replayed = (letter: Seen) =>
  again(letter, { [deadLetterHeaders.replayedFrom]: identityText({ partition: 0, offset: 0n, timestamp: 1 }) });
const metricsOf = async (name: string) => (await fetch(`${own.http[name]}/metrics`)).text();

/** Records that turned out to have been sent before, seen by these mailers. */
async function repeated(...names: string[]): Promise<number> {
  const texts = await Promise.all(names.map(metricsOf));
  const counts = texts.flatMap((text) => [...text.matchAll(/^auth_mails_total\{.*outcome="repeated".*\} (\d+)$/gm)]);
  return counts.reduce((sum, match) => sum + Number(match[1]), 0);
}

test("a link in a mail confirms an account, and another one sets a new password", async () => {
  const user = await registered();
  const [mail] = await smtp.to(user.email);
  const token = /https:\/\/example\.com\/confirm\?token=(\S+)/.exec(textPart(mail!))![1]!;
  await fleet.client.request("auth.account.confirm", { token, ...byPassword(user) });
  await fleet.client.request("auth.password.forgot", { email: user.email });
  const second = (await smtp.to(user.email, 2))[1]!;
  expect(textPart(second)).toContain(`Здравствуйте, ${user.username}!`);
  const reset = /https:\/\/example\.com\/reset\?token=(\S+)/.exec(textPart(second))![1]!;
  const newPassword = `a new ${user.password}`;
  await fleet.client.request("auth.password.reset", { token: reset, newPassword });
  expect(textPart((await smtp.to(user.email, 3))[2]!)).toContain("Все сеансы завершены");
  expect(await loggedIn(fleet, { ...user, password: newPassword })).toMatchObject({ sessionId: expect.any(String) });
});

test("a mail is in the language its receiver gave, and in the fleet's where there is no text in that", async () => {
  const textTo = async (locale: string) => {
    const { email } = await registered({ ...newUser(), locale });
    return textPart((await smtp.to(email))[0]!);
  };
  expect(await textTo("en-GB")).toMatch(/^Hello /);
  expect(await textTo("de")).toMatch(/^Здравствуйте, /);
});

test("a record that comes again, to any mailer, is one mail", async () => {
  const user = await registered();
  await smtp.to(user.email);
  const record = await recordTo(user.email);
  for (let time = 0; time < 5; time += 1) await again({ ...record, key: Buffer.from(`other key ${time}`) });
  await until("all five were looked at", async () => (await repeated("mailer-1", "mailer-2")) === 5);
  expect(await smtp.to(user.email)).toHaveLength(1);
  const other = await registered(); // the control: another mail is another one
  expect(await smtp.to(other.email)).toHaveLength(1);
});

test("what the server does not take for now is sent when it does, once", async () => {
  const user = newUser();
  smtp.manners.set(user.email, { code: 451, at: "body" });
  const before = smtp.bodies;
  await registered(user);
  await until("it was tried", () => smtp.bodies > before);
  smtp.manners.delete(user.email);
  expect(await smtp.to(user.email)).toHaveLength(1);
});

test("what the server refuses for good is a dead letter; replayed, it is sent", async () => {
  const user = newUser();
  smtp.manners.set(user.email, { code: 550, at: "receiver" });
  await registered(user);
  const letter = await letterOf(user.email);
  expect(reasonOf(letter)).toMatch(/550/);
  smtp.manners.delete(user.email);
  await replayed(letter);
  expect(await smtp.to(user.email)).toHaveLength(1);
});

test("an internationalised domain is in ASCII in the envelope and in the header, also where a record has it in Unicode", async () => {
  const record = await recordTo((await registered()).email);
  const to = `${newUser().login}@bücher.example`;
  const secrets = await openMail(fleet, decodeMail(record));
  await again({ ...record, value: await sealedAnew(fleet, record, { to, mailId: randomUUID(), secrets }) });
  const ascii = to.replace("bücher", "xn--bcher-kva");
  const [taken] = await smtp.to(to); // this server shows whom it is told in Unicode; smtp.test.ts looks at the envelope's bytes
  expect(taken!.raw).toMatch(new RegExp(`^To: ${ascii}\\r$`, "m"));
});

test("a mail that has no use any more is a dead letter", async () => {
  const user = await registered();
  await smtp.to(user.email);
  const record = await recordTo(user.email);
  await fleet.sql.query("DELETE FROM mail_sent WHERE mail_id = $1", [decodeMail(record).mailId]);
  const secrets = await openMail(fleet, decodeMail(record));
  await again({ ...record, value: await sealedAnew(fleet, record, { at: Date.now() - 3_601_000, secrets }) });
  expect(reasonOf(await letterOf(user.email))).toContain("it could not be sent while it was of use");
  expect(await smtp.to(user.email)).toHaveLength(1);
});

test("garbage, a seal for somebody else and an unknown kind are dead letters, and the partition moves on", async () => {
  const record = await recordTo((await registered()).email);
  const values = [
    Buffer.from("garbage"),
    await sealedAnew(fleet, record, { kind: "no-such", secrets: { token: "t" } }),
    reencoded(record, { sealed: "no seal at all" }),
    ...[
      `"a\r\nRCPT TO:<eve@example.com>"@example.com`,
      "a@example.com, eve@example.com",
      "a@example.com\r\nBcc: eve@x.org",
      "x".repeat(5000),
    ].map((to) => reencoded(record, { to })),
  ];
  for (const value of values) await again({ ...record, value });
  const letters = await fleet.mails.count("auth.dead-letter", values.length, ({ value }) =>
    values.some((each) => value !== null && each.equals(value)),
  );
  const reasons = letters.map(reasonOf);
  expect(reasons.join("\n")).toMatch(/no template for no-such/);
  expect(reasons.filter((reason) => reason === "its receiver is no e-mail address")).toHaveLength(4);
  expect(smtp.mails.filter(({ raw, to }) => /eve@/.test(raw + to))).toEqual([]);
  expect(await smtp.to((await registered()).email)).toHaveLength(1);
});

/** @returns the record of a mail with a link that sets somebody's password, and the link's token */
async function resetMail(): Promise<{ record: Seen; mail: StoredMail; token: string }> {
  const user = await registered();
  const tokenIn = async (each: Seen) => String((await openMail(fleet, decodeMail(each)))["token"]);
  const token = await tokenIn(await recordTo(user.email));
  await fleet.client.request("auth.account.confirm", { token, ...byPassword(user) });
  await fleet.client.request("auth.password.forgot", { email: user.email });
  const isReset = (each: Seen) => addressedTo(user.email)(each) && decodeMail(each).kind === "reset";
  const record = await fleet.mails.last("auth.mail", isReset);
  return { record, mail: decodeMail(record), token: await tokenIn(record) };
}

const eve = "eve@example.net";
const toEve = () => smtp.mails.filter(({ raw, to }) => `${raw}${to}`.includes(eve));

describe("whoever can write to auth.mail", () => {
  test("sends nobody's link to another address, nor again: what stands beside a seal stands in it", async () => {
    const { record, mail, token } = await resetMail();
    const mailId = randomUUID();
    // The last is the seal of a request with the link, which they could hold back: it is to the same key.
    const request = await sealedToFleet(fleet, { token, newPassword: "a new password", client: null });
    const values = [
      { to: eve },
      { to: eve, mailId },
      { mailId },
      { mailId, at: mail.at + 1 },
      { mailId, kind: "confirm" },
      { mailId, locale: "en" },
      { mailId, to: eve, sealed: request },
    ].map((change) => reencoded(record, change));
    for (const value of values) await again({ ...record, value });
    const isOne = ({ value }: Seen) => values.some((each) => value?.equals(each));
    const letters = await fleet.mails.count("auth.dead-letter", values.length, isOne);
    for (const letter of letters) expect(reasonOf(letter)).toMatch(/^its seal is for another mail, or for none: /);
    expect(toEve()).toEqual([]);
  });

  test("has a mail of their own sent to anybody, with a link of their making", async () => {
    const { record } = await resetMail();
    const to = `${newUser().login}@example.net`;
    const secrets = { token: "of.their-making", username: "whoever" };
    await again({ ...record, value: await sealedAnew(fleet, record, { to, mailId: randomUUID(), secrets }) });
    const [mail] = await smtp.to(to);
    expect(textPart(mail!)).toContain("https://example.com/reset?token=of.their-making");
  });
});

describe("a mailer that is killed between handing a mail over and noting it", () => {
  test("leaves it open whether it went out: it is not sent again by itself, and an operator may", async () => {
    const user = newUser();
    smtp.manners.set(user.email, "hold");
    const before = smtp.bodies;
    await registered(user);
    await until("the server has it", () => smtp.bodies > before);
    for (const name of ["mailer-1", "mailer-2"]) await end(own.processes.get(name)!, "SIGKILL");
    smtp.manners.delete(user.email);
    const { mailId } = decodeMail(await recordTo(user.email));
    await fleet.sql.query("UPDATE mail_sent SET claimed_at = now() - interval '90 seconds' WHERE mail_id = $1", [
      mailId,
    ]);
    await own.start("mailer", "mailer-3");
    const letter = await letterOf(user.email);
    expect(reasonOf(letter)).toContain("it may have gone out; replay it to send it again");
    expect(smtp.mails.filter(({ to }) => to === user.email)).toEqual([]);
    await replayed(letter);
    await replayed(letter);
    await smtp.to(user.email);
    await until("the second replay is found to be one too many", async () => (await repeated("mailer-3")) >= 1);
    expect(await smtp.to(user.email)).toHaveLength(1);
  }, 60_000);
});

test("beside a mailer outside of the fleet it does not start", async () => {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const AUTH_MAIL_SEAL_KEY = JSON.stringify(publicKey.export({ format: "jwk" }));
  await expect(own.start("mailer", "mailer-beside", { AUTH_MAIL_SEAL_KEY })).rejects.toThrow("run one of the two");
});

/** A directory for AUTH_MAIL_TEMPLATES. */
function templates(name: string, files: Record<string, string>): string {
  const folder = ownFolder(name);
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  return folder;
}

test("with a fault in a template it does not start, and says which and where", async () => {
  const AUTH_MAIL_TEMPLATES = templates("faulty-mails", { "ru/footer.txt": "{{nmae}}", "en/reset.txt": "Reset it." });
  const starting = own.start("mailer", "mailer-faulty", { AUTH_MAIL_TEMPLATES });
  await expect(starting).rejects.toThrow("faulty-mails/ru/footer.txt: has an unknown placeholder: {{nmae}}");
  await expect(starting).rejects.toThrow("faulty-mails/en/reset.txt: does not show {{link}}");
});

test("while no server is there it is not ready and says why; it goes on by itself, with templates of its own", async () => {
  const { port } = smtp;
  const AUTH_MAIL_TEMPLATES = templates("own-mails", { "ru/footer.txt": "Ваш {{product}}, с наилучшими пожеланиями." });
  await own.start("mailer", "mailer-4", { AUTH_MAIL_TEMPLATES, AUTH_PRODUCT: "Пример" });
  for (const name of ["mailer-1", "mailer-2", "mailer-3"]) {
    const process = own.processes.get(name);
    if (process !== undefined) await end(process);
  }
  await smtp.close();
  const user = await registered();
  await recordTo(user.email);
  const ready = () => fetch(`${own.http["mailer-4"]}/readyz`);
  await until("it says so", async () => (await ready()).status === 503);
  expect(await (await ready()).json()).toMatchObject({ failing: [{ name: "smtp", reason: expect.any(String) }] });
  smtp = await startSmtp(locked, { ...certificate, port });
  const [mail, ...others] = await smtp.to(user.email);
  expect(others).toEqual([]);
  expect(textPart(mail!)).toContain("\nВаш Пример, с наилучшими пожеланиями.\n");
  await until("it is ready again", async () => (await ready()).status === 200);
}, 60_000);

test("a mailer that does not compare a mail with its seal sends the link to whoever is named (the control)", async () => {
  await end(own.processes.get("mailer-4")!);
  await own.start("mailer", "careless", {}, without("mail-for-anybody"));
  const { record, token } = await resetMail();
  await again({ ...record, value: reencoded(record, { to: eve, mailId: randomUUID() }) });
  await until("eve has it", () => toEve().length > 0);
  expect(textPart(toEve()[0]!)).toContain(token);
}, 60_000);
