// The operator of `npm start`: operator:dev, who may do everything, with a key in the data folder. authctl acts as this
// operator when it finds the fleet by stack.json and nobody is logged in.
import { existsSync, readFileSync } from "node:fs";
import { enrollOperator } from "../../accounts/enroll-operator.ts";
import { type Environment, readConfig } from "../../config/read.ts";
import { newSigner, signerFrom } from "../../crypto/operators.ts";
import { openPool } from "../../db/pool.ts";
import { loadFleetKeys } from "../../keys/fleet-keys.ts";
import { systemClock } from "../../lib/clock.ts";
import { makeLogger } from "../../runtime/log.ts";
import { operatorKeyFile, writeWhole } from "./folder.ts";

const name = "dev";

/** @param env the processes' environment, with the database and the master key */
export async function enrolDevOperator(env: Environment, folder: string): Promise<void> {
  const file = operatorKeyFile(folder);
  if (!existsSync(file)) writeWhole(file, `${newSigner(name)}\n`);
  const { kid, alg, jwk } = await signerFrom(readFileSync(file, "utf8"));
  const config = readConfig(env, "ctl");
  const pool = await openPool({ url: config.AUTH_DATABASE_URL ?? "", size: 2, applicationName: "authfleet dev" });
  try {
    const keys = await loadFleetKeys(pool, config.AUTH_MASTER_KEY ?? [], makeLogger("silent", {}));
    keys.stop();
    const parts = { pool, clock: systemClock, dataKeys: keys.dataKeys };
    await enrollOperator(parts, { name, key: { kid, alg, jwk }, reason: "npm start", first: false });
  } finally {
    await pool.end();
  }
}
