// Quarantined logins: those of deleted accounts, which stay taken for a while (migrations/0019). Logins are keyed
// hashes here. Who registers reads whether the login is free, and the commit demands it: one that waited for the
// deletion of the account which had it finds what that left.
import { type DatabasePool, sql } from "slonik";
import type { Fragment, Write } from "./statements.ts";

/** An expression: whether it may be taken. @param taker who may take back what they gave up; null: somebody new */
export function isLoginFree(hash: Buffer, taker: number | null = null): Fragment {
  return sql.fragment`is_login_free(${sql.binary(hash)}::bytea, ${taker}::bigint)`;
}

export function demandLoginFree(hash: Buffer, taker: number | null = null): Write {
  return {
    name: "login_free",
    changes: 1,
    statement: (gate) => sql.fragment`SELECT 1 WHERE CASE WHEN ${gate} THEN ${isLoginFree(hash, taker)} ELSE false END`,
  };
}

/** @param userId who may take it back; null: nobody, the user is gone */
export function quarantineLogin(hash: Buffer, { userId, forMs }: { userId: number | null; forMs: number }): Write {
  return {
    name: "quarantine_login",
    changes: 1,
    statement: (gate) => sql.fragment`
      INSERT INTO quarantined_logins (login, user_id, until)
      SELECT ${sql.binary(hash)}::bytea, ${userId}::bigint, now() + ${forMs} * interval '1 millisecond' WHERE ${gate}
      ON CONFLICT (login) DO UPDATE SET user_id = excluded.user_id, until = excluded.until RETURNING 1`,
  };
}

/** Nobody may take back what a user gave up who is gone: the rows name no user any more, and stay until their time. */
export function clearQuarantineOwner(userId: number): Write {
  return {
    name: "clear_quarantine_owner",
    statement: (gate) => sql.fragment`
      UPDATE quarantined_logins SET user_id = NULL WHERE user_id = ${userId} AND ${gate} RETURNING 1`,
  };
}

/** Deletes up to `limit` that are free again. @returns how many */
export async function reapQuarantinedLogins(pool: DatabasePool, limit: number): Promise<number> {
  const { rowCount } = await pool.query(sql.unsafe`
    DELETE FROM quarantined_logins WHERE login = ANY(ARRAY(
      SELECT login FROM quarantined_logins WHERE until <= now() LIMIT ${limit} FOR UPDATE SKIP LOCKED))`);
  return rowCount;
}
