// How many mails of a kind an address got within the last hour, whoever asked for them. One row per kind and address,
// keyed by a hash; its lock makes the count exact (migrations/0018). A handler reads how long the next mail must wait,
// and its commit demands that this is still so: of ten parallel commits as many succeed as the limit allows, and the
// others run again.
import { type DatabasePool, sql } from "slonik";
import type { Fragment, Write } from "./statements.ts";

export interface MailCount {
  /** HMAC of kind and address. */
  limiterKey: Buffer;
  /** The most mails within an hour. */
  most: number;
}

/** An expression: ms until the next mail may be sent, 0 where it may be sent now. */
export function mailWait({ limiterKey, most }: MailCount): Fragment {
  return sql.fragment`COALESCE(
    (SELECT mail_wait_ms(m.sent, ${most}::int) FROM address_mails m WHERE m.limiter_key = ${sql.binary(limiterKey)}::bytea), 0)`;
}

/** @param sends false where no mail is sent: it costs the same and counts nothing */
export function countMail({ limiterKey, most }: MailCount, sends: boolean): Write {
  return {
    name: "count_mail",
    changes: 1,
    statement: (gate) => sql.fragment`
      INSERT INTO address_mails AS m (limiter_key, sent)
      SELECT ${sql.binary(limiterKey)}::bytea, CASE WHEN ${sends} THEN ARRAY[now()] ELSE '{}'::timestamptz[] END WHERE ${gate}
      ON CONFLICT (limiter_key) DO UPDATE SET hour = date_trunc('hour', now()), sent = CASE WHEN ${sends}
          THEN ARRAY(SELECT s FROM unnest(m.sent) AS s WHERE s > now() - interval '1 hour') || now() ELSE m.sent END
        WHERE NOT ${sends} OR mail_wait_ms(m.sent, ${most}::int) = 0
      RETURNING 1`,
  };
}

/** Deletes up to `limit` rows of addresses without a mail in the last hour. @returns how many */
export async function reapAddressMails(pool: DatabasePool, limit: number): Promise<number> {
  const { rowCount } = await pool.query(sql.unsafe`
    DELETE FROM address_mails WHERE limiter_key = ANY(ARRAY(
      SELECT limiter_key FROM address_mails WHERE hour < now() - interval '2 hours' LIMIT ${limit} FOR UPDATE SKIP LOCKED))`);
  return rowCount;
}
