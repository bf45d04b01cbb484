// Rows of data_keys and fleet_keys. What they hold is wrapped; crypto/ opens it.
import { type CommonQueryMethods, type DatabasePool, sql } from "slonik";
import { z } from "zod";
import type { DataKeyRow } from "../crypto/envelope.ts";
import type { KeyRow } from "../crypto/keys.ts";

const dataKey = z.object({ id: z.number(), purpose: z.string(), wrapped: z.string() });

export async function dataKeyRows(pool: CommonQueryMethods): Promise<readonly DataKeyRow[]> {
  return pool.any(sql.type(dataKey)`SELECT id, purpose, wrapped FROM data_keys ORDER BY id`);
}

export async function insertDataKey(pool: CommonQueryMethods, purpose: string, wrapped: string): Promise<void> {
  await pool.query(sql.unsafe`INSERT INTO data_keys (purpose, wrapped) VALUES (${purpose}, ${wrapped})`);
}

const fleetKey = z.object({
  kid: z.string(),
  use: z.enum(["sig", "enc"]),
  alg: z.enum(["ES256", "EdDSA", "RS256", "ECDH-ES+A256KW"]),
  state: z.enum(["next", "active", "retired"]),
  publicJwk: z.record(z.unknown()),
  privateBox: z.instanceof(Buffer),
  createdAt: z.number(),
  activeAt: z.number().nullable(),
  retiredAt: z.number().nullable(),
});

export async function fleetKeyRows(pool: CommonQueryMethods): Promise<readonly KeyRow[]> {
  return pool.any(sql.type(fleetKey)`
    SELECT kid, use, alg, state, public_jwk AS "publicJwk", private_box AS "privateBox", created_at AS "createdAt",
      active_at AS "activeAt", retired_at AS "retiredAt"
    FROM fleet_keys ORDER BY created_at, kid`);
}

/** Changes whenever a key of any kind does: what a process compares to know whether to load them again. */
export async function keyMarks(pool: CommonQueryMethods): Promise<string> {
  const { marks } = await pool.one(sql.type(z.object({ marks: z.string() }))`
    SELECT concat((SELECT string_agg(kid || state, ',' ORDER BY kid) FROM fleet_keys),
      (SELECT string_agg(id::text, ',' ORDER BY id) FROM data_keys)) AS marks`);
  return marks;
}

export async function updateDataKey(pool: CommonQueryMethods, id: number, wrapped: string): Promise<void> {
  await pool.query(sql.unsafe`UPDATE data_keys SET wrapped = ${wrapped} WHERE id = ${id}`);
}

/** The old one first: an index allows one active key per use. */
export async function activateFleetKey(
  pool: CommonQueryMethods,
  { kid, use, now }: { kid: string; use: string; now: number },
): Promise<void> {
  const at = sql.fragment`to_timestamp(${now / 1000})`;
  await pool.query(sql.unsafe`
    UPDATE fleet_keys SET state = 'retired', retired_at = ${at} WHERE use = ${use} AND state = 'active' AND kid <> ${kid}`);
  await pool.query(sql.unsafe`UPDATE fleet_keys SET state = 'active', active_at = ${at} WHERE kid = ${kid}`);
}

export async function deleteFleetKey(pool: CommonQueryMethods, kid: string): Promise<void> {
  await pool.query(sql.unsafe`DELETE FROM fleet_keys WHERE kid = ${kid}`);
}

export interface KeyRecord {
  topic: string;
  key: string;
  /** null: the key is gone. */
  body: object | null;
  eventId: string;
}

/** What relays publish of keys; all in one shard, so in order. */
export async function insertKeyRecord(pool: CommonQueryMethods, record: KeyRecord): Promise<void> {
  const { topic, key, body, eventId } = record;
  const kind = body === null ? "tombstone" : "json";
  await pool.query(sql.unsafe`
    INSERT INTO outbox (shard, topic, key, kind, event_id, actor, body)
    VALUES (0, ${topic}, ${key}, ${kind}, ${eventId}, 'system:keys', ${sql.jsonb((body ?? {}) as never)})`);
}

export async function insertFleetKey(pool: CommonQueryMethods, row: KeyRow): Promise<void> {
  const activeAt = row.activeAt === null ? sql.fragment`NULL` : sql.fragment`to_timestamp(${row.activeAt / 1000})`;
  await pool.query(sql.unsafe`
    INSERT INTO fleet_keys (kid, use, alg, state, public_jwk, private_box, created_at, active_at)
    VALUES (${row.kid}, ${row.use}, ${row.alg}, ${row.state}, ${sql.jsonb(row.publicJwk as never)}, ${sql.binary(row.privateBox)},
      to_timestamp(${row.createdAt / 1000}), ${activeAt})`);
}

/** Runs in a transaction that holds the lock on the fleet's keys: one process at a time makes or changes them. */
export async function withKeyLock<T>(
  pool: DatabasePool,
  run: (transaction: CommonQueryMethods) => Promise<T>,
): Promise<T> {
  return pool.transaction(async (transaction) => {
    await transaction.query(sql.unsafe`SELECT pg_advisory_xact_lock(hashtext('auth keys'))`);
    return run(transaction);
  });
}
