// How attempts are counted: exactly, whatever comes at once; by place and by account; forgotten when they are a day
// old. The database decides, so the database is asked.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { sql } from "slonik";
import { z } from "zod";
import {
  type AttemptRow,
  type AttemptRules,
  countAttempt,
  failedAttempts,
  reapAttempts,
  reapDevices,
  refund,
  rememberDevice,
} from "../../src/db/attempts.ts";
import { commitOnce } from "../../src/db/commit.ts";
import { readOnly } from "../../src/db/inbox.ts";
import type { DatabasePool } from "../../src/db/pool.ts";
import type { Write } from "../../src/db/statements.ts";
import { emptyDatabase } from "../support/handlers.ts";

const rules: AttemptRules = {
  free: 10,
  accountFree: 20,
  delayMs: 60_000,
  delayMaxMs: 900_000,
  accountDelayMaxMs: 120_000,
  most: 100,
  deviceTtlMs: 90 * 86_400_000,
  devices: 3,
};

let pool: DatabasePool;
beforeAll(async () => {
  pool = await emptyDatabase();
});
afterAll(() => pool.end());

const bytes = (): Buffer => randomBytes(16);

interface Target {
  limiterKey: Buffer;
  owner: Buffer;
  loginKey: string;
}
const target = (): Target => ({ limiterKey: bytes(), owner: bytes(), loginKey: bytes().toString("hex") });

function attempt({ limiterKey, owner, loginKey }: Target, more: Partial<AttemptRow> = {}): AttemptRow {
  const source = more.source ?? bytes();
  return {
    limiterKey,
    owner,
    account: { loginKey },
    kind: "network",
    source,
    device: source,
    identified: true,
    key: bytes().subarray(0, 8),
    held: null,
    limits: [],
    ...more,
  };
}

const wait = async (row: AttemptRow, own = rules): Promise<number> => (await countAttempt(pool, row, own)).waitMs;
const commit = (writes: Write[]) =>
  commitOnce(pool, { inbox: undefined, lock: undefined, writes, outbox: [], audit: [] });

async function counted({ limiterKey }: Target): Promise<number> {
  return pool.oneFirst(sql.type(z.object({ n: z.number() }))`
    SELECT COALESCE((SELECT cardinality(attempts) FROM login_attempts WHERE limiter_key = ${sql.binary(limiterKey)}::bytea), 0) AS n`);
}

/** As if all this had happened so much earlier. */
async function later({ limiterKey }: Target, seconds: number): Promise<void> {
  await pool.query(sql.unsafe`
    UPDATE login_attempts SET attempts = ARRAY(
      SELECT ROW(a.source, a.kind, a.key, a.at - ${seconds} * interval '1 second')::attempt FROM unnest(attempts) AS a)
    WHERE limiter_key = ${sql.binary(limiterKey)}::bytea`);
}

async function existingUser(): Promise<{ id: number; target: Target }> {
  const login = `u${bytes().toString("hex").slice(0, 12)}`;
  const id = await pool.oneFirst(sql.type(z.object({ id: z.number() }))`
    INSERT INTO users (id, login, login_key, username, email, email_key)
    VALUES (nextval('user_ids'), ${login}, ${login}, ${login}, ${login}, ${login}) RETURNING id`);
  return { id, target: { ...target(), loginKey: login } };
}

describe("of a hundred attempts at once", () => {
  test("from one network exactly as many are counted as are free", async () => {
    const at = target();
    const source = bytes();
    const waits = await Promise.all(Array.from({ length: 100 }, () => wait(attempt(at, { source }))));
    expect(waits.filter((ms) => ms === 0)).toHaveLength(rules.free);
    expect(Math.max(...waits)).toBeLessThan(61_000); // each counts from its own statement's time
    expect(await counted(at)).toBe(rules.free); // who waits is not counted: guessing on makes nobody's wait longer
  });

  test("from a hundred networks exactly as many as are free to the account", async () => {
    const at = target();
    const waits = await Promise.all(Array.from({ length: 100 }, () => wait(attempt(at))));
    expect(waits.filter((ms) => ms === 0)).toHaveLength(rules.accountFree);
    expect(await counted(at)).toBe(rules.accountFree);
  });

  test("of one request, redelivered, one is counted", async () => {
    const at = target();
    const row = attempt(at);
    const waits = await Promise.all(Array.from({ length: 100 }, () => wait(row)));
    expect(waits).toEqual(waits.map(() => 0));
    expect(await counted(at)).toBe(1);
  });

  test("more pass where reading and counting are two statements", async () => {
    const at = target();
    const source = bytes();
    await wait(attempt(at, { source: bytes() })); // the row is there
    const naive = async (): Promise<boolean> => {
      if ((await counted(at)) > rules.free) return false;
      await pool.query(sql.unsafe`
        UPDATE login_attempts SET attempts = attempts || ROW(${sql.binary(source)}::bytea, 'network', '', now())::attempt
        WHERE limiter_key = ${sql.binary(at.limiterKey)}::bytea`);
      return true;
    };
    const passed = await Promise.all(Array.from({ length: 100 }, naive));
    expect(passed.filter(Boolean).length).toBeGreaterThan(rules.free);
  });
});

describe("a wait", () => {
  test("doubles with each failure up to the longest, and is over when it is over", async () => {
    const at = target();
    const source = bytes();
    const waits: number[] = [];
    for (let failures = 0; failures < rules.free; failures += 1) expect(await wait(attempt(at, { source }))).toBe(0);
    for (let more = 0; more < 7; more += 1) {
      const ms = await wait(attempt(at, { source }));
      waits.push(Math.round(ms / 60_000));
      await later(at, ms / 1000 + 0.01);
      expect(await wait(attempt(at, { source }))).toBe(0);
    }
    expect(waits).toEqual([1, 2, 4, 8, 15, 15, 15]);
  });

  test("of a network does not hold up another one, nor somebody who is logged in", async () => {
    const at = target();
    const source = bytes();
    for (let n = 0; n < rules.free; n += 1) await wait(attempt(at, { source }));
    expect(await wait(attempt(at, { source }))).toBeGreaterThan(0);
    expect(await wait(attempt(at))).toBe(0);
    for (let n = 0; n < rules.accountFree; n += 1) await wait(attempt(at));
    expect(await wait(attempt(at))).toBeGreaterThan(0);
    const session = bytes();
    const mine = () => wait(attempt(at, { kind: "session", source: session }));
    const own = [];
    for (let n = 0; n <= rules.free; n += 1) own.push((await mine()) > 0);
    expect(own).toEqual([...Array.from({ length: rules.free }, () => false), true]);
  });

  test("of requests that do not say whom they serve never gets longer than an account's", async () => {
    const at = target();
    const nobody = () => attempt(at, { kind: "unknown", source: Buffer.alloc(16), identified: false });
    for (let failures = 0; failures < 150; failures += 1) {
      const ms = await wait(nobody());
      expect(ms).toBeLessThanOrEqual(rules.accountDelayMaxMs);
      if (ms > 0) await later(at, ms / 1000 + 0.01);
    }
    await later(at, rules.accountDelayMaxMs / 1000);
    expect(await wait(nobody())).toBe(0);
  });

  test("after so many failures from unknown networks lasts until the oldest is a day old", async () => {
    const at = target();
    const quick = { ...rules, delayMs: 1, accountDelayMaxMs: 1 };
    for (let failures = 0; failures < rules.most; failures += 1) {
      expect(await wait(attempt(at), quick)).toBe(0);
      await later(at, 1);
    }
    const hours = (await wait(attempt(at), quick)) / 3_600_000;
    expect(hours).toBeGreaterThan(23.9);
    expect(hours).toBeLessThanOrEqual(24);
    await later(at, 86_400 - rules.most);
    expect(await wait(attempt(at), quick)).toBe(0);
  });
});

describe("a right one", () => {
  test("is forgotten together with the failures of its own source; those from elsewhere stay", async () => {
    const at = target();
    const source = bytes();
    for (let n = 0; n < 4; n += 1) await wait(attempt(at, { source }));
    await wait(attempt(at));
    const right = attempt(at, { source });
    await wait(right);
    expect(await counted(at)).toBe(6);
    expect(await commit([refund(right, source)])).toBe("done");
    expect(await counted(at)).toBe(1);
  });

  test("makes its device known: guesses from elsewhere do not delay it, its own failures do", async () => {
    const { id, target: at } = await existingUser();
    const device = bytes();
    const mine = () => attempt(at, { device });
    expect((await countAttempt(pool, mine(), rules)).device).toBe("new");
    await commit(rememberDevice(mine(), id, rules));
    for (let n = 0; n < rules.accountFree + 5; n += 1) await wait(attempt(at));
    expect(await wait(attempt(at))).toBeGreaterThan(0);
    expect(await countAttempt(pool, mine(), rules)).toEqual({ waitMs: 0, device: "known" });
    const more = [];
    for (let n = 0; n < rules.free; n += 1) more.push((await wait(mine())) > 0);
    expect(more.filter(Boolean)).toHaveLength(1);
  });

  test("lets an account have so many known devices, the one away longest goes, and an old one is known no more", async () => {
    const { id, target: at } = await existingUser();
    const devices = Array.from({ length: rules.devices + 1 }, bytes);
    for (const device of devices) await commit(rememberDevice(attempt(at, { device }), id, rules));
    const states = async () => {
      const all = [];
      for (const device of devices) all.push((await countAttempt(pool, attempt(at, { device }), rules)).device);
      return all;
    };
    expect(await states()).toEqual(["new", "known", "known", "known"]);
    const away = (device: Buffer, days: number) =>
      pool.query(sql.unsafe`
        UPDATE known_devices SET seen_at = now() - ${days} * interval '1 day' WHERE device = ${sql.binary(device)}::bytea`);
    await away(devices[1]!, 2);
    await away(devices[2]!, 91);
    expect(await states()).toEqual(["new", "stale", "new", "known"]);
    await reapDevices(pool, { ttlMs: rules.deviceTtlMs, limit: 1000 });
    expect(
      await pool.oneFirst(sql.type(z.object({ n: z.number() }))`
      SELECT count(*) AS n FROM known_devices WHERE user_id = ${id}`),
    ).toBe(2);
  });
});

test("a login that nobody has waits like one that somebody has, and its attempts count for who registers it", async () => {
  const { id, target: known } = await existingUser();
  const unknown = target();
  const source = bytes();
  const waits = async (at: Target) => {
    const all = [];
    for (let n = 0; n < rules.free + 2; n += 1) all.push(Math.ceil((await wait(attempt(at, { source }))) / 1000));
    return all;
  };
  expect(await waits(unknown)).toEqual(await waits(known));
  expect(await readOnly(pool, failedAttempts(id))).toEqual({ failed: rules.free });
});

test("what is kept of an account is bounded, and rows of past days are deleted", async () => {
  const at = target();
  const endless = { ...rules, free: 1000, accountFree: 1000 };
  for (let n = 0; n < 230; n += 1) await wait(attempt(at, { kind: "unknown" }), endless);
  expect(await counted(at)).toBe(200);
  const today = target();
  await wait(attempt(today));
  await pool.query(sql.unsafe`
    UPDATE login_attempts SET day = current_date - 2 WHERE limiter_key = ${sql.binary(at.limiterKey)}::bytea`);
  expect(await reapAttempts(pool, 1000)).toBe(1);
  expect([await counted(at), await counted(today)]).toEqual([0, 1]);
});
