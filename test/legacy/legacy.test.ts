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
    const person = await confirmed(fleet);
    await send(topic, [{ id: person.id }]);
    await until("the user is gone", async () => !(await exists(person.id)));
    expect(
      await refusalOf(fleet.client.request("auth.session.inspect", { accessToken: person.tokens.accessToken })),
    ).toBe("SESSION_REVOKED");
    expect(
      await refusalOf(fleet.client.request("auth.session.refresh", { refreshToken: person.tokens.refreshToken })),
    ).toBe("SESSION_REVOKED");
    expect(await refusalOf(loggedIn(fleet, person))).toBe("INVALID_CREDENTIALS");
    expect((await eventsOf(person.id)).at(-1)).toBe("UserDeleted");
  });

  test("an id that is gone, that never was, or that nobody can have changes nothing and stops nothing", async () => {
    const person = await confirmed(fleet);
    await send("delete", [
      { id: 999_999_999 },
      { id: 0 },
      { id: -1 },
      { id: 1.5 },
      { id: 1e300 },
      { id: person.id },
      { id: person.id },
    ]);
    await until("the record behind them was handled", async () => !(await exists(person.id)));
    expect((await eventsOf(person.id)).filter((kind) => kind === "UserDeleted")).toHaveLength(1);
  });
});

test.each<[string, Record<string, Buffer | Buffer[]>]>([
  ["twice", { traceparent: [Buffer.from("a"), Buffer.from("b")] }],
  ["that is no text", { traceparent: Buffer.from([0, 255]), tracestate: Buffer.from([0]) }],
])("a traceparent %s stops nothing", async (_, headers) => {
  const person = await confirmed(fleet);
  const value = Buffer.from(JSON.stringify({ id: person.id }));
  await fleet.kafka.produce([{ topic: "delete", key: null, value, headers }]);
  await until("the user is gone", async () => !(await exists(person.id)));
});

test("control: a trace that was handed on as it came would be a fault of the statement", async () => {
  await expect(fleet.sql.query("SELECT $1::text", ["\u0000"])).rejects.toMatchObject({ code: "22021" });
});

test("a decoy is nobody, whatever the platform says of its id", async () => {
  const person = await confirmed(fleet);
  const { rows } = await fleet.sql.query<{ id: number }>(`
    INSERT INTO users (id, login, login_key, username, email, email_key, decoy)
    SELECT id, 'decoy' || id, 'decoy' || id, 'decoy', '', '', true FROM (SELECT nextval('user_ids') AS id) AS next
    RETURNING id::int`);
  const decoy = rows[0]!.id;
  for (const topic of ["delete", "admin_delete_user", "check_verified", "admin_ban_user"])
    await send(topic, [{ id: decoy }]);
  await send("admin_ban_user", [{ id: person.id }]);
  await until("the ban behind it was carried out", async () => (await eventsOf(person.id)).includes("UserBanned"));
  await send("delete", [{ id: person.id }]);
  await until("so was the deletion", async () => !(await exists(person.id))); // the control
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
    const person = await confirmed(fleet);
    await send("admin_ban_user", [{ id: person.id }], Buffer.from(String(person.id)));
    await until("the ban", () => banned(person.id).then(Boolean));
    return person;
  }

  test("bans, ends all sessions, and the next record lifts the ban", async () => {
    const person = await bannedByTopic();
    expect(
      await refusalOf(fleet.client.request("auth.session.inspect", { accessToken: person.tokens.accessToken })),
    ).toBe("SESSION_REVOKED");
    expect(
      await refusalOf(fleet.client.request("auth.session.refresh", { refreshToken: person.tokens.refreshToken })),
    ).toBe("SESSION_REVOKED");
    expect(await refusalOf(loggedIn(fleet, person))).toBe("BANNED");
    await send("admin_ban_user", [{ id: person.id }]);
    await until("the ban is lifted", async () => !(await banned(person.id)));
    expect(await loggedIn(fleet, person)).toMatchObject({ userId: person.id });
    expect((await eventsOf(person.id)).filter((kind) => /Ban/i.test(kind))).toEqual(["UserBanned", "UserUnbanned"]);
    expect(
      await refusalOf(fleet.client.request("auth.session.refresh", { refreshToken: person.tokens.refreshToken })),
    ).toBe("SESSION_REVOKED");
  });

  test("two records in a row toggle twice", async () => {
    const person = await confirmed(fleet);
    await send("admin_ban_user", [{ id: person.id }, { id: person.id }]);
    await until(
      "both records were handled",
      async () => (await eventsOf(person.id)).filter((kind) => /Ban/i.test(kind)).length === 2,
    );
    expect(await banned(person.id)).toBe(false);
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
    const person = await confirmed(fleet);
    const key = Buffer.from(`key-${person.login}`);
    await send("delete", [body], key);
    await send("delete", [{ id: person.id }]);
    await until("the record behind it was handled", async () => !(await exists(person.id)));
    const letter = await fleet.mails.last("auth.dead-letter", (record) => record.key?.equals(key) === true);
    expect(String(letter.value ?? "")).toBe(body);
    expect(String(letter.headers["auth-dlq-topic"])).toBe("delete");
    expect(String(letter.headers["auth-dlq-partition"])).toBe("0");
    expect(String(letter.headers["auth-dlq-offset"])).toMatch(/^\d+$/);
    expect(String(letter.headers["auth-dlq-error"])).toContain("numeric id");
  });
});
