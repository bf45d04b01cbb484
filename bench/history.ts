// The rows that a fleet leaves behind in PostgreSQL: what it published, chained, answered and ended, and the people it
// was for. Written in large statements beside the fleet, in the form in which its own rows are once they are over, so
// that what is measured then walks past them. A tenth belongs to the people of the bench: whoever logs in has a history
// too. It is no audit: its rows are not chained to anything.
import pg from "pg";

export interface HistoryOptions {
  database: string;
  /** User ids of the people of the bench. */
  users: number[];
  /** What is not ours to change is written in a transaction that is taken back in the end: nobody else sees it. */
  ours: boolean;
}

export interface History {
  /** Takes away what an earlier call left. */
  clear(): Promise<void>;
  /** As many outbox rows, as many audit rows, and of the rest what goes with them. @returns rows in all */
  write(events: number): Promise<number>;
  /** Bytes of the whole database. */
  size(): Promise<number>;
  close(): Promise<void>;
}

/** Rows of one statement. */
const chunk = 500_000;

/**
 * Rows by table for each event. Sessions, answers and tokens are reaped in time; every hundredth event is somebody's
 * first.
 */
const shares: Record<string, number> = { users: 0.01, outbox: 1, audit: 1, inbox: 0.1, sessions: 0.1, tokens: 0.01 };

const digest = "decode(md5(each.n::text) || md5((-each.n)::text), 'hex')";
const owner = "JOIN history_owners o ON o.n = each.n % $3";
const series = "FROM (SELECT generate_series($1::bigint, $2::bigint) AS n) AS each";

/** $1 and $2: the first and the last number; $3: how many owners there are. */
const statements: Record<string, string> = {
  users: `
    WITH made AS (
      INSERT INTO users (id, login, login_key, username, email, email_key, confirmed_at)
      SELECT nextval('user_ids'), name, name, name, name || '@example.com', name || '@example.com', now()
      FROM (SELECT 'history-' || n AS name ${series}) AS named WHERE $3::bigint IS NOT NULL RETURNING id)
    INSERT INTO credentials (user_id, kind, hash)
    SELECT id, 'password', '$argon2id$v=19$m=7168,t=1,p=1$' || md5(id::text) || '$' || md5((-id)::text) FROM made`,
  outbox: `
    INSERT INTO outbox (created_at, shard, topic, key, kind, event_id, user_id, sequence, actor, body, published_at)
    SELECT day + (now() - day) * random(), id % 16, 'auth.event', id::text, 'History', gen_random_uuid(), id, each.n, 'user:' || id,
      jsonb_build_object('userId', id, 'sessionId', md5(each.n::text)::uuid, 'at', 1790000000000 + each.n, 'amr', '["pwd"]'::jsonb), now()
    FROM (SELECT date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS day) AS today,
      (SELECT generate_series($1::bigint, $2::bigint) AS n) AS each ${owner}`,
  audit: `
    INSERT INTO audit (number, chained_at, event_id, at, event, actor, user_id, outcome, details, personal, chain)
    SELECT 1000000000000 + each.n, now(), gen_random_uuid(), now(), 'History', 'user:' || id, id, 'ok',
      '{"amr":["pwd"],"rotating":true}', ${digest}, ${digest}
    ${series} ${owner}`,
  inbox: `
    INSERT INTO inbox (topic, reply_topic, idempotency_key, fingerprint, reply, expires_at)
    SELECT 'auth.session.login', 'auth.reply.history', decode(md5(each.n::text), 'hex'), ${digest}, decode(repeat(md5(each.n::text), 20), 'hex'),
      now() + interval '23 hours' + random() * interval '1 hour'
    ${series} WHERE $3::bigint IS NOT NULL`,
  sessions: `
    INSERT INTO sessions (id, user_id, rotating, refresh_hash, refresh_key, created_at, expires_at, ended_at, end_reason, amr)
    SELECT gen_random_uuid(), id, true, ${digest}, 1, now() - interval '3 days', now() + interval '27 days',
      now() - random() * interval '2 days', 'history', '{pwd}'
    ${series} ${owner}`,
  tokens: `
    INSERT INTO one_time_tokens (id, user_id, purpose, secret_hash, created_at, expires_at, used_at, email)
    SELECT gen_random_uuid(), id, 'confirm', ${digest}, now() - interval '1 hour', now() + interval '1 day', now(),
      'history'
    ${series} ${owner}`,
};

const removals = [
  "DELETE FROM outbox WHERE kind = 'History'",
  "DELETE FROM audit WHERE event = 'History'",
  "DELETE FROM inbox WHERE reply_topic = 'auth.reply.history'",
  "DELETE FROM sessions WHERE end_reason = 'history'",
  "DELETE FROM one_time_tokens WHERE email = 'history'",
  "DELETE FROM credentials WHERE user_id IN (SELECT id FROM users WHERE login_key LIKE 'history-%')",
  "DELETE FROM users WHERE login_key LIKE 'history-%'",
];

export async function openHistory({ database, users, ours }: HistoryOptions): Promise<History> {
  const sql = new pg.Client({ connectionString: database });
  await sql.connect();
  let written = false;
  const owners = async (): Promise<number> => {
    await sql.query("CREATE TEMP TABLE IF NOT EXISTS history_owners (n bigint PRIMARY KEY, id bigint NOT NULL)");
    await sql.query("TRUNCATE history_owners");
    const { rowCount } = await sql.query(
      `INSERT INTO history_owners SELECT n, CASE WHEN n % 10 = 0 THEN ($1::bigint[])[1 + (n / 10) % $2::bigint] ELSE id END
       FROM (SELECT row_number() OVER () - 1 AS n, id FROM users WHERE login_key LIKE 'history-%') AS theirs`,
      [users, users.length],
    );
    await sql.query("ANALYZE history_owners");
    return rowCount!;
  };
  return {
    async clear() {
      if (!ours || !(await sql.query("SELECT FROM users WHERE login_key LIKE 'history-%' LIMIT 1")).rowCount) return;
      await sql.query("SET session_replication_role = replica"); // rows of the audit are written once; these are no audit
      for (const removal of removals) await sql.query(removal);
      await sql.query("SET session_replication_role = origin");
      await sql.query("VACUUM ANALYZE");
    },
    async write(events) {
      if (!ours) await sql.query("BEGIN");
      written = true;
      let rows = 0;
      let people = 0;
      for (const [table, share] of Object.entries(shares)) {
        const count = Math.ceil(events * share);
        for (let from = 1; from <= count; from += chunk)
          await sql.query(statements[table]!, [from, Math.min(count, from + chunk - 1), people]);
        if (table === "users") people = await owners();
        rows += table === "users" ? 2 * count : count;
      }
      await sql.query(ours ? "VACUUM ANALYZE" : "ANALYZE");
      return rows;
    },
    async size() {
      const { rows } = await sql.query<{ size: string }>("SELECT pg_database_size(current_database()) AS size");
      return Number(rows[0]!.size);
    },
    async close() {
      if (written && !ours) await sql.query("ROLLBACK");
      await sql.end();
    },
  };
}
