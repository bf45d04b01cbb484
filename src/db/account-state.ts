// The aspects of an account that are compared with its audit (audit/state.ts), each with one form of its value.
// Statements that change an aspect declare it (StateChange); here the same forms are read from the tables.
import { type CommonQueryMethods, sql } from "slonik";
import { z } from "zod";
import type { StateChange, UserLock } from "./statements.ts";

/** @param hash as stored; null: no password */
export const passwordState = (hash: string | null): StateChange => ({ aspect: "password", value: hash });
export const confirmedState = (confirmed: boolean): StateChange => ({ aspect: "confirmed", value: confirmed });
/** @param emailKey normalised */
export const addressState = (emailKey: string | null): StateChange => ({ aspect: "address", value: emailKey });
export const rolesState = (names: readonly string[]): StateChange => ({ aspect: "roles", value: [...names].sort() });
/** @param ban until: when it ends by itself, Unix ms; null: no ban. A ban that has ended stays in the row. */
export const banState = (ban: { until: number | null } | null): StateChange => ({ aspect: "ban", value: ban });
/** @param secret of an active app, as stored */
export const appState = (secret: Buffer | null): StateChange => ({
  aspect: "app",
  value: secret === null ? null : secret.toString("base64"),
});
/** The codes that exist, used or not. */
export const recoveryState = (hashes: readonly Buffer[]): StateChange => ({
  aspect: "recovery codes",
  value: hashes.map((hash) => hash.toString("hex")).sort(),
});
/** Each code is an aspect of its own once it is used. */
export const usedCodeState = (hash: Buffer): StateChange => ({
  aspect: `${usedCodePrefix}${hash.toString("hex")}`,
  value: true,
});

export interface PasskeyKey {
  credentialId: string;
  publicKey: Buffer;
}

/**
 * Each passkey is an aspect of its own, because adding one does not read the others. @param key null: it was removed
 */
export const passkeyState = (id: string, key: PasskeyKey | null): StateChange => ({
  aspect: `${passkeyPrefix}${id}`,
  value: key === null ? null : [key.credentialId, key.publicKey.toString("base64")],
});
/** All passkeys were removed. */
export const noPasskeysState: StateChange = { aspect: "no passkeys", value: null };

export const passkeyPrefix = "passkey ";
export const usedCodePrefix = "used code ";

/** The aspect's kind, which may be stored in clear; which passkey or code it is may not. */
export const kindOf = (aspect: string): string =>
  [passkeyPrefix, usedCodePrefix].find((prefix) => aspect.startsWith(prefix))?.trimEnd() ?? aspect;

/** The aspects of a new account. */
export const initialStates: readonly StateChange[] = [
  passwordState(null),
  confirmedState(false),
  addressState(null),
  rolesState([]),
  banState(null),
  appState(null),
  recoveryState([]),
];

export function withState(lock: UserLock, ...state: StateChange[]): UserLock {
  return Object.assign(lock, { state });
}

const row = z.object({
  id: z.number(),
  login: z.string(),
  decoy: z.boolean(),
  confirmed: z.boolean(),
  emailKey: z.string(),
  banned: z.boolean(),
  bannedUntil: z.number().nullable(),
  hash: z.string().nullable(),
  roles: z.array(z.string()),
  app: z.instanceof(Buffer).nullable(),
  recovery: z.array(z.string()),
  unused: z.array(z.string()),
  passkeys: z.array(z.object({ id: z.string(), credentialId: z.string(), publicKey: z.string() })),
});

export interface AccountState {
  id: number;
  login: string;
  decoy: boolean;
  state: StateChange[];
  /** Hashes of unused recovery codes, in hexadecimal. */
  unused: string[];
}

/** The accounts after this id, as they are now. */
export async function accountStates(
  db: CommonQueryMethods,
  { after, limit }: { after: number; limit: number },
): Promise<AccountState[]> {
  const rows = await db.any(sql.type(row)`
    SELECT u.id, u.login, u.decoy, u.confirmed_at IS NOT NULL AS confirmed, u.email_key AS "emailKey", u.banned_at IS NOT NULL AS banned,
      round(extract(epoch FROM u.banned_until) * 1000)::bigint AS "bannedUntil", c.hash, f.secret AS app,
      ARRAY(SELECT r.name FROM user_roles ur JOIN roles r ON r.id = ur.role_id WHERE ur.user_id = u.id) AS roles,
      ARRAY(SELECT encode(r.hash, 'hex') FROM recovery_codes r WHERE r.user_id = u.id) AS recovery,
      ARRAY(SELECT encode(r.hash, 'hex') FROM recovery_codes r WHERE r.user_id = u.id AND r.used_at IS NULL) AS unused,
      COALESCE((SELECT jsonb_agg(jsonb_build_object('id', p.id, 'credentialId', p.credential_id, 'publicKey', encode(p.public_key, 'hex')))
        FROM passkeys p WHERE p.user_id = u.id), '[]') AS passkeys
    FROM users u
    LEFT JOIN credentials c ON c.user_id = u.id AND c.kind = 'password'
    LEFT JOIN totp_factors f ON f.user_id = u.id AND f.activated_at IS NOT NULL
    WHERE u.id > ${after} ORDER BY u.id LIMIT ${limit}`);
  return rows.map(({ id, login, decoy, unused, ...of }) => ({ id, login, decoy, unused, state: statesOf(of) }));
}

type Read = Omit<z.infer<typeof row>, "id" | "login" | "decoy" | "unused">;

function statesOf({ hash, confirmed, emailKey, roles, banned, bannedUntil, app, recovery, passkeys }: Read) {
  return [
    passwordState(hash),
    confirmedState(confirmed),
    addressState(emailKey),
    rolesState(roles),
    banState(banned ? { until: bannedUntil } : null),
    appState(app),
    recoveryState(recovery.map((hex) => Buffer.from(hex, "hex"))),
    ...passkeys.map(({ id, credentialId, publicKey }) =>
      passkeyState(id, { credentialId, publicKey: Buffer.from(publicKey, "hex") }),
    ),
  ];
}
