// An operator's token, signed as authctl signs one: with the database and the master key in hand. And administrators made with it.
import { type Clock, systemClock } from "../../src/clock.ts";
import { makeTokens } from "../../src/crypto/tokens.ts";
import { openPool } from "../../src/db/pool.ts";
import { loadFleetKeys } from "../../src/fleet-keys.ts";
import { variables } from "../../src/variables.ts";
import { type FleetAddresses, quiet, type TestFleet } from "./fleet.ts";
import { type Confirmed, confirmed, loggedIn } from "./people.ts";

export async function operatorToken(
  { env }: FleetAddresses,
  name = "tester",
  clock: Clock = systemClock,
): Promise<string> {
  const pool = await openPool({ url: env["AUTH_DATABASE_URL"]!, size: 2, applicationName: "test" });
  const keys = await loadFleetKeys(pool, variables.AUTH_MASTER_KEY.parse(env["AUTH_MASTER_KEY"]!), quiet);
  const tokens = makeTokens({
    keyring: keys.keyring,
    issuer: "auth",
    audience: "platform",
    accessTtlMs: 900_000,
    clock,
  });
  const token = await tokens.issueOperator(name);
  keys.stop();
  await pool.end();
  return token;
}

export interface Holder extends Confirmed {
  accessToken: string;
}

/** Somebody with these roles, which an operator gave him, logged in. */
export async function holderOf(fleet: TestFleet, actorToken: string, roles: string[]): Promise<Holder> {
  const person = await confirmed(fleet);
  await fleet.client.request("auth.admin.set-roles", { actorToken, target: person.login, roles, reason: "a test" });
  return { ...person, accessToken: (await loggedIn(fleet, person)).accessToken };
}
