// Accounts that wait for their confirmation, as the mails to their address see them: any number may share one
// (migrations/0017), and a mail to it lists them all. `mail_due_at` of one of them says that such a mail was held back,
// and until when.
import { type DatabasePool, sql } from "slonik";
import { z } from "zod";
import { type MailCount, mailWait } from "./address-mails.ts";
import { contactColumns, contactShape } from "./contacts.ts";
import type { Fragment, Read, Write } from "./statements.ts";
import { isTaken } from "./users.ts";

const waiting = z.object({ id: z.number(), login: z.string(), ...contactShape });
export type Waiting = z.infer<typeof waiting>;

/** More than anybody has, and room for each in one record. */
const mostListed = 100;

const mailsDue = z.object({ mailWaitMs: z.number(), accounts: z.array(waiting) });
export type MailsDue = z.infer<typeof mailsDue>;

/**
 * The accounts that wait with a normalised address, the newest first; none where another account has confirmed it. How
 * long the next mail waits.
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

/** As lockUser of one that still waits and is not banned; its mail goes out with this commit. */
export function mailGoesOut(id: number): (numbers: number, gate: Fragment) => Fragment {
  return (numbers, gate) => sql.fragment`
    UPDATE users SET sequence = sequence + ${numbers}, mail_due_at = NULL
    WHERE id = ${id} AND confirmed_at IS NULL AND NOT is_banned(banned_at, banned_until) AND ${gate}
    RETURNING id, sequence`;
}

/** The mail with the account's link goes out later. Who waits already waits no longer than before. */
export function holdMail(id: number, waitMs: number): Write {
  return {
    name: "hold_mail",
    statement: (gate) => sql.fragment`
      UPDATE users SET mail_due_at = COALESCE(mail_due_at, now() + ${waitMs} * interval '1 millisecond')
      WHERE id = ${id} AND confirmed_at IS NULL AND ${gate} RETURNING 1`,
  };
}

/** One account's event in a commit that is about another one (request_confirmations, migrations/0018). */
export interface OtherRequest {
  id: number;
  shard: number;
  eventId: string;
  /** The event's row for the audit, sealed. */
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

/** Addresses for which a mail was held back that may go now. */
export async function dueAddresses(pool: DatabasePool, limit: number): Promise<readonly string[]> {
  const rows = await pool.any(sql.type(z.object({ emailKey: z.string() }))`
    SELECT DISTINCT email_key AS "emailKey" FROM users WHERE mail_due_at <= now() LIMIT ${limit}`);
  return rows.map(({ emailKey }) => emailKey);
}

/** What is due at the address is due so much later, or not at all (null). */
export async function postponeMail(pool: DatabasePool, emailKey: string, waitMs: number | null): Promise<void> {
  await pool.query(sql.unsafe`
    UPDATE users SET mail_due_at = now() + ${waitMs}::bigint * interval '1 millisecond' WHERE email_key = ${emailKey} AND mail_due_at <= now()`);
}

/** Runs while no other process does; not at all where one does. */
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
