// The platform's JSON topics, in: each record works once, what cannot be read is a dead letter, and the partition moves
// on. What goes out (topics auth and registration) is in handlers/account.test.ts.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { until } from "../support/until.ts";
import { type Confirmed, confirmed, loggedIn, refusalOf, registered } from "../support/users.ts";

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
afterAll(() => fleet.close());

/** One partition, so that one record comes after the other. */
const send = (topic: string, bodies: unknown[], key: Buffer | null = null) =>
  fleet.kafka.produce(
    bodies.map((body) => ({
      topic,
      partition: 0,
      key,
      value: typeof body === "string" ? Buffer.from(body) : Buffer.from(JSON.stringify(body)),
      headers: {},
    })),
  );

async function exists(id: number): Promise<boolean> {
  const { rowCount } = await fleet.sql.query("SELECT FROM users WHERE id = $1", [id]);
  return rowCount === 1;
}

async function eventsOf(id: number): Promise<string[]> {
  const { rows } = await fleet.sql.query<{ kind: string }>(
    "SELECT kind FROM outbox WHERE user_id = $1 AND sequence IS NOT NULL ORDER BY id",
    [id],
  );
  return rows.map((row) => row.kind);
}

describe("delete and admin_delete_user", () => {
  test.each(["delete", "admin_delete_user"])("%s deletes the account and ends its sessions", async (topic) => {
    const user = await confirmed(fleet);
    await send(topic, [{ id: user.id }]);
    await until("the user is gone", async () => !(await exists(user.id)));
    expect(
      await refusalOf(fleet.client.request("auth.session.inspect", { accessToken: user.tokens.accessToken })),
    ).toBe("SESSION_REVOKED");
    expect(
      await refusalOf(fleet.client.request("auth.session.refresh", { refreshToken: user.tokens.refreshToken })),
    ).toBe("SESSION_REVOKED");
    expect(await refusalOf(loggedIn(fleet, user))).toBe("INVALID_CREDENTIALS");
    expect((await eventsOf(user.id)).at(-1)).toBe("UserDeleted");
  });

  test("an id that is gone, that never was, or that nobody can have changes nothing and stops nothing", async () => {
    const user = await confirmed(fleet);
    await send("delete", [
      { id: 999_999_999 },
      { id: 0 },
      { id: -1 },
      { id: 1.5 },
      { id: 1e300 },
      { id: user.id },
      { id: user.id },
    ]);
    await until("the record behind them was handled", async () => !(await exists(user.id)));
    expect((await eventsOf(user.id)).filter((kind) => kind === "UserDeleted")).toHaveLength(1);
  });
});

test.each<[string, Record<string, Buffer | Buffer[]>]>([
  ["twice", { traceparent: [Buffer.from("a"), Buffer.from("b")] }],
  ["that is no text", { traceparent: Buffer.from([0, 255]), tracestate: Buffer.from([0]) }],
])("a traceparent %s stops nothing", async (_, headers) => {
  const user = await confirmed(fleet);
  const value = Buffer.from(JSON.stringify({ id: user.id }));
  await fleet.kafka.produce([{ topic: "delete", key: null, value, headers }]);
  await until("the user is gone", async () => !(await exists(user.id)));
});

test("control: a trace that was handed on as it came would be a fault of the statement", async () => {
  await expect(fleet.sql.query("SELECT $1::text", ["\u0000"])).rejects.toMatchObject({ code: "22021" });
});

test("a decoy is nobody, whatever the platform says of its id", async () => {
  const user = await confirmed(fleet);
  const { rows } = await fleet.sql.query<{ id: number }>(`
    INSERT INTO users (id, login, login_key, username, email, email_key, decoy)
    SELECT id, 'decoy' || id, 'decoy' || id, 'decoy', '', '', true FROM (SELECT nextval('user_ids') AS id) AS next
    RETURNING id::int`);
  const decoy = rows[0]!.id;
  for (const topic of ["delete", "admin_delete_user", "check_verified", "admin_ban_user"])
    await send(topic, [{ id: decoy }]);
  await send("admin_ban_user", [{ id: user.id }]);
  await until("the ban behind it was carried out", async () => (await eventsOf(user.id)).includes("UserBanned"));
  await send("delete", [{ id: user.id }]);
  await until("so was the deletion", async () => !(await exists(user.id))); // the control
  expect([await exists(decoy), await eventsOf(decoy)]).toEqual([true, []]);
});

describe("check_verified", () => {
  test("deletes an account that is still unconfirmed, and leaves a confirmed one alone", async () => {
    const late = await registered(fleet);
    const timely = await confirmed(fleet);
    await send("check_verified", [{ id: timely.id }, { id: late.id }]);
    await until("the unconfirmed one is gone", async () => !(await exists(late.id)));
    expect(await exists(timely.id)).toBe(true);
    expect(
      await fleet.client.request("auth.session.inspect", { accessToken: timely.tokens.accessToken }),
    ).toMatchObject({ isVerified: true });
  });
});

describe("admin_ban_user", () => {
  const banned = async (id: number) => {
    const { rows } = await fleet.sql.query<{ banned: boolean }>(
      "SELECT banned_at IS NOT NULL AS banned FROM users WHERE id = $1",
      [id],
    );
    return rows[0]?.banned;
  };

  async function bannedByTopic(): Promise<Confirmed> {
    const user = await confirmed(fleet);
    await send("admin_ban_user", [{ id: user.id }], Buffer.from(String(user.id)));
    await until("the ban", () => banned(user.id).then(Boolean));
    return user;
  }

  test("bans, ends all sessions, and the next record lifts the ban", async () => {
    const user = await bannedByTopic();
    expect(
      await refusalOf(fleet.client.request("auth.session.inspect", { accessToken: user.tokens.accessToken })),
    ).toBe("SESSION_REVOKED");
    expect(
      await refusalOf(fleet.client.request("auth.session.refresh", { refreshToken: user.tokens.refreshToken })),
    ).toBe("SESSION_REVOKED");
    expect(await refusalOf(loggedIn(fleet, user))).toBe("BANNED");
    await send("admin_ban_user", [{ id: user.id }]);
    await until("the ban is lifted", async () => !(await banned(user.id)));
    expect(await loggedIn(fleet, user)).toMatchObject({ userId: user.id });
    expect((await eventsOf(user.id)).filter((kind) => /Ban/i.test(kind))).toEqual(["UserBanned", "UserUnbanned"]);
    expect(
      await refusalOf(fleet.client.request("auth.session.refresh", { refreshToken: user.tokens.refreshToken })),
    ).toBe("SESSION_REVOKED");
  });

  test("two records in a row toggle twice", async () => {
    const user = await confirmed(fleet);
    await send("admin_ban_user", [{ id: user.id }, { id: user.id }]);
    await until(
      "both records were handled",
      async () => (await eventsOf(user.id)).filter((kind) => /Ban/i.test(kind)).length === 2,
    );
    expect(await banned(user.id)).toBe(false);
  });
});

describe("a body that cannot be read", () => {
  test.each([
    ["no JSON", "garbage"],
    ["an empty body", ""],
    ["JSON null", "null"],
    ["a list", "[1]"],
    ["no id", "{}"],
    ["an id that is no number", '{"id":"12"}'],
    ["an id of null", '{"id":null}'],
  ])("%s goes to the dead letters, and the partition moves on", async (_what, body) => {
    const user = await confirmed(fleet);
    const key = Buffer.from(`key-${user.login}`);
    await send("delete", [body], key);
    await send("delete", [{ id: user.id }]);
    await until("the record behind it was handled", async () => !(await exists(user.id)));
    const letter = await fleet.mails.last("auth.dead-letter", (record) => record.key?.equals(key) === true);
    expect(String(letter.value ?? "")).toBe(body);
    expect(String(letter.headers["auth-dlq-topic"])).toBe("delete");
    expect(String(letter.headers["auth-dlq-partition"])).toBe("0");
    expect(String(letter.headers["auth-dlq-offset"])).toMatch(/^\d+$/);
    expect(String(letter.headers["auth-dlq-error"])).toContain("numeric id");
  });
});
