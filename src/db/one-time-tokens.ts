// One-time tokens: the links in mails. Each has a purpose and works once; only the hash of its secret is stored.
import { type DatabasePool, sql } from "slonik";
import { z } from "zod";
import { normalize } from "../protocol/record-key.ts";
import { contactColumns, contactShape } from "./contacts.ts";
import { factorColumns, factorShape } from "./factors.ts";
import { callFunction, type Read, type Write } from "./statements.ts";

/** confirm: a new account; reset: a new password; email: a new address. */
export const purposes = ["confirm", "reset", "email"] as const;
export type Purpose = (typeof purposes)[number];

const oneTimeToken = z.object({
  userId: z.number(),
  login: z.string(),
  secretHash: z.instanceof(Buffer),
  expired: z.boolean(),
  used: z.boolean(),
  /** It was voided, or its user's rights, password or factors have changed. */
  outdated: z.boolean(),
  confirmed: z.boolean(),
  banned: z.boolean(),
  generation: z.number(),
  roles: z.array(z.string()),
  /** The account's own address. */
  ...contactShape,
  /** The address that the token confirms. */
  newEmail: z.string().nullable(),
  /** Whether another account has confirmed the address that this link would confirm. */
  addressTaken: z.boolean(),
  /** SHA-256 of the registration secret, while the account is unconfirmed. */
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
  /** The user's generation, where any change of rights, password or factors voids the link. */
  generation?: number;
  /** The session that asked for the link: revoking it voids the link. */
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

/** Links for several accounts that wait with an address. */
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

/** Marks the token as used; of parallel uses one commits. */
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
  /** Default: links for setting a password and for changing the address. */
  of?: readonly Purpose[];
  /** The token that is used itself. */
  except?: string;
  /** Only links that this session asked for. */
  askedIn?: string;
}

/** Voids earlier links, including those that were committed while this commit waited. */
export function voidLinks(userId: number, links: VoidLinks = {}): Write {
  const { of = ["reset", "email"], except = null, askedIn = null } = links;
  const kinds = sql.array([...of], "text");
  return callFunction("void_links", sql.fragment`void_links(${userId}, ${except}::uuid, ${kinds}, ${askedIn}::uuid)`);
}

/**
 * Deletes tokens that expired long ago; until then the answer is TOKEN_EXPIRED.
 * @returns how many
 */
export async function reapTokens(pool: DatabasePool, limit: number): Promise<number> {
  const result = await pool.query(sql.unsafe`
    DELETE FROM one_time_tokens WHERE id = ANY(ARRAY(
      SELECT id FROM one_time_tokens WHERE expires_at < now() - interval '7 days' LIMIT ${limit} FOR UPDATE SKIP LOCKED))`);
  return result.rowCount;
}
