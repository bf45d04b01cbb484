// Sweeping up challenges: those long over go, some at a time; those that may still be answered, or asked about, stay.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { reapChallenges } from "../../src/db/challenges.ts";
import { type DatabasePool, openPool } from "../../src/db/pool.ts";
import { beginLogin } from "../support/factors.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { newUser } from "../support/users.ts";

let fleet: TestFleet;
let pool: DatabasePool;
beforeAll(async () => {
  fleet = await testFleet();
  pool = await openPool({ url: fleet.env["AUTH_DATABASE_URL"]!, size: 2, applicationName: "test" });
}, 60_000);
afterAll(async () => {
  await pool.end();
  await fleet.close();
});

test("challenges go an hour after their time is over, as many at once as are asked for", async () => {
  const begun = await Promise.all(
    ["now", "soon", "over", "long over", "longer over"].map(() => beginLogin(fleet, newUser().login)),
  );
  const ids = begun.map(({ challenge }) => challenge.split(".")[0]!);
  const ages = ["-5 minutes", "-1 second", "30 minutes", "61 minutes", "2 hours"];
  for (const [at, age] of ages.entries())
    await fleet.sql.query("UPDATE challenges SET expires_at = now() - $2::interval WHERE id = $1", [ids[at], age]);
  let reaped = await reapChallenges(pool, 1);
  expect(reaped).toBe(1);
  while (reaped > 0) reaped = await reapChallenges(pool, 1);
  const { rows } = await fleet.sql.query<{ id: string }>("SELECT id FROM challenges WHERE id = ANY($1)", [ids]);
  expect(rows.map(({ id }) => id).sort()).toEqual(ids.slice(0, 3).sort());
});
