// auth.admin.find-users through Kafka: by login, address, id and state, page by page.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { operatorToken } from "../support/operator.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { confirmed, refusalOf } from "../support/users.ts";

let fleet: TestFleet;
let operator: string;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
beforeEach(async () => {
  operator = await operatorToken(fleet); // it is good for a minute
});
afterAll(() => fleet.close());

interface Search {
  search?: string;
  cursor?: string;
  state?: string;
  limit?: number;
}
const find = ({ search = "", cursor = "", ...more }: Search, actorToken = operator) =>
  fleet.client.request("auth.admin.find-users", { actorToken, search, cursor, ...more });
const logins = async (what: Search): Promise<string[]> => (await find(what)).users.map(({ login }) => login);

/** Rows as registering makes them; faster than registering. */
async function insert(users: { login: string; email?: string; confirmed?: boolean; banned?: string }[]): Promise<void> {
  for (const { login, email = `${login}@example.com`, confirmed: isConfirmed = true, banned = null } of users)
    await fleet.sql.query(
      `INSERT INTO users (id, login, login_key, username, email, email_key, confirmed_at, banned_at, banned_until)
       VALUES (nextval('user_ids'), $1, lower($1), $1, $2, lower($2), CASE WHEN $3 THEN now() END,
         CASE WHEN $4::text IS NOT NULL THEN now() END, $4::timestamptz)`,
      [login, email, isConfirmed, banned],
    );
}

const beginning = (): string => `f${randomBytes(5).toString("hex")}`;

async function everyPage(what: Search): Promise<string[][]> {
  const pages: string[][] = [];
  for (let cursor = ""; ; ) {
    const page = await find({ ...what, cursor });
    pages.push(page.users.map(({ login }) => login));
    cursor = page.cursor;
    if (cursor === "") return pages;
  }
}

describe("auth.admin.find-users", () => {
  test("shows whom it finds, by the beginning of a login or of an address in any case, and by id", async () => {
    const user = await confirmed(fleet);
    const found = {
      userId: user.id,
      login: user.login,
      username: user.username,
      email: user.email,
      isActive: true,
      isVerified: true,
      bannedUntil: null,
      roles: [],
      createdAt: expect.any(Number),
    };
    for (const search of [user.login.slice(0, -2).toUpperCase(), user.email, `id:${user.id}`])
      expect(await find({ search })).toEqual({ users: [found], cursor: "" });
    const { createdAt } = (await find({ search: `id:${user.id}` })).users[0]!;
    expect(Math.abs(createdAt - Date.now())).toBeLessThan(600_000);
    for (const search of [`${user.login}x`, user.login.slice(1), "id:999999999999"])
      expect(await logins({ search })).toEqual([]);
  });

  test("gives pages that are together all of them, once, those found by their address alone last", async () => {
    const start = beginning();
    const named = ["a", "b", "c", "d", "e"].map((letter) => `${start}${letter}`);
    const others = ["1", "2", "3"].map((digit) => ({
      login: `zz${start}${digit}`,
      email: `${start}${digit}@example.com`,
    }));
    await insert([...named.map((login) => ({ login })), ...others]);
    const all = [...named, ...others.map(({ login }) => login)];
    for (const limit of [3, 5]) {
      const pages = await everyPage({ search: start, limit });
      expect(pages.flat()).toEqual(all);
      for (const page of pages.slice(0, -1)) expect(page).toHaveLength(limit);
    }
    expect(await everyPage({ search: start, limit: 8 })).toEqual([all]);
  });

  test("passes over a thousand who were found by their login, and still finds who comes after them", async () => {
    const start = beginning();
    await fleet.sql.query(
      `INSERT INTO users (id, login, login_key, username, email, email_key)
       SELECT nextval('user_ids'), l, l, l, l || '@example.com', l || '@example.com'
       FROM (SELECT $1 || to_char(i, 'FM0000') AS l FROM generate_series(1, 1010) AS i) AS made`,
      [start],
    );
    await insert([{ login: `zz${start}`, email: `${start}z@example.com` }]);
    const pages = await everyPage({ search: start, limit: 200 });
    expect(pages.flat()).toHaveLength(1011);
    expect(pages.flat().at(-1)).toBe(`zz${start}`);
  });

  test("goes on after whom it showed, whoever comes or goes in between", async () => {
    const start = beginning();
    const login = (name: string): string => `${start}${name}`;
    await insert(["b", "c", "d", "e"].map((name) => ({ login: login(name) })));
    const first = await find({ search: start, limit: 2 });
    await insert([{ login: login("a") }, { login: login("cc") }]);
    await fleet.sql.query("DELETE FROM users WHERE login_key = ANY($1)", [[login("c"), login("d")]]);
    expect(await logins({ search: start, limit: 200, cursor: first.cursor })).toEqual([login("cc"), login("e")]);
  });

  test("finds those of one state: who is banned is banned, confirmed or not, until the ban's end", async () => {
    const start = beginning();
    await insert([
      { login: `${start}active` },
      { login: `${start}new`, confirmed: false },
      { login: `${start}banned`, banned: "infinity" },
      { login: `${start}bannednew`, confirmed: false, banned: "2999-01-01" },
      { login: `${start}over`, banned: "2020-01-01" },
    ]);
    await fleet.sql.query("UPDATE users SET banned_until = NULL WHERE login_key = $1", [`${start}banned`]);
    const of = async (state: string) =>
      (await logins({ search: start, state })).map((login) => login.slice(start.length));
    expect(await of("active")).toEqual(["active", "over"]);
    expect(await of("unconfirmed")).toEqual(["new"]);
    expect(await of("banned")).toEqual(["banned", "bannednew"]);
    expect(await of("")).toEqual(["active", "banned", "bannednew", "new", "over"]);
    const { users } = await find({ search: start, state: "banned" });
    expect(users.map(({ isActive, bannedUntil }) => ({ isActive, bannedUntil }))).toEqual([
      { isActive: false, bannedUntil: null },
      { isActive: false, bannedUntil: Date.parse("2999-01-01T00:00:00Z") },
    ]);
  });

  test("finds no decoy, which only keeps a login taken", async () => {
    const start = beginning();
    await insert([{ login: `${start}a` }, { login: `${start}decoy`, confirmed: false }]);
    expect(await logins({ search: start })).toHaveLength(2); // the control
    await fleet.sql.query("UPDATE users SET decoy = true WHERE login_key = $1", [`${start}decoy`]);
    expect(await logins({ search: start })).toEqual([`${start}a`]);
    expect(await logins({ search: start, state: "unconfirmed" })).toEqual([]);
    await fleet.sql.query("UPDATE users SET banned_at = now() WHERE login_key LIKE $1", [`${start}%`]);
    expect(await logins({ search: start, state: "banned" })).toEqual([`${start}a`]);
  });

  test("finds every one of several accounts that wait with one address, page by page", async () => {
    const email = `${beginning()}@example.com`;
    const waiting = Array.from({ length: 5 }, () => ({ login: beginning(), email, confirmed: false }));
    await insert(waiting);
    const pages = await everyPage({ search: email, limit: 2 });
    expect(pages.map(({ length }) => length)).toEqual([2, 2, 1]);
    expect(pages.flat().sort()).toEqual(waiting.map(({ login }) => login).sort());
  });

  test("finds and bans a user whose address looks like anything but one", async () => {
    const login = beginning();
    await insert([{ login, email: `taken:${login}@evil.example`, confirmed: false }]); // registered as `taken：…`
    expect(await logins({ search: login })).toEqual([login]);
    const ban = { actorToken: operator, target: login, reason: "a test" };
    expect(await fleet.client.request("auth.admin.ban-user", ban)).toMatchObject({ userId: expect.any(Number) });
  });

  test("takes an id for one however it is written: no login stands in its way", async () => {
    const user = await confirmed(fleet);
    await insert([{ login: `id:${user.id}` }]); // as `id：17` once got in, with a full-width colon
    for (const target of [`id:${user.id}`, `ID:${user.id}`, `id：${user.id}`]) {
      expect(await logins({ search: target })).toEqual([user.login]);
      const shown = await fleet.client.request("auth.admin.get-user", { actorToken: operator, target });
      expect(shown.login).toBe(user.login);
    }
    await fleet.sql.query("DELETE FROM users WHERE login_key = $1", [`id:${user.id}`]);
  });

  test("finds a beginning as it is, also one with signs that a pattern would mean something else by", async () => {
    const start = beginning();
    await insert([{ login: `${start}%_x` }, { login: `${start}a_x` }, { login: `${start}ß` }]);
    expect(await logins({ search: `${start}%` })).toEqual([`${start}%_x`]);
    expect(await logins({ search: `${start}ß` })).toEqual([`${start}ß`]);
  });

  test("without a text lists all", async () => {
    await confirmed(fleet);
    const { users, cursor } = await find({ limit: 1 });
    expect(users).toHaveLength(1);
    expect(await logins({ limit: 1, cursor })).not.toEqual([users[0]!.login]);
  });

  test("refuses a bad state, limit, text or cursor, and who may not ask", async () => {
    const bad = [
      { state: "asleep" },
      { limit: 0 },
      { limit: 201 },
      { search: "x".repeat(255) },
      { cursor: "x" },
      { cursor: "bm8uYQ" },
    ];
    for (const what of bad) expect(await refusalOf(find(what))).toBe("INVALID_INPUT");
    const { tokens } = await confirmed(fleet);
    expect(await refusalOf(find({}, tokens.accessToken))).toBe("FORBIDDEN");
    expect(await refusalOf(find({}, ""))).toBe("INVALID_INPUT");
  });
});
