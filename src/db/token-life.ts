// The longest lifetime that access tokens ever had: the table token_life, which only grows. migrate and workers raise
// it to AUTH_ACCESS_TTL; relays tell verifiers, which keep revocations that long.
import { type CommonQueryMethods, sql } from "slonik";
import { z } from "zod";
import type { Fragment } from "./statements.ts";

const life = z.object({ longestMs: z.number(), raised: z.boolean() });

/** @returns the longest lifetime, this one included, and whether this one raised it */
export async function raiseTokenLife(pool: CommonQueryMethods, lifeMs: number): Promise<z.infer<typeof life>> {
  return pool.one(sql.type(life)`
    WITH before AS (SELECT longest_ms FROM token_life),
    raised AS (
      INSERT INTO token_life (longest_ms) VALUES (${lifeMs})
      ON CONFLICT (only_one) DO UPDATE SET longest_ms = excluded.longest_ms WHERE token_life.longest_ms < excluded.longest_ms
      RETURNING longest_ms)
    SELECT greatest((SELECT longest_ms FROM before), ${lifeMs}::bigint) AS "longestMs",
      EXISTS (SELECT FROM before) AND EXISTS (SELECT FROM raised) AS raised`);
}

/** An expression: the longest lifetime, or NULL before it is known. */
export const longestTokenLife: Fragment = sql.fragment`(SELECT longest_ms FROM token_life)`;
