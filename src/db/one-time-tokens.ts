// One-time tokens: links in mails. Bound to a purpose, used once, only the hash of the secret is kept.
import { sql } from "slonik";
import { z } from "zod";
import type { Read, Write } from "./statements.ts";

export type Purpose = "confirm";

const oneTimeToken = z.object({
  userId: z.number(),
  login: z.string(),
  username: z.string(),
  secretHash: z.instanceof(Buffer),
  expired: z.boolean(),
  used: z.boolean(),
  confirmed: z.boolean(),
  banned: z.boolean(),
  generation: z.number(),
  roles: z.array(z.string()),
});

export function tokenById(id: string, purpose: Purpose): Read<z.infer<typeof oneTimeToken>> {
  const select = sql.fragment`
    SELECT t.user_id AS "userId", u.login, u.username, t.secret_hash AS "secretHash", t.expires_at <= now() AS expired,
      t.used_at IS NOT NULL AS used, u.confirmed_at IS NOT NULL AS confirmed, is_banned(u.banned_at, u.banned_until) AS banned, u.generation,
      ARRAY(SELECT r.name FROM user_roles ur JOIN roles r ON r.id = ur.role_id WHERE ur.user_id = u.id ORDER BY r.name) AS roles
    FROM one_time_tokens t JOIN users u ON u.id = t.user_id WHERE t.id = ${id}::uuid AND t.purpose = ${purpose}`;
  return { select, row: oneTimeToken };
}

export interface NewToken {
  id: string;
  userId: number;
  purpose: Purpose;
  secretHash: Buffer;
  ttlMs: number;
}

export function insertToken({ id, userId, purpose, secretHash, ttlMs }: NewToken): Write {
  return {
    name: "insert_token",
    changes: 1,
    statement: (gate) => sql.fragment`
      INSERT INTO one_time_tokens (id, user_id, purpose, secret_hash, expires_at)
      SELECT ${id}::uuid, ${userId}, ${purpose}, ${sql.binary(secretHash)}::bytea, now() + ${ttlMs} * interval '1 millisecond'
      WHERE ${gate} RETURNING 1`,
  };
}

/** Exactly one use wins. */
export function useToken(id: string): Write {
  return {
    name: "use_token",
    changes: 1,
    statement: (gate) => sql.fragment`
      UPDATE one_time_tokens SET used_at = now() WHERE id = ${id}::uuid AND used_at IS NULL AND ${gate} RETURNING 1`,
  };
}
