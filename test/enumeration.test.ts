// Nobody learns who has an account: not by words or code, and not by the time an answer takes. The longer version, with enough pairs for
// smaller differences, is below test/long. The controls: differences that the comparison must find, among them what these commands once had.
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import { sql } from "slonik";
import { z } from "zod";
import { noSoonerThan } from "../src/bus/least-time.ts";
import { commitOnce } from "../src/db/commit.ts";
import { readWithInbox } from "../src/db/inbox.ts";
import { waitingAt } from "../src/db/waiting.ts";
import { mailedInMs } from "../src/handlers/mails.ts";
import { askBoth, houseFor, questions } from "./support/enumeration.ts";
import { account, type HandlerHouse } from "./support/handlers.ts";
import { compare, comparedUntilApart, judge } from "./support/timing.ts";

const pairs = { hashed: 200, other: 300, slow: 60 };

describe("whoever asks about somebody and about nobody is told the same, in the same time", () => {
  test.each(questions.map((question) => [question.what, question] as const))(
    "%s",
    async (_what, question) => {
      const { hashed, leastMs = 0 } = question;
      const { somebody, nobody, comparison } = await askBoth(
        question,
        hashed ? pairs.hashed : leastMs > 0 ? pairs.slow : pairs.other,
      );
      expect(nobody).toEqual(somebody);
      expect(comparison).toMatchObject({ apart: false });
      expect(Math.min(...comparison.medians)).toBeGreaterThan(leastMs - 2); // timers count whole ms
    },
    60_000,
  );
});

describe("with AUTH_HIDE_EMAIL, after an address that is taken was registered", () => {
  const register = async ({ ask }: HandlerHouse, login: string, email: string) => {
    const made = { login, username: login, email, password: "good enough for this" };
    const { registrationSecret, ...told } = await ask("auth.account.register", made);
    return { ...told, secretLength: registrationSecret.length };
  };
  const loggedIn = ({ outcome }: HandlerHouse, login: string, password = "good enough for this") =>
    outcome("auth.session.login", { login, password });

  test("the login is taken and its account unconfirmed, as after one that is free; nobody hears of it, and it goes away", async () => {
    const house = await houseFor({});
    const owner = await account(house);
    const logins = { taken: "first-login", free: "second-login" };
    const answers = [
      await register(house, logins.taken, owner.email),
      await register(house, logins.free, "nobody-has-this@example.com"),
    ];
    expect(answers[0]).toEqual(answers[1]);
    for (const login of Object.values(logins)) {
      expect(await loggedIn(house, login)).toBe("NOT_CONFIRMED");
      expect(await loggedIn(house, login, "not the right password")).toBe("INVALID_CREDENTIALS");
      await expect(register(house, login, "another@example.com")).rejects.toMatchObject({ code: "LOGIN_TAKEN" });
    }
    const published = await house.pool.any(sql.type(z.object({ kind: z.string(), login: z.string() }))`
      SELECT o.kind, u.login FROM outbox o JOIN users u ON u.id = o.user_id
      WHERE o.kind IN ('UserRegistered', 'json') AND o.published_at IS NULL AND u.login = ANY(${sql.array(Object.values(logins), "text")})`);
    expect(published).toEqual([{ kind: "UserRegistered", login: logins.free }]);
    await house.pool.query(sql.unsafe`UPDATE users SET created_at = now() - interval '8 days'`);
    await house.sweep();
    expect([await loggedIn(house, logins.taken), await loggedIn(house, logins.free)]).toEqual([
      "INVALID_CREDENTIALS",
      "INVALID_CREDENTIALS",
    ]);
    const gone = await house.pool.any(sql.type(z.object({ kind: z.string() }))`
      SELECT kind FROM outbox WHERE kind = 'UserDeleted'`);
    expect(gone).toHaveLength(1);
    expect(await loggedIn(house, owner.login, owner.password)).toBe("ok");
    await house.close();
  });
});

describe("a difference is found", () => {
  const login = questions.find(({ what }) => what.includes("a wrong password"))!;
  const resend = questions.find(({ what }) => what.includes("waits for its confirmation"))!;

  test("where nothing is written for an address that nobody has, as it once was", async () => {
    const house = await houseFor(resend);
    const { somebody } = await resend.prepare(house);
    const comparison = await comparedUntilApart(pairs.other, somebody, () => readAndKeep(house));
    await house.close();
    expect(comparison).toMatchObject({ apart: true });
    expect(comparison.share).toBeLessThan(0.5);
  }, 300_000);

  test("of some ms, and not where the bus answers no sooner than a set time", async () => {
    const longer = (): Promise<void> => sleep(3);
    const at = (leastMs: number | undefined) => (work: () => Promise<void>) => () => noSoonerThan(leastMs, work);
    const [seen, hidden] = [at(undefined), at(mailedInMs)];
    const nothing = (): Promise<void> => Promise.resolve();
    expect(await compare(pairs.slow, seen(longer), seen(nothing))).toMatchObject({ apart: true });
    expect(await compare(pairs.slow, hidden(longer), hidden(nothing))).toMatchObject({ apart: false });
    const failing = hidden(() => Promise.reject(new Error("refused")));
    const began = performance.now();
    await expect(failing()).rejects.toThrow("refused");
    expect(performance.now() - began).toBeGreaterThan(mailedInMs - 2);
  });

  test("where no password is hashed for a login that nobody has", async () => {
    const house = await houseFor({ hashed: true });
    const { somebody } = await login.prepare(house);
    const comparison = await comparedUntilApart(pairs.hashed, somebody, () => readAndKeep(house));
    await house.close();
    expect(comparison).toMatchObject({ apart: true });
  }, 300_000);

  /** What `ctx.commit({ facts: [] }, {})` does. */
  async function readAndKeep({ pool }: HandlerHouse): Promise<void> {
    const key = { topic: "auth.account.resend", replyTopic: "auth.reply.test", idempotencyKey: randomBytes(16) };
    await readWithInbox(pool, key, waitingAt("nobody@example.com", { subject: randomBytes(16), most: 3 }));
    const inbox = { ...key, fingerprint: randomBytes(32), reply: randomBytes(64), ttlMs: 86_400_000 };
    await commitOnce(pool, { inbox, subject: undefined, writes: [], outbox: [], audit: [] });
  }
});

test("times of one distribution are not told apart; those that are two fifths longer are, also when one in ten is ten times as long", () => {
  // A linear congruential generator: the same numbers in every run.
  let state = 42;
  const random = (): number => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
  const times = (factor: number): number[] =>
    Array.from({ length: 400 }, () => (1 + random()) * factor * (random() < 0.1 ? 10 : 1));
  expect(judge(times(1), times(1)).apart).toBe(false);
  expect(judge(times(1), times(1.4)).apart).toBe(true);
  expect(judge([1, 1, 1], [1, 1, 1])).toMatchObject({ share: 0.5, z: 0, apart: false });
});
