// A user's row, held by a test: whoever commits about that user waits behind it, in PostgreSQL's own queue, until it is
// let go. What only refers to the user does not, such as a relay that writes the audit.
import pg from "pg";

export interface HeldRow {
  /** How many commits wait for the row. */
  waiting(): Promise<number>;
  release(): Promise<void>;
}

export async function holdUser(url: string, userId: number): Promise<HeldRow> {
  const [holder, watcher] = [new pg.Client(url), new pg.Client(url)];
  await Promise.all([holder.connect(), watcher.connect()]);
  await holder.query("BEGIN");
  const { rows } = await holder.query<{ pid: number }>(
    "SELECT pg_backend_pid() AS pid FROM users WHERE id = $1 FOR NO KEY UPDATE",
    [userId],
  );
  const pid = rows[0]!.pid;
  return {
    async waiting() {
      const found = await watcher.query<{ waiting: number }>(
        `WITH RECURSIVE behind AS (
           SELECT pid FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))
           UNION SELECT a.pid FROM pg_stat_activity a JOIN behind b ON b.pid = ANY(pg_blocking_pids(a.pid)))
         SELECT count(*)::int AS waiting FROM behind`,
        [pid],
      );
      return found.rows[0]!.waiting;
    },
    async release() {
      await holder.query("COMMIT");
      await Promise.all([holder.end(), watcher.end()]);
    },
  };
}
