// The audit over its partitions: a month's last row gets a head, a month that is older than the audit is kept is
// dropped once it has one, and what is left verifies from there; and more rows than a page and a batch. No fleet: the
// relay's step is called by hand, on a database of its own.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import pg from "pg";
import { type ChainDeps, chainBatch } from "../../src/audit/chain.ts";
import { type Verdict, verifyAudit } from "../../src/audit/verify.ts";
import {
  type AuditEntry,
  encryptEnd,
  encryptEntry,
  encryptHeadKey,
  link,
  noChain,
  signHead,
} from "../../src/crypto/audit.ts";
import { type ChainedRow, insertChained, insertHead, maintainAuditPartitions, saveEnd } from "../../src/db/audit.ts";
import { type DatabasePool, openPool } from "../../src/db/pool.ts";
import { ensureKeys, loadFleetKeys } from "../../src/keys/fleet-keys.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { makeDatabase } from "../support/databases.ts";
import { quiet } from "../support/logger.ts";
import { testStack } from "../support/stack.ts";

const day = 86_400_000;
const hour = 3_600_000;
const retentionMs = 400 * day;

let client: pg.Client;
let pool: DatabasePool;
let parts: ChainDeps;
beforeAll(async () => {
  const url = await makeDatabase(testStack(), `audit_${randomBytes(6).toString("hex")}`);
  client = new pg.Client({ connectionString: url });
  await client.connect();
  pool = await openPool({ url, size: 4, applicationName: "test" });
  const master = [{ kid: "t", key: randomBytes(32) }];
  const rules = {
    signingAlg: "ES256",
    rotateEveryMs: day,
    publishAheadMs: hour,
    keepMs: { sig: hour, enc: hour },
    keepDataMs: {},
  } as const;
  await ensureKeys({ pool, master, rules, clock: systemClock });
  await client.query("DELETE FROM audit_intake"); // that its first keys were made
  const { dataKeys, keyring, stop } = await loadFleetKeys(pool, master, quiet);
  stop();
  parts = { pool, dataKeys, keyring, clock: systemClock, headEveryMs: hour, log: quiet, chained: () => undefined };
}, 60_000);
afterAll(async () => {
  await client.end();
  await pool.end();
});

const entry = (event: string): AuditEntry => ({
  eventId: crypto.randomUUID(),
  at: systemClock.now(),
  event,
  actor: "service:test",
  userId: null,
  outcome: "ok",
  traceparent: null,
  details: { n: 1 },
  personal: { ip: "203.0.113.9" },
});

const wait = (count: number) =>
  client.query("INSERT INTO audit_intake (encrypted) SELECT * FROM unnest($1::bytea[])", [
    Array.from({ length: count }, () => encryptEntry(parts.dataKeys(), entry("Happened"))),
  ]);

const verify = (more: { retentionMs?: number } = {}): Promise<Verdict> =>
  verifyAudit({
    pool,
    dataKeys: parts.dataKeys(),
    heads: [],
    retentionMs,
    headEveryMs: hour,
    now: systemClock.now(),
    ...more,
  });

const heads = async () => {
  const { rows } = await client.query<{ number: string; partition: string }>(
    "SELECT number, partition FROM audit_heads ORDER BY number",
  );
  return rows.map(({ number, partition }) => `${number} ${partition}`);
};

/** Three rows of January 2024 and a head behind the second, as a relay would have left them that was stopped then. */
async function leaveOldRows(): Promise<void> {
  await client.query(
    "CREATE TABLE audit_202401 PARTITION OF audit FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2024-02-01 00:00+00')",
  );
  const partition = "audit_202401";
  const at = Date.UTC(2024, 0, 31, 23);
  let { chain } = noChain;
  const rows = [1, 2, 3].map((number): ChainedRow => {
    const { details, personal: _, ...said } = entry("LongAgo");
    const row = {
      ...said,
      number,
      chainedAt: at * 1000,
      at: at * 1000,
      details: JSON.stringify(details),
      personal: null,
    };
    chain = link(chain, row);
    return { ...row, chain };
  });
  const key = parts.keyring().signing();
  const head = { partition, count: 2, chain: rows[1]!.chain.toString("base64url"), at };
  await insertChained(pool, rows);
  await saveEnd(pool, encryptEnd(parts.dataKeys(), { number: 3, chain, at: at * 1000, partition }));
  const encryptedKey = encryptHeadKey(parts.dataKeys(), key);
  const record = { number: 2, partition, at, jws: signHead(key, head), kid: key.kid, encryptedKey };
  await insertHead(pool, { ...record, eventId: crypto.randomUUID(), body: head });
}

test("a month's last row gets a head, and without one its partition is not dropped", async () => {
  await leaveOldRows();
  expect(await maintainAuditPartitions(pool, retentionMs)).toBe(0);
  await wait(2);
  expect(await chainBatch(parts)).toBe(false);
  const [second, third, fifth] = await heads();
  expect([second, third]).toEqual(["2 audit_202401", "3 audit_202401"]);
  expect(fifth).toMatch(/^5 audit_20\d{4}$/);
  expect(await verify()).toMatchObject({ rows: 5, first: 1, last: 5, heads: 3, broken: null });
});

test("what is left of the chain verifies from the last head of the month that was dropped", async () => {
  expect(await maintainAuditPartitions(pool, retentionMs)).toBe(1);
  expect(await maintainAuditPartitions(pool, retentionMs)).toBe(0);
  expect((await heads())[0]).toBe("3 audit_202401");
  expect(await verify()).toMatchObject({ rows: 2, first: 4, last: 5, broken: null });
});

test.each([
  [
    "that head is gone",
    "DELETE FROM audit_heads WHERE number = 3",
    {},
    /Rows 1 to 3 are missing before row 4, and no head/,
  ],
  [
    "the next row is, too",
    "DELETE FROM audit WHERE number = 4",
    {},
    /Rows 1 to 4 are missing before row 5, and no head/,
  ],
  ["they should still be there", "SELECT", { retentionMs: 36_500 * day }, /would keep them for longer/],
  [
    "only a part of their month is gone",
    "UPDATE audit_heads SET partition = (SELECT tableoid::regclass::text FROM audit LIMIT 1) WHERE number = 3",
    {},
    /stands the head of row 3 \(audit_202401\)/,
  ],
])("rows that are missing at the beginning are found where %s", async (_where, statement, options, sentence) => {
  await client.query("ALTER TABLE audit DISABLE TRIGGER written_once");
  await client.query("CREATE TEMP TABLE kept_heads AS TABLE audit_heads; CREATE TEMP TABLE kept_rows AS TABLE audit");
  await client.query(statement);
  const { broken } = await verify(options);
  await client.query(
    "DELETE FROM audit_heads; INSERT INTO audit_heads TABLE kept_heads; DELETE FROM audit; INSERT INTO audit TABLE kept_rows",
  );
  await client.query("DROP TABLE kept_heads, kept_rows");
  expect(broken).toMatchObject({
    what: expect.stringMatching(/start|head/),
    sentence: expect.stringMatching(sentence),
  });
  expect((await verify()).broken).toBeNull(); // the control
});

test("more rows than a batch and a page are chained one after the other, by two at once", async () => {
  await wait(2600);
  const relay = async () => {
    while ((await client.query("SELECT FROM audit_intake LIMIT 1")).rowCount! > 0) await chainBatch(parts);
  };
  await Promise.all([relay(), relay()]);
  expect(await verify()).toMatchObject({ rows: 2602, first: 4, last: 2605, covered: 5, waiting: 0, broken: null });
});

test("where the chain's end was taken away rows wait instead of beginning another chain", async () => {
  await wait(1);
  await client.query("DELETE FROM audit_state");
  await expect(chainBatch(parts)).rejects.toThrow("the chain's end (audit_state) is gone");
  expect((await verify()).waiting).toBe(1);
});
