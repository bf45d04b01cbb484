// Attempts at passwords and codes, and the devices that accounts were used from. The database function reserve_attempt
// decides (newest form: migrations/0026_names.sql): under the lock of one row it is exact for any number of workers.
// Logins and origins are keyed hashes here (command/attempts.ts).
//
// A reservation is part of the handler's own read, so a login still takes two statements. Medians of 2,100, PostgreSQL
// 18 with fsync, two cores beside a load of 13: the read 0.36 ms without it and 0.49 with it (as a statement of its own
// it takes 0.42 more); the commit 0.92 and with the refund 1.14. If the reservation waited for the disk too it would
// take 1.17 instead of 0.50 (beside a load of 23). All 8,611 changes of the row were HOT, and the table stayed one
// page.
import { type DatabasePool, sql } from "slonik";
import { z } from "zod";
import { totpFailures } from "./factors.ts";
import type { Reservation } from "./inbox.ts";
import { callFunction, type Fragment, type Read, type Write } from "./statements.ts";
import { keyArray, limitArray, type UseLimit } from "./uses.ts";

export interface AttemptRules {
  /**
   * Failures of one source (a network, session or device), and of all unknown ones together, before any has to wait.
   */
  free: number;
  accountFree: number;
  /** The first wait, doubled by each failure, and its maximum: for a source, and for an account. */
  delayMs: number;
  delayMaxMs: number;
  accountDelayMaxMs: number;
  /** Failures within 24 hours after which networks that an account does not know wait for the oldest to be so old. */
  most: number;
  deviceTtlMs: number;
  /** Known devices of an account; the one unused longest is dropped. */
  devices: number;
}

export interface AttemptRow {
  limiterKey: Buffer;
  /** The login whose account this is, or the account's id. */
  account: { loginKey: string } | { userId: number };
  kind: "network" | "session" | "unknown";
  /** The network or session. */
  source: Buffer;
  /** The login's own hash, under which its devices are known, whatever the factor. */
  owner: Buffer;
  device: Buffer;
  /**
   * Of the device token that the request came with, and that holds for its login: its id's hash, and which of the
   * account's epochs it is of.
   */
  held: { source: Buffer; epoch: number } | null;
  /** Whether the device is told from others, so that it can be known again. */
  identified: boolean;
  /** Of the request: the same one counts once. */
  key: Buffer;
  /** Limits across accounts that it falls under, where the account does not know the device. */
  limits: UseLimit[];
}

/** The device is new, known by a token, or known by where it was let in from (stale: more than a day ago). */
const reserved = z.object({
  waitMs: z.number(),
  /** Whose failures have to be waited for. */
  limit: z.enum(["account", "network", "fleet"]).optional(),
  device: z.enum(["new", "token", "stale", "known"]),
});
export type Reserved = z.infer<typeof reserved>;

/** Counts the attempt; where it has to wait, nothing is written. */
export function reservation(row: AttemptRow, rules: AttemptRules): Reservation<Reserved> {
  return { expression: reserving(row, rules), given: reserved };
}

function reserving(row: AttemptRow, rules: AttemptRules): Fragment {
  const userId = "userId" in row.account ? row.account.userId : null;
  const loginKey = "loginKey" in row.account ? row.account.loginKey : null;
  const { devices: _, ...asked } = rules;
  return sql.fragment`reserve_attempt(${sql.binary(row.limiterKey)}::bytea, ${userId}::bigint, ${loginKey}::text,
    ROW(${sql.binary(row.source)}::bytea, ${row.kind}::text, ${sql.binary(row.key)}::bytea, NULL)::attempt,
    ${sql.binary(row.owner)}::bytea, ${sql.binary(row.device)}::bytea, ${sql.jsonb(asked as never)}, ${heldBytes(row)}::bytea,
    ${row.held?.epoch ?? null}::int, ${limitArray(row.limits)})`;
}

const heldBytes = ({ held }: AttemptRow): Fragment =>
  held === null ? sql.fragment`NULL` : sql.fragment`${sql.binary(held.source)}`;

/** Counts an attempt by itself, without a handler's read. */
export async function countAttempt(pool: DatabasePool, row: AttemptRow, rules: AttemptRules): Promise<Reserved> {
  const counted = await pool.one(sql.type(z.object({ reserved }))`SELECT ${reserving(row, rules)} AS reserved`);
  return counted.reserved;
}

/**
 * The secret was right: the failures of its source are forgotten, those of other sources stay counted.
 * @param uses what is taken back under limits across accounts
 */
export function refund(
  { limiterKey }: Pick<AttemptRow, "limiterKey">,
  source: Buffer,
  uses: readonly Buffer[] = [],
): Write {
  const given = sql.fragment`${sql.binary(limiterKey)}::bytea, ${sql.binary(source)}::bytea, ${keyArray(uses)}`;
  return callFunction("refund_attempt", sql.fragment`refund_attempt(${given})`);
}

/**
 * The device was let in. Of one that was seen within a day it writes nothing: that is not worth a row's new version.
 */
export function rememberDevice(
  { owner, device }: Pick<AttemptRow, "owner" | "device">,
  userId: number,
  rules: Pick<AttemptRules, "devices">,
): Write[] {
  const account = sql.fragment`${sql.binary(owner)}::bytea`;
  return [
    {
      name: "remember_device",
      statement: (gate) => sql.fragment`
        INSERT INTO known_devices (account_key, device, user_id)
        SELECT ${account}, ${sql.binary(device)}::bytea, ${userId} WHERE ${gate} AND ${rules.devices}::int > 0
        ON CONFLICT (account_key, device) DO UPDATE SET seen_at = now(), user_id = excluded.user_id
          WHERE known_devices.seen_at <= now() - interval '1 day' RETURNING 1`,
    },
    {
      name: "forget_device",
      statement: (gate) => sql.fragment`
        DELETE FROM known_devices WHERE account_key = ${account} AND ${gate} AND device IN (
          SELECT device FROM known_devices WHERE account_key = ${account} AND device <> ${sql.binary(device)}::bytea
          ORDER BY seen_at DESC OFFSET ${Math.max(rules.devices - 1, 0)}) RETURNING 1`,
    },
  ];
}

/**
 * How many attempts count against the account, whatever the factor; wrong codes of an authenticator app are counted
 * with it.
 */
export function failedAttempts(userId: number): Read<{ failed: number }> {
  const select = sql.fragment`
    SELECT COALESCE(sum((SELECT count(*) FROM unnest(l.attempts) AS a WHERE a.at > now() - interval '1 day')), 0)::int
      + ${totpFailures(userId)} AS failed
    FROM login_attempts l WHERE l.user_id = ${userId}`;
  return { select, row: z.object({ failed: z.number() }) };
}

/** Nothing counts against the account any more: a reset by its owner, or an operator. Its known devices stay known. */
export function forgetAttempts(userId: number): Write {
  return callFunction("forget_attempts", sql.fragment`forget_attempts(${userId})`);
}

/**
 * No device is known any more, also none that a login was being let in from: whoever knew the old password may have
 * made it known.
 */
export function forgetDevices(userId: number): Write {
  return callFunction("forget_devices", sql.fragment`forget_devices(${userId})`);
}

/** The attempt was not verified after all, because the fleet is overloaded. */
export async function releaseAttempt(pool: DatabasePool, { limiterKey, key }: AttemptRow): Promise<void> {
  await pool.query(sql.unsafe`
    UPDATE login_attempts SET attempts = ARRAY(SELECT a FROM unnest(attempts) AS a WHERE a.key <> ${sql.binary(key)}::bytea)
    WHERE limiter_key = ${sql.binary(limiterKey)}::bytea`);
}

/** Deletes up to `limit` rows whose attempts are all older than 24 hours. @returns how many */
export async function reapAttempts(pool: DatabasePool, limit: number): Promise<number> {
  const { rowCount } = await pool.query(sql.unsafe`
    DELETE FROM login_attempts WHERE day < current_date - 1 AND limiter_key IN (
      SELECT limiter_key FROM login_attempts WHERE day < current_date - 1 LIMIT ${limit})`);
  return rowCount;
}

/** Deletes up to `limit` devices that were away for so long. @returns how many */
export async function reapDevices(
  pool: DatabasePool,
  { ttlMs, limit }: { ttlMs: number; limit: number },
): Promise<number> {
  const { rowCount } = await pool.query(sql.unsafe`
    DELETE FROM known_devices WHERE (account_key, device) IN (
      SELECT account_key, device FROM known_devices WHERE seen_at < now() - ${ttlMs} * interval '1 millisecond' LIMIT ${limit})`);
  return rowCount;
}
