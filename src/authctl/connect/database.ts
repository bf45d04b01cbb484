// authctl at the database itself, for the few commands that do not go through Kafka. They need AUTH_DATABASE_URL and
// AUTH_MASTER_KEY. A database that does not answer is named within reachMs.
import { type Config, ConfigFault } from "../../config/read.ts";
import type { DatabasePool } from "../../db/pool.ts";
import { readDatabaseAddress, shownPlace } from "../../lib/database-address.ts";
import { asError } from "../../lib/errors.ts";
import { withTimeout } from "../../lib/timeout.ts";
import { Refusal } from "../../protocol/errors.ts";
import { Unreachable, UsageFault } from "../faults.ts";
import type { FleetTarget } from "./target.ts";

const reachMs = 10_000;
/** For a batch of an import, which may have to wait for another transaction. */
const lengthyMs = 60_000;

export function holdsMasterKey({ AUTH_DATABASE_URL, AUTH_MASTER_KEY }: Config): boolean {
  return AUTH_DATABASE_URL !== undefined && AUTH_MASTER_KEY !== undefined;
}

/**
 * Runs with a connection of its own, closed again after.
 * @param what is done with it, for the sentence that says what is missing: "to ..."
 * @throws Unreachable, ConfigFault, Refusal
 */
export async function withDatabase<T>(
  target: FleetTarget,
  what: string,
  run: (pool: DatabasePool) => Promise<T>,
): Promise<T> {
  const { config } = target;
  if (!holdsMasterKey(config)) {
    throw new ConfigFault([`AUTH_DATABASE_URL and AUTH_MASTER_KEY (or AUTH_MASTER_KEY_FILE) are needed ${what}`]);
  }
  return connected(target, onceReached(target, run));
}

/** As withDatabase, for statements that may take long, and without the master key. */
export async function withDatabaseAtLength<T>(
  target: FleetTarget,
  what: string,
  run: (pool: DatabasePool) => Promise<T>,
): Promise<T> {
  if (target.config.AUTH_DATABASE_URL === undefined) throw new ConfigFault([`AUTH_DATABASE_URL is needed ${what}`]);
  return connected(target, onceReached(target, run), lengthyMs);
}

/** Bounds the first answer; after it each statement has a bound of its own, and the command bounds the rest. */
function onceReached<T>(
  target: FleetTarget,
  run: (pool: DatabasePool) => Promise<T>,
): (pool: DatabasePool) => Promise<T> {
  const late = () => new Unreachable(sentence(target, `does not answer within ${reachMs / 1000} s`));
  return async (pool) => {
    const { isMigrated } = await import("../../db/imports.ts");
    await withTimeout(isMigrated(pool), reachMs, late);
    return run(pool);
  };
}

async function connected<T>(
  target: FleetTarget,
  run: (pool: DatabasePool) => Promise<T>,
  statementTimeoutMs?: number,
): Promise<T> {
  const [{ isTransient }, { openPool }] = await Promise.all([import("../../db/faults.ts"), import("../../db/pool.ts")]);
  try {
    const pool = await openPool({
      url: target.config.AUTH_DATABASE_URL ?? "",
      size: 1,
      applicationName: "auth authctl",
      ...(statementTimeoutMs !== undefined && { statementTimeoutMs }),
    });
    pool.on("error", () => undefined); // whoever asked gets it too; without a listener it would come as another one
    try {
      return await run(pool);
    } finally {
      await pool.end();
    }
  } catch (error) {
    if (error instanceof Refusal || error instanceof Unreachable || error instanceof UsageFault) throw error;
    const { message } = asError(error);
    if (/AUTH_MASTER_KEY/.test(message)) throw new ConfigFault([message]); // the key, not the database, is at fault
    throw new Unreachable(sentence(target, `${isTransient(error) ? "does not answer" : "refuses"}: ${message}`));
  }
}

/** Without the password in the URL. */
function sentence({ config, advice }: FleetTarget, what: string): string {
  return `PostgreSQL (${shownPlace(readDatabaseAddress(config.AUTH_DATABASE_URL ?? ""))}) ${what}. ${advice}`;
}
