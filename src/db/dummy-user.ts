// Dummy users. Whoever asks for a mail to an address, or tries a login, must not learn from the time it takes whether
// there is such a user: where there is none, the same statements run on the row of a dummy user (ASVS 5.0, 6.3.8).
// Nothing of it is ever published or used.
import { type DatabasePool, sql } from "slonik";
import type { NewToken } from "./one-time-tokens.ts";
import type { Fragment, Write } from "./statements.ts";

const dummyUsers = 64;

/**
 * The dummy user of this login or address: always the same one, as a user's row would be. Ids are
 * negative, as no user's is.
 */
export function dummyUserFor(key: string): number {
  let hash = 0;
  for (const character of key) hash = (hash * 31 + character.codePointAt(0)!) >>> 0;
  return -1 - (hash % dummyUsers);
}

/** As `lockUser` of a user who was not changed meanwhile. */
export function lockDummyUser(id: number): (numbers: number, gate: Fragment) => Fragment {
  return (numbers, gate) => sql.fragment`
    UPDATE dummy_users SET sequence = sequence + ${numbers} WHERE id = ${id} AND ${gate} RETURNING id::bigint, sequence`;
}

/** The same beside events that have no user. */
export function touchDummyUser(id: number): Write {
  return { name: "touch_dummy_user", changes: 1, statement: (gate) => lockDummyUser(id)(1, gate) };
}

/** As `insertToken`; nobody gets this one. */
export function insertDummyToken({ id, userId, purpose, secretHash, ttlMs }: NewToken): Write {
  return {
    name: "insert_token",
    changes: 1,
    statement: (gate) => sql.fragment`
      INSERT INTO dummy_user_tokens (id, dummy_user_id, purpose, secret_hash, expires_at)
      SELECT ${id}::uuid, ${userId}, ${purpose}, ${sql.binary(secretHash)}::bytea, now() + ${ttlMs} * interval '1 millisecond'
      WHERE ${gate} RETURNING 1`,
  };
}

/** Deletes up to `limit` tokens of an hour ago and earlier. @returns how many */
export async function deleteDummyTokens(pool: DatabasePool, limit: number): Promise<number> {
  const { rowCount } = await pool.query(sql.unsafe`
    DELETE FROM dummy_user_tokens WHERE id IN (
      SELECT t.id FROM dummy_users s, LATERAL (
        SELECT id FROM dummy_user_tokens WHERE dummy_user_id = s.id AND created_at < now() - interval '1 hour' LIMIT ${limit}) AS t
      LIMIT ${limit})`);
  return rowCount;
}
