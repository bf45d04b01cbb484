// What audit/state.ts reads of the audit besides the accounts (account-state.ts), in the snapshot of one page.
import { type CommonQueryMethods, sql } from "slonik";
import { z } from "zod";
import type { DatabasePool } from "./pool.ts";

const bytes = z.instanceof(Buffer);

/** Everything that `read` reads is of one snapshot. */
export async function inSnapshot<T>(pool: DatabasePool, read: (db: CommonQueryMethods) => Promise<T>): Promise<T> {
  return pool.transaction(async (transaction) => {
    await transaction.query(sql.unsafe`SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY`);
    return read(transaction);
  });
}

const stateRow = z.object({
  userId: z.number(),
  number: z.number(),
  eventId: z.string(),
  aspects: z.array(z.string()),
  personal: bytes.nullable(),
  encryptedUserKey: bytes.nullable(),
});
export type StateRow = z.infer<typeof stateRow>;

/**
 * For each user the newest row about each kind of aspect; about passkeys and used codes all rows, because each of them
 * is an aspect of its own.
 */
export async function stateRows(db: CommonQueryMethods, users: readonly number[]): Promise<readonly StateRow[]> {
  return db.any(sql.type(stateRow)`
    SELECT user_id AS "userId", number, event_id::text AS "eventId", array_agg(aspect) AS aspects, personal, encrypted AS "encryptedUserKey"
    FROM (
      SELECT a.user_id, a.number, a.event_id, a.personal, k.encrypted, kind.aspect,
        row_number() OVER (PARTITION BY a.user_id, kind.aspect ORDER BY a.number DESC) AS place
      FROM audit a
      CROSS JOIN LATERAL json_array_elements_text(CASE WHEN json_typeof(a.details->'state') = 'array' THEN a.details->'state' ELSE '[]' END)
        AS kind (aspect)
      LEFT JOIN user_keys k ON k.user_id = a.user_id
      WHERE a.user_id = ANY(${sql.array([...users], "int8")})) AS spoken
    WHERE place = 1 OR aspect IN ('passkey', 'used code')
    GROUP BY user_id, number, event_id, personal, encrypted`);
}

const speaking = z.object({ userId: z.number(), event: z.string(), number: z.number() });

/** For each user and event the newest row that declares no state. */
export async function speakingRows(
  db: CommonQueryMethods,
  { users, events }: { users: readonly number[]; events: readonly string[] },
): Promise<readonly z.infer<typeof speaking>[]> {
  return db.any(sql.type(speaking)`
    SELECT user_id AS "userId", event, max(number) AS number FROM audit
    WHERE user_id = ANY(${sql.array([...users], "int8")}) AND event = ANY(${sql.array([...events], "text")}) AND details->'state' IS NULL
      AND outcome = 'ok'
    GROUP BY user_id, event`);
}

const waiting = z.object({ id: z.number(), encrypted: bytes });

export async function waitingEntries(
  db: CommonQueryMethods,
  limit: number,
): Promise<readonly z.infer<typeof waiting>[]> {
  return db.any(sql.type(waiting)`SELECT id, encrypted FROM audit_intake ORDER BY id LIMIT ${limit}`);
}

const right = z.object({ event: z.string(), outcome: z.string(), details: z.string() });

/** The rows of these events after a number, in chain order. */
export async function rightsRows(
  db: CommonQueryMethods,
  { behind, events }: { behind: number; events: readonly string[] },
): Promise<readonly z.infer<typeof right>[]> {
  return db.any(sql.type(right)`
    SELECT event, outcome, details::text AS details FROM audit
    WHERE number > ${behind} AND event = ANY(${sql.array([...events], "text")}) ORDER BY number`);
}

const rightsRow = z.object({
  roles: z.array(z.object({ name: z.string(), permissions: z.array(z.string()), required: z.boolean() })),
  operators: z.array(z.object({ name: z.string(), encrypted: z.string().transform((hex) => Buffer.from(hex, "hex")) })),
});

/** What roles permit and require now, and the rows of operators. */
export async function rightsNow(db: CommonQueryMethods): Promise<z.infer<typeof rightsRow>> {
  return db.one(sql.type(rightsRow)`
    SELECT (SELECT COALESCE(jsonb_agg(jsonb_build_object('name', r.name, 'required', r.requires_mfa, 'permissions', to_jsonb(ARRAY(
        SELECT p.permission FROM role_permissions p WHERE p.role_id = r.id)))), '[]') FROM roles r) AS roles,
      (SELECT COALESCE(jsonb_agg(jsonb_build_object('name', o.name, 'encrypted', encode(o.encrypted, 'hex'))), '[]') FROM operators o) AS operators`);
}
