// The state of auth.revocation (docs/protocol.md): ended sessions, users' minimum generations, revoked keys, and for
// each partition the time up to which everything committed is known. A revocation counts as soon as it is read,
// whatever its times, and until no token that it concerns can be valid: for the longest lifetime that tokens ever had,
// which the marks contain. The state only grows: a repeated, late or altered record undoes nothing. Times in records
// are only trusted relative to the broker's: a mark later than its record is ignored, and a revocation is neither
// dropped early nor kept forever. Whether a token is genuine is checked elsewhere.

import type { InRecord } from "../kafka/records.ts";
import { readJsonObject } from "../lib/json-object.ts";

/** over: log in again; outdated: a refresh gives a current token; key: the key that signed it was revoked. */
type TokenStanding = "good" | "over" | "outdated" | "key";

interface Judged {
  sessionId: string;
  userId: number;
  generation: number;
  keyId: string;
}

interface Minimum {
  at: number;
  /** Tokens below are outdated. */
  generation: number;
  /** The sessions of tokens below are over. */
  ended: number;
}

/** How much later than its record a mark may be: brokers' clocks differ, and partitions move between brokers. */
const aheadMs = 5000;
/** How much later than its record's broker time the `at` of a revocation may be: the database's clock may be ahead. */
const latestMs = 10 * 60_000;
/** The maximum of AUTH_ACCESS_TTL. */
const longestLifeMs = 24 * 60 * 60_000;
/** Tolerated difference between clocks. */
const marginMs = 60_000;

export class Revocations {
  // Roughly in the order of their times, in which they are dropped.
  readonly #sessions = new Map<string, number>();
  readonly #users = new Map<number, Minimum>();
  readonly #keys = new Map<string, number>();
  readonly #marks = new Map<number, number | undefined>();
  readonly #now: () => number;
  #keepMs: number;

  /**
   * @param keepAtLeastMs the minimum time for which revocations are kept
   * @param now Unix ms; for records without a broker time
   */
  constructor(keepAtLeastMs: number, now: () => number = () => 0) {
    this.#keepMs = keepAtLeastMs;
    this.#now = now;
  }

  take(records: InRecord[]): void {
    for (const record of records) this.#takeOne(record);
  }

  /** The existing partitions: the age is known once each of them has had a mark. */
  assigned(partitions: number[]): void {
    for (const partition of partitions) if (!this.#marks.has(partition)) this.#marks.set(partition, undefined);
  }

  /** Drops the marks and keeps the revocations, before the feed is read again. */
  unmark(): void {
    for (const partition of this.#marks.keys()) this.#marks.set(partition, undefined);
  }

  judge({ sessionId, userId, generation, keyId }: Judged): TokenStanding {
    if (this.#keys.has(keyId)) return "key";
    if (this.#sessions.has(sessionId)) return "over";
    const minimum = this.#users.get(userId);
    if (minimum === undefined || generation >= minimum.generation) return "good";
    return generation < minimum.ended ? "over" : "outdated";
  }

  /** Unix ms up to which every revocation is known; undefined before every partition has had a mark. */
  get asOf(): number | undefined {
    let oldest: number | undefined;
    for (const asOf of this.#marks.values()) {
      if (asOf === undefined) return undefined;
      oldest = Math.min(oldest ?? asOf, asOf);
    }
    return oldest;
  }

  /** How long revocations are kept, ms. */
  get keepMs(): number {
    return this.#keepMs;
  }

  /** Ends a session at once, before the feed does. */
  end(sessionId: string, at: number): void {
    note(this.#sessions, sessionId, at);
  }

  isRevokedKey(kid: string): boolean {
    return this.#keys.has(kid);
  }

  /** Revocations in memory. */
  get size(): number {
    return this.#sessions.size + this.#users.size + this.#keys.size;
  }

  #takeOne(record: InRecord): void {
    const name = record.key?.toString("utf8") ?? "";
    const body = read(record.value);
    if (body === undefined) return;
    const at = atOf(record, body, this.#now);
    if (name === "asOf") this.#mark(record, body);
    else if (name.startsWith("s:")) note(this.#sessions, name.slice(2), at);
    else if (/^u:\d{1,15}$/.test(name)) this.#raise(Number(name.slice(2)), at, body);
    else if (name.startsWith("k:")) note(this.#keys, name.slice(2), at);
  }

  #mark({ partition, timestamp, producersTime }: InRecord, { asOf, tokenLifeMs }: Body): void {
    if (producersTime || asOf === undefined || asOf > timestamp + aheadMs) return;
    if (tokenLifeMs !== undefined)
      this.#keepMs = Math.max(this.#keepMs, Math.min(tokenLifeMs, longestLifeMs) + marginMs);
    if (asOf <= (this.#marks.get(partition) ?? 0)) return;
    this.#marks.set(partition, asOf);
    this.#forget();
  }

  #raise(userId: number, at: number, { minGeneration = 0, ended }: Body): void {
    const known = this.#users.get(userId);
    this.#users.delete(userId); // to the end of the order
    this.#users.set(userId, {
      at: Math.max(at, known?.at ?? 0),
      generation: Math.max(minGeneration, known?.generation ?? 0),
      ended: Math.max(ended ? minGeneration : 0, known?.ended ?? 0),
    });
  }

  /** By the oldest mark, which also limits the time for expiry: no token whose revocation was dropped can be valid. */
  #forget(): void {
    const { asOf } = this;
    if (asOf === undefined) return;
    const before = asOf - this.#keepMs;
    drop(this.#sessions, (at) => at < before);
    drop(this.#users, ({ at }) => at < before);
    drop(this.#keys, (at) => at < before);
  }
}

interface Body {
  at: number;
  minGeneration?: number;
  ended: boolean;
  asOf?: number;
  tokenLifeMs?: number;
}

/** undefined where it is not a JSON object. */
function read(value: Buffer | null): Body | undefined {
  const body = readJsonObject(value);
  if (body === undefined) return undefined;
  const { at, minGeneration, ended, asOf, tokenLifeMs } = body;
  return {
    at: typeof at === "number" ? at : 0,
    ...(typeof minGeneration === "number" && { minGeneration }),
    ...(typeof asOf === "number" && { asOf }),
    ...(typeof tokenLifeMs === "number" && { tokenLifeMs }),
    ended: ended === true,
  };
}

/** The later of the database's time and the broker's; without either, the time of reading. */
function atOf({ timestamp, producersTime }: InRecord, { at }: Body, now: () => number): number {
  const came = producersTime ? now() : timestamp;
  return Math.min(Math.max(at, came), came + latestMs);
}

/** Moves the entry to the end, if it is later than before. */
function note(map: Map<string, number>, name: string, at: number): void {
  const known = map.get(name);
  if (known !== undefined && known >= at) return;
  map.delete(name);
  map.set(name, at);
}

/** Drops entries from the front while they are due: the following ones are younger, or are dropped later. */
function drop<K, V>(map: Map<K, V>, due: (value: V) => boolean): void {
  for (const [key, value] of map) {
    if (!due(value)) return;
    map.delete(key);
  }
}
