// What the audit says of a user, as `authctl audit show` gives it. Tests read there what an event said: the outbox forgets who somebody is as
// soon as a row is published.
import { called } from "../ctl/authctl.ts";
import { type TestFleet, until } from "./fleet.ts";

export interface Audited {
  number: number;
  event: string;
  userId: number | null;
  actor: string;
  outcome: string;
  traceparent: string | null;
  details: Record<string, unknown>;
  /** null: there is nothing, or it is erased. */
  personal: Record<string, unknown> | null;
  erased: boolean;
}

/** With options of `audit show`. Oldest first. */
export async function auditShown(env: Record<string, string>, ...options: string[]): Promise<Audited[]> {
  const { stdout, stderr } = await called(["audit", "show", "--json", ...options], env);
  if (stdout === "") throw new Error(stderr);
  return (JSON.parse(stdout) as { rows: Audited[] }).rows.reverse();
}

/** All about the user, once each of his events is chained. Oldest first. */
export async function auditOf({ env, sql }: TestFleet, userId: number): Promise<Audited[]> {
  await until("the events are chained", async () => {
    const { rows } = await sql.query<{ done: boolean }>(
      `SELECT (SELECT count(*) FROM outbox WHERE user_id = $1 AND sequence IS NOT NULL) <=
        (SELECT count(*) FROM audit WHERE user_id = $1) AS done`,
      [userId],
    );
    return rows[0]!.done;
  });
  return auditShown(env, "--user", `id:${userId}`);
}
