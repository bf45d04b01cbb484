// What stands on the compacted topic auth.key, record by record: a key of the fleet with its certificate, or the word
// that a key is gone for ever. Both have a version, so that a record that comes late takes nothing back. And what must
// be written again where the topic's last record of a key is not what the database says: compaction keeps the last
// record, not the newest truth.
import { isDeepStrictEqual } from "node:util";
import type { KeyRow } from "../crypto/keys.ts";
import { isVersion, keyThumbprint, mostVersion, nextVersion, readCert } from "./fleet-cert.ts";

export const keyTopic = "auth.key";

/** A key that is gone; kept for ever. */
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
  /** undefined: what is no record of a key. */
  body: Record<string, unknown> | undefined;
  /** The broker's time, Unix ms. */
  at: number;
}

/** A key of which the topic must be told again, at least in this version. */
export interface KeyRepair {
  kid: string;
  version: number;
  /** There is no higher version: a new certificate must be later than this, Unix ms. */
  after?: number;
}

/**
 * What to write again. `last` must not be older than rows and gone: a key that has just been made is on the topic later
 * than in the database. Who may write to the topic can say that a key is gone, or the database was restored from a
 * copy: ours gets a higher version. What else they write without a certificate counts for nobody, so it must not use
 * versions up. A key that one of our roots has certified and the database does not know is of a time that the restored
 * database has not seen: it is gone.
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
   * The version in which a root of ours has certified the key; 0: in none. A copy of another key's certificate is none.
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
