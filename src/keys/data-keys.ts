// The life of data keys: creates missing ones, rotates them, wraps them with a new master key, and deletes those that
// no row needs. Each encrypted value and fingerprint names its data key by id, so nothing is re-encrypted except the
// few private keys.
//
// A new key is pending for knownMs by the database's clock and only then current (crypto/envelope.ts), so that every
// process can load it first. A process that still meets an unknown one (it could not look for a while) loads the keys
// and continues (command/run.ts).
import { auditActions } from "../audit/actions.ts";
import type { MasterKey } from "../config/kinds.ts";
import {
  type DataKeyPurpose,
  type DataKeys,
  encryptingKeyId,
  lasting,
  loadDataKeys,
  makeDataKey,
  masterKid,
  purposes,
  unwrapDataKey,
  wrapDataKey,
} from "../crypto/envelope.ts";
import {
  dataKeyRows,
  deleteDataKey,
  insertDataKey,
  privateKeyRows,
  type StoredDataKey,
  updateDataKey,
  updatePrivateKey,
  withKeyLock,
} from "../db/keys.ts";
import type { CommonQueryMethods, DatabasePool } from "../db/pool.ts";
import type { Clock } from "../lib/clock.ts";

export interface DataKeyRules {
  /** Ms until a data key is replaced by a new one. */
  rotateEveryMs: number;
  /**
   * Ms for which a key is kept after its successor was created; it is then deleted unless a row needs it (db/keys.ts).
   * Purposes not named here keep their keys for good: their secrets live as long as their user.
   */
  keepDataMs: Partial<Record<DataKeyPurpose, number>>;
}

export interface DataKeyDeps {
  pool: DatabasePool;
  master: MasterKey[];
  rules: DataKeyRules;
  clock: Clock;
  /** The actor for the audit; default: the schedule. */
  actor?: string;
}

/** For operators, independent of the schedule. */
type ByHand = Omit<DataKeyDeps, "rules">;

export interface MadeDataKey {
  id: number;
  purpose: DataKeyPurpose;
}

type Times = Pick<StoredDataKey, "id" | "purpose" | "createdAt">;

/**
 * What is due: purposes whose newest key is old, and keys whose time has passed. After carrying it out, only keys that
 * rows need are due again.
 */
export function dueDataKeys(
  rows: readonly Times[],
  now: number,
  rules: DataKeyRules,
): { make: DataKeyPurpose[]; remove: Times[] } {
  const newest = (purpose: string) => ofPurpose(rows, purpose).at(-1);
  const over = (row: Times): boolean => {
    const next = ofPurpose(rows, row.purpose).find(({ id }) => id > row.id);
    const keep = (rules.keepDataMs as Record<string, number | undefined>)[row.purpose];
    return next !== undefined && keep !== undefined && now - next.createdAt >= keep;
  };
  return {
    make: purposes.filter((purpose) => {
      const { createdAt } = newest(purpose) ?? {};
      return createdAt === undefined || (!lasting.has(purpose) && now - createdAt >= rules.rotateEveryMs);
    }),
    remove: rows.filter(over),
  };
}

const ofPurpose = <T extends Times>(rows: readonly T[], purpose: string): T[] =>
  rows.filter((row) => row.purpose === purpose).sort((a, b) => a.id - b.id);

/** Does what is due by the schedule. @returns a sentence for each thing done */
export async function rotateDueDataKeys(parts: DataKeyDeps): Promise<string[]> {
  const { pool, rules, clock } = parts;
  const { make, remove } = dueDataKeys(await dataKeyRows(pool), clock.now(), rules);
  const made = make.length === 0 ? [] : await rotateDataKeys(parts, make);
  const done = [...made, ...(await reencryptPrivateKeys(parts))];
  for (const { id, purpose } of remove) {
    if (await removeDataKey(parts, { id, purpose }))
      done.push(`removed data key ${id} for ${purpose}: nothing needs it`);
  }
  return done;
}

async function removeDataKey(parts: ByHand, key: { id: number; purpose: string }): Promise<boolean> {
  return withKeyLock(parts.pool, async (transaction) => {
    const gone = await deleteDataKey(transaction, key);
    if (gone) await auditActions(transaction, parts, [{ action: "DataKeyRemoved", details: key }]);
    return gone;
  });
}

/**
 * Makes a new key for each of the purposes now, except where the newest one is still pending.
 * @returns a sentence for each thing done
 */
export async function rotateDataKeys(
  { pool, ...parts }: ByHand,
  wanted: readonly DataKeyPurpose[] = purposes,
): Promise<string[]> {
  return withKeyLock(pool, async (transaction) => {
    const rows = await dataKeyRows(transaction);
    const done: string[] = [];
    const made: MadeDataKey[] = [];
    for (const purpose of wanted) {
      const newest = ofPurpose(rows, purpose).at(-1);
      if (newest !== undefined && lasting.has(purpose)) {
        done.push(`data key ${newest.id} for ${purpose} stays: what was kept under it could not be found again`);
        continue;
      }
      if (newest?.pending === true) {
        done.push(`data key ${newest.id} for ${purpose} is new already`);
        continue;
      }
      const id = await insertDataKey(transaction, purpose, wrapDataKey(parts.master, makeDataKey(), purpose));
      made.push({ id, purpose });
      done.push(`made data key ${id} for ${purpose}`);
    }
    await auditActions(
      transaction,
      parts,
      made.map((details) => ({ action: "DataKeyMade" as const, details })),
    );
    return done;
  });
}

/** Makes the first key of each purpose that has none. @returns the new keys */
export async function ensureDataKeys(transaction: CommonQueryMethods, master: MasterKey[]): Promise<MadeDataKey[]> {
  const rows = await dataKeyRows(transaction);
  const missing = purposes.filter((purpose) => !rows.some((row) => row.purpose === purpose));
  const made: MadeDataKey[] = [];
  for (const purpose of missing) {
    const id = await insertDataKey(transaction, purpose, wrapDataKey(master, makeDataKey(), purpose));
    made.push({ id, purpose });
  }
  return made;
}

/** The private keys are few and live long: they are encrypted again, so that no old data key is kept for them. */
async function reencryptPrivateKeys({ pool, ...parts }: ByHand): Promise<string[]> {
  const { master } = parts;
  if ((await staleKeys(pool, master)).rows.length === 0) return []; // nearly always: no lock for that
  return withKeyLock(pool, async (transaction) => {
    const { rows, dataKeys } = await staleKeys(transaction, master);
    const cipher = dataKeys.cipher("signing");
    for (const { kid, encryptedPrivateKey } of rows)
      await updatePrivateKey(transaction, kid, cipher.encrypt(cipher.decrypt(encryptedPrivateKey, kid), kid));
    const { id } = dataKeys.current("signing");
    if (rows.length === 0) return [];
    const details = { dataKey: id, keys: rows.map(({ kid }) => kid) };
    await auditActions(transaction, parts, [{ action: "PrivateKeysReencrypted", details }]);
    return [`encrypted ${rows.length} private keys with data key ${id}`];
  });
}

async function staleKeys(pool: CommonQueryMethods, master: MasterKey[]) {
  const rows = await privateKeyRows(pool);
  const dataKeys: DataKeys = loadDataKeys(master, await dataKeyRows(pool));
  const { id } = dataKeys.current("signing");
  return { dataKeys, rows: rows.filter(({ encryptedPrivateKey }) => encryptingKeyId(encryptedPrivateKey) !== id) };
}

/** Wraps every data key with the first master key. @returns how many were wrapped with another */
export async function rewrapKeys({ pool, ...parts }: ByHand): Promise<number> {
  const { master } = parts;
  return withKeyLock(pool, async (transaction) => {
    const old = (await dataKeyRows(transaction)).filter(({ wrapped }) => masterKid(wrapped) !== master[0]?.kid);
    for (const { id, purpose, wrapped } of old)
      await updateDataKey(transaction, id, wrapDataKey(master, unwrapDataKey(master, wrapped, purpose), purpose));
    const from = [...new Set(old.map(({ wrapped }) => masterKid(wrapped)))];
    const details = { master: master[0]?.kid, from, count: old.length };
    await auditActions(transaction, parts, old.length === 0 ? [] : [{ action: "DataKeysRewrapped", details }]);
    return old.length;
  });
}
