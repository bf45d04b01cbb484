// Operators for tests: enrolled by a row, as authctl operators add --first leaves one, all with the fleet's own key; their tokens; and administrators
// made with them.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import pg from "pg";
import { type Clock, systemClock } from "../../src/clock.ts";
import {
  newSigner,
  type OperatorSigner,
  sealOperator,
  signerFrom,
  signOperatorToken,
} from "../../src/crypto/operators.ts";
import { openPool } from "../../src/db/pool.ts";
import { loadFleetKeys } from "../../src/fleet-keys.ts";
import { variables } from "../../src/variables.ts";
import { type FleetAddresses, quiet, type TestFleet } from "./fleet.ts";
import { type Confirmed, confirmed, loggedIn } from "./people.ts";

/** The operator whose key a fleet of tests has in AUTH_OPERATOR_KEY_FILE. */
export const testOperator = "tester";

export function writeOperatorKey(file: string): void {
  if (!existsSync(file)) writeFileSync(file, newSigner(testOperator), { mode: 0o600 });
}

export function operatorSigner({ env }: Pick<FleetAddresses, "env">): Promise<OperatorSigner> {
  return signerFrom(readFileSync(env["AUTH_OPERATOR_KEY_FILE"]!, "utf8"));
}

/** An operator with the fleet's key, unless there is one of the name. */
export async function enrol({ env }: Pick<FleetAddresses, "env">, name: string, permissions = ["*"]): Promise<void> {
  const [url, { kid, alg, jwk }] = [env["AUTH_DATABASE_URL"]!, await operatorSigner({ env })];
  const pool = await openPool({ url, size: 2, applicationName: "test" });
  const keys = await loadFleetKeys(pool, variables.AUTH_MASTER_KEY.parse(env["AUTH_MASTER_KEY"]!), quiet);
  keys.stop();
  await pool.end();
  const operator = { name, permissions, keys: [{ kid, alg, jwk, addedAt: systemClock.now() }] };
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("INSERT INTO operators (name, box) VALUES ($1, $2) ON CONFLICT DO NOTHING", [
    name,
    sealOperator(keys.dataKeys().box("operator"), operator),
  ]);
  await client.end();
}

/** Enrolled, where there is none of the name. */
export async function operatorToken(
  fleet: Pick<FleetAddresses, "env">,
  name = testOperator,
  clock: Clock = systemClock,
): Promise<string> {
  if (name !== testOperator) await enrol(fleet, name); // each fleet of tests begins with that one
  return signOperatorToken(await operatorSigner(fleet), { name, issuer: "auth", now: clock.now() });
}

export interface Holder extends Confirmed {
  accessToken: string;
}

/** Somebody with these roles, which an operator gave them, logged in. */
export async function holderOf(fleet: TestFleet, actorToken: string, roles: string[]): Promise<Holder> {
  const person = await confirmed(fleet);
  await fleet.client.request("auth.admin.set-roles", { actorToken, target: person.login, roles, reason: "a test" });
  return { ...person, accessToken: (await loggedIn(fleet, person)).accessToken };
}
