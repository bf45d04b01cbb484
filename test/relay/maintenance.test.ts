// What the relay sweeps up by itself: accounts that nobody confirmed in time, links from long ago. Against the shared
// fleet's database; other tests' accounts are minutes old.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { variables } from "../../src/config/variables.ts";
import { type DatabasePool, openPool } from "../../src/db/pool.ts";
import { type FleetKeys, loadFleetKeys } from "../../src/keys/fleet-keys.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { sweep } from "../../src/relay/maintenance.ts";
import { purgeUnconfirmed } from "../../src/relay/unconfirmed.ts";
import { auditOf } from "../support/audited.ts";
import { quiet } from "../support/logger.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { bySecret, confirmed, newUser, type Registered, refusalOf, registered } from "../support/users.ts";

let fleet: TestFleet;
let pool: DatabasePool;
let keys: FleetKeys;
beforeAll(async () => {
  fleet = await testFleet();
  pool = await openPool({ url: fleet.env["AUTH_DATABASE_URL"]!, size: 4, applicationName: "test" });
  keys = await loadFleetKeys(pool, variables.AUTH_MASTER_KEY.parse(fleet.env["AUTH_MASTER_KEY"]!), quiet);
}, 60_000);
afterAll(async () => {
  keys.stop();
  await pool.end();
  await fleet.close();
});

const parts = () => ({
  pool,
  log: quiet,
  clock: systemClock,
  ttlMs: 7 * 86_400_000,
  sessionKeepMs: 7 * 86_400_000,
  auditRetentionMs: 400 * 86_400_000,
  deviceTtlMs: 90 * 86_400_000,
  settings: { confirmTtlMs: 3_600_000, legacyTopics: true, mailLocale: "en", mailsPerHour: 3 },
  dataKeys: keys.dataKeys,
});

const age = (user: Registered, days: number) =>
  fleet.sql.query("UPDATE users SET created_at = now() - $2 * interval '1 day' WHERE id = $1", [user.id, days]);
const isThere = async ({ id }: Registered): Promise<boolean> =>
  (await fleet.sql.query("SELECT FROM users WHERE id = $1", [id])).rowCount === 1;

describe("accounts that nobody has confirmed", () => {
  test("are deleted after AUTH_UNCONFIRMED_TTL as by an administrator; younger and confirmed ones stay", async () => {
    const [old, young] = [await registered(fleet), await registered(fleet)];
    const known = await confirmed(fleet);
    await age(old, 8);
    await age(young, 6);
    await age(known, 8);
    const token = await fleet.confirmationToken(old.username);
    await sweep(parts());
    expect([await isThere(old), await isThere(young), await isThere(known)]).toEqual([false, true, true]);
    expect(await refusalOf(fleet.client.request("auth.account.confirm", { token, ...bySecret(old) }))).toBe(
      "TOKEN_INVALID",
    );
    const { rows } = await fleet.sql.query(
      "SELECT topic, kind, actor, sequence, body - 'at' - 'reason' AS body FROM outbox WHERE key IN ($1, $2) AND actor = $3 ORDER BY id",
      [String(old.id), `u:${old.id}`, "service:maintenance"],
    );
    expect(rows).toEqual([
      {
        topic: "auth.event",
        kind: "UserDeleted",
        actor: "service:maintenance",
        sequence: "2",
        body: {},
      },
      {
        topic: "auth.revocation",
        kind: "json",
        actor: "service:maintenance",
        sequence: null,
        body: { minGeneration: 1, ended: true },
      },
    ]);
    expect((await auditOf(fleet, old.id)).at(-1)).toMatchObject({
      event: "UserDeleted",
      details: { reason: "not confirmed in time" },
    });
    await registered(fleet, { ...old }); // login and address are free
  });

  test("are deleted once another account has confirmed their address; who shares one that nobody has stays", async () => {
    const first = await registered(fleet);
    const beaten = await registered(fleet, { ...newUser(), email: first.email });
    const [one, other] = [await registered(fleet), newUser()];
    const beside = await registered(fleet, { ...other, email: one.email });
    await fleet.client.request("auth.account.confirm", {
      token: await fleet.confirmationToken(first.username),
      ...bySecret(first),
    });
    await sweep(parts());
    expect(await Promise.all([first, beaten, one, beside].map(isThere))).toEqual([true, false, true, true]);
    expect((await auditOf(fleet, beaten.id)).at(-1)).toMatchObject({
      event: "UserDeleted",
      details: { reason: "another account has its e-mail address" },
    });
  });

  test("are deleted once by three at once, more than a batch of them", async () => {
    const owners = await Promise.all(Array.from({ length: 3 }, () => registered(fleet)));
    const [first] = owners;
    await fleet.sql.query(
      `INSERT INTO users (id, login, login_key, username, email, email_key, created_at)
       SELECT nextval('user_ids'), l, l, l, l || '@example.com', l || '@example.com', now() - interval '9 days'
       FROM (SELECT $1 || '-' || n AS l FROM generate_series(1, 110) n) AS made`,
      [first!.login],
    );
    const { rows } = await fleet.sql.query<{ id: string }>("SELECT id FROM users WHERE login LIKE $1 || '-%'", [
      first!.login,
    ]);
    const counts = await Promise.all([1, 2, 3].map(() => purgeUnconfirmed(parts())));
    await purgeUnconfirmed(parts()); // what one of three left to another that had stopped
    expect(counts.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(0);
    const ids = rows.map(({ id }) => id);
    const found = await fleet.sql.query(
      "SELECT key, count(*)::int AS n FROM outbox WHERE kind = 'UserDeleted' AND key = ANY($1) GROUP BY 1",
      [ids],
    );
    expect(found.rows.filter(({ n }) => n !== 1)).toEqual([]);
    expect(found.rowCount).toBe(110);
    for (const owner of owners) expect(await isThere(owner)).toBe(true);
  });
});

test("links are kept for a week after their time and then deleted", async () => {
  const [late, later] = [await registered(fleet), await registered(fleet)];
  const expire = ({ id }: Registered, days: number) =>
    fleet.sql.query("UPDATE one_time_tokens SET expires_at = now() - $2 * interval '1 day' WHERE user_id = $1", [
      id,
      days,
    ]);
  await expire(late, 6);
  await expire(later, 8);
  await sweep(parts());
  const count = async ({ id }: Registered) =>
    (await fleet.sql.query("SELECT FROM one_time_tokens WHERE user_id = $1", [id])).rowCount;
  expect([await count(late), await count(later)]).toEqual([1, 0]);
});
