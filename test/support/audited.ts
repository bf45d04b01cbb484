// What the audit says of a user, as `authctl audit show` gives it. Tests read there what an event said: the outbox
// forgets who somebody is as soon as a row is published.
import { sql } from "slonik";
import { z } from "zod";
import { chainBatch } from "../../src/audit/chain.ts";
import { variables } from "../../src/config/variables.ts";
import { openPool } from "../../src/db/pool.ts";
import { loadFleetKeys } from "../../src/keys/fleet-keys.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { called } from "../authctl/authctl.ts";
import { quiet } from "./logger.ts";
import type { TestFleet } from "./test-fleet.ts";
import { until } from "./until.ts";

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

const number = z.object({ number: z.number() });
const truth = z.object({ truth: z.boolean() });

/**
 * Chains what waits by now, as a relay would, but at once: theirs look once a second, and where one is at it, it has it
 * done.
 */
export async function chainWaiting(env: Record<string, string>): Promise<void> {
  const pool = await openPool({ url: env["AUTH_DATABASE_URL"]!, size: 2, applicationName: "test" });
  const { dataKeys, keyring, stop } = await loadFleetKeys(
    pool,
    variables.AUTH_MASTER_KEY.parse(env["AUTH_MASTER_KEY"]!),
    quiet,
  );
  const parts = {
    pool,
    dataKeys,
    keyring,
    clock: systemClock,
    headEveryMs: 60_000,
    log: quiet,
    chained: () => undefined,
  };
  const last = await pool.oneFirst(sql.type(number)`SELECT COALESCE(max(id), 0) AS number FROM audit_intake`);
  await until("what waited is chained", async () => {
    while (await chainBatch(parts));
    return pool.oneFirst(sql.type(truth)`SELECT NOT EXISTS (SELECT FROM audit_intake WHERE id <= ${last}) AS truth`);
  });
  stop();
  await pool.end();
}

/** All about the user, once each of their events is chained. Oldest first. */
export async function auditOf({ env, sql }: TestFleet, userId: number): Promise<Audited[]> {
  await until("the events are chained", async () => {
    await chainWaiting(env);
    const { rows } = await sql.query<{ done: boolean }>(
      `SELECT (SELECT count(*) FROM outbox WHERE user_id = $1 AND sequence IS NOT NULL) <=
        (SELECT count(*) FROM audit WHERE user_id = $1) AS done`,
      [userId],
    );
    return rows[0]!.done;
  });
  return auditShown(env, "--user", `id:${userId}`);
}
