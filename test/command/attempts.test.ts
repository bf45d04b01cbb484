// Guessing at a password. Through Kafka: it has to wait, from its own network and then from all; a user does not who
// logged in from this device before, or is logged in; an operator ends the waiting. And a hundred at once, at the
// handler itself, where each hash can be counted.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { sql } from "slonik";
import { z } from "zod";
import type { ClientInput } from "../../src/protocol/generated/schemas.ts";
import { called } from "../authctl/authctl.ts";
import { account, type HandlerHarness, handlerHarness } from "../support/handlers.ts";
import { operatorToken } from "../support/operator.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { confirmed, loggedIn, newUser, refusalOf, refused, type TestUser } from "../support/users.ts";

let fleet: TestFleet;
let harness: HandlerHarness;
beforeAll(async () => {
  // A wait that no test outlasts, so that what is counted does not depend on the machine.
  const waits = { AUTH_ATTEMPTS_DELAY: "15m", AUTH_ATTEMPTS_ACCOUNT_DELAY_MAX: "15m" };
  [fleet, harness] = await Promise.all([testFleet(), handlerHarness({ env: waits })]);
}, 60_000);
afterAll(() => Promise.all([fleet.close(), harness.close()]));

const address = (network: number): ClientInput => ({ ip: `10.0.${network >> 8}.${network & 255}` });
/** The same address as a proxy writes it that adds the port. */
const withPort = (network: number, port: number): ClientInput => ({ ip: `${address(network).ip}:${port}` });
const wrong = "not the right password";

function logIn({ login, password }: Pick<TestUser, "login" | "password">, client: ClientInput | null, key?: string) {
  const options = key === undefined ? {} : { idempotencyKey: key };
  return fleet.client.request("auth.session.login", { login, password, client }, options);
}

/** Guesses one after the other until one has to wait. @returns how many were verified, and the refusal */
async function guess(user: TestUser, client: () => ClientInput | null) {
  for (let verified = 0; ; verified += 1) {
    const refusal = await refused(logIn({ ...user, password: wrong }, client()));
    if (refusal.code === "THROTTLED") return { verified, refusal };
    expect(refusal.code).toBe("INVALID_CREDENTIALS");
  }
}

describe("guessing", () => {
  test("from one network has to wait, and is told how long; from another one, and of other accounts, it has not", async () => {
    const user = await confirmed(fleet);
    const { verified, refusal } = await guess(user, () => withPort(1, Math.ceil(Math.random() * 65_535)));
    expect(verified).toBeGreaterThanOrEqual(10); // more where the machine is so slow that a second passed in between
    expect(refusal.details).toEqual({ reason: "attempts" });
    expect(refusal.retryAfterMs).toBeGreaterThan(0);
    expect(await refusalOf(logIn({ ...user, password: wrong }, address(2)))).toBe("INVALID_CREDENTIALS");
    expect(await logIn(user, address(2))).toMatchObject({ tokens: { userId: user.id } });
    expect(await logIn(await confirmed(fleet), address(1))).toMatchObject({ challenge: null });
  });

  test("at a login that nobody has is answered alike", async () => {
    const nobody = await guess(newUser(), () => address(3));
    const user = await guess(await confirmed(fleet), () => address(3));
    expect(nobody.verified).toBeGreaterThanOrEqual(10);
    expect([nobody.refusal.message, nobody.refusal.details]).toEqual([user.refusal.message, user.refusal.details]);
  });

  test("from many networks delays unknown ones, but not the owner's device or session, and nobody for ever", async () => {
    const user = await confirmed(fleet);
    const home = { ...address(300), device: "laptop" };
    const { tokens } = await logIn(user, home);
    let network = 1000;
    const { verified, refusal } = await guess(user, () => address(network++));
    expect(verified).toBeGreaterThanOrEqual(20);
    expect(refusal.retryAfterMs).toBeLessThanOrEqual(30_000);
    expect(await logIn(user, { ...home, ip: `::ffff:${home.ip}` })).toMatchObject({ tokens: { userId: user.id } });
    const change = {
      accessToken: tokens!.accessToken,
      currentPassword: user.password,
      newPassword: "another good one",
    };
    expect(await fleet.client.request("auth.password.change", change)).toEqual({});
  });

  test("without a word about whom it serves is delayed, and through with it the owner logs in again", async () => {
    const user = await confirmed(fleet);
    const { verified, refusal } = await guess(user, () => null);
    expect(verified).toBeGreaterThanOrEqual(10);
    expect(refusal.retryAfterMs).toBeLessThanOrEqual(30_000);
    const before =
      "UPDATE login_attempts SET attempts = ARRAY(SELECT ROW(a.source, a.kind, a.key, a.at - interval '30 seconds')::attempt";
    await fleet.sql.query(`${before} FROM unnest(attempts) AS a) WHERE user_id = $1`, [user.id]);
    expect(await loggedIn(fleet, user)).toMatchObject({ userId: user.id });
    expect((await guess(user, () => null)).verified).toBeGreaterThanOrEqual(10); // the right one refunded them all
  });

  test("at the current password by who holds a session's token has to wait, also by conflicts", async () => {
    const user = await confirmed(fleet);
    const { accessToken } = user.tokens;
    const change = (currentPassword: string, key?: string) =>
      refusalOf(
        fleet.client.request(
          "auth.password.change",
          { accessToken, currentPassword, newPassword: "another good one" },
          key === undefined ? {} : { idempotencyKey: key },
        ),
      );
    const codes: string[] = [];
    const key = randomBytes(16).toString("hex");
    while (codes.at(-1) !== "THROTTLED" && codes.length < 40) codes.push(await change(`${wrong} ${codes.length}`, key));
    expect(codes.slice(0, 10)).toEqual(["INVALID_CREDENTIALS", ...Array(9).fill("IDEMPOTENCY_CONFLICT")]);
    expect(codes.at(-1)).toBe("THROTTLED");
    expect(await change(wrong)).toBe("THROTTLED");
    expect(await loggedIn(fleet, user)).toMatchObject({ userId: user.id });
  });
});

test("what became of attempts is counted in the worker's metrics", async () => {
  const user = await confirmed(fleet);
  const { verified } = await guess(user, () => address(8));
  const text = await (await fetch(`${fleet.http["worker-1"]}/metrics`)).text();
  const count = (outcome: string): number =>
    Number(
      new RegExp(`^auth_attempts_total\\{factor="password",outcome="${outcome}".*\\} (\\d+)$`, "m").exec(text)?.[1],
    );
  expect(count("wrong")).toBeGreaterThanOrEqual(verified);
  expect(count("throttled")).toBeGreaterThanOrEqual(1);
});

describe("an operator", () => {
  test("lets a user try again at once, and the event says who and why", async () => {
    const user = await confirmed(fleet);
    const token = await operatorToken(fleet, "nightshift");
    const unlock = () =>
      fleet.client.request("auth.admin.unlock-user", { actorToken: token, target: user.login, reason: "called us" });
    const { verified } = await guess(user, () => address(4));
    expect(await unlock()).toEqual({ userId: user.id, failedAttempts: verified });
    expect(await logIn(user, address(4))).toMatchObject({ challenge: null });
    expect(await unlock()).toEqual({ userId: user.id, failedAttempts: 0 });
    const event = await fleet.mails.last(
      "auth.event",
      ({ headers }) => String(headers["ce_type"]) === "auth.event.UserUnlocked",
    );
    expect([event.value?.includes("operator:nightshift"), event.value?.includes("called us")]).toEqual([true, true]);
  });

  test("does it with authctl users unlock", async () => {
    const user = await confirmed(fleet);
    const { verified } = await guess(user, () => address(5));
    const first = await called(["users", "unlock", user.login, "--reason", "called us"], fleet.env);
    expect(first).toMatchObject({ code: 0, stderr: "" });
    expect(first.stdout).toBe(
      `${user.login} (${user.id}) can try again at once; failed attempts forgotten: ${verified}.\n`,
    );
    expect(await refusalOf(logIn({ ...user, password: wrong }, address(5)))).toBe("INVALID_CREDENTIALS");
    await logIn(user, address(5));
    const again = JSON.parse((await called(["users", "unlock", user.login, "--json"], fleet.env)).stdout);
    expect(again).toEqual({ userId: user.id, login: user.login, failedAttempts: 0 });
    expect((await called(["users", "unlock", newUser().login], fleet.env)).code).toBe(1);
  });

  test("is told apart from who may not", async () => {
    const user = await confirmed(fleet);
    const asking = { target: user.login, reason: "" };
    const unlock = (actorToken: string, more = {}) =>
      refusalOf(fleet.client.request("auth.admin.unlock-user", { ...asking, actorToken, ...more }));
    expect(await unlock(user.tokens.accessToken)).toBe("FORBIDDEN");
    expect(await unlock("garbage")).toBe("TOKEN_INVALID");
    const operator = await operatorToken(fleet);
    expect(await unlock(operator, { target: newUser().login })).toBe("NOT_FOUND");
    expect(await unlock(operator, { reason: "x".repeat(1001) })).toBe("INVALID_INPUT");
  });
});

describe("a hundred at once", () => {
  const tries = (login: string, passwords: string[], client: (n: number) => ClientInput | null) =>
    Promise.all(
      passwords.map((password, n) => harness.outcome("auth.session.login", { login, password, client: client(n) })),
    );
  const hundred = <T>(value: T): T[] => Array.from({ length: 100 }, () => value);

  test.each([
    ["from one network", 10, (n: number) => withPort(9, n)],
    ["from a hundred networks", 20, (n: number) => address(n)],
    ["from nobody says where", 10, () => null],
  ])("%s: exactly so many are hashed, and the others cost no hash and no row", async (_where, free, client) => {
    const one = await account(harness);
    const before = harness.hashes();
    const codes = await tries(one.login, hundred(wrong), client);
    expect(codes.filter((code) => code === "INVALID_CREDENTIALS")).toHaveLength(free);
    expect(codes.filter((code) => code === "THROTTLED")).toHaveLength(100 - free);
    expect(harness.hashes() - before).toBe(free);
    const { events } = await harness.pool.one(sql.type(z.object({ events: z.number() }))`
      SELECT count(*) AS events FROM outbox WHERE kind = 'LoginRefused' AND user_id = ${one.id}`);
    expect(events).toBe(free);
  });

  test("with the right one among them: nobody learns it from an eleventh guess", async () => {
    const one = await account(harness);
    await tries(one.login, Array(10).fill(wrong), () => address(6));
    const codes = await tries(one.login, hundred(one.password), () => address(6));
    expect(codes).toEqual(hundred("THROTTLED"));
  });

  test("of the owner's devices, as many as are free, all are let in, and afterwards as many again", async () => {
    const one = await account(harness);
    for (let round = 0; round < 2; round += 1)
      expect(await tries(one.login, Array(10).fill(one.password), () => null)).toEqual(Array(10).fill("ok"));
    expect(harness.attempts.filter((each) => each === "password right").length).toBeGreaterThanOrEqual(20);
  });

  test("asking what was asked before with its key: each conflict counts, then the kept answer is nobody's", async () => {
    const one = await account(harness);
    const idempotencyKey = randomBytes(16);
    const ask = (password: string) =>
      harness.outcome("auth.session.login", { login: one.login, password, client: address(7) }, { idempotencyKey });
    expect(await ask(one.password)).toBe("ok");
    expect(await ask(one.password)).toBe("ok"); // the control: the first answer
    const before = harness.hashes();
    const codes = [];
    for (let n = 0; n < 12; n += 1) codes.push(await ask(`${wrong} ${n}`));
    expect(codes).toEqual([...Array(10).fill("IDEMPOTENCY_CONFLICT"), "THROTTLED", "THROTTLED"]);
    expect(await ask(one.password)).toBe("THROTTLED");
    expect(harness.hashes()).toBe(before);
  });

  test("that the busy harness does not verify are not counted", async () => {
    const busy = await handlerHarness({ poolSize: 4 });
    const one = await account(busy);
    busy.setBusy(true);
    const codes = [];
    for (let n = 0; n < 30; n += 1)
      codes.push(await busy.outcome("auth.session.login", { login: one.login, password: one.password }));
    expect(codes).toEqual(Array(30).fill("OVERLOADED"));
    busy.setBusy(false);
    expect(await busy.outcome("auth.session.login", { login: one.login, password: one.password })).toBe("ok");
    await busy.close();
  });
});
