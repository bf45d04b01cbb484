// Which mails were sent, so that none is sent twice: a mailer claims a row before it gives the mail to the SMTP server
// and marks it afterwards. A claim without a mark belongs to a mailer that is sending now, or to one that died
// (mail/mailer.ts decides).
import { type DatabasePool, sql } from "slonik";
import { z } from "zod";

const state = z.object({ made: z.boolean(), sent: z.boolean(), ageMs: z.number() });

/**
 * Claims a mail that has no row.
 * @returns whether the claim was made now, whether the mail was sent, and the claim's age. A row that another mailer
 *   inserts at the same moment is not in this statement's snapshot: then ask again.
 */
export async function claimMail(pool: DatabasePool, mailId: string): Promise<z.infer<typeof state>> {
  for (;;) {
    const found = await pool.maybeOne(sql.type(state)`
      WITH made AS (INSERT INTO mail_sent (mail_id) VALUES (${mailId}::uuid) ON CONFLICT (mail_id) DO NOTHING RETURNING 1)
      SELECT true AS made, false AS sent, 0::float8 AS "ageMs" FROM made
      UNION ALL
      SELECT false, sent_at IS NOT NULL, (extract(epoch FROM now() - claimed_at) * 1000)::float8
      FROM mail_sent WHERE mail_id = ${mailId}::uuid`);
    if (found !== null) return found;
  }
}

/**
 * Takes over a claim that is at least this old, because somebody decided to send the mail again.
 * @returns whether the claim was still there
 */
export async function takeOverMail(pool: DatabasePool, mailId: string, afterMs: number): Promise<boolean> {
  const { rowCount } = await pool.query(sql.unsafe`
    UPDATE mail_sent SET claimed_at = now()
    WHERE mail_id = ${mailId}::uuid AND sent_at IS NULL AND claimed_at <= now() - ${afterMs} * interval '1 millisecond'`);
  return rowCount === 1;
}

/** The SMTP server has accepted the mail. */
export async function markMail(pool: DatabasePool, mailId: string): Promise<void> {
  await pool.query(sql.unsafe`UPDATE mail_sent SET sent_at = now() WHERE mail_id = ${mailId}::uuid`);
}

/** The SMTP server certainly does not have the mail. */
export async function releaseMail(pool: DatabasePool, mailId: string): Promise<void> {
  await pool.query(sql.unsafe`
    DELETE FROM mail_sent WHERE mail_id = ${mailId}::uuid AND sent_at IS NULL`);
}

/**
 * auth.mail keeps a record for a day and a dead letter is kept for 30: until then the mail may come again.
 * @returns how many it deleted
 */
export async function reapMails(pool: DatabasePool, limit: number): Promise<number> {
  const { rowCount } = await pool.query(sql.unsafe`
    DELETE FROM mail_sent WHERE mail_id = ANY(ARRAY(
      SELECT mail_id FROM mail_sent WHERE claimed_at < now() - interval '32 days' LIMIT ${limit} FOR UPDATE SKIP LOCKED))`);
  return rowCount;
}
