// Unconfirmed accounts, grouped by address for their mails: any number may share an address (migrations/0017), and a
// mail to it lists them all. `mail_due_at` of one of them says that such a mail had to wait, and until when.
import { type DatabasePool, sql } from "slonik";
import { z } from "zod";
import { type MailCount, mailWait } from "./address-mails.ts";
import { contactColumns, contactShape } from "./contacts.ts";
import type { Fragment, Read, Write } from "./statements.ts";
import { isTaken } from "./users.ts";

const waiting = z.object({ id: z.number(), login: z.string(), ...contactShape });
export type Waiting = z.infer<typeof waiting>;

/** More than any address has, and few enough for one record. */
const mostListed = 100;

const mailsDue = z.object({ mailWaitMs: z.number(), accounts: z.array(waiting) });
export type MailsDue = z.infer<typeof mailsDue>;

/**
 * The accounts that wait with a normalised address, newest first (none if another account has confirmed it), and how
 * long the next mail must wait.
 */
export function waitingAt(emailKey: string, count: MailCount): Read<MailsDue> {
  const select = sql.fragment`
    SELECT ${mailWait(count)} AS "mailWaitMs", COALESCE((
      SELECT jsonb_agg(to_jsonb(w) ORDER BY w.id DESC) FROM (
        SELECT u.id, u.login, ${contactColumns} FROM users u
        WHERE u.email_key = ${emailKey} AND u.confirmed_at IS NULL AND NOT u.decoy AND NOT is_banned(u.banned_at, u.banned_until)
          AND NOT ${isTaken(sql.fragment`${emailKey}`)}
        ORDER BY u.id DESC LIMIT ${mostListed}) AS w), '[]') AS accounts`;
  return { select, row: mailsDue };
}

/** Like lockUser for an account that still waits and is not banned; this commit sends its mail. */
export function mailGoesOut(id: number): (numbers: number, gate: Fragment) => Fragment {
  return (numbers, gate) => sql.fragment`
    UPDATE users SET sequence = sequence + ${numbers}, mail_due_at = NULL
    WHERE id = ${id} AND confirmed_at IS NULL AND NOT is_banned(banned_at, banned_until) AND ${gate}
    RETURNING id, sequence`;
}

/** Postpones the mail with the account's link. An account that waits already is not postponed further. */
export function holdMail(id: number, waitMs: number): Write {
  return {
    name: "hold_mail",
    statement: (gate) => sql.fragment`
      UPDATE users SET mail_due_at = COALESCE(mail_due_at, now() + ${waitMs} * interval '1 millisecond')
      WHERE id = ${id} AND confirmed_at IS NULL AND ${gate} RETURNING 1`,
  };
}

/** One account's event in a commit about another one (request_confirmations, migrations/0026_names.sql). */
export interface OtherRequest {
  id: number;
  shard: number;
  eventId: string;
  /** The event's audit row, encrypted. */
  audited: Buffer;
}

/** None of them may have been banned meanwhile. @param said of every event: actor, traceparent, body */
export function requestConfirmations(others: readonly OtherRequest[], said: object): Write {
  const of = <T>(field: (other: OtherRequest) => T): T[] => others.map(field);
  const ids = sql.array(
    of(({ id }) => id),
    "int8",
  );
  return {
    name: "request_confirmations",
    changes: 1,
    statement: (gate) => sql.fragment`
      SELECT 1 WHERE CASE WHEN ${gate} THEN ${others.length} = request_confirmations(${ids}, ${sql.array(
        of(({ shard }) => shard),
        "int4",
      )}, ${sql.array(
        of(({ eventId }) => eventId),
        "uuid",
      )}, ${sql.array(
        of(({ audited }) => audited),
        "bytea",
      )}, ${sql.jsonb(said as never)}) AND none_banned(${ids}) ELSE false END`,
  };
}

/** Addresses with a postponed mail that is due. */
export async function dueAddresses(pool: DatabasePool, limit: number): Promise<readonly string[]> {
  const rows = await pool.any(sql.type(z.object({ emailKey: z.string() }))`
    SELECT DISTINCT email_key AS "emailKey" FROM users WHERE mail_due_at <= now() LIMIT ${limit}`);
  return rows.map(({ emailKey }) => emailKey);
}

/** Postpones what is due at the address, or cancels it (null). */
export async function postponeMail(pool: DatabasePool, emailKey: string, waitMs: number | null): Promise<void> {
  await pool.query(sql.unsafe`
    UPDATE users SET mail_due_at = now() + ${waitMs}::bigint * interval '1 millisecond' WHERE email_key = ${emailKey} AND mail_due_at <= now()`);
}

/** Runs only if no other process does at the time. */
export async function mailingAlone(pool: DatabasePool, run: () => Promise<void>): Promise<void> {
  const lock = sql.fragment`(hashtext('auth waiting mails'))`;
  await pool.connect(async (connection) => {
    const { held } = await connection.one(
      sql.type(z.object({ held: z.boolean() }))`SELECT pg_try_advisory_lock${lock} AS held`,
    );
    if (!held) return;
    try {
      await run();
    } finally {
      await connection.query(sql.unsafe`SELECT pg_advisory_unlock${lock}`);
    }
  });
}
