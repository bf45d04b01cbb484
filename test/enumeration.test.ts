// Nobody learns who has an account: not by words or code, and not by the time an answer takes. The longer version, with
// enough pairs for smaller differences, is below test/long. The controls: differences that the comparison must find,
// among them what these commands once had.
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import { sql } from "slonik";
import { z } from "zod";
import { mailedInMs } from "../src/accounts/mails.ts";
import { delayUntil } from "../src/bus/min-response.ts";
import { commandSchemas } from "../src/protocol/generated/schemas.ts";
import { scenarios } from "./handlers/scenarios.ts";
import { askBoth, askNaively, harnessFor, questions } from "./support/enumeration.ts";
import { account, type HandlerHarness } from "./support/handlers.ts";
import { compare, judge } from "./support/timing.ts";

const pairs = { hashed: 200, other: 300, slow: 60 };

describe("the answer and its time are the same for a known and for an unknown login or address", () => {
  test.each(questions.map((question) => [question.what, question] as const))(
    "%s",
    async (_what, question) => {
      const { hashed, minResponseMs = 0 } = question;
      const { somebody, nobody, comparison } = await askBoth(
        question,
        hashed ? pairs.hashed : minResponseMs > 0 ? pairs.slow : pairs.other,
      );
      expect(nobody).toEqual(somebody);
      expect(comparison).toMatchObject({ apart: false });
      expect(Math.min(...comparison.medians)).toBeGreaterThan(minResponseMs - 2); // timers count whole ms
    },
    60_000,
  );
});

describe("with AUTH_HIDE_EMAIL, after an address that is taken was registered", () => {
  const register = async ({ ask }: HandlerHarness, login: string, email: string) => {
    const made = { login, username: login, email, password: "good enough for this" };
    const { registrationSecret, ...told } = await ask("auth.account.register", made);
    return { ...told, secretLength: registrationSecret.length };
  };
  const loggedIn = ({ outcome }: HandlerHarness, login: string, password = "good enough for this") =>
    outcome("auth.session.login", { login, password });

  test("the login is taken and its account unconfirmed, as after one that is free; nobody hears of it, and it goes away", async () => {
    const harness = await harnessFor({});
    const owner = await account(harness);
    const logins = { taken: "first-login", free: "second-login" };
    const answers = [
      await register(harness, logins.taken, owner.email),
      await register(harness, logins.free, "nobody-has-this@example.com"),
    ];
    expect(answers[0]).toEqual(answers[1]);
    for (const login of Object.values(logins)) {
      expect(await loggedIn(harness, login)).toBe("NOT_CONFIRMED");
      expect(await loggedIn(harness, login, "not the right password")).toBe("INVALID_CREDENTIALS");
      await expect(register(harness, login, "another@example.com")).rejects.toMatchObject({ code: "LOGIN_TAKEN" });
    }
    const published = await harness.pool.any(sql.type(z.object({ kind: z.string(), login: z.string() }))`
      SELECT o.kind, u.login FROM outbox o JOIN users u ON u.id = o.user_id
      WHERE o.kind IN ('UserRegistered', 'json') AND o.published_at IS NULL AND u.login = ANY(${sql.array(Object.values(logins), "text")})`);
    expect(published).toEqual([{ kind: "UserRegistered", login: logins.free }]);
    await harness.pool.query(sql.unsafe`UPDATE users SET created_at = now() - interval '8 days'`);
    await harness.sweep();
    expect([await loggedIn(harness, logins.taken), await loggedIn(harness, logins.free)]).toEqual([
      "INVALID_CREDENTIALS",
      "INVALID_CREDENTIALS",
    ]);
    const gone = await harness.pool.any(sql.type(z.object({ kind: z.string() }))`
      SELECT kind FROM outbox WHERE kind = 'UserDeleted'`);
    expect(gone).toHaveLength(1);
    expect(await loggedIn(harness, owner.login, owner.password)).toBe("ok");
    await harness.close();
  });
});

describe("a difference in time is found in as many pairs (the controls)", () => {
  test.each(questions.map((question) => [question.what, question] as const))(
    "%s: where nothing hides that there is nobody",
    async (_what, question) => {
      const { comparison } = await askNaively(question, question.hashed ? pairs.hashed : pairs.other);
      expect(comparison).toMatchObject({ apart: true });
    },
    60_000,
  );

  test("of some ms, and not where the bus answers no sooner than a set time", async () => {
    const longer = (): Promise<void> => sleep(3);
    const at = (minResponseMs: number | undefined) => (work: () => Promise<void>) => () =>
      delayUntil(minResponseMs, work);
    const [seen, hidden] = [at(undefined), at(mailedInMs)];
    const nothing = (): Promise<void> => Promise.resolve();
    expect(await compare(pairs.slow, seen(longer), seen(nothing))).toMatchObject({ apart: true });
    expect(await compare(pairs.slow, hidden(longer), hidden(nothing))).toMatchObject({ apart: false });
    const failing = hidden(() => Promise.reject(new Error("refused")));
    const began = performance.now();
    await expect(failing()).rejects.toThrow("refused");
    expect(performance.now() - began).toBeGreaterThan(mailedInMs - 2);
  });
});

test("every command that needs no session and no administrator is in the questions, or says in its scenario why not", () => {
  const strangers = Object.entries(commandSchemas).flatMap(([topic, { request }]) => {
    const sealed: readonly { name: string }[] = "sealedFields" in request ? request.sealedFields : [];
    return sealed.some(({ name }) => name === "accessToken" || name === "actorToken") ? [] : [topic];
  });
  const asked = new Set(questions.map(({ what }) => what.split(":")[0]!));
  const tellNothing = Object.keys(scenarios).filter((topic) => scenarios[topic]!.tellsNothing !== undefined);
  expect([...asked, ...tellNothing].toSorted()).toEqual(strangers.toSorted());
  expect(asked).toContain("auth.passkey.begin-login");
});

test("times of one distribution are not told apart; those that are 40 % longer are, also when one in ten is ten times as long", () => {
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
