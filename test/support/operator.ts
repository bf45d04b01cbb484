// An operator's token, signed as authctl signs one: with the database and the master key in hand.
import { type Clock, systemClock } from "../../src/clock.ts";
import { makeTokens } from "../../src/crypto/tokens.ts";
import { openPool } from "../../src/db/pool.ts";
import { loadFleetKeys } from "../../src/fleet-keys.ts";
import { variables } from "../../src/variables.ts";
import { type FleetAddresses, quiet } from "./fleet.ts";

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
