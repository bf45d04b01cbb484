// Access tokens as only the fleet can make them: one that it signed, with other claims, under its own key.
import { decodeJwt, decodeProtectedHeader, type JWTPayload, SignJWT } from "jose";
import { variables } from "../../src/config/variables.ts";
import { openPool } from "../../src/db/pool.ts";
import { loadFleetKeys } from "../../src/keys/fleet-keys.ts";
import type { FleetAddresses } from "./fleet-addresses.ts";
import { quiet } from "./logger.ts";

export async function signedAnew({ env }: FleetAddresses, token: string, changes: JWTPayload): Promise<string> {
  const pool = await openPool({ url: env["AUTH_DATABASE_URL"]!, size: 2, applicationName: "test" });
  const keys = await loadFleetKeys(pool, variables.AUTH_MASTER_KEY.parse(env["AUTH_MASTER_KEY"]!), quiet);
  const { key } = keys.keyring().signing();
  keys.stop();
  await pool.end();
  return new SignJWT({ ...decodeJwt(token), ...changes })
    .setProtectedHeader(decodeProtectedHeader(token) as never)
    .sign(key);
}
