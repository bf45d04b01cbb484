// The outbox as the relay reads it. One relay at a time publishes a shard: it holds the shard's advisory lock for the
// transaction that reads, publishes and marks the rows, so the shards of a dead relay are free at once. Rejected:
// claiming single rows with SKIP LOCKED (two relays would publish one user's events out of order), and leases in a
// table (a killed relay's shards would wait for them to expire).
import { type CommonQueryMethods, type DatabasePool, sql } from "slonik";
import { z } from "zod";

export const shards = 16;

/** The shard of a user, dummy user or key: all rows of one are in one shard. */
export function shardOf(user: number | string): number {
  if (typeof user === "number") return Math.abs(user) % shards;
  let hash = 0;
  for (const character of user) hash = (hash * 31 + character.codePointAt(0)!) >>> 0;
  return hash % shards;
}

const outboxRow = z.object({
  id: z.number(),
  createdAt: z.number(),
  topic: z.string(),
  key: z.string(),
  kind: z.string(),
  eventId: z.string(),
  userId: z.number().nullable(),
  sequence: z.number().nullable(),
  actor: z.string(),
  traceparent: z.string().nullable(),
  body: z.record(z.string(), z.unknown()),
  secret: z.instanceof(Buffer).nullable(),
});
export type StoredOutboxRow = z.infer<typeof outboxRow>;

/**
 * Takes up to `take` free shards with unpublished rows, passes their rows on in order, and marks them once `publish`
 * resolves.
 * @returns whether there may be more rows now; later commits notify the relays
 */
export async function publishShards(
  pool: DatabasePool,
  options: { take: number; limit: number },
  publish: (rows: readonly StoredOutboxRow[]) => Promise<void>,
): Promise<boolean> {
  return pool.transaction(async (transaction) => {
    const held = await lockShards(transaction, options.take);
    if (held.length === 0) return false;
    const rows = await unpublished(transaction, held, options.limit);
    if (rows.length > 0) {
      await publish(rows);
      await markPublished(transaction, rows);
    }
    return held.length === options.take || rows.length === options.limit;
  });
}

async function lockShards(transaction: CommonQueryMethods, take: number): Promise<number[]> {
  const rows = await transaction.any(sql.type(z.object({ shard: z.number() }))`
    SELECT shard FROM (
      SELECT DISTINCT shard FROM outbox WHERE published_at IS NULL ORDER BY shard
    ) AS waiting WHERE pg_try_advisory_xact_lock(hashtext('auth outbox'), shard) LIMIT ${take}`);
  return rows.map((row) => row.shard);
}

/** A statement after the locks, so that its snapshot contains what the shard's previous relay marked. */
async function unpublished(
  transaction: CommonQueryMethods,
  held: number[],
  limit: number,
): Promise<readonly StoredOutboxRow[]> {
  return transaction.any(sql.type(outboxRow)`
    SELECT id, created_at AS "createdAt", topic, key, kind, event_id AS "eventId", user_id AS "userId", sequence, actor, traceparent,
      body, secret
    FROM outbox WHERE published_at IS NULL AND shard = ANY(${sql.array(held, "int2")}) ORDER BY id LIMIT ${limit}`);
}

/**
 * Personal fields of bodies. They are removed on publishing, because nobody reads them here afterwards; erasing a user
 * then has nothing to do here.
 */
const personal = ["client", "email", "login", "reason", "username"];

/**
 * Clears the secret, the personal fields and a key that is a login or an address (events of a user have the id as key);
 * the row is updated anyway, so this is free. The times only tell PostgreSQL which partitions to search.
 */
async function markPublished(transaction: CommonQueryMethods, rows: readonly StoredOutboxRow[]): Promise<void> {
  const times = rows.map((row) => row.createdAt / 1000);
  const ids = rows.map((row) => row.id);
  await transaction.query(sql.unsafe`
    UPDATE outbox SET published_at = now(), secret = NULL, body = body - ${sql.array(personal, "text")},
      key = CASE WHEN user_id IS NULL AND topic IN ('auth.event', 'auth.mail') THEN '' ELSE key END
    WHERE id = ANY(${sql.array(ids, "int8")})
      AND created_at BETWEEN to_timestamp(${Math.min(...times) - 1}) AND to_timestamp(${Math.max(...times) + 1})`);
}

/** Creates the next days' partitions and drops past ones that are fully published. @returns how many it dropped */
export async function maintainOutboxPartitions(pool: DatabasePool): Promise<number> {
  const row = await pool.one(
    sql.type(z.object({ dropped: z.number() }))`SELECT maintain_outbox_partitions(3, interval '1 day') AS dropped`,
  );
  return row.dropped;
}

export const outboxChannel = "auth_outbox";

/** Tells relays that there is something to publish. Outside any transaction, because NOTIFY serialises commits. */
export async function notifyRelays(pool: DatabasePool): Promise<void> {
  await pool.query(sql.unsafe`SELECT pg_notify(${outboxChannel}, '')`);
}
