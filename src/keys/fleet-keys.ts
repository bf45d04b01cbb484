// The keys of a process: data keys, unwrapped with AUTH_MASTER_KEY, and the fleet's key pairs. A process checks for
// changes every second and loads them, so it knows a new key long before it is used and drops a revoked one. Also the
// operations on keys that migrate, the relay's schedule and operators call; key-changes.ts writes them.
import { setTimeout as sleep } from "node:timers/promises";
import type { MasterKey } from "../config/kinds.ts";
import type { Config } from "../config/read.ts";
import { type DataKeys, loadDataKeys } from "../crypto/envelope.ts";
import { activated, type KeyRow, type Keyring, type KeyUse, loadKeyring } from "../crypto/keys.ts";
import { dataKeyRows, fleetKeyRows, goneKeyRows, keyMarks, knownMs, rootKeyRows } from "../db/keys.ts";
import type { CommonQueryMethods, DatabasePool } from "../db/pool.ts";
import { asError } from "../lib/errors.ts";
import type { GoneKey, KeyRepair } from "../protocol/key-records.ts";
import type { Logger } from "../runtime/log.ts";
import { type DataKeyRules, rotateDueDataKeys } from "./data-keys.ts";
import { changeKeys, type KeyChanges, type KeyDeps } from "./key-changes.ts";
import { algOf, dueSteps, type KeyRules, type KeyStep } from "./key-schedule.ts";

export type { KeyDeps } from "./key-changes.ts";

export interface FleetKeys {
  dataKeys(): DataKeys;
  keyring(): Keyring;
  /** Loads the keys now, for a caller that met an unknown data key. */
  reload(): Promise<void>;
  stop(): void;
}

const lookMs = 1000;
const minute = 60_000;
const day = 24 * 60 * minute;
/** Retired encryption keys can open for 24 h more. */
const keepSealingMs = day;
/** Answers to legacy records are stored for 60 days, all others less long. */
const keepInboxMs = 61 * day;

export function keyRulesOf(config: Config): KeyRules & DataKeyRules {
  return {
    keepDataMs: {
      inbox: keepInboxMs,
      fingerprint: keepInboxMs,
      outbox: day,
      signing: day,
      device: config.AUTH_KNOWN_DEVICE_TTL + 2 * day, // tokens made with it must end first, whose days are whole ones
      refresh: Math.max(config.AUTH_REFRESH_TTL, config.AUTH_COOKIE_MAX_AGE) + day,
    },
    signingAlg: config.AUTH_SIGNING_ALG,
    rotateEveryMs: config.AUTH_KEY_ROTATION,
    publishAheadMs: config.AUTH_KEY_PUBLISH_AHEAD,
    keepMs: { sig: config.AUTH_ACCESS_TTL + minute, enc: keepSealingMs }, // a minute for clocks that differ
  };
}

/**
 * Creates what a new fleet lacks: data keys, a root key, an active signing key, an active encryption key.
 * @returns what it created
 */
export async function ensureKeys(parts: KeyDeps): Promise<string[]> {
  return changeKeys(parts, async (keys) => {
    const made = keys.madeDataKeys.map(({ purpose }) => `made the data key for ${purpose}`);
    if (keys.roots.length === 0) {
      const { kid } = await keys.insertRoot("active");
      made.push(`made the root key ${kid}: requesters know the fleet by it (AUTH_FLEET_ID)`);
    }
    for (const use of ["sig", "enc"] as const) {
      if (keys.rows.some((row) => row.use === use && row.state === "active")) continue;
      const alg = algOf(use, parts.rules);
      await keys.insert(activated(await keys.generate(alg), parts.clock)); // at once: nobody holds an older set
      made.push(`made the first ${use === "sig" ? "signing" : "sealing"} key (${alg})`);
    }
    for (const row of keys.rows.filter(({ cert }) => cert === null)) await keys.certify(row);
    return made;
  });
}

/** Does what is due by the schedule. @returns a sentence for each thing done */
export async function rotateDueKeys(parts: KeyDeps): Promise<string[]> {
  return [...(await turnPairs(parts)), ...(await rotateDueDataKeys(parts))];
}

async function turnPairs(parts: KeyDeps): Promise<string[]> {
  const due = dueSteps(await fleetKeyRows(parts.pool), parts.clock.now(), parts.rules); // nearly always nothing: no lock for that
  if (due.length === 0) return [];
  return changeKeys(parts, async (keys) => {
    const done: string[] = [];
    for (const step of dueSteps(keys.rows, parts.clock.now(), parts.rules)) done.push(await carryOut(keys, step));
    return done;
  });
}

/** Creates the next key now, unless there is one; the schedule activates it when it has been published long enough. */
export async function rotateKeys(parts: KeyDeps, uses: KeyUse[]): Promise<string[]> {
  return changeKeys(parts, async (keys) => {
    const done: string[] = [];
    for (const use of uses) {
      const next = keys.rows.find((row) => row.use === use && row.state === "next");
      done.push(
        next === undefined
          ? await carryOut(keys, { do: "make", alg: algOf(use, parts.rules) })
          : `${next.kid} is the next key (${next.alg}) already`,
      );
    }
    return done;
  });
}

/**
 * Deletes a key: what it signed is no longer valid, what was sealed to it can no longer be opened. An active key is
 * replaced first, by the next one or a new one, and deleted once every process has loaded its successor; otherwise
 * users who log in meanwhile would get invalid tokens.
 * @returns what was done; undefined where there is no such key
 */
export async function revokeKey(parts: KeyDeps, kid: string): Promise<string[] | undefined> {
  const before = await changeKeys(parts, async (keys) => {
    const row = keys.rows.find((each) => each.kid === kid);
    if (row === undefined) return undefined;
    const { alg, state } = row;
    return { alg, state, done: state === "active" ? await replace(keys, row) : [] };
  });
  if (before === undefined) return undefined;
  if (before.state === "active") await sleep(knownMs);
  await changeKeys(parts, async (keys) => {
    const row = keys.rows.find((each) => each.kid === kid);
    if (row === undefined) return;
    await keys.remove(row);
    if (row.use === "sig") await keys.publishRevoked(kid);
  });
  return [...before.done, `revoked ${kid} (${before.alg}, ${before.state})`];
}

/**
 * The value of AUTH_FLEET_ID, in its order: the thumbprint of the root key that certifies and, during a rotation, of
 * the next one.
 */
export async function fleetIds(pool: CommonQueryMethods): Promise<string[]> {
  return (await rootKeyRows(pool)).map(({ kid }) => kid);
}

/**
 * Creates the next root key, unless there is one; it certifies nothing before switchRootKey().
 * @returns what was done
 */
export async function makeNextRootKey(parts: KeyDeps): Promise<string[]> {
  return changeKeys(parts, async (keys) => {
    const next = keys.roots.find(({ state }) => state === "next");
    if (next !== undefined) return [`${next.kid} is the next root key already`];
    return [`made ${(await keys.insertRoot("next")).kid}, the next root key`];
  });
}

/**
 * Certifies every key with the next root key from now on.
 * @returns what was done; undefined where there is no next one
 */
export async function switchRootKey(parts: KeyDeps): Promise<string[] | undefined> {
  return changeKeys(parts, async (keys) => {
    const next = keys.roots.find(({ state }) => state === "next");
    if (next === undefined) return undefined;
    await keys.switchRoot(next);
    return [`${next.kid} is the root key, and has certified ${keys.rows.length} keys`];
  });
}

/** Publishes keys again whose last record on the topic is missing or differs from the database. */
export async function repairKeys(parts: KeyDeps, repairs: readonly KeyRepair[]): Promise<void> {
  await changeKeys(parts, async (keys) => {
    for (const { kid, version, after } of repairs) {
      const row = keys.rows.find((each) => each.kid === kid);
      if (row === undefined) await keys.publishGone({ kid, version });
      else if (row.version < version || after !== undefined) await keys.certify(row, version, after);
      else await keys.publish(row);
    }
  });
}

/** The records that the topic should have: of every key and every deleted key. */
export async function keyTruth(
  pool: CommonQueryMethods,
): Promise<{ rows: readonly KeyRow[]; gone: readonly GoneKey[] }> {
  return { rows: await fleetKeyRows(pool), gone: await goneKeyRows(pool) };
}

async function replace(keys: KeyChanges, { use, alg }: KeyRow): Promise<string[]> {
  let next = keys.rows.find((row) => row.use === use && row.state === "next");
  if (next === undefined) {
    next = await keys.generate(alg);
    await keys.insert(next);
  }
  return [await carryOut(keys, { do: "activate", kid: next.kid, use })];
}

/** @throws Error where AUTH_MASTER_KEY does not unwrap the data keys, or there are no keys yet */
export async function loadFleetKeys(pool: DatabasePool, master: MasterKey[], log: Logger): Promise<FleetKeys> {
  let marks = await keyMarks(pool);
  let current = await load(pool, master);
  let looking: Promise<void> | undefined;
  const look = async (): Promise<void> => {
    const now = await keyMarks(pool);
    if (now === marks) return;
    current = await load(pool, master);
    marks = now;
  };
  const lookOnce = (): Promise<void> => {
    looking ??= look().finally(() => {
      looking = undefined;
    });
    return looking;
  };
  let failures = 0;
  const timer = setInterval(() => {
    lookOnce().then(
      () => {
        failures = 0;
      },
      (error: unknown) => {
        failures += 1;
        if (failures === 1) log.warn({ err: asError(error) }, "keys cannot be read; the known ones stay in use");
      },
    );
  }, lookMs);
  timer.unref();
  return {
    dataKeys: () => current.dataKeys,
    keyring: () => current.keyring,
    async reload() {
      await looking?.catch(() => undefined); // it may have begun before the key that we miss existed
      await lookOnce();
    },
    stop: () => clearInterval(timer),
  };
}

async function load(pool: DatabasePool, master: MasterKey[]): Promise<{ dataKeys: DataKeys; keyring: Keyring }> {
  const rows = await fleetKeyRows(pool); // first, because a data key exists before anything that it encrypts
  const dataKeys = loadDataKeys(master, await dataKeyRows(pool));
  const keyring = await loadKeyring(rows, dataKeys);
  keyring.signing(); // fails at start where migrate has not run, not at the first login
  return { dataKeys, keyring };
}

async function carryOut(keys: KeyChanges, step: KeyStep): Promise<string> {
  switch (step.do) {
    case "make": {
      const row = await keys.generate(step.alg);
      await keys.insert(row);
      return `made ${row.kid}, the next key (${row.alg})`;
    }
    case "activate":
      await keys.activate(step.kid, step.use);
      return `${step.kid} is the active ${step.use === "sig" ? "signing" : "sealing"} key`;
    case "certify":
      await keys.certify(keys.row(step.kid));
      return `renewed the certificate of ${step.kid}`;
    case "remove":
      await keys.remove(keys.row(step.kid));
      return `removed ${step.kid}: nothing of it can be under way any more`;
  }
}
