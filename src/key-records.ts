// What stands on the compacted topic auth.key, record by record: a key of the fleet with its certificate, or the word that a key is gone for
// ever. Both have a version, so that a record that comes late takes nothing back. And what must be written again where the topic's last
// record of a key is not what the database says: compaction keeps the last record, not the newest truth.
import { isDeepStrictEqual } from "node:util";
import type { KeyRow } from "./crypto/keys.ts";
import { isVersion, readCert } from "./fleet-cert.ts";

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

/** The topic's last record of a key; undefined: what is no JSON object. */
export type LastRecord = Record<string, unknown> | undefined;

export function readKeyRecord(value: Buffer | null): LastRecord {
  try {
    const body: unknown = JSON.parse(value?.toString("utf8") ?? "");
    return typeof body === "object" && body !== null && !Array.isArray(body)
      ? (body as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** A key of which the topic must be told again, at least in this version. */
export interface KeyRepair {
  kid: string;
  version: number;
}

/**
 * What to write again. `last` must not be older than rows and gone: a key that has just been made is on the topic later than in the database.
 * A higher version on the topic than in the database is a forgery, or the database was restored from a copy: ours gets a still higher one. A key
 * that one of our roots has certified and the database does not know is of a time that the restored database has not seen: it is gone.
 * @param roots thumbprints of our root keys
 */
export function keyRepairs(
  truth: { rows: readonly KeyRow[]; gone: readonly GoneKey[] },
  last: ReadonlyMap<string, LastRecord>,
  roots: ReadonlySet<string>,
): KeyRepair[] {
  const repairs: KeyRepair[] = [];
  const known = new Set<string>();
  for (const row of truth.rows) {
    known.add(row.kid);
    const seen = last.get(row.kid);
    if (isDeepStrictEqual(seen, keyRecord(row))) continue;
    const seenVersion = versionOf(seen);
    const takenBack = seenVersion > row.version || (seenVersion === row.version && seen?.["gone"] === true);
    repairs.push({ kid: row.kid, version: takenBack ? seenVersion + 1 : row.version });
  }
  for (const { kid, version } of truth.gone) {
    known.add(kid);
    const seen = last.get(kid);
    if (seen?.["gone"] === true && versionOf(seen) >= version) continue;
    repairs.push({ kid, version: Math.max(version, versionOf(seen)) });
  }
  for (const [kid, seen] of last) {
    if (known.has(kid) || seen?.["gone"] === true || readCert(seen?.["cert"], roots) === undefined) continue;
    repairs.push({ kid, version: versionOf(seen) + 1 });
  }
  return repairs.filter(({ version }) => isVersion(version));
}

const versionOf = (record: LastRecord): number => (isVersion(record?.["version"]) ? Number(record["version"]) : 0);
