// Mails to an address with which accounts wait for their confirmation: how many it gets within an hour, and what goes
// out when the hour is over. With handlers in this process and maintenance by hand; the hour is moved in the database.
import { randomBytes } from "node:crypto";
import { afterAll, afterEach, describe, expect, test } from "@jest/globals";
import { sql } from "slonik";
import { z } from "zod";
import { type HandlerHarness, handlerHarness } from "../support/handlers.ts";

const harnesses: HandlerHarness[] = [];
let harness: HandlerHarness;
const open = async (env: Record<string, string>): Promise<void> => {
  harness = await handlerHarness({ env: { AUTH_LEGACY_TOPICS: "false", ...env } });
  harnesses.push(harness);
};
afterAll(() => Promise.all(harnesses.map((each) => each.close())));

const newAddress = (): string => `${randomBytes(6).toString("hex")}@example.com`;

/** @returns the login */
async function register(email: string): Promise<string> {
  const login = `u${randomBytes(6).toString("hex")}`;
  await harness.ask("auth.account.register", { login, username: login, email, password: "good enough for this" });
  return login;
}
const resend = (email: string) => harness.ask("auth.account.resend", { email });

const sentMail = z.object({ kind: z.string(), topic: z.string(), secret: z.instanceof(Buffer), eventId: z.string() });

interface Mail {
  kind: string;
  /** Logins of the accounts it has a link for, in order. */
  logins: string[];
}

/** What went out to an address, in order: mails, or the platform's records. */
async function mailsTo(email: string): Promise<Mail[]> {
  const rows = await harness.pool.any(sql.type(sentMail)`
    SELECT COALESCE(body->>'kind', topic) AS kind, topic, secret, event_id::text AS "eventId" FROM outbox
    WHERE topic IN ('auth.mail', 'auth') AND secret IS NOT NULL ORDER BY id`);
  const cipher = harness.dataKeys().cipher("outbox");
  return rows.flatMap(({ kind, topic, secret, eventId }) => {
    const said = JSON.parse(cipher.decrypt(secret, eventId).toString()) as Record<string, unknown>;
    if (topic === "auth") return said["email"] === email ? [{ kind, logins: [String(said["username"])] }] : [];
    const { login, accounts } = said["sealed"] as { login?: string; accounts?: { login: string }[] };
    const logins = accounts?.map((each) => each.login) ?? (login === undefined ? [] : [login]);
    return said["to"] === email ? [{ kind, logins }] : [];
  });
}

/** As if so many minutes had gone by for mails and what waits for them. */
async function pass(minutes: number): Promise<void> {
  await harness.pool.query(sql.unsafe`
    UPDATE address_mails SET sent = ARRAY(SELECT s - ${minutes} * interval '1 minute' FROM unnest(sent) AS s), hour = hour - ${minutes} * interval '1 minute'`);
  await harness.pool.query(sql.unsafe`UPDATE users SET mail_due_at = mail_due_at - ${minutes} * interval '1 minute'`);
}

const eventsOf = async (login: string): Promise<string[]> => {
  const rows = await harness.pool.any(sql.type(z.object({ said: z.string() }))`
    SELECT o.sequence || ' ' || o.kind || ' ' || o.actor AS said FROM outbox o JOIN users u ON u.id = o.user_id
    WHERE u.login = ${login} AND o.sequence IS NOT NULL ORDER BY o.sequence`);
  return rows.map(({ said }) => said.replace(/user:\d+/, "user"));
};

describe("one address", () => {
  test("gets one mail for all accounts that wait with it, which names each by its login, the newest first; each has its event", async () => {
    await open({});
    const email = newAddress();
    const [first, second] = [await register(email), await register(email)];
    await resend(email.toUpperCase());
    expect(await mailsTo(email)).toEqual([
      { kind: "confirm", logins: [first] },
      { kind: "confirm", logins: [second] },
      { kind: "confirm-list", logins: [second, first] },
    ]);
    for (const login of [first, second])
      expect(await eventsOf(login)).toEqual(["1 UserRegistered user", "2 ConfirmationRequested anonymous"]);
    // Each link of the list is one that works.
    const links = await harness.pool.oneFirst(sql.type(z.object({ n: z.number() }))`
      SELECT count(DISTINCT user_id) AS n FROM one_time_tokens t JOIN users u ON u.id = t.user_id
      WHERE u.login = ANY(${sql.array([first, second], "text")}) AND t.created_at = (SELECT max(created_at) FROM one_time_tokens)`);
    expect(links).toBe(2);
  });

  test("where one account waits gets the mail of one", async () => {
    const email = newAddress();
    const login = await register(email);
    await resend(email);
    expect(await mailsTo(email)).toEqual([
      { kind: "confirm", logins: [login] },
      { kind: "confirm", logins: [login] },
    ]);
  });

  test("gets three within an hour; what waits is in one mail when it is over, and in no second one", async () => {
    const email = newAddress();
    const logins: string[] = [];
    for (let account = 0; account < 5; account += 1) logins.push(await register(email));
    await resend(email);
    const sent = logins.slice(0, 3).map((login) => ({ kind: "confirm", logins: [login] }));
    expect(await mailsTo(email)).toEqual(sent);
    await harness.sweep();
    await pass(59);
    await harness.sweep();
    expect(await mailsTo(email)).toEqual(sent);
    await pass(2);
    await Promise.all([harness.sweep(), harness.sweep()]);
    await harness.sweep();
    expect(await mailsTo(email)).toEqual([...sent, { kind: "confirm-list", logins: logins.toReversed() }]);
    expect(await eventsOf(logins[4]!)).toEqual([
      "1 UserRegistered user",
      "2 ConfirmationRequested service:maintenance",
    ]);
    await resend(email); // the hour that begins with the list has room for two more
    expect(await mailsTo(email)).toHaveLength(5);
  });

  test("gets what was asked for in vain later, too; nothing where it was confirmed meanwhile", async () => {
    const [asked, taken] = [newAddress(), newAddress()];
    const [login, owner] = [await register(asked), await register(taken)];
    for (const email of [asked, asked, asked, taken, taken, taken]) await resend(email);
    expect([(await mailsTo(asked)).length, (await mailsTo(taken)).length]).toEqual([3, 3]);
    await harness.pool.query(
      sql.unsafe`UPDATE users SET confirmed_at = now(), mail_due_at = NULL WHERE login = ${owner}`,
    );
    await register(newAddress());
    await pass(61);
    await harness.sweep();
    expect((await mailsTo(asked)).at(-1)).toEqual({ kind: "confirm", logins: [login] });
    expect([(await mailsTo(asked)).length, (await mailsTo(taken)).length]).toEqual([4, 3]);
  });

  test("waits on where somebody has used the new hour up before maintenance came", async () => {
    const email = newAddress();
    for (let account = 0; account < 4; account += 1) await register(email);
    await pass(61);
    for (let time = 0; time < 3; time += 1) await resend(email);
    await register(email);
    await harness.sweep();
    expect(await mailsTo(email)).toHaveLength(6);
    await pass(61);
    await harness.sweep();
    expect((await mailsTo(email)).map(({ logins }) => logins.length)).toEqual([1, 1, 1, 4, 4, 4, 5]);
  });

  test("of ten registrations at once gets three mails", async () => {
    const email = newAddress();
    await Promise.all(Array.from({ length: 10 }, () => register(email)));
    expect(await mailsTo(email)).toHaveLength(3);
    await pass(61);
    await harness.sweep();
    expect((await mailsTo(email)).at(-1)!.logins).toHaveLength(10);
  });

  test("counts links that set a password by themselves", async () => {
    const email = newAddress();
    const login = await register(email);
    for (let time = 0; time < 3; time += 1) await resend(email);
    await harness.pool.query(sql.unsafe`UPDATE users SET confirmed_at = now() WHERE login = ${login}`);
    for (let time = 0; time < 5; time += 1) await harness.ask("auth.password.forgot", { email });
    expect((await mailsTo(email)).map(({ kind }) => kind)).toEqual([
      ...["confirm", "confirm", "confirm"],
      ...["reset", "reset", "reset"],
    ]);
  });

  test("is not counted for where nobody has it: whoever registers then is written to at once", async () => {
    const email = newAddress();
    for (let time = 0; time < 5; time += 1) {
      await resend(email);
      await harness.ask("auth.password.forgot", { email });
    }
    expect(await mailsTo(email)).toEqual([]);
    const login = await register(email);
    expect(await mailsTo(email)).toEqual([{ kind: "confirm", logins: [login] }]);
  });

  test("is forgotten two hours later, and stands nowhere in clear", async () => {
    const email = newAddress();
    await register(email);
    const rows = async () =>
      harness.pool.any(sql.type(z.object({ text: z.string() }))`SELECT address_mails::text AS text FROM address_mails`);
    expect(JSON.stringify(await rows())).not.toContain(Buffer.from(email).toString("hex"));
    await harness.sweep();
    expect((await rows()).length).toBeGreaterThan(0);
    await pass(181);
    await harness.sweep();
    expect(await rows()).toEqual([]);
  });
});

describe("with AUTH_HIDE_EMAIL", () => {
  test("the owner of a taken address is told three times an hour, and a decoy is in no list", async () => {
    await open({ AUTH_HIDE_EMAIL: "true" });
    const email = newAddress();
    const owner = await register(email);
    await harness.pool.query(sql.unsafe`UPDATE users SET confirmed_at = now() WHERE login = ${owner}`);
    await pass(61);
    for (let account = 0; account < 5; account += 1) await register(email);
    const told = [
      { kind: "confirm", logins: [owner] },
      ...Array.from({ length: 3 }, () => ({ kind: "email-taken", logins: [] })),
    ];
    expect(await mailsTo(email)).toEqual(told);
    await pass(61);
    await resend(email);
    await harness.sweep();
    expect(await mailsTo(email)).toEqual(told);
  });
});

describe("with the platform's JSON topics", () => {
  test("the topic auth gets a record for each account, the newest first, at once and after the hour", async () => {
    await open({ AUTH_LEGACY_TOPICS: "true" });
    const email = newAddress();
    const logins = [await register(email), await register(email)];
    await resend(email);
    const records = [...logins, ...logins.toReversed()].map((login) => ({ kind: "auth", logins: [login] }));
    expect(await mailsTo(email)).toEqual(records);
    const third = await register(email); // the fourth mail of the hour
    expect(await mailsTo(email)).toEqual(records);
    await pass(61);
    await harness.sweep();
    const late = [third, ...logins.toReversed()].map((login) => ({ kind: "auth", logins: [login] }));
    expect(await mailsTo(email)).toEqual([...records, ...late]);
  });
});

afterEach(async () => {
  // No mail was counted that went to nobody, and none went out that was not counted.
  const counts = await harness.pool.any(
    sql.type(z.object({ sent: z.number() }))`SELECT cardinality(sent) AS sent FROM address_mails`,
  );
  expect(Math.max(0, ...counts.map(({ sent }) => sent))).toBeLessThanOrEqual(3);
});
