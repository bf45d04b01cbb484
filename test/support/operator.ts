// Operators for tests: enrolled by a row, as authctl operators add --first leaves one, all with the fleet's own key;
// and their tokens.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { enrollOperator } from "../../src/accounts/enroll-operator.ts";
import { variables } from "../../src/config/variables.ts";
import { newSigner, type OperatorSigner, signerFrom, signOperatorToken } from "../../src/crypto/operators.ts";
import { takenConstraint } from "../../src/db/faults.ts";
import { openPool } from "../../src/db/pool.ts";
import { loadFleetKeys } from "../../src/keys/fleet-keys.ts";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import type { FleetAddresses } from "./fleet-addresses.ts";
import { quiet } from "./logger.ts";

/** The operator whose key a fleet of tests has in AUTH_OPERATOR_KEY_FILE. */
export const testOperator = "tester";

export function writeOperatorKey(file: string): void {
  if (!existsSync(file)) writeFileSync(file, newSigner(testOperator), { mode: 0o600 });
}

function operatorSigner({ env }: Pick<FleetAddresses, "env">): Promise<OperatorSigner> {
  return signerFrom(readFileSync(env["AUTH_OPERATOR_KEY_FILE"]!, "utf8"));
}

/** An operator who may do everything, with the fleet's key, as authctl operators add --first enrols one. */
export async function enrol({ env }: Pick<FleetAddresses, "env">, name: string): Promise<void> {
  const pool = await openPool({ url: env["AUTH_DATABASE_URL"]!, size: 2, applicationName: "test" });
  pool.on("error", () => undefined); // of the race below
  const keys = await loadFleetKeys(pool, variables.AUTH_MASTER_KEY.parse(env["AUTH_MASTER_KEY"]!), quiet);
  keys.stop();
  const parts = { pool, clock: systemClock, dataKeys: keys.dataKeys };
  const enrolment = { name, key: await operatorSigner({ env }), reason: "a test", first: false };
  try {
    await enrollOperator(parts, enrolment);
  } catch (error) {
    if (takenConstraint(error) === undefined) throw error; // another file of tests was first
  } finally {
    await pool.end();
  }
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
