// The keys a process works with: data keys, opened with AUTH_MASTER_KEY, and the fleet's key pairs. Made once for a fleet; a process looks
// every second whether they changed and loads them then, so a new key is known long before it is needed and a revoked one is gone.
// Whoever changes them holds one lock in the database and writes what changed to the topic auth.key in the same transaction.
import { setTimeout as sleep } from "node:timers/promises";
import { auditDeed, type Deed } from "./audit-deeds.ts";
import type { Clock } from "./clock.ts";
import type { Config } from "./config.ts";
import { type DataKeys, loadDataKeys } from "./crypto/envelope.ts";
import { uuidv7 } from "./crypto/ids.ts";
import { activated, generateKeyRow, type KeyRow, type Keyring, type KeyUse, openKeyring } from "./crypto/keys.ts";
import { type DataKeyRules, ensureDataKeys, type MadeDataKey, turnDataKeys } from "./data-keys.ts";
import {
  activateFleetKey,
  dataKeyRows,
  deleteFleetKey,
  fleetKeyRows,
  insertFleetKey,
  insertKeyRecord,
  keyMarks,
  knownMs,
  withKeyLock,
} from "./db/keys.ts";
import { notifyRelays } from "./db/outbox.ts";
import type { DatabasePool } from "./db/pool.ts";
import { revocationTopic } from "./db/revocations.ts";
import { asError } from "./errors.ts";
import { algOf, dueSteps, type KeyRules, type KeyStep } from "./key-schedule.ts";
import type { Logger } from "./log.ts";
import type { MasterKey } from "./variable-kinds.ts";

export interface FleetKeys {
  dataKeys(): DataKeys;
  keyring(): Keyring;
  /** Looks now: for who has met a data key that is not loaded. */
  reload(): Promise<void>;
  stop(): void;
}

/** What changing keys needs. */
export interface KeyParts {
  pool: DatabasePool;
  master: MasterKey[];
  rules: KeyRules & DataKeyRules;
  clock: Clock;
  /** Who changes them, for the audit; default: the schedule. */
  actor?: string;
}

export const keyTopic = "auth.key";
const lookMs = 1000;
const minute = 60_000;
const day = 24 * 60 * minute;
/** Contract, section 5: retired sealing keys open for 24 h more. */
const keepSealingMs = day;
/** Answers to legacy records are kept for 60 days, all others shorter. */
const keepInboxMs = 61 * day;

export function keyRulesOf(config: Config): KeyRules & DataKeyRules {
  return {
    keepDataMs: {
      inbox: keepInboxMs,
      fingerprint: keepInboxMs,
      outbox: day,
      signing: day,
      refresh: Math.max(config.AUTH_REFRESH_TTL, config.AUTH_COOKIE_MAX_AGE) + day,
    },
    signingAlg: config.AUTH_SIGNING_ALG,
    rotateEveryMs: config.AUTH_KEY_ROTATION,
    publishAheadMs: config.AUTH_KEY_PUBLISH_AHEAD,
    keepMs: { sig: config.AUTH_ACCESS_TTL + minute, enc: keepSealingMs }, // a minute for clocks that differ
  };
}

/** Makes what a new fleet lacks: data keys, an active signing key, an active sealing key; publishes all. @returns what it made */
export async function ensureKeys(parts: KeyParts): Promise<string[]> {
  return change(parts, async (keys) => {
    const made = keys.madeDataKeys.map(({ purpose }) => `made the data key for ${purpose}`);
    for (const use of ["sig", "enc"] as const) {
      if (keys.rows.some((row) => row.use === use && row.state === "active")) continue;
      const alg = algOf(use, parts.rules);
      await keys.insert(activated(await keys.generate(alg), parts.clock)); // at once: nobody holds an older set
      made.push(`made the first ${use === "sig" ? "signing" : "sealing"} key (${alg})`);
    }
    for (const row of keys.rows) await keys.publish(row); // the topic may have been made after the keys
    return made;
  });
}

/** Does what is due by the schedule. @returns what it did, a sentence each */
export async function turnKeys(parts: KeyParts): Promise<string[]> {
  return [...(await turnPairs(parts)), ...(await turnDataKeys(parts))];
}

async function turnPairs(parts: KeyParts): Promise<string[]> {
  const due = dueSteps(await fleetKeyRows(parts.pool), parts.clock.now(), parts.rules); // nearly always nothing: no lock for that
  if (due.length === 0) return [];
  return change(parts, async (keys) => {
    const done: string[] = [];
    for (const step of dueSteps(keys.rows, parts.clock.now(), parts.rules)) done.push(await carryOut(keys, step));
    return done;
  });
}

/** Makes the next key now, where there is none yet; the schedule puts it to use when it has been published long enough. */
export async function rotateKeys(parts: KeyParts, uses: KeyUse[]): Promise<string[]> {
  return change(parts, async (keys) => {
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
 * Takes a key away: what it signed counts no more, what was sealed to it cannot be opened. Where it is the active one the next one, or a
 * new one, takes its place first, and it goes when every process has looked since: otherwise those who log in meanwhile would be given
 * tokens that are dead. @returns what was done; undefined where there is no such key
 */
export async function revokeKey(parts: KeyParts, kid: string): Promise<string[] | undefined> {
  const before = await change(parts, async (keys) => {
    const row = keys.rows.find((each) => each.kid === kid);
    if (row === undefined) return undefined;
    const { alg, state } = row;
    return { alg, state, done: state === "active" ? await replace(keys, row) : [] };
  });
  if (before === undefined) return undefined;
  if (before.state === "active") await sleep(knownMs);
  await change(parts, async (keys) => {
    const row = keys.rows.find((each) => each.kid === kid);
    if (row === undefined) return;
    await keys.remove(kid);
    if (row.use === "sig") await keys.revoked(kid);
  });
  return [...before.done, `revoked ${kid} (${before.alg}, ${before.state})`];
}

async function replace(keys: Changing, { use, alg }: KeyRow): Promise<string[]> {
  let next = keys.rows.find((row) => row.use === use && row.state === "next");
  if (next === undefined) {
    next = await keys.generate(alg);
    await keys.insert(next);
  }
  return [await carryOut(keys, { do: "activate", kid: next.kid, use })];
}

/** @throws Error where AUTH_MASTER_KEY does not open the keys, or there are none yet */
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
      await looking?.catch(() => undefined); // it may have begun before there was what we miss
      await lookOnce();
    },
    stop: () => clearInterval(timer),
  };
}

async function load(pool: DatabasePool, master: MasterKey[]): Promise<{ dataKeys: DataKeys; keyring: Keyring }> {
  const rows = await fleetKeyRows(pool); // first: a data key is there before anything that it encrypts
  const dataKeys = loadDataKeys(master, await dataKeyRows(pool));
  const keyring = await openKeyring(rows, dataKeys);
  keyring.signing(); // says at start that migrate has not run, not at the first login
  return { dataKeys, keyring };
}

/** The keys inside the transaction that holds their lock. */
interface Changing {
  rows: KeyRow[];
  /** What was missing and has just been made. */
  madeDataKeys: MadeDataKey[];
  generate(alg: KeyRow["alg"]): Promise<KeyRow>;
  insert(row: KeyRow): Promise<void>;
  activate(kid: string, use: KeyUse): Promise<void>;
  remove(kid: string): Promise<void>;
  publish(row: KeyRow): Promise<void>;
  revoked(kid: string): Promise<void>;
}

async function change<T>(parts: KeyParts, run: (keys: Changing) => Promise<T>): Promise<T> {
  const { pool, master, clock } = parts;
  const result = await withKeyLock(pool, async (transaction) => {
    const madeDataKeys = await ensureDataKeys(transaction, master);
    const dataKeys = loadDataKeys(master, await dataKeyRows(transaction));
    const record = (topic: string, key: string, body: object | null) =>
      insertKeyRecord(transaction, { topic, key, body, eventId: uuidv7(clock) });
    const audit = (deed: Deed, details: object): Promise<void> =>
      auditDeed(transaction, dataKeys, { ...parts, deed, details });
    for (const made of madeDataKeys) await audit("DataKeyMade", made);
    const keys: Changing = {
      rows: [...(await fleetKeyRows(transaction))],
      madeDataKeys,
      generate: (alg) => generateKeyRow(alg, dataKeys.box("signing"), clock),
      async insert(row) {
        await insertFleetKey(transaction, row);
        keys.rows.push(row);
        await keys.publish(row);
        const { kid, use, alg, state } = row;
        await audit("KeyMade", { kid, use, alg, state });
      },
      async activate(kid, use) {
        const now = clock.now();
        const changed = keys.rows.filter((row) => row.use === use && (row.state === "active" || row.kid === kid));
        await activateFleetKey(transaction, { kid, use, now });
        for (const row of changed) {
          Object.assign(
            row,
            row.kid === kid ? { state: "active", activeAt: now } : { state: "retired", retiredAt: now },
          );
          await keys.publish(row);
        }
        await audit("KeyActivated", { kid, use });
      },
      async remove(kid) {
        await deleteFleetKey(transaction, kid);
        keys.rows = keys.rows.filter((row) => row.kid !== kid);
        await record(keyTopic, kid, null);
        await audit("KeyRemoved", { kid });
      },
      publish: (row) => record(keyTopic, row.kid, keyRecord(row)),
      async revoked(kid) {
        await record(revocationTopic, `k:${kid}`, { at: clock.now() });
        await audit("KeyRevoked", { kid });
      },
    };
    return run(keys);
  });
  await notifyRelays(pool);
  return result;
}

async function carryOut(keys: Changing, step: KeyStep): Promise<string> {
  switch (step.do) {
    case "make": {
      const row = await keys.generate(step.alg);
      await keys.insert(row);
      return `made ${row.kid}, the next key (${row.alg})`;
    }
    case "activate":
      await keys.activate(step.kid, step.use);
      return `${step.kid} is the active ${step.use === "sig" ? "signing" : "sealing"} key`;
    case "remove":
      await keys.remove(step.kid);
      return `removed ${step.kid}: nothing of it can be under way any more`;
  }
}

/** What stands on auth.key: the public JWK with its state and times (Unix ms). */
function keyRecord({ publicJwk, kid, use, alg, state, createdAt, activeAt, retiredAt }: KeyRow): object {
  return { ...publicJwk, kid, use, alg, state, createdAt, activeAt, retiredAt };
}
