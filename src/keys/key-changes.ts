// One change of the fleet's key pairs: a transaction that holds the lock on the keys, so one process at a time.
// Whatever changes in it gets a higher version and a certificate by the root key, and goes to the topic auth.key by the
// outbox; all of it is audited. It does not decide what changes: fleet-keys.ts does.
import { type AuditedActionName, auditAction } from "../audit/actions.ts";
import type { MasterKey } from "../config/kinds.ts";
import { type DataKeys, loadDataKeys } from "../crypto/envelope.ts";
import { uuidv7 } from "../crypto/ids.ts";
import {
  generateKeyRow,
  generateRootRow,
  type KeyRow,
  type KeyUse,
  openKeyRow,
  openRootRow,
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

/** By which the broker's clock may be ahead of ours. */
const mostAheadMs = 60_000;

/** What changing keys needs. */
export interface KeyDeps {
  pool: DatabasePool;
  master: MasterKey[];
  rules: KeyRules & DataKeyRules;
  clock: Clock;
  /** Who changes them, for the audit; default: the schedule. */
  actor?: string;
}

/** Runs `run` in the transaction, and lets relays publish what it leaves. */
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

/** The keys inside the transaction that holds their lock. */
export class KeyChanges {
  rows: KeyRow[];
  roots: RootRow[];
  /** What was missing and has just been made. */
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

  /** A new key pair, which is not kept yet. */
  generate(alg: KeyRow["alg"]): Promise<KeyRow> {
    return generateKeyRow(alg, this.#dataKeys.box("signing"), this.#parts.clock);
  }

  async insert(row: KeyRow): Promise<void> {
    await this.#sign(row, row.version);
    await insertFleetKey(this.#transaction, row);
    this.rows.push(row);
    await this.publish(row);
    const { kid, use, alg, state } = row;
    await this.audit("KeyMade", { kid, use, alg, state });
  }

  /** The one before it is retired. */
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
   * Writes the row with a new certificate, and publishes it.
   * @param after Unix ms by the broker; the certificate is later
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

  /** Nothing that it signed counts any more. */
  async publishRevoked(kid: string): Promise<void> {
    await this.#record(revocationTopic, `k:${kid}`, { at: this.#parts.clock.now() });
    await this.audit("KeyRevoked", { kid });
  }

  async insertRoot(state: RootRow["state"]): Promise<RootRow> {
    const row = await generateRootRow(state, this.#dataKeys.box("signing"), this.#parts.clock);
    await insertRootKey(this.#transaction, row);
    this.roots.push(row);
    await this.audit("RootKeyMade", { kid: row.kid, state });
    return row;
  }

  /** The next root key takes the place of the one that is active, and certifies every key anew. */
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

  audit(deed: AuditedActionName, details: object): Promise<void> {
    return auditAction(this.#transaction, this.#dataKeys, { ...this.#parts, action: deed, details });
  }

  /**
   * What is signed comes out of the key's own box: who can only write to the database must not have a key of theirs
   * certified.
   */
  async #sign(row: KeyRow, version: number, after = 0): Promise<void> {
    const root = this.roots.find(({ state }) => state === "active");
    if (root === undefined) throw new Error("there is no root key: run migrate");
    const { publicJwk, alg, use } = await openKeyRow(row, this.#dataKeys);
    const now = this.#parts.clock.now();
    // A certificate has whole seconds. Whoever can set a record's time must not have one that is good for years.
    const certifiedAt = Math.min(Math.max(now, after + 1000), now + mostAheadMs);
    const key = { jwk: { ...publicJwk, alg }, use, version, state: row.state };
    const cert = makeCert(await openRootRow(root, this.#dataKeys), key, certifiedAt);
    Object.assign(row, { publicJwk, version, cert, certifiedAt });
  }

  #record(topic: string, key: string, body: object): Promise<void> {
    return insertKeyRecord(this.#transaction, { topic, key, body, eventId: uuidv7(this.#parts.clock) });
  }
}
