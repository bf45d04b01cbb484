// The operator's own token (contract, section 9): whoever holds AUTH_MASTER_KEY and the database may sign himself one, for 60 s. The keys are
// read once and the connection is closed again; the tokens are made in this process and sent sealed, nothing is written to the database.
import { userInfo } from "node:os";
import { systemClock } from "../clock.ts";
import { type Config, ConfigFault } from "../config.ts";
import { makeTokens } from "../crypto/tokens.ts";
import { isPassing } from "../db/faults.ts";
import { openPool } from "../db/pool.ts";
import { asError } from "../errors.ts";
import { type FleetKeys, loadFleetKeys } from "../fleet-keys.ts";
import { type Call, textOption, Unreachable, UsageFault } from "./command.ts";
import { quiet, within } from "./connect.ts";
import type { Target } from "./target.ts";

/** A new operator token. */
export type SignOperator = () => Promise<string>;

const reachMs = 10_000;
const nameForm = /^[A-Za-z0-9._@-]{1,64}$/;

export function holdsMasterKey({ AUTH_DATABASE_URL, AUTH_MASTER_KEY }: Config): boolean {
  return AUTH_DATABASE_URL !== undefined && AUTH_MASTER_KEY !== undefined;
}

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
  if (!holdsMasterKey(config)) {
    throw new ConfigFault([
      "AUTH_DATABASE_URL and AUTH_MASTER_KEY (or AUTH_MASTER_KEY_FILE) are needed to sign an operator token",
    ]);
  }
  const { keyring } = await within(
    keysOf(target),
    reachMs,
    () => new Unreachable(sentence(target, `does not answer within ${reachMs / 1000} s`)),
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

async function keysOf(target: Target): Promise<FleetKeys> {
  const { AUTH_DATABASE_URL: url = "", AUTH_MASTER_KEY: master = [] } = target.config;
  try {
    const pool = await openPool({ url, size: 1, applicationName: "auth authctl" });
    try {
      const keys = await loadFleetKeys(pool, master, quiet);
      keys.stop();
      return keys;
    } finally {
      await pool.end();
    }
  } catch (error) {
    const { message } = asError(error);
    if (/AUTH_MASTER_KEY/.test(message)) throw new ConfigFault([message]); // the key, not the database, is at fault
    throw new Unreachable(sentence(target, `${isPassing(error) ? "does not answer" : "refuses"}: ${message}`));
  }
}

/** Without the password that stands in the URL. */
function sentence({ config, advice }: Target, what: string): string {
  return `PostgreSQL (${new URL(config.AUTH_DATABASE_URL ?? "").host}) ${what}. ${advice}`;
}
