// Rows of data_keys, fleet_keys, root_keys and gone_keys. Their contents are encrypted; src/crypto decrypts them.
import { type CommonQueryMethods, type DatabasePool, sql } from "slonik";
import { z } from "zod";
import type { DataKeyRow } from "../crypto/envelope.ts";
import type { KeyRow, RootRow } from "../crypto/keys.ts";
import type { Fragment } from "./statements.ts";

/** After this time every running process has loaded a new key: each looks every second. */
export const knownMs = 2500;

/** By the database's clock, so that all processes agree on when a data key comes into use. */
const pending = sql.fragment`created_at > clock_timestamp() - ${knownMs} * interval '1 millisecond'`;

const dataKey = z.object({
  id: z.number(),
  purpose: z.string(),
  wrapped: z.string(),
  createdAt: z.number(),
  pending: z.boolean(),
});
export type StoredDataKey = z.infer<typeof dataKey> & DataKeyRow;

export async function dataKeyRows(pool: CommonQueryMethods): Promise<readonly StoredDataKey[]> {
  return pool.any(sql.type(dataKey)`
    SELECT id, purpose, wrapped, created_at AS "createdAt", ${pending} AS pending FROM data_keys ORDER BY id`);
}

/** Created at the time of the insert, not of the transaction, which may have waited for the lock. @returns its id */
export async function insertDataKey(pool: CommonQueryMethods, purpose: string, wrapped: string): Promise<number> {
  const { id } = await pool.one(sql.type(z.object({ id: z.number() }))`
    INSERT INTO data_keys (purpose, wrapped, created_at) VALUES (${purpose}, ${wrapped}, clock_timestamp()) RETURNING id`);
  return id;
}

const privateKeys = sql.fragment`(SELECT kid, encrypted_private_key FROM fleet_keys UNION ALL SELECT kid, encrypted_private_key FROM root_keys) AS rows`;

/** The rows that need a data key. Some purposes have none: what was made with such a key just expires. */
const heldBy = (id: number): Record<string, Fragment> => ({
  inbox: sql.fragment`false`,
  fingerprint: sql.fragment`false`,
  device: sql.fragment`false`,
  outbox: sql.fragment`EXISTS (SELECT FROM outbox WHERE published_at IS NULL AND substring(secret FROM 2 FOR 4) = int4send(${id}::int))`,
  refresh: sql.fragment`EXISTS (SELECT FROM sessions WHERE refresh_key = ${id})`,
  signing: sql.fragment`EXISTS (SELECT FROM ${privateKeys} WHERE substring(encrypted_private_key FROM 2 FOR 4) = int4send(${id}::int))`,
});

/** @returns whether it was deleted: not where a row needs it or the purpose is unknown here */
export async function deleteDataKey(
  pool: CommonQueryMethods,
  { id, purpose }: { id: number; purpose: string },
): Promise<boolean> {
  const held = heldBy(id)[purpose] ?? sql.fragment`true`;
  const { rowCount } = await pool.query(sql.unsafe`DELETE FROM data_keys WHERE id = ${id} AND NOT ${held}`);
  return rowCount > 0;
}

/** The encrypted private halves of fleet and root keys. */
export async function privateKeyRows(
  pool: CommonQueryMethods,
): Promise<readonly Pick<KeyRow, "kid" | "encryptedPrivateKey">[]> {
  const row = z.object({ kid: z.string(), encryptedPrivateKey: z.instanceof(Buffer) });
  return pool.any(
    sql.type(row)`SELECT kid, encrypted_private_key AS "encryptedPrivateKey" FROM ${privateKeys} ORDER BY kid`,
  );
}

export async function updatePrivateKey(pool: CommonQueryMethods, kid: string, encrypted: Buffer): Promise<void> {
  await pool.query(
    sql.unsafe`UPDATE fleet_keys SET encrypted_private_key = ${sql.binary(encrypted)} WHERE kid = ${kid}`,
  );
  await pool.query(
    sql.unsafe`UPDATE root_keys SET encrypted_private_key = ${sql.binary(encrypted)} WHERE kid = ${kid}`,
  );
}

const fleetKey = z.object({
  kid: z.string(),
  use: z.enum(["sig", "enc"]),
  alg: z.enum(["ES256", "EdDSA", "RS256", "ECDH-ES+A256KW"]),
  state: z.enum(["next", "active", "retired"]),
  publicJwk: z.record(z.string(), z.unknown()),
  encryptedPrivateKey: z.instanceof(Buffer),
  createdAt: z.number(),
  activeAt: z.number().nullable(),
  retiredAt: z.number().nullable(),
  version: z.number(),
  cert: z.string().nullable(),
  certifiedAt: z.number().nullable(),
});

const rootKey = z.object({
  kid: z.string(),
  state: z.enum(["next", "active"]),
  publicJwk: z.record(z.string(), z.unknown()),
  encryptedPrivateKey: z.instanceof(Buffer),
  createdAt: z.number(),
});

export async function fleetKeyRows(pool: CommonQueryMethods): Promise<readonly KeyRow[]> {
  return pool.any(sql.type(fleetKey)`
    SELECT kid, use, alg, state, public_jwk AS "publicJwk", encrypted_private_key AS "encryptedPrivateKey", created_at AS "createdAt",
      active_at AS "activeAt", retired_at AS "retiredAt", version, cert, certified_at AS "certifiedAt"
    FROM fleet_keys ORDER BY created_at, kid`);
}

/** The active one first. */
export async function rootKeyRows(pool: CommonQueryMethods): Promise<readonly RootRow[]> {
  return pool.any(sql.type(rootKey)`
    SELECT kid, state, public_jwk AS "publicJwk", encrypted_private_key AS "encryptedPrivateKey", created_at AS "createdAt" FROM root_keys ORDER BY state`);
}

export async function insertRootKey(pool: CommonQueryMethods, row: RootRow): Promise<void> {
  await pool.query(sql.unsafe`
    INSERT INTO root_keys (kid, state, public_jwk, encrypted_private_key, created_at)
    VALUES (${row.kid}, ${row.state}, ${sql.jsonb(row.publicJwk as never)}, ${sql.binary(row.encryptedPrivateKey)}, to_timestamp(${row.createdAt / 1000}))`);
}

/** The next key becomes the active one, and the previous one is deleted. */
export async function replaceRootKey(pool: CommonQueryMethods): Promise<void> {
  await pool.query(sql.unsafe`DELETE FROM root_keys WHERE state = 'active'`);
  await pool.query(sql.unsafe`UPDATE root_keys SET state = 'active' WHERE state = 'next'`);
}

export async function goneKeyRows(pool: CommonQueryMethods): Promise<readonly { kid: string; version: number }[]> {
  const row = z.object({ kid: z.string(), version: z.number() });
  return pool.any(sql.type(row)`SELECT kid, version FROM gone_keys ORDER BY kid`);
}

/** Keeps the highest version. */
export async function saveGoneKey(pool: CommonQueryMethods, kid: string, version: number): Promise<void> {
  await pool.query(sql.unsafe`
    INSERT INTO gone_keys (kid, version) VALUES (${kid}, ${version})
    ON CONFLICT (kid) DO UPDATE SET version = greatest(gone_keys.version, excluded.version)`);
}

/** Whether records of keys wait to be published. */
export async function keyRecordsWait(pool: CommonQueryMethods, topic: string): Promise<boolean> {
  const { waits } = await pool.one(sql.type(z.object({ waits: z.boolean() }))`
    SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL AND shard = 0 AND topic = ${topic}) AS waits`);
  return waits;
}

/** A text that changes with every change of a key: processes compare it to know when to load the keys again. */
export async function keyMarks(pool: CommonQueryMethods): Promise<string> {
  const { marks } = await pool.one(sql.type(z.object({ marks: z.string() }))`
    SELECT concat((SELECT string_agg(concat(kid, state, version, certified_at), ',' ORDER BY kid) FROM fleet_keys),
      (SELECT string_agg(concat(id, ${pending}), ',' ORDER BY id) FROM data_keys)) AS marks`);
  return marks;
}

export async function updateDataKey(pool: CommonQueryMethods, id: number, wrapped: string): Promise<void> {
  await pool.query(sql.unsafe`UPDATE data_keys SET wrapped = ${wrapped} WHERE id = ${id}`);
}

const timeOf = (ms: number | null): Fragment =>
  ms === null ? sql.fragment`NULL` : sql.fragment`to_timestamp(${ms / 1000})`;

/** Writes its state, times, version and certificate. */
export async function updateFleetKey(pool: CommonQueryMethods, row: KeyRow): Promise<void> {
  const { kid, state, activeAt, retiredAt, version, cert, certifiedAt } = row;
  await pool.query(sql.unsafe`
    UPDATE fleet_keys SET state = ${state}, active_at = ${timeOf(activeAt)}, retired_at = ${timeOf(retiredAt)},
      version = ${version}, cert = ${cert}, certified_at = ${timeOf(certifiedAt)} WHERE kid = ${kid}`);
}

export async function deleteFleetKey(pool: CommonQueryMethods, kid: string): Promise<void> {
  await pool.query(sql.unsafe`DELETE FROM fleet_keys WHERE kid = ${kid}`);
}

export interface KeyRecord {
  topic: string;
  key: string;
  body: object;
  eventId: string;
}

/** Inserts a record for auth.key; all are in one shard and so in order. */
export async function insertKeyRecord(pool: CommonQueryMethods, record: KeyRecord): Promise<void> {
  const { topic, key, body, eventId } = record;
  await pool.query(sql.unsafe`
    INSERT INTO outbox (shard, topic, key, kind, event_id, actor, body)
    VALUES (0, ${topic}, ${key}, 'json', ${eventId}, 'system:keys', ${sql.jsonb(body as never)})`);
}

export async function insertFleetKey(pool: CommonQueryMethods, row: KeyRow): Promise<void> {
  await pool.query(sql.unsafe`
    INSERT INTO fleet_keys (kid, use, alg, state, public_jwk, encrypted_private_key, created_at, active_at, version, cert, certified_at)
    VALUES (${row.kid}, ${row.use}, ${row.alg}, ${row.state}, ${sql.jsonb(row.publicJwk as never)}, ${sql.binary(row.encryptedPrivateKey)},
      ${timeOf(row.createdAt)}, ${timeOf(row.activeAt)}, ${row.version}, ${row.cert}, ${timeOf(row.certifiedAt)})`);
}

/** Runs in a transaction that holds the lock on the fleet's keys: one process at a time creates or changes them. */
export async function withKeyLock<T>(
  pool: DatabasePool,
  run: (transaction: CommonQueryMethods) => Promise<T>,
): Promise<T> {
  return pool.transaction(async (transaction) => {
    await transaction.query(sql.unsafe`SELECT pg_advisory_xact_lock(hashtext('auth keys'))`);
    return run(transaction);
  });
}
