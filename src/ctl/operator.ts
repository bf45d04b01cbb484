// The operator's own token (contract, section 9): whoever holds AUTH_MASTER_KEY and the database may sign himself one, for 60 s. The keys are
// read once and the connection is closed again; the tokens are made in this process and sent sealed, nothing is written to the database.
import { userInfo } from "node:os";
import { systemClock } from "../clock.ts";
import { makeTokens } from "../crypto/tokens.ts";
import { loadFleetKeys } from "../fleet-keys.ts";
import { type Call, textOption, UsageFault } from "./command.ts";
import { quiet } from "./connect.ts";
import { withDatabase } from "./database.ts";
import type { Target } from "./target.ts";

/** A new operator token. */
export type SignOperator = () => Promise<string>;

const nameForm = /^[A-Za-z0-9._@-]{1,64}$/;

/** --as NAME, else the system's name for whoever runs this. @throws UsageFault */
export function operatorName(call: Call): string {
  const given = textOption(call, "as");
  if (given === undefined)
    return systemName()
      .replace(/[^A-Za-z0-9._@-]/g, "_")
      .slice(0, 64);
  if (!nameForm.test(given)) throw new UsageFault("--as takes 1 to 64 letters, digits or . _ @ -");
  return given;
}

/** A container's user often has a number only. */
function systemName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid-${process.getuid?.() ?? 0}`;
  }
}

/** @throws Unreachable, ConfigFault */
export async function signerOf(target: Target, name: string): Promise<SignOperator> {
  const { config } = target;
  const { keyring } = await withDatabase(
    target,
    "to sign an operator token; an administrator can do without, by authctl login",
    async (pool) => {
      const keys = await loadFleetKeys(pool, config.AUTH_MASTER_KEY ?? [], quiet);
      keys.stop();
      return keys;
    },
  );
  const tokens = makeTokens({
    keyring,
    issuer: config.AUTH_ISSUER,
    audience: config.AUTH_AUDIENCE,
    accessTtlMs: config.AUTH_ACCESS_TTL,
    clock: systemClock,
  });
  return () => tokens.issueOperator(name);
}
