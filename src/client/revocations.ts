// What auth.revocation has said so far (docs/protocol.md): sessions that are over, users' minimum generations, keys
// that count no more, and for each partition the time up to which everything committed is known. Promises: a revocation
// counts as soon as it is read, whatever times it names, and until no token that it concerns can be alive: for the
// longest life that tokens ever had, which the marks tell. What is known only grows: a record that comes again, late,
// or with other times takes nothing back. Nobody's times are believed beyond what the broker saw: a mark is none that
// is later than its record, and a revocation is neither forgotten early nor kept for ever. Does not know whether a
// token is genuine.

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
  /** Tokens below are over. */
  ended: number;
}

/** A mark may be so much later than its record: clocks of brokers differ, and partitions move between them. */
const aheadMs = 5000;
/**
 * `at` of a revocation counts up to so much beyond the broker's time of its record: the database's clock may be ahead.
 */
const latestMs = 10 * 60_000;
/** No access token lives longer (AUTH_ACCESS_TTL). */
const longestLifeMs = 24 * 60 * 60_000;
/** For clocks that differ. */
const marginMs = 60_000;

export class Revocations {
  // In about the order of their times, which is how they are forgotten.
  readonly #sessions = new Map<string, number>();
  readonly #users = new Map<number, Minimum>();
  readonly #keys = new Map<string, number>();
  readonly #marks = new Map<number, number | undefined>();
  readonly #now: () => number;
  #keepMs: number;

  /**
   * @param keepAtLeastMs revocations are kept for so long at least
   * @param now Unix ms; for records whose broker has not said when they came
   */
  constructor(keepAtLeastMs: number, now: () => number = () => 0) {
    this.#keepMs = keepAtLeastMs;
    this.#now = now;
  }

  take(records: InRecord[]): void {
    for (const record of records) this.#takeOne(record);
  }

  /** The partitions there are: age is known once each of them has said something. */
  assigned(partitions: number[]): void {
    for (const partition of partitions) if (!this.#marks.has(partition)) this.#marks.set(partition, undefined);
  }

  /** Forgets up to when it is known, and no revocation: for who reads the feed anew. */
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

  /** Unix ms up to which every revocation is known; undefined before the first word of some partition. */
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

  /** Ends a session here and now, before the feed says so. */
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

  /** By the oldest mark: by that the time is told, so no token is taken for alive whose revocation is forgotten. */
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

/** What is no JSON object says nothing. */
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

/** The database's time or, where that is later, the broker's; where there is none, the time at which it is read. */
function atOf({ timestamp, producersTime }: InRecord, { at }: Body, now: () => number): number {
  const came = producersTime ? now() : timestamp;
  return Math.min(Math.max(at, came), came + latestMs);
}

/** At the end of the order, where it is later than before. */
function note(map: Map<string, number>, name: string, at: number): void {
  const known = map.get(name);
  if (known !== undefined && known >= at) return;
  map.delete(name);
  map.set(name, at);
}

/** From the front on, as long as it is due: all that follows is younger, or goes with a later call. */
function drop<K, V>(map: Map<K, V>, due: (value: V) => boolean): void {
  for (const [key, value] of map) {
    if (!due(value)) return;
    map.delete(key);
  }
}
