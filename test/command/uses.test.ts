// Limits across accounts at the handlers, where each hash can be counted: lists of stolen passwords, heaps of
// registrations and mails from one network, IPv4 and IPv6, from several workers at once. The controls are the same
// requests where there is no limit.
import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { sql } from "slonik";
import { z } from "zod";
import { systemClock } from "../../src/lib/clock.ts";
import { type ClientInput, type Commands, commandSchemas } from "../../src/protocol/generated/schemas.ts";
import { fromBase32, shownNow } from "../support/factors.ts";
import { account, type HandlerHarness, handlerHarness } from "../support/handlers.ts";

const limits = {
  AUTH_NETWORK_PASSWORDS: "10/1h",
  AUTH_NETWORK_CODES: "4/1h",
  AUTH_NETWORK_LINKS: "4/1h",
  AUTH_NETWORK_REGISTRATIONS: "4/1h",
  AUTH_NETWORK_MAILS: "4/1h",
  AUTH_NETWORK_PASSKEYS: "4/1h",
  AUTH_NETWORK_WIDE: "3",
  AUTH_MAILS_PER_HOUR: "100",
};
const off = Object.fromEntries(
  Object.keys(limits).map((name) => [name, name.startsWith("AUTH_NETWORK") && !name.endsWith("WIDE") ? "off" : "16"]),
);

/** Three workers on one database, the second with a clock that is an hour ahead; and one on it that has no limits. */
let harness: HandlerHarness;
let second: HandlerHarness;
let third: HandlerHarness;
let unlimited: HandlerHarness;
beforeAll(async () => {
  harness = await handlerHarness({ env: limits, cheapHashes: true, poolSize: 4 });
  const ahead = { ...systemClock, now: () => systemClock.now() + 3_600_000 };
  [second, third, unlimited] = await Promise.all([
    harness.beside({ clock: ahead }),
    harness.beside(),
    harness.beside({ env: off }),
  ]);
}, 60_000);
afterAll(async () => {
  await Promise.all([second, third, unlimited].map((each) => each.close()));
  await harness.close();
});

let networks = 0;
/** Of a network that nothing was counted of: IPv4, and one of the addresses of an IPv6 /48. */
function network() {
  networks += 1;
  const [n, site] = [networks, networks.toString(16)];
  return {
    v4: { ip: `198.51.${n >> 8}.${n & 255}` },
    mapped: { ip: `::ffff:198.51.${n >> 8}.${n & 255}` },
    v6: (subnet: number, host = 1): ClientInput => ({
      ip: `2001:db8:${site}:${(subnet << 8).toString(16)}::${host.toString(16)}`,
    }),
  };
}

const wrong = "not the right password";
const unused = (): string => `n${randomBytes(6).toString("hex")}`;
const guess = (at: HandlerHarness, client: ClientInput | null, login = unused()): Promise<string> =>
  at.outcome("auth.session.login", { login, password: wrong, client });
const times = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n));
const verified = (codes: string[]): number => codes.filter((code) => code !== "THROTTLED").length;

describe("one guess at each of many accounts", () => {
  const ways: [string, number, (n: number, from: ReturnType<typeof network>) => ClientInput][] = [
    ["from one IPv4 address", 10, (_, { v4 }) => v4],
    ["from one IPv4 address, also as IPv6 has it", 10, (n, { v4, mapped }) => (n % 2 === 0 ? v4 : mapped)],
    ["from an IPv6 /56", 10, (n, { v6 }) => v6(1, n + 1)],
    ["from an IPv6 /48, each from another /56 of it", 30, (n, { v6 }) => v6(n % 200)],
  ];

  test.each(ways)(
    "%s: exactly so many are verified of all workers together, and without a limit all",
    async (_, most, client) => {
      const from = network();
      const workers = [harness, second, third];
      const before = workers.map((each) => each.hashes());
      const codes = await Promise.all(times(60, (n) => guess(workers[n % 3]!, client(n, from))));
      expect(verified(codes)).toBe(most);
      const hashes = workers.reduce((sum, each, n) => sum + each.hashes() - before[n]!, 0);
      expect(hashes).toBe(most);
      const free = network();
      expect(verified(await Promise.all(times(60, (n) => guess(unlimited, client(n, free)))))).toBe(60);
    },
  );

  test("has to wait from there, whoever has an account, and nobody elsewhere has", async () => {
    const { v4, v6 } = network();
    const owner = await account(harness);
    for (const client of [v4, v6(1)])
      for (let n = 0; n < 10; n += 1) expect(await guess(harness, client)).toBe("INVALID_CREDENTIALS");
    const asked = (login: string, password: string, client: ClientInput) =>
      harness.ask("auth.session.login", { login, password, client }).catch((error: unknown) => error);
    for (const client of [v4, v6(1, 77)]) {
      const refusals = [await asked(owner.login, owner.password, client), await asked(unused(), wrong, client)];
      for (const refusal of refusals)
        expect(refusal).toMatchObject({
          code: "THROTTLED",
          details: { reason: "network" },
          message: expect.any(String),
        });
      const [first, other] = refusals as { retryAfterMs: number }[];
      expect(Math.abs(first!.retryAfterMs - other!.retryAfterMs)).toBeLessThan(20_000);
      expect(first!.retryAfterMs).toBeGreaterThan(330_000); // a tenth of an hour
      expect(first!.retryAfterMs).toBeLessThanOrEqual(360_000);
    }
    expect(harness.limited).toContain("password network");
    const elsewhere = [network().v4, network().v6(1), v6(2), null];
    for (const client of elsewhere)
      expect(await asked(owner.login, owner.password, client as ClientInput)).toMatchObject({ challenge: null });
  });

  test("delays nobody whose device the account knows", async () => {
    const { v4 } = network();
    const owner = await account(harness);
    const client = { ...v4, device: "laptop" };
    const logIn = (more = {}) =>
      harness.outcome("auth.session.login", {
        login: owner.login,
        password: owner.password,
        client: { ...client, ...more },
      });
    expect(await logIn()).toBe("ok");
    for (let n = 0; n < 10; n += 1) await guess(harness, v4);
    expect([await logIn(), await logIn({ device: "another" })]).toEqual(["ok", "THROTTLED"]);
  });

  test("is forgotten by the database's clock, whatever a worker's says, and kept over a restart", async () => {
    const { v4 } = network();
    for (let n = 0; n < 10; n += 1) await guess(harness, v4);
    const started = await harness.beside();
    expect([await guess(started, v4), await guess(second, v4)]).toEqual(["THROTTLED", "THROTTLED"]);
    await harness.pool.query(sql.unsafe`UPDATE network_uses SET at = at - interval '12 minutes'`);
    const codes = await Promise.all([second, started, harness].map((each) => guess(each, v4)));
    expect(codes.sort()).toEqual(["INVALID_CREDENTIALS", "INVALID_CREDENTIALS", "THROTTLED"]);
    await started.close();
  });
});

test("a right password takes its count back: many users of one network use nothing up, each worker counts alike", async () => {
  const { v4 } = network();
  const users = await Promise.all(times(5, () => account(harness)));
  const codes = await Promise.all(
    times(60, (n) => {
      const { login, password } = users[n % 5]!;
      return [harness, second, third][n % 3]!.outcome("auth.session.login", {
        login,
        password,
        client: { ...v4, device: `d${n}` },
      });
    }),
  );
  // Those that are under way count, too: some of sixty at once find no room, and none of those that come after.
  expect(codes.every((code) => code === "ok" || code === "THROTTLED")).toBe(true);
  for (const { login, password } of users)
    expect(await harness.outcome("auth.session.login", { login, password, client: { ...v4, device: "new" } })).toBe(
      "ok",
    );
  expect(verified(await Promise.all(times(20, () => guess(harness, v4))))).toBe(10);
});

test("a request that does not say whom it serves falls under the limits of its account alone, and is counted", async () => {
  const before = harness.unknown.length;
  const clients = [null, { ip: null, device: "x" }, {}];
  const codes = await Promise.all(times(60, (n) => guess(harness, clients[n % 3]!)));
  expect(verified(codes)).toBe(60);
  expect(harness.unknown.slice(before)).toEqual(Array(60).fill("auth.session.login"));
  await guess(harness, network().v4);
  expect(harness.unknown).toHaveLength(before + 60); // the control
});

interface Way {
  most: number;
  /** What is answered where it is not refused. */
  answers: string;
  /** @returns how it ended */
  ask(at: HandlerHarness, client: ClientInput | null, n: number): Promise<string>;
}

/** A login that waits for a code, of whom it is. */
let challenges: (client: ClientInput | null) => Promise<{ challenge: string; secret: Buffer }>;
beforeAll(async () => {
  const owner = await account(harness);
  const { tokens } = await harness.ask("auth.session.login", { login: owner.login, password: owner.password });
  const { accessToken } = tokens!;
  const secret = fromBase32((await harness.ask("auth.mfa.enroll", { accessToken })).secret);
  await harness.ask("auth.mfa.activate", { accessToken, code: shownNow(secret) });
  challenges = async (client) => {
    await harness.pool.query(
      sql.unsafe`UPDATE totp_factors SET last_step = 0, failures = 0 WHERE user_id = ${owner.id}`,
    );
    const { login, password } = owner;
    const whole = client && { userAgent: null, device: null, ...client };
    const { challenge } = await harness.ask("auth.session.login", { login, password, client: whole });
    return { challenge: challenge!.challenge, secret };
  };
});

const ways: Partial<Record<keyof Commands, Way>> = {
  "auth.session.login": { most: 10, answers: "INVALID_CREDENTIALS", ask: (at, client) => guess(at, client) },
  "auth.account.register": {
    most: 4,
    answers: "ok",
    ask: (at, client) => {
      const login = unused();
      return at.outcome("auth.account.register", {
        login,
        username: login,
        email: `${login}@example.com`,
        password: "good enough",
        client,
      });
    },
  },
  "auth.account.resend": {
    most: 4,
    answers: "ok",
    ask: (at, client) => at.outcome("auth.account.resend", { email: `${unused()}@example.com`, client }),
  },
  "auth.password.forgot": {
    most: 4,
    answers: "ok",
    ask: (at, client) => at.outcome("auth.password.forgot", { email: `${unused()}@example.com`, client }),
  },
  "auth.passkey.begin-login": {
    most: 4,
    answers: "ok",
    ask: (at, client) => at.outcome("auth.passkey.begin-login", { login: unused(), challenge: "", client }),
  },
  "auth.password.reset": {
    most: 4,
    answers: "TOKEN_INVALID",
    ask: (at, client) => at.outcome("auth.password.reset", { token: noLink(), newPassword: "good enough", client }),
  },
  "auth.account.confirm": {
    most: 4,
    answers: "TOKEN_INVALID",
    ask: (at, client) =>
      at.outcome("auth.account.confirm", { token: noLink(), registrationSecret: "any", password: "", client }),
  },
};

const noLink = (): string =>
  `0190b6a4-7e5b-7000-8000-${randomBytes(6).toString("hex")}.${randomBytes(32).toString("base64url")}`;

test("every command that takes a client is counted by its network", () => {
  const taking = Object.entries(commandSchemas)
    .filter(([, { request }]) => request.fields.some(({ name }) => name === "client"))
    .map(([topic]) => topic);
  expect(Object.keys(ways).sort()).toEqual(taking.sort());
});

describe.each(Object.entries(ways))("%s, many at once from one network", (_topic, { most, answers, ask }) => {
  test("is carried out so often of all workers together, elsewhere it goes on, and without a limit nobody waits", async () => {
    const { v4 } = network();
    const codes = await Promise.all(times(24, (n) => ask([harness, second, third][n % 3]!, v4, n)));
    expect(codes.filter((code) => code === answers)).toHaveLength(most);
    expect(verified(codes)).toBe(most);
    expect([await ask(harness, network().v4, 0), await ask(harness, null, 0)]).toEqual([answers, answers]);
    const free = network().v4;
    expect(await Promise.all(times(24, (n) => ask(unlimited, free, n)))).toEqual(times(24, () => answers));
  });
});

describe("what is used up", () => {
  test("by guesses at passwords keeps nobody from registering, nor the other way round", async () => {
    const { v4 } = network();
    for (let n = 0; n < 10; n += 1) await guess(harness, v4);
    expect(await guess(harness, v4)).toBe("THROTTLED");
    const others = Object.entries(ways).filter(
      ([topic]) =>
        topic !== "auth.session.login" && topic !== "auth.password.forgot" && topic !== "auth.account.confirm",
    );
    for (const [, { ask, answers }] of others) expect(await ask(harness, v4, 0)).toBe(answers);
  });

  test("of mails is used up for both commands that mail, and of links for both that take one", async () => {
    const [mails, links] = [network().v4, network().v4];
    for (let n = 0; n < 2; n += 1) {
      await ways["auth.password.forgot"]!.ask(harness, mails, n);
      await ways["auth.account.resend"]!.ask(harness, mails, n);
      await ways["auth.password.reset"]!.ask(harness, links, n);
      await ways["auth.account.confirm"]!.ask(harness, links, n);
    }
    for (const topic of ["auth.password.forgot", "auth.account.resend"] as const)
      expect(await ways[topic]!.ask(harness, mails, 0)).toBe("THROTTLED");
    for (const topic of ["auth.password.reset", "auth.account.confirm"] as const)
      expect(await ways[topic]!.ask(harness, links, 0)).toBe("THROTTLED");
  });
});

describe("codes", () => {
  const answer = (at: HandlerHarness, challenge: string, code: string): Promise<string> =>
    at.outcome("auth.session.login-mfa", { challenge, method: "totp", code });

  test("that are wrong are counted by the network of their login, and a right one takes its count back", async () => {
    const { v4 } = network();
    const ended: string[] = [];
    for (let n = 0; n < 6; n += 1) {
      const { challenge, secret } = await challenges(v4);
      ended.push(await answer(harness, challenge, shownNow(secret)));
    }
    expect(ended).toEqual(times(6, () => "ok"));
    const codes: string[] = [];
    for (let n = 0; n < 6; n += 1) codes.push(await answer(harness, (await challenges(v4)).challenge, "000000"));
    expect(codes).toEqual([...times(4, () => "MFA_INVALID"), "THROTTLED", "THROTTLED"]);
    const { challenge, secret } = await challenges(network().v4);
    expect(await answer(harness, challenge, shownNow(secret))).toBe("ok");
  });
});

test("a link that holds takes its count back", async () => {
  const { v4 } = network();
  const owner = await account(harness);
  for (let n = 0; n < 6; n += 1) {
    const token = await resetLink(owner);
    expect(await harness.outcome("auth.password.reset", { token, newPassword: `good enough ${n}`, client: v4 })).toBe(
      "ok",
    );
  }
});

/** As the mail would have it: its secret stands nowhere, so one is put in. */
async function resetLink({ id, email }: { id: number; email: string }): Promise<string> {
  await harness.pool.query(sql.unsafe`DELETE FROM one_time_tokens WHERE user_id = ${id}`);
  await harness.ask("auth.password.forgot", { email });
  const secret = randomBytes(32);
  const hash = createHash("sha256").update(secret).digest();
  const row = await harness.pool.one(sql.type(z.object({ id: z.string() }))`
    UPDATE one_time_tokens SET secret_hash = ${sql.binary(hash)} WHERE user_id = ${id} AND purpose = 'reset' RETURNING id`);
  return `${row.id}.${secret.toString("base64url")}`;
}

test("a use is given back where the fleet was too busy, and counted once where the handler is started anew", async () => {
  const { v4 } = network();
  harness.setBusy(true);
  const codes = await Promise.all([
    ...times(10, () => ways["auth.account.register"]!.ask(harness, v4, 0)),
    ...times(10, () => guess(harness, v4)),
  ]);
  harness.setBusy(false);
  expect(codes.filter((code) => code !== "OVERLOADED" && code !== "THROTTLED")).toEqual([]); // those under way count
  const login = unused();
  const twice = await Promise.all(
    times(2, (n) =>
      [harness, second][n]!.outcome("auth.account.register", {
        login,
        username: login,
        email: `${unused()}@example.com`,
        password: "good enough",
        client: v4,
      }),
    ),
  );
  expect(twice.sort()).toEqual(["LOGIN_TAKEN", "ok"]);
  const more = await Promise.all(times(8, (n) => ways["auth.account.register"]!.ask(harness, v4, n)));
  expect(verified(more)).toBe(2);
  expect(verified(await Promise.all(times(20, () => guess(harness, v4))))).toBe(10);
});

describe("a rate for the whole fleet", () => {
  test("holds for all networks together, and keeps a quarter for device tokens; without it nobody waits", async () => {
    const fleet = await harness.beside({ env: { ...off, AUTH_FLEET_PASSWORDS: "8/1h" } });
    const device = { id: randomBytes(16), epoch: 0 };
    const ask = (held?: { id: Buffer; epoch: number }) =>
      fleet.outcome(
        "auth.session.login",
        { login: unused(), password: wrong, client: network().v4 },
        { ...(held && { device: held }) },
      );
    expect(verified(await Promise.all(times(20, () => ask())))).toBe(6);
    expect(await ways["auth.account.register"]!.ask(fleet, network().v4, 0)).toBe("THROTTLED");
    expect(verified(await Promise.all(times(20, () => ask(device))))).toBe(2);
    expect(await ways["auth.account.resend"]!.ask(fleet, network().v4, 0)).toBe("ok"); // costs no hash
    expect(fleet.limited).toContain("password fleet");
    expect(await guess(harness, network().v4)).toBe("INVALID_CREDENTIALS");
    await fleet.close();
  });
});

test("maintenance deletes what is forgotten, and nothing that is kept names a network", async () => {
  const { v4 } = network();
  await guess(harness, v4);
  const rows = () =>
    harness.pool.any(
      sql.type(z.object({ limiterKey: z.instanceof(Buffer) }))`SELECT limiter_key AS "limiterKey" FROM network_uses`,
    );
  for (const { limiterKey } of await rows())
    expect([limiterKey.length, limiterKey.toString("latin1").includes("198.51")]).toEqual([16, false]);
  await harness.pool.query(sql.unsafe`UPDATE network_uses SET day = current_date - 2`);
  await guess(harness, network().v4);
  await harness.sweep();
  expect(await rows()).toHaveLength(1);
});
