// What the database keeps encrypted stays readable while its keys turn: kept answers and their fingerprints, secrets
// that wait in the outbox, sessions that were opened before. Old keys go when nothing needs them, and the master key
// above them can be changed and dropped.
import { randomBytes } from "node:crypto";
import { userInfo } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Environment, readConfig } from "../../src/config/read.ts";
import { newOpaque } from "../../src/crypto/opaque.ts";
import { type DatabasePool, openPool } from "../../src/db/pool.ts";
import { rotateDataKeys, rotateDueDataKeys } from "../../src/keys/data-keys.ts";
import { loadFleetKeys } from "../../src/keys/fleet-keys.ts";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import { keyDepsFor } from "../../src/processes/parts.ts";
import { called } from "../authctl/authctl.ts";
import { auditShown, chainWaiting } from "../support/audited.ts";
import { type Fleet, startFleet } from "../support/fleet.ts";
import { quiet } from "../support/logger.ts";
import { end } from "../support/processes.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { until } from "../support/until.ts";
import {
  byPassword,
  type Confirmed,
  confirmed,
  loggedIn,
  newUser,
  refusalOf,
  registered,
  type TestUser,
} from "../support/users.ts";

let own: Fleet;
let fleet: TestFleet;
let pool: DatabasePool;
beforeAll(async () => {
  own = await startFleet("data-keys", { processes: ["worker", "relay"] });
  fleet = await testFleet(own);
  pool = await openPool({ url: own.env["AUTH_DATABASE_URL"]!, size: 2, applicationName: "test data keys" });
}, 90_000);
afterAll(async () => {
  await pool.end();
  await fleet.close();
  await own.stop();
});

interface Shown {
  id: string;
  purpose: string;
  state: string;
  master: string;
}

const partsOf = (env: Environment, clock: Clock = systemClock) =>
  keyDepsFor({ config: readConfig(env, "ctl"), clock }, pool);

async function dataKeys(env = own.env): Promise<Shown[]> {
  const { code, stdout, stderr } = await called(["keys", "list", "--json"], env);
  expect([code, stderr]).toEqual([0, ""]);
  return (JSON.parse(stdout) as { dataKeys: Shown[] }).dataKeys;
}

/** A login that may be repeated. */
function login(user: TestUser, idempotencyKey = randomBytes(16).toString("hex")) {
  const ask = (password = user.password) =>
    fleet.client.request("auth.session.login", { login: user.login, password }, { idempotencyKey });
  return { ask, key: Buffer.from(`\0${idempotencyKey}`) };
}

/** The data keys that the kept answer to this key needs: of its box, and of its fingerprint. */
async function keptWith(key: Buffer): Promise<[number, number]> {
  const { rows } = await fleet.sql.query<{ reply: Buffer; fingerprint: Buffer }>(
    "SELECT reply, fingerprint FROM inbox WHERE idempotency_key = $1",
    [key],
  );
  return [rows[0]!.reply.readUInt32BE(1), rows[0]!.fingerprint.readUInt32BE()];
}

const refresh = (refreshToken: string) => fleet.client.request("auth.session.refresh", { refreshToken });

/** The worker looks at the keys every second, and those of a rotation are some seconds old before they are used. */
async function turned(user: TestUser): Promise<void> {
  const last = Math.max(...(await dataKeys()).map(({ id }) => Number(id)));
  // Nothing is made while the last ones are so new that not everybody knows them.
  await until("data keys are made", async () =>
    /^made data key \d+ for inbox$/m.test((await called(["keys", "rotate", "--use", "data"], own.env)).stdout),
  );
  await until("answers are kept under the new keys", async () => {
    const one = login(user);
    await one.ask();
    const [encrypted, print] = await keptWith(one.key);
    return encrypted > last && print > last;
  });
  const states = (await dataKeys()).filter(({ purpose }) => purpose === "inbox").map(({ state }) => state);
  expect(states.slice(-2)).toEqual(["retired", "active"]);
}

describe("across a rotation", () => {
  const home = { ip: "192.0.2.77", device: "laptop" };
  let user: Confirmed;
  let gone: Confirmed;
  let before: { answer: unknown; wrong: string; once: ReturnType<typeof login>; refused: ReturnType<typeof login> };
  const waiting = newUser();
  beforeAll(async () => {
    user = await confirmed(fleet);
    gone = await confirmed(fleet);
    const { accessToken } = gone.tokens;
    await fleet.client.request("auth.account.delete", { accessToken, password: gone.password });
    const { login: name, password } = user;
    await fleet.client.request("auth.session.login", { login: name, password, client: home });
    const [once, refused] = [login(user), login(user)];
    before = { once, refused, answer: await once.ask(), wrong: await refusalOf(refused.ask("not the one")) };
    await end(own.processes.get("relay-1")!);
    await registered(fleet, waiting); // its mail waits in the outbox
    await turned(user);
    await own.start("relay", "relay-2");
  }, 60_000);

  test("a repeated request gets its first answer, and another one under its key is a conflict", async () => {
    const { once, refused, answer, wrong } = before;
    expect(await once.ask()).toEqual(answer);
    expect([await refusalOf(refused.ask("not the one")), wrong]).toEqual([
      "INVALID_CREDENTIALS",
      "INVALID_CREDENTIALS",
    ]);
    expect(await refusalOf(once.ask("another"))).toBe("IDEMPOTENCY_CONFLICT");
    const after = login(user);
    const first = await after.ask();
    expect(await after.ask()).toEqual(first);
    expect(await keptWith(after.key)).not.toEqual(await keptWith(once.key)); // the control
  });

  test("a device stays known, and a login that was given up stays taken", async () => {
    const fromHome = (password: string) =>
      fleet.client.request("auth.session.login", { login: user.login, password, client: home });
    await fleet.sql.query(
      `INSERT INTO login_attempts (limiter_key, user_id, attempts) SELECT limiter_key, $1, array_fill(ROW('\\x00', 'network', '\\x00', now())::attempt, ARRAY[100])
       FROM login_attempts WHERE user_id = $1 ON CONFLICT (limiter_key) DO UPDATE SET attempts = excluded.attempts`,
      [user.id],
    );
    expect(await fromHome(user.password)).toMatchObject({ tokens: { userId: user.id } });
    // The control: from elsewhere the right password has to wait.
    const elsewhere = { login: user.login, password: user.password, client: { ip: "198.51.100.9" } };
    expect(await refusalOf(fleet.client.request("auth.session.login", elsewhere))).toBe("THROTTLED");
    await fleet.sql.query("DELETE FROM login_attempts WHERE user_id = $1", [user.id]);
    expect(await refusalOf(fleet.client.request("auth.account.register", { ...newUser(), login: gone.login }))).toBe(
      "LOGIN_TAKEN",
    );
  });

  test("a secret that waited in the outbox goes out", async () => {
    const token = await fleet.confirmationToken(waiting.username);
    expect(await fleet.client.request("auth.account.confirm", { token, ...byPassword(waiting) })).toMatchObject({
      sessionId: expect.any(String),
    });
  });

  test("a session goes on in its chain: the parent gets the same successor, an older token is known, a forged one is not", async () => {
    const { refreshToken: oldest, sessionId } = user.tokens;
    const second = await refresh(oldest);
    expect((await refresh(oldest)).refreshToken).toBe(second.refreshToken);
    const third = await refresh(second.refreshToken);
    expect(await refusalOf(refresh(newOpaque(sessionId).token))).toBe("TOKEN_INVALID");
    expect(await refusalOf(refresh(oldest))).toBe("REFRESH_REUSED");
    expect(await refusalOf(refresh(third.refreshToken))).toBe("SESSION_REVOKED");
    const fresh = await loggedIn(fleet, user); // opened with the new key
    const { refreshToken } = await refresh(fresh.refreshToken);
    await refresh(refreshToken);
    expect(await refusalOf(refresh(fresh.refreshToken))).toBe("REFRESH_REUSED");
  });
});

test("a worker that meets a key it has not loaded loads it, and carries the request out", async () => {
  const user = await confirmed(fleet);
  const sessions = await Promise.all(Array.from({ length: 3 }, () => loggedIn(fleet, user)));
  for (const { sessionId, refreshToken } of sessions) {
    await rotateDataKeys(partsOf(own.env), ["refresh"]);
    const { rows } = await fleet.sql.query("SELECT max(id) AS id FROM data_keys WHERE purpose = 'refresh'");
    await fleet.sql.query("UPDATE sessions SET refresh_key = $2 WHERE id = $1", [sessionId, rows[0].id]);
    const next = await refresh(refreshToken);
    expect((await refresh(next.refreshToken)).sessionId).toBe(sessionId);
  }
  const loaded = await loadFleetKeys(pool, partsOf(own.env).master, quiet);
  loaded.stop();
  await fleet.sql.query("UPDATE data_keys SET created_at = created_at - interval '10 s'"); // so that there is no pending one
  const [line] = await rotateDataKeys(partsOf(own.env), ["outbox"]);
  const id = Number(/^made data key (\d+)/.exec(line!)![1]);
  expect(() => loaded.dataKeys().get("outbox", id)).toThrow(`data key ${id} is not loaded`);
  await loaded.reload();
  expect(loaded.dataKeys().get("outbox", id).pending).toBe(true);
});

test("the master key is changed step by step, and the old one can be dropped", async () => {
  const user = await confirmed(fleet);
  const once = login(user);
  const answer = await once.ask();
  const old = own.env["AUTH_MASTER_KEY"]!;
  const fresh = `t2:${randomBytes(32).toString("base64")}`;
  const both = { ...own.env, AUTH_MASTER_KEY: `${fresh},${old}` };
  const alone = { ...own.env, AUTH_MASTER_KEY: fresh };
  const open = (env: Environment) => loadFleetKeys(pool, partsOf(env).master, quiet).then((loaded) => loaded.stop());
  await expect(open(alone)).rejects.toThrow(/AUTH_MASTER_KEY lacks the key t1/); // the control
  const { code, stdout } = await called(["keys", "rewrap"], both);
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^Wrapped \d+ data keys with t2\./)]);
  expect((await called(["keys", "rewrap"], both)).stdout).toMatch(/wrapped with t2 already/);
  expect(new Set((await dataKeys(alone)).map(({ master }) => master))).toEqual(new Set(["t2"]));
  await expect(open(own.env)).rejects.toThrow(/AUTH_MASTER_KEY lacks the key t2/);
  await Promise.all([end(own.processes.get("worker-1")!), end(own.processes.get("relay-2")!)]);
  await Promise.all([
    own.start("worker", "worker-2", { AUTH_MASTER_KEY: fresh }),
    own.start("relay", "relay-3", { AUTH_MASTER_KEY: fresh }),
  ]);
  own.env["AUTH_MASTER_KEY"] = fresh;
  expect(await once.ask()).toEqual(answer); // by a process that never had the old one
  expect(await refresh(user.tokens.refreshToken)).toMatchObject({ sessionId: user.tokens.sessionId });
}, 60_000);

test("old keys go when no row needs them, private keys move to the current one, and sessions keep theirs", async () => {
  const user = await confirmed(fleet);
  const { id: first } = (await dataKeys()).find(({ purpose }) => purpose === "signing")!;
  const later = (days: number) =>
    partsOf(own.env, { ...systemClock, now: () => systemClock.now() + days * 86_400_000 });
  await until("everything is published", async () => {
    const { rows } = await fleet.sql.query("SELECT count(*)::int AS waiting FROM outbox WHERE published_at IS NULL");
    return rows[0].waiting === 0;
  });
  const { rows: named } = await fleet.sql.query("SELECT DISTINCT refresh_key AS id FROM sessions");
  const done = await rotateDueDataKeys({
    ...later(62),
    rules: { ...later(62).rules, rotateEveryMs: 1000 * 86_400_000 },
  });
  expect(done).toContainEqual(expect.stringMatching(/^encrypted 3 private keys with data key \d+$/));
  const left = await dataKeys();
  const counts = (purpose: string) => left.filter((key) => key.purpose === purpose).length;
  expect([counts("inbox"), counts("fingerprint"), counts("outbox")]).toEqual([1, 1, 1]);
  expect(left.map(({ id }) => Number(id))).toEqual(expect.arrayContaining(named.map(({ id }) => id)));
  expect(done).toContainEqual(`removed data key ${first} for signing: nothing needs it`);
  expect(await refresh(user.tokens.refreshToken)).toMatchObject({ sessionId: user.tokens.sessionId });
  const keys = await loadFleetKeys(pool, later(0).master, quiet); // the private keys open
  keys.stop();
  // Turning again changes nothing, and a key that sessions need is refused.
  const again = await rotateDueDataKeys({
    ...later(62),
    rules: { ...later(62).rules, rotateEveryMs: 1000 * 86_400_000 },
  });
  expect(again).toEqual([]);
});

test("each of it is a row of the audit: made by the schedule or by an operator, wrapped anew, moved, removed", async () => {
  const said = async () => {
    const rows = await auditShown(own.env, "--limit", "1000");
    return rows.filter(({ event }) => /^(DataKey|PrivateKeys)/.test(event));
  };
  await chainWaiting(own.env);
  const rows = await said();
  const { rows: kept } = await fleet.sql.query("SELECT id, purpose FROM data_keys");
  const of = (event: string) => rows.filter((row) => row.event === event).map(({ details }) => details);
  const removed = of("DataKeyRemoved");
  const order = (keys: object[]) => keys.map((key) => JSON.stringify(key)).sort();
  expect(order(of("DataKeyMade"))).toEqual(order([...kept, ...removed]));
  expect(removed.length).toBeGreaterThan(3);
  const actors = (event: string) => new Set(rows.filter((row) => row.event === event).map(({ actor }) => actor));
  const operator = `operator:${userInfo().username}`;
  expect(actors("DataKeyMade")).toEqual(new Set(["system:keys", operator]));
  expect(actors("DataKeysRewrapped")).toEqual(new Set([operator]));
  expect(of("DataKeysRewrapped")).toEqual([{ master: "t2", from: ["t1"], count: expect.any(Number) }]);
  expect(of("PrivateKeysReencrypted")).toMatchObject([
    { keys: [expect.any(String), expect.any(String), expect.any(String)] },
  ]);
  expect((await called(["audit", "verify"], own.env)).code).toBe(0);
});
