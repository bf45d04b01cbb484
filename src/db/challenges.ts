// Challenges: one-time tokens of logins and passkey registrations in progress. Only the hash of the secret is stored.
// An attempt is counted in the commit of its answer, so parallel attempts cannot exceed the limit.
import { type DatabasePool, sql } from "slonik";
import { z } from "zod";
import { factorColumns, factorShape, hasRecoveryCode, totpColumns, totpShape } from "./factors.ts";
import type { Read, Write } from "./statements.ts";

type ChallengePurpose = "login-mfa" | "passkey-login" | "passkey-registration";

const client = z
  .object({ ip: z.string().nullable(), userAgent: z.string().nullable(), device: z.string().nullable() })
  .nullable();

const challengeShape = {
  purpose: z.enum(["login-mfa", "passkey-login", "passkey-registration"]),
  challengeUser: z.number().nullable(),
  discoverable: z.boolean(),
  /** Whether the user has changed since, for challenges that this voids. */
  outdated: z.boolean(),
  sessionId: z.string().nullable(),
  secretHash: z.instanceof(Buffer),
  rotating: z.boolean(),
  client,
  amr: z.array(z.string()),
  attempts: z.number(),
  expired: z.boolean(),
  used: z.boolean(),
};
const challenge = z.object(challengeShape);
export type Challenge = z.infer<typeof challenge>;

const challengeColumns = sql.fragment`
  c.purpose, c.user_id AS "challengeUser", c.discoverable, c.session_id AS "sessionId",
  c.secret_hash AS "secretHash", c.rotating, c.client, c.amr, c.attempts, c.expires_at <= now() AS expired,
  c.used_at IS NOT NULL AS used,
  c.generation IS NOT NULL AND c.generation <> (SELECT o.generation FROM users o WHERE o.id = c.user_id) AS outdated`;

const userShape = {
  id: z.number(),
  login: z.string(),
  banned: z.boolean(),
  generation: z.number(),
  roles: z.array(z.string()),
  /** The record key of the login. */
  deviceKey: z.string(),
  ...factorShape,
};

const userColumns = sql.fragment`
  u.id, u.login, is_banned(u.banned_at, u.banned_until) AS banned, u.generation,
  ARRAY(SELECT r.name FROM user_roles ur JOIN roles r ON r.id = ur.role_id WHERE ur.user_id = u.id ORDER BY r.name) AS roles,
  CASE WHEN c.by_address THEN u.email_key ELSE u.login_key END AS "deviceKey", ${factorColumns}`;

const forCode = z.object({ ...challengeShape, ...userShape, ...totpShape, recoveryCode: z.boolean() });
export type ChallengeForCode = z.infer<typeof forCode>;

/** A login's challenge, and what a code is checked against. */
export function challengeForCode(id: string, recoveryHash: Buffer | undefined): Read<ChallengeForCode> {
  const select = sql.fragment`
    SELECT ${challengeColumns}, ${userColumns}, ${totpColumns}, ${hasRecoveryCode(recoveryHash)}
    FROM challenges c JOIN users u ON u.id = c.user_id
      LEFT JOIN totp_factors f ON f.user_id = u.id AND f.activated_at IS NOT NULL
    WHERE c.id = ${id}::uuid AND c.purpose = 'login-mfa'`;
  return { select, row: forCode };
}

const forPasskeys = z.object({
  ...challengeShape,
  loginKey: z.string(),
  emailKey: z.string(),
  credentials: z.array(z.string()),
});

/** A login's challenge, and the passkeys that can answer it. */
export function challengeWithPasskeys(id: string): Read<z.infer<typeof forPasskeys>> {
  const select = sql.fragment`
    SELECT ${challengeColumns}, u.login_key AS "loginKey", u.email_key AS "emailKey",
      ARRAY(SELECT p.credential_id FROM passkeys p WHERE p.user_id = u.id ORDER BY p.created_at, p.id) AS credentials
    FROM challenges c JOIN users u ON u.id = c.user_id WHERE c.id = ${id}::uuid AND c.purpose = 'login-mfa'`;
  return { select, row: forPasskeys };
}

const passkeyShape = {
  passkeyId: z.string(),
  publicKey: z.instanceof(Buffer),
  signCount: z.number(),
  synced: z.boolean(),
};
const forAssertion = z.object({
  ...challengeShape,
  passkey: z.object({ ...userShape, ...passkeyShape }).nullable(),
});
export type ChallengeForAssertion = z.infer<typeof forAssertion>;
export type PasskeyOwner = NonNullable<ChallengeForAssertion["passkey"]>;

const flat = z.looseObject({ ...challengeShape, passkeyId: z.string().nullable() });

/** A login's challenge, and the passkey with this credential id and its owner, if there is one. */
export function challengeForAssertion(id: string, credentialId: string): Read<ChallengeForAssertion> {
  const select = sql.fragment`
    SELECT ${challengeColumns}, p.id AS "passkeyId", p.public_key AS "publicKey", p.sign_count AS "signCount", p.synced, ${userColumns}
    FROM challenges c LEFT JOIN passkeys p ON p.credential_id = ${credentialId} LEFT JOIN users u ON u.id = p.user_id
    WHERE c.id = ${id}::uuid AND c.purpose IN ('login-mfa', 'passkey-login')`;
  const row = flat.transform((found) =>
    forAssertion.parse({ ...found, passkey: found.passkeyId === null ? null : found }),
  );
  return { select, row };
}

const forRegistration = z.object({ ...challengeShape, credentialTaken: z.boolean(), passkeys: z.number() });

/** A registration's challenge, whether the credential is registered already, and how many passkeys its user has. */
export function challengeForRegistration(id: string, credentialId: string): Read<z.infer<typeof forRegistration>> {
  const select = sql.fragment`
    SELECT ${challengeColumns}, EXISTS (SELECT FROM passkeys p WHERE p.credential_id = ${credentialId}) AS "credentialTaken",
      (SELECT count(*) FROM passkeys p WHERE p.user_id = c.user_id) AS passkeys
    FROM challenges c WHERE c.id = ${id}::uuid AND c.purpose = 'passkey-registration'`;
  return { select, row: forRegistration };
}

export interface NewChallenge {
  id: string;
  purpose: ChallengePurpose;
  secretHash: Buffer;
  ttlMs: number;
  userId: number | null;
  discoverable?: boolean;
  generation?: number;
  sessionId?: string;
  rotating?: boolean;
  client?: unknown;
  amr?: string[];
  /** Whether the login was the account's e-mail address. */
  byAddress?: boolean;
}

export function insertChallenge(given: NewChallenge): Write {
  const { id, purpose, secretHash, ttlMs, userId, discoverable = false, rotating = true, amr = [] } = given;
  const { generation = null, sessionId = null, client: device = null, byAddress = false } = given;
  const json = device === null ? sql.fragment`NULL::jsonb` : sql.fragment`${sql.jsonb(device as never)}`;
  return {
    name: "insert_challenge",
    changes: 1,
    statement: (gate) => sql.fragment`
      INSERT INTO challenges (id, purpose, user_id, discoverable, generation, session_id, secret_hash, rotating, client, amr, by_address, expires_at)
      SELECT ${id}::uuid, ${purpose}, ${userId}::bigint, ${discoverable}, ${generation}::int, ${sessionId}::uuid,
        ${sql.binary(secretHash)}::bytea, ${rotating}, ${json}, ${sql.array(amr, "text")}, ${byAddress}, now() + ${ttlMs} * interval '1 millisecond'
      WHERE ${gate} RETURNING 1`,
  };
}

/**
 * Marks the challenge as used; of parallel uses one commits, and none if the challenge was voided meanwhile.
 * @param most attempts that are checked, this one included
 */
export function useChallenge(id: string, most: number): Write {
  return {
    name: "use_challenge",
    changes: 1,
    statement: (gate) => sql.fragment`
      UPDATE challenges SET used_at = now(), attempts = attempts + 1
      WHERE id = ${id}::uuid AND used_at IS NULL AND attempts < ${most} AND expires_at > clock_timestamp() AND ${gate} RETURNING 1`,
  };
}

/** Counts a wrong answer. If `most` were counted already, the commit is rolled back and gives no answer. */
export function countAttempt(id: string, most: number): Write {
  return {
    name: "count_attempt",
    changes: 1,
    statement: (gate) => sql.fragment`
      UPDATE challenges SET attempts = attempts + 1
      WHERE id = ${id}::uuid AND used_at IS NULL AND attempts < ${most} AND ${gate} RETURNING 1`,
  };
}

/**
 * Deletes up to `limit` that expired over an hour ago; until then the answer is TOKEN_EXPIRED.
 * @returns how many
 */
export async function reapChallenges(pool: DatabasePool, limit: number): Promise<number> {
  const { rowCount } = await pool.query(sql.unsafe`
    DELETE FROM challenges WHERE id IN (SELECT id FROM challenges WHERE expires_at <= now() - interval '1 hour' LIMIT ${limit})`);
  return rowCount;
}
