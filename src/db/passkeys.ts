// Passkeys: the public keys of WebAuthn credentials, and what their authenticators reported.
import { sql } from "slonik";
import { z } from "zod";
import { passkeyState } from "./account-state.ts";
import type { Read, Write } from "./statements.ts";

const listed = z.object({
  passkeyId: z.string(),
  label: z.string(),
  createdAt: z.string(),
  lastUsedAt: z.string().nullable(),
  synced: z.boolean(),
});

const overview = z.object({ passkeys: z.array(listed), totp: z.boolean(), recoveryLeft: z.number() });

/** A user's passkeys, oldest first, whether they have an authenticator app, and how many recovery codes. */
export function factorOverview(userId: number): Read<z.infer<typeof overview>> {
  const select = sql.fragment`
    SELECT COALESCE((
        SELECT jsonb_agg(jsonb_build_object('passkeyId', id, 'label', label, 'createdAt', created_at, 'lastUsedAt', last_used_at,
          'synced', synced) ORDER BY created_at, id) FROM passkeys WHERE user_id = ${userId}), '[]') AS passkeys,
      EXISTS (SELECT FROM totp_factors WHERE user_id = ${userId} AND activated_at IS NOT NULL) AS totp,
      (SELECT count(*) FROM recovery_codes WHERE user_id = ${userId} AND used_at IS NULL) AS "recoveryLeft"`;
  return { select, row: overview };
}

const credentials = z.object({ userId: z.number(), credentials: z.array(z.string()) });

const credentialIds = sql.fragment`ARRAY(
  SELECT p.credential_id FROM passkeys p WHERE p.user_id = u.id ORDER BY p.created_at, p.id) AS credentials`;

/** Credential ids of the confirmed account with this normalised login. */
export function credentialsOfLogin(loginKey: string): Read<z.infer<typeof credentials>> {
  const select = sql.fragment`SELECT u.id AS "userId", ${credentialIds} FROM users u
    WHERE u.login_key = ${loginKey} AND u.confirmed_at IS NOT NULL`;
  return { select, row: credentials };
}

export function credentialsOfUser(userId: number): Read<z.infer<typeof credentials>> {
  const select = sql.fragment`SELECT u.id AS "userId", ${credentialIds} FROM users u WHERE u.id = ${userId}`;
  return { select, row: credentials };
}

export interface NewPasskey {
  id: string;
  userId: number;
  credentialId: string;
  publicKey: Buffer;
  signCount: number;
  transports: string[];
  synced: boolean;
  label: string;
}

export function insertPasskey(passkey: NewPasskey): Write {
  const { id, userId, credentialId, publicKey, signCount, transports, synced, label } = passkey;
  return {
    name: "insert_passkey",
    changes: 1,
    state: [passkeyState(id, { credentialId, publicKey })],
    statement: (gate) => sql.fragment`
      INSERT INTO passkeys (id, user_id, credential_id, public_key, sign_count, transports, synced, label)
      SELECT ${id}::uuid, ${userId}, ${credentialId}, ${sql.binary(publicKey)}::bytea, ${signCount}, ${sql.array(transports, "text")},
        ${synced}, ${label}
      WHERE ${gate} RETURNING 1`,
  };
}

/** Records a use. Of two uses with the same count one is rolled back. */
export function usePasskey(id: string, count: { before: number; after: number }): Write {
  return {
    name: "use_passkey",
    changes: 1,
    statement: (gate) => sql.fragment`
      UPDATE passkeys SET sign_count = ${count.after}, last_used_at = now()
      WHERE id = ${id}::uuid AND sign_count = ${count.before} AND ${gate} RETURNING 1`,
  };
}

export function deletePasskey(userId: number, id: string): Write {
  return {
    name: "delete_passkey",
    changes: 1,
    state: [passkeyState(id, null)],
    statement: (gate) => sql.fragment`
      DELETE FROM passkeys WHERE id = ${id}::uuid AND user_id = ${userId} AND ${gate} RETURNING 1`,
  };
}

/** Whether this passkey is the user's. */
export function passkeyOf(userId: number, id: string): Read<{ passkeyId: string }> {
  const select = sql.fragment`SELECT id AS "passkeyId" FROM passkeys WHERE id = ${id}::uuid AND user_id = ${userId}`;
  return { select, row: z.object({ passkeyId: z.string() }) };
}
