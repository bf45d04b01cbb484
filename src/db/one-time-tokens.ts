// One-time tokens: links in mails. Bound to a purpose, used once, only the hash of the secret is kept.
import { type DatabasePool, sql } from "slonik";
import { z } from "zod";
import { normalize } from "../protocol/record-key.ts";
import { contactColumns, contactShape } from "./contacts.ts";
import { factorColumns, factorShape } from "./factors.ts";
import { callFunction, type Read, type Write } from "./statements.ts";

/** confirm: a new account; reset: a new password; email: another address. */
export const purposes = ["confirm", "reset", "email"] as const;
export type Purpose = (typeof purposes)[number];

const oneTimeToken = z.object({
  userId: z.number(),
  login: z.string(),
  secretHash: z.instanceof(Buffer),
  expired: z.boolean(),
  used: z.boolean(),
  /** It was taken back, or rights, password or factors of its user have changed since. */
  outdated: z.boolean(),
  confirmed: z.boolean(),
  banned: z.boolean(),
  generation: z.number(),
  roles: z.array(z.string()),
  /** The address is the account's own. */
  ...contactShape,
  /** The one that the token confirms. */
  newEmail: z.string().nullable(),
  /** Whether another account, a confirmed one, has the address that using the link would make this account's own. */
  addressTaken: z.boolean(),
  /** SHA-256 of what registering answered, while the account waits for its confirmation. */
  registrationHash: z.instanceof(Buffer).nullable(),
  ...factorShape,
});

export type OneTimeToken = z.infer<typeof oneTimeToken>;

export function tokenById(id: string, purpose: Purpose): Read<OneTimeToken> {
  const select = sql.fragment`
    SELECT t.user_id AS "userId", u.login, t.secret_hash AS "secretHash", t.expires_at <= now() AS expired,
      t.used_at IS NOT NULL AS used, (t.voided_at IS NOT NULL OR t.generation <> u.generation) IS TRUE AS outdated, u.confirmed_at IS NOT NULL AS confirmed, is_banned(u.banned_at, u.banned_until) AS banned, u.generation,
      ARRAY(SELECT r.name FROM user_roles ur JOIN roles r ON r.id = ur.role_id WHERE ur.user_id = u.id ORDER BY r.name) AS roles,
      ${contactColumns}, t.email AS "newEmail",
      EXISTS (SELECT FROM users o WHERE o.email_key = COALESCE(t.email_key, u.email_key) AND o.confirmed_at IS NOT NULL AND o.id <> u.id)
        AS "addressTaken", u.registration_hash AS "registrationHash",
      ${factorColumns}
    FROM one_time_tokens t JOIN users u ON u.id = t.user_id WHERE t.id = ${id}::uuid AND t.purpose = ${purpose}`;
  return { select, row: oneTimeToken };
}

export interface NewToken {
  id: string;
  userId: number;
  purpose: Purpose;
  secretHash: Buffer;
  ttlMs: number;
  email?: string;
  /** Of the user, where any change of rights, password or factors ends the link. */
  generation?: number;
  /** The session in which it was asked for: the link goes with it where that is revoked. */
  sessionId?: string;
}

export function insertToken({ id, userId, purpose, secretHash, ttlMs, email, ...bound }: NewToken): Write {
  const { generation = null, sessionId = null } = bound;
  const address =
    email === undefined
      ? sql.fragment`NULL::text, NULL::text`
      : sql.fragment`${email}::text, ${normalize(email)}::text`;
  return {
    name: "insert_token",
    changes: 1,
    statement: (gate) => sql.fragment`
      INSERT INTO one_time_tokens (id, user_id, purpose, secret_hash, expires_at, email, email_key, generation, session_id)
      SELECT ${id}::uuid, ${userId}, ${purpose}, ${sql.binary(secretHash)}::bytea, now() + ${ttlMs} * interval '1 millisecond', ${address},
        ${generation}::int, ${sessionId}::uuid
      WHERE ${gate} RETURNING 1`,
  };
}

/** Links for several accounts, whose addresses they confirm. */
export function insertTokens(tokens: readonly NewToken[]): Write {
  const rows = tokens.map(
    ({ id, userId, purpose, secretHash, ttlMs }) =>
      sql.fragment`(${id}::uuid, ${userId}::bigint, ${purpose}, ${sql.binary(secretHash)}::bytea, ${ttlMs}::bigint)`,
  );
  return {
    name: "insert_tokens",
    changes: tokens.length,
    statement: (gate) => sql.fragment`
      INSERT INTO one_time_tokens (id, user_id, purpose, secret_hash, expires_at)
      SELECT id, user_id, purpose, secret_hash, now() + ttl_ms * interval '1 millisecond'
      FROM (VALUES ${sql.join(rows, sql.fragment`, `)}) AS made (id, user_id, purpose, secret_hash, ttl_ms) WHERE ${gate} RETURNING 1`,
  };
}

/** Exactly one use wins. */
export function useToken(id: string): Write {
  return {
    name: "use_token",
    changes: 1,
    statement: (gate) => sql.fragment`
      UPDATE one_time_tokens SET used_at = now()
      WHERE id = ${id}::uuid AND used_at IS NULL AND voided_at IS NULL AND ${gate} RETURNING 1`,
  };
}

export interface VoidLinks {
  /** Default: links to set a password with, and to change the address. */
  of?: readonly Purpose[];
  /** This one is used by itself. */
  except?: string;
  /** Only those that were asked for in this session. */
  askedIn?: string;
}

/** What was mailed before counts no more, also what was being committed meanwhile. */
export function voidLinks(userId: number, links: VoidLinks = {}): Write {
  const { of = ["reset", "email"], except = null, askedIn = null } = links;
  const kinds = sql.array([...of], "text");
  return callFunction("void_links", sql.fragment`void_links(${userId}, ${except}::uuid, ${kinds}, ${askedIn}::uuid)`);
}

/**
 * Deletes tokens that were over long ago: until then their holders are told that they have expired.
 * @returns how many
 */
export async function reapTokens(pool: DatabasePool, limit: number): Promise<number> {
  const result = await pool.query(sql.unsafe`
    DELETE FROM one_time_tokens WHERE id = ANY(ARRAY(
      SELECT id FROM one_time_tokens WHERE expires_at < now() - interval '7 days' LIMIT ${limit} FOR UPDATE SKIP LOCKED))`);
  return result.rowCount;
}
