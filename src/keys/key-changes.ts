// Changes the fleet's key pairs in a transaction that holds the lock on the keys, so one process at a time. Every
// changed key gets a higher version and a new certificate by the root key, is published on auth.key through the outbox,
// and is audited. What changes is decided in fleet-keys.ts.
import { type AuditedActionName, auditAction } from "../audit/actions.ts";
import type { MasterKey } from "../config/kinds.ts";
import { type DataKeys, loadDataKeys } from "../crypto/envelope.ts";
import { uuidv7 } from "../crypto/ids.ts";
import {
  decryptKeyRow,
  decryptRootRow,
  generateKeyRow,
  generateRootRow,
  type KeyRow,
  type KeyUse,
  type RootRow,
} from "../crypto/keys.ts";
import {
  dataKeyRows,
  deleteFleetKey,
  fleetKeyRows,
  insertFleetKey,
  insertKeyRecord,
  insertRootKey,
  replaceRootKey,
  rootKeyRows,
  saveGoneKey,
  updateFleetKey,
  withKeyLock,
} from "../db/keys.ts";
import { notifyRelays } from "../db/outbox.ts";
import type { CommonQueryMethods, DatabasePool } from "../db/pool.ts";
import { revocationTopic } from "../db/revocations.ts";
import type { Clock } from "../lib/clock.ts";
import { makeCert, nextVersion } from "../protocol/fleet-cert.ts";
import { type GoneKey, goneRecord, keyRecord, keyTopic } from "../protocol/key-records.ts";
import { type DataKeyRules, ensureDataKeys, type MadeDataKey } from "./data-keys.ts";
import type { KeyRules } from "./key-schedule.ts";

/** Tolerated lead of the broker's clock over ours. */
const mostAheadMs = 60_000;

/** What changing keys needs. */
export interface KeyDeps {
  pool: DatabasePool;
  master: MasterKey[];
  rules: KeyRules & DataKeyRules;
  clock: Clock;
  /** The actor for the audit; default: the schedule. */
  actor?: string;
}

/** Runs `run` in the transaction, then notifies relays to publish its records. */
export async function changeKeys<T>(parts: KeyDeps, run: (keys: KeyChanges) => Promise<T>): Promise<T> {
  const { pool, master } = parts;
  const result = await withKeyLock(pool, async (transaction) => {
    const madeDataKeys = await ensureDataKeys(transaction, master);
    const dataKeys = loadDataKeys(master, await dataKeyRows(transaction));
    const rows = [...(await fleetKeyRows(transaction))];
    const roots = [...(await rootKeyRows(transaction))];
    const keys = new KeyChanges(parts, { transaction, dataKeys }, { rows, roots, madeDataKeys });
    for (const made of madeDataKeys) await keys.audit("DataKeyMade", made);
    return run(keys);
  });
  await notifyRelays(pool);
  return result;
}

/** The keys, inside the transaction that holds their lock. */
export class KeyChanges {
  rows: KeyRow[];
  roots: RootRow[];
  /** Data keys that were missing and have just been created. */
  readonly madeDataKeys: MadeDataKey[];
  readonly #parts: KeyDeps;
  readonly #transaction: CommonQueryMethods;
  readonly #dataKeys: DataKeys;

  constructor(
    parts: KeyDeps,
    { transaction, dataKeys }: { transaction: CommonQueryMethods; dataKeys: DataKeys },
    found: { rows: KeyRow[]; roots: RootRow[]; madeDataKeys: MadeDataKey[] },
  ) {
    this.#parts = parts;
    this.#transaction = transaction;
    this.#dataKeys = dataKeys;
    this.rows = found.rows;
    this.roots = found.roots;
    this.madeDataKeys = found.madeDataKeys;
  }

  /** A new key pair, not stored yet. */
  generate(alg: KeyRow["alg"]): Promise<KeyRow> {
    return generateKeyRow(alg, this.#dataKeys.cipher("signing"), this.#parts.clock);
  }

  async insert(row: KeyRow): Promise<void> {
    await this.#sign(row, row.version);
    await insertFleetKey(this.#transaction, row);
    this.rows.push(row);
    await this.publish(row);
    const { kid, use, alg, state } = row;
    await this.audit("KeyMade", { kid, use, alg, state });
  }

  /** Activates the key and retires the one before it. */
  async activate(kid: string, use: KeyUse): Promise<void> {
    const now = this.#parts.clock.now();
    const others = this.rows.filter((row) => row.use === use && row.state === "active" && row.kid !== kid);
    // The old one first: an index allows one active key per use.
    for (const row of others)
      await this.certify(Object.assign(row, { state: "retired", retiredAt: now }), nextVersion(row.version));
    const row = this.row(kid);
    await this.certify(Object.assign(row, { state: "active", activeAt: now }), nextVersion(row.version));
    await this.audit("KeyActivated", { kid, use });
  }

  async remove({ kid, version }: KeyRow): Promise<void> {
    await deleteFleetKey(this.#transaction, kid);
    this.rows = this.rows.filter((row) => row.kid !== kid);
    await this.publishGone({ kid, version: nextVersion(version) });
    await this.audit("KeyRemoved", { kid });
  }

  /**
   * Writes the row with a new certificate and publishes it.
   * @param after broker time in Unix ms that the certificate must be later than
   */
  async certify(row: KeyRow, version = row.version, after = 0): Promise<void> {
    await this.#sign(row, version, after);
    await updateFleetKey(this.#transaction, row);
    await this.publish(row);
  }

  publish(row: KeyRow): Promise<void> {
    return this.#record(keyTopic, row.kid, keyRecord(row));
  }

  async publishGone(key: GoneKey): Promise<void> {
    await saveGoneKey(this.#transaction, key.kid, key.version);
    await this.#record(keyTopic, key.kid, goneRecord(key));
  }

  /** Publishes that nothing this key signed is valid any more. */
  async publishRevoked(kid: string): Promise<void> {
    await this.#record(revocationTopic, `k:${kid}`, { at: this.#parts.clock.now() });
    await this.audit("KeyRevoked", { kid });
  }

  async insertRoot(state: RootRow["state"]): Promise<RootRow> {
    const row = await generateRootRow(state, this.#dataKeys.cipher("signing"), this.#parts.clock);
    await insertRootKey(this.#transaction, row);
    this.roots.push(row);
    await this.audit("RootKeyMade", { kid: row.kid, state });
    return row;
  }

  /** The next root key replaces the active one and certifies every key again. */
  async switchRoot(next: RootRow): Promise<void> {
    await replaceRootKey(this.#transaction);
    this.roots = [{ ...next, state: "active" }];
    for (const row of this.rows) await this.certify(row);
    await this.audit("RootKeyActivated", { kid: next.kid });
  }

  row(kid: string): KeyRow {
    const row = this.rows.find((each) => each.kid === kid);
    if (row === undefined) throw new Error(`there is no key ${kid}`);
    return row;
  }

  audit(action: AuditedActionName, details: object): Promise<void> {
    return auditAction(this.#transaction, this.#dataKeys, { ...this.#parts, action, details });
  }

  /**
   * What is signed comes from the encrypted part of the row, so that write access to the database does not suffice to
   * get a key certified.
   */
  async #sign(row: KeyRow, version: number, after = 0): Promise<void> {
    const root = this.roots.find(({ state }) => state === "active");
    if (root === undefined) throw new Error("there is no root key: run migrate");
    const { publicJwk, alg, use } = await decryptKeyRow(row, this.#dataKeys);
    const now = this.#parts.clock.now();
    // Certificates have whole seconds. The upper bound keeps a forged record time from producing a certificate valid
    // for years.
    const certifiedAt = Math.min(Math.max(now, after + 1000), now + mostAheadMs);
    const key = { jwk: { ...publicJwk, alg }, use, version, state: row.state };
    const cert = makeCert(await decryptRootRow(root, this.#dataKeys), key, certifiedAt);
    Object.assign(row, { publicJwk, version, cert, certifiedAt });
  }

  #record(topic: string, key: string, body: object): Promise<void> {
    return insertKeyRecord(this.#transaction, { topic, key, body, eventId: uuidv7(this.#parts.clock) });
  }
}
