// A user's second factors: the authenticator app (TOTP) and recovery codes. Secrets are encrypted, codes hashed. Using
// a code, right or wrong, is recorded in the commit that depends on it, so no code works twice and no wrong one goes
// uncounted.
import { sql } from "slonik";
import { z } from "zod";
import { appState, noPasskeysState, recoveryState, usedCodeState } from "./account-state.ts";
import { contactColumns, contactShape } from "./contacts.ts";
import { callFunction, type Fragment, type Read, type Write } from "./statements.ts";

/**
 * Columns of a user `u` for deciding about a login: factors, roles that require one, and the valid device tokens'
 * epoch.
 */
export const factorColumns = sql.fragment`
  EXISTS (SELECT FROM totp_factors f WHERE f.user_id = u.id AND f.activated_at IS NOT NULL) AS totp,
  EXISTS (SELECT FROM recovery_codes r WHERE r.user_id = u.id AND r.used_at IS NULL) AS recovery,
  (SELECT count(*) FROM passkeys p WHERE p.user_id = u.id) AS passkeys,
  ARRAY(SELECT r.name FROM user_roles ur JOIN roles r ON r.id = ur.role_id
    WHERE ur.user_id = u.id AND r.requires_mfa ORDER BY r.name) AS "strongRoles",
  u.device_epoch AS "deviceEpoch"`;

export const factorShape = {
  totp: z.boolean(),
  recovery: z.boolean(),
  passkeys: z.number(),
  /** Roles that only a session with a second factor carries. */
  strongRoles: z.array(z.string()),
  /** The epoch that a device token must have. */
  deviceEpoch: z.number(),
};

const factors = z.object(factorShape);
export type Factors = z.infer<typeof factors>;

const owned = factors.extend({
  ...contactShape,
  /** Whether there is anything to remove, including an app that was never activated or a passkey being registered. */
  resettable: z.boolean(),
});
/** A user's factors, and the contact for the mail about a change. */
export type OwnedFactors = z.infer<typeof owned>;

export function factorsOf(userId: number): Read<OwnedFactors> {
  const select = sql.fragment`
    SELECT ${factorColumns}, ${contactColumns}, NOT has_no_factors(u.id) AS resettable FROM users u WHERE u.id = ${userId}`;
  return { select, row: owned };
}

/** Columns of an outer-joined table `f` of totp_factors. */
export const totpColumns = sql.fragment`
  f.secret AS "totpSecret", f.last_step AS "totpStep",
  COALESCE((extract(epoch FROM totp_wait(f.failures, f.failed_at)) * 1000)::int, 0) AS "totpWaitMs"`;

export const totpShape = {
  /** Encrypted; null where the user has no authenticator app. */
  totpSecret: z.instanceof(Buffer).nullable(),
  totpStep: z.number().nullable(),
  /** How long codes are refused unseen. */
  totpWaitMs: z.number(),
};

const enrolled = z.object({ totpSecret: z.instanceof(Buffer), totpStep: z.number(), active: z.boolean() });

export function totpOf(userId: number): Read<z.infer<typeof enrolled>> {
  const select = sql.fragment`
    SELECT f.secret AS "totpSecret", f.last_step AS "totpStep", f.activated_at IS NOT NULL AS active
    FROM totp_factors f WHERE f.user_id = ${userId}`;
  return { select, row: enrolled };
}

/** Replaces an app that was never activated; an active one remains, and the commit is rolled back. */
export function enrollTotp(userId: number, secret: Buffer): Write {
  return {
    name: "enroll_totp",
    changes: 1,
    statement: (gate) => sql.fragment`
      INSERT INTO totp_factors (user_id, secret) SELECT ${userId}, ${sql.binary(secret)}::bytea WHERE ${gate}
      ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, created_at = now(), last_step = 0, failures = 0, failed_at = NULL
        WHERE totp_factors.activated_at IS NULL
      RETURNING 1`,
  };
}

/** @param secret as it was read, to detect a later enrolment */
export function activateTotp(userId: number, secret: Buffer, step: number): Write {
  return {
    name: "activate_totp",
    changes: 1,
    state: [appState(secret)],
    statement: (gate) => sql.fragment`
      UPDATE totp_factors SET activated_at = now(), last_step = ${step}
      WHERE user_id = ${userId} AND secret = ${sql.binary(secret)} AND activated_at IS NULL AND ${gate} RETURNING 1`,
  };
}

/** Uses up the step of a right code and all earlier ones. Of two requests with the same code one is rolled back. */
export function useTotpStep(userId: number, step: number): Write {
  return {
    name: "use_totp_step",
    changes: 1,
    statement: (gate) => sql.fragment`
      UPDATE totp_factors SET last_step = ${step}, failures = 0, failed_at = NULL
      WHERE user_id = ${userId} AND activated_at IS NOT NULL AND last_step < ${step}
        AND totp_wait(failures, failed_at) = interval '0' AND ${gate} RETURNING 1`,
  };
}

/** Counts a wrong code. If another one was counted meanwhile and codes must wait now, the commit is rolled back. */
export function countTotpFailure(userId: number): Write {
  return {
    name: "count_totp_failure",
    changes: 1,
    statement: (gate) => sql.fragment`
      UPDATE totp_factors SET failures = failures + 1, failed_at = now()
      WHERE user_id = ${userId} AND activated_at IS NOT NULL AND totp_wait(failures, failed_at) = interval '0' AND ${gate} RETURNING 1`,
  };
}

/** An expression: consecutive wrong codes of the user. */
export function totpFailures(userId: number): Fragment {
  return sql.fragment`COALESCE((SELECT f.failures FROM totp_factors f WHERE f.user_id = ${userId} AND f.activated_at IS NOT NULL), 0)`;
}

/** For an operator who knows the owner: no wait, and the full number of tries. */
export function forgetTotpFailures(userId: number): Write {
  return {
    name: "forget_totp_failures",
    statement: (gate) => sql.fragment`
      UPDATE totp_factors SET failures = 0, failed_at = NULL WHERE user_id = ${userId} AND failures > 0 AND ${gate} RETURNING 1`,
  };
}

/**
 * After a reset by a mailed link: ends the wait, because whoever caused it does not know the new password. The count
 * stays; without it, a reader of the user's mails would get five tries per link instead of one.
 */
export function endTotpWait(userId: number): Write {
  return {
    name: "end_totp_wait",
    statement: (gate) => sql.fragment`
      UPDATE totp_factors SET failed_at = NULL WHERE user_id = ${userId} AND failed_at IS NOT NULL AND ${gate} RETURNING 1`,
  };
}

export function deleteTotp(userId: number): Write {
  return {
    name: "delete_totp",
    changes: 1,
    state: [appState(null)],
    statement: (gate) => sql.fragment`
      DELETE FROM totp_factors WHERE user_id = ${userId} AND activated_at IS NOT NULL AND ${gate} RETURNING 1`,
  };
}

/** Whether the user has this code, unused. A column of a user `u`. */
export function hasRecoveryCode(hash: Buffer | undefined): Fragment {
  if (hash === undefined) return sql.fragment`false AS "recoveryCode"`;
  return sql.fragment`EXISTS (SELECT FROM recovery_codes r
    WHERE r.user_id = u.id AND r.hash = ${sql.binary(hash)} AND r.used_at IS NULL) AS "recoveryCode"`;
}

export function useRecoveryCode(userId: number, hash: Buffer): Write {
  return {
    name: "use_recovery_code",
    changes: 1,
    state: [usedCodeState(hash)],
    statement: (gate) => sql.fragment`
      UPDATE recovery_codes SET used_at = now()
      WHERE user_id = ${userId} AND hash = ${sql.binary(hash)} AND used_at IS NULL AND ${gate} RETURNING 1`,
  };
}

/** Replaces all earlier codes, including a set that was committed while this commit waited. */
export function replaceRecoveryCodes(userId: number, hashes: Buffer[]): Write {
  const call = sql.fragment`replace_recovery_codes(${userId}, ${sql.array(hashes, "bytea")})`;
  return { ...callFunction("replace_recovery_codes", call), state: [recoveryState(hashes)] };
}

export function deleteRecoveryCodes(userId: number): Write {
  const call = sql.fragment`delete_recovery_codes(${userId})`;
  return { ...callFunction("delete_recovery_codes", call), state: [recoveryState([])] };
}

/**
 * Deletes every second factor, including an app that was never activated and what was committed while this commit
 * waited.
 */
export function deleteFactors(userId: number): Write {
  const state = [recoveryState([]), appState(null), noPasskeysState];
  return { ...callFunction("delete_factors", sql.fragment`delete_factors(${userId})`), state };
}

/** Demands that there is no factor, and no passkey being registered. */
export function demandNoFactors(userId: number): Write {
  return callFunction("has_no_factors", sql.fragment`has_no_factors(${userId})`);
}

const requirement = z.object({ required: z.boolean(), without: z.number() });

/** Whether a role requires a second factor, and how many users with the role have none. */
export function mfaRequirement(role: string): Read<z.infer<typeof requirement>> {
  const select = sql.fragment`
    SELECT r.requires_mfa AS required, (
      SELECT count(*) FROM user_roles ur WHERE ur.role_id = r.id
        AND NOT EXISTS (SELECT FROM totp_factors f WHERE f.user_id = ur.user_id AND f.activated_at IS NOT NULL)
        AND NOT EXISTS (SELECT FROM passkeys p WHERE p.user_id = ur.user_id)) AS without
    FROM roles r WHERE r.name = ${role}`;
  return { select, row: requirement };
}

/** @param role as it was read, to detect a change of what it permits */
export function requireMfa({ id, version }: { id: number; version: number }, required: boolean): Write {
  return {
    name: "require_mfa",
    changes: 1,
    statement: (gate) =>
      sql.fragment`UPDATE roles SET requires_mfa = ${required} WHERE id = ${id} AND version = ${version} AND ${gate} RETURNING 1`,
  };
}
