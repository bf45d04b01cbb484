// The keys a process works with: data keys, opened with AUTH_MASTER_KEY, and the fleet's key pairs. Made once for a fleet, read by every
// process at start and again every minute, so that what another process added is known before it is needed (a key is published 10 min
// before its first use).
import type { Clock } from "./clock.ts";
import { type DataKeys, loadDataKeys, makeDataKey, purposes, wrapDataKey } from "./crypto/envelope.ts";
import { activated, generateKeyRow, type KeyRow, type Keyring, openKeyring } from "./crypto/keys.ts";
import { dataKeyRows, fleetKeyRows, insertDataKey, insertFleetKey, withKeyLock } from "./db/keys.ts";
import type { CommonQueryMethods, DatabasePool } from "./db/pool.ts";
import { asError } from "./errors.ts";
import type { Logger } from "./log.ts";
import type { MasterKey } from "./variable-kinds.ts";

export interface FleetKeys {
  dataKeys(): DataKeys;
  keyring(): Keyring;
  stop(): void;
}

const reloadMs = 60_000;

/** Makes what a new fleet lacks: one data key per purpose, an active signing key, an active sealing key. @returns what it made */
export async function ensureKeys(pool: DatabasePool, master: MasterKey[], clock: Clock): Promise<string[]> {
  return withKeyLock(pool, async (transaction) => {
    const made = [...(await ensureDataKeys(transaction, master))];
    const dataKeys = loadDataKeys(master, await dataKeyRows(transaction));
    const rows = await fleetKeyRows(transaction);
    for (const alg of ["ES256", "ECDH-ES+A256KW"] as const satisfies KeyRow["alg"][]) {
      const use = alg === "ES256" ? "sig" : "enc";
      if (rows.some((row) => row.use === use && row.state === "active")) continue;
      await insertFleetKey(transaction, activated(await generateKeyRow(alg, dataKeys.box("signing"), clock), clock));
      made.push(`made the first ${use === "sig" ? "signing" : "sealing"} key (${alg})`);
    }
    return made;
  });
}

async function ensureDataKeys(transaction: CommonQueryMethods, master: MasterKey[]): Promise<string[]> {
  const rows = await dataKeyRows(transaction);
  const missing = purposes.filter((purpose) => !rows.some((row) => row.purpose === purpose));
  for (const purpose of missing) await insertDataKey(transaction, purpose, wrapDataKey(master, makeDataKey(), purpose));
  return missing.map((purpose) => `made the data key for ${purpose}`);
}

/** @throws Error where AUTH_MASTER_KEY does not open the keys, or there are none yet */
export async function loadFleetKeys(pool: DatabasePool, master: MasterKey[], log: Logger): Promise<FleetKeys> {
  let current = await load(pool, master);
  const timer = setInterval(() => {
    load(pool, master).then(
      (loaded) => {
        current = loaded;
      },
      (error: unknown) => log.warn({ err: asError(error) }, "keys could not be read again; the known ones stay in use"),
    );
  }, reloadMs);
  timer.unref();
  return { dataKeys: () => current.dataKeys, keyring: () => current.keyring, stop: () => clearInterval(timer) };
}

async function load(pool: DatabasePool, master: MasterKey[]): Promise<{ dataKeys: DataKeys; keyring: Keyring }> {
  const dataKeys = loadDataKeys(master, await dataKeyRows(pool));
  const keyring = await openKeyring(await fleetKeyRows(pool), dataKeys);
  keyring.signing(); // says at start that migrate has not run, not at the first login
  return { dataKeys, keyring };
}
