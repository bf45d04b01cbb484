// The records of the compacted topic auth.key: a key with its certificate, or the removal of a key. Each has a version,
// so that a late record undoes nothing. Also which records must be published again because the topic's last record of a
// key differs from the database: compaction keeps the last record, not the newest version.
import { isDeepStrictEqual } from "node:util";
import type { KeyRow } from "../crypto/keys.ts";
import { isVersion, keyThumbprint, mostVersion, nextVersion, readCert } from "./fleet-cert.ts";

export const keyTopic = "auth.key";

/** A removed key; never deleted. */
export interface GoneKey {
  kid: string;
  version: number;
}

/** The public JWK with its state and times (Unix ms), version and certificate. */
export function keyRecord(row: KeyRow): Record<string, unknown> {
  const { publicJwk, kid, use, alg, state, createdAt, activeAt, retiredAt, version, cert } = row;
  return { ...publicJwk, kid, use, alg, state, createdAt, activeAt, retiredAt, version, cert };
}

export function goneRecord({ kid, version }: GoneKey): Record<string, unknown> {
  return { kid, gone: true, version };
}

/** The topic's last record of a key. */
export interface LastRecord {
  /** undefined: not a record of a key. */
  body: Record<string, unknown> | undefined;
  /** The broker's time, Unix ms. */
  at: number;
}

/** A key that must be published again, at least in this version. */
export interface KeyRepair {
  kid: string;
  version: number;
  /** There is no higher version: the new certificate must be later than this, Unix ms. */
  after?: number;
}

/**
 * What to publish again. `last` must not be older than rows and removed keys, because a new key reaches the topic later
 * than the database. Somebody else with write access to the topic may have removed a key, or the database may have been
 * restored from a copy: our record then gets a higher version. Foreign records without a certificate are ignored by
 * readers, so they must not use up versions. A key that one of our roots certified and the database does not know is
 * from after the restored copy: it is removed.
 * @param roots thumbprints of our root keys
 */
export function keyRepairs(
  truth: { rows: readonly KeyRow[]; gone: readonly GoneKey[] },
  last: ReadonlyMap<string, LastRecord>,
  roots: ReadonlySet<string>,
): KeyRepair[] {
  const repairs: KeyRepair[] = [];
  const known = new Set<string>();
  /**
   * The version in which one of our roots certified the key; 0: none. A copy of another key's certificate does not
   * count.
   */
  const certified = (kid: string, seen: LastRecord | undefined): number => {
    const cert = readCert(seen?.body?.["cert"], roots);
    return cert !== undefined && keyThumbprint(cert.jwk) === kid ? cert.version : 0;
  };
  for (const row of truth.rows) {
    known.add(row.kid);
    const seen = last.get(row.kid);
    if (isDeepStrictEqual(seen?.body, keyRecord(row))) continue;
    repairs.push(repairOf(row, seen, certified(row.kid, seen)));
  }
  for (const { kid, version } of truth.gone) {
    known.add(kid);
    const seen = last.get(kid);
    if (isGone(seen) && versionOf(seen) >= version) continue;
    repairs.push({ kid, version: Math.max(version, versionOf(seen)) });
  }
  for (const [kid, seen] of last) {
    const version = certified(kid, seen);
    if (known.has(kid) || isGone(seen) || version === 0) continue;
    repairs.push({ kid, version: nextVersion(version) });
  }
  return repairs;
}

function repairOf({ kid, version }: KeyRow, seen: LastRecord | undefined, certified: number): KeyRepair {
  const seenVersion = isGone(seen) ? versionOf(seen) : certified;
  const takenBack = isGone(seen) ? seenVersion >= version : seenVersion > version;
  if (!takenBack) return { kid, version };
  return { kid, version: nextVersion(seenVersion), ...(seenVersion === mostVersion && { after: seen?.at ?? 0 }) };
}

const isGone = (seen: LastRecord | undefined): boolean => seen?.body?.["gone"] === true;

function versionOf(seen: LastRecord | undefined): number {
  const version = seen?.body?.["version"];
  return isVersion(version) ? version : 0;
}
