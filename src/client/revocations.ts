// What auth.revocation has said so far (contract, section 5): sessions that are over, users' minimum generations, keys that count no more,
// and for each partition the time up to which everything committed is known. A revocation is kept as long as a token that it concerns
// may live, then forgotten; marks only ever rise, so a record that is read twice changes nothing.
import { readJsonObject } from "../bus/json-object.ts";
import type { InRecord } from "../bus/records.ts";

/** over: log in again; outdated: a refresh gives a current token; key: the key that signed it was revoked. */
export type Judgement = "good" | "over" | "outdated" | "key";

export interface Judged {
  sessionId: string;
  userId: number;
  generation: number;
  keyId: string;
}

export interface Revocations {
  take(records: InRecord[]): void;
  /** The partitions there are: age is known once each of them has said something. */
  assigned(partitions: number[]): void;
  /** Forgets up to when it is known, and no revocation: for who reads the feed anew. */
  unmark(): void;
  judge(token: Judged): Judgement;
  /** Unix ms up to which every revocation is known; undefined before the first word of some partition. */
  readonly asOf: number | undefined;
  /** Ends a session here and now, before the feed says so. */
  end(sessionId: string, at: number): void;
  isRevokedKey(kid: string): boolean;
  /** Revocations in memory. */
  readonly size: number;
}

interface Minimum {
  at: number;
  /** Tokens below are outdated. */
  generation: number;
  /** Tokens below are over. */
  ended: number;
}

/** @param keepMs the longest life of an access token, with a margin */
export function makeRevocations(keepMs: number): Revocations {
  const sessions = new Map<string, number>(); // id -> at; insertion order is about time order
  const users = new Map<number, Minimum>();
  const keys = new Map<string, number>();
  const marks = new Map<number, number | undefined>();

  const forget = (now: number): void => {
    const before = now - keepMs;
    drop(sessions, (at) => at < before);
    drop(users, ({ at }) => at < before);
    drop(keys, (at) => at < before);
  };

  const mark = (partition: number, asOf: number): void => {
    if (asOf <= (marks.get(partition) ?? 0)) return;
    marks.set(partition, asOf);
    forget(asOf);
  };

  const raise = (userId: number, { at, minGeneration, ended }: Body): void => {
    const known = users.get(userId);
    users.delete(userId); // to the end of the order
    users.set(userId, {
      at: Math.max(at, known?.at ?? 0),
      generation: Math.max(minGeneration ?? 0, known?.generation ?? 0),
      ended: Math.max(ended === true ? (minGeneration ?? 0) : 0, known?.ended ?? 0),
    });
  };

  const takeOne = ({ key, value, partition }: InRecord): void => {
    const body = read(value);
    const name = key?.toString("utf8") ?? "";
    if (body === undefined) return;
    if (name === "asOf") mark(partition, body.asOf ?? 0);
    else if (name.startsWith("s:")) sessions.set(name.slice(2), body.at);
    else if (name.startsWith("u:")) raise(Number(name.slice(2)), body);
    else if (name.startsWith("k:")) keys.set(name.slice(2), body.at);
  };

  return {
    take: (records) => records.forEach(takeOne),
    assigned(partitions) {
      for (const partition of partitions) if (!marks.has(partition)) marks.set(partition, undefined);
    },
    unmark() {
      for (const partition of marks.keys()) marks.set(partition, undefined);
    },
    judge({ sessionId, userId, generation, keyId }) {
      if (keys.has(keyId)) return "key";
      if (sessions.has(sessionId)) return "over";
      const minimum = users.get(userId);
      if (minimum === undefined || generation >= minimum.generation) return "good";
      return generation < minimum.ended ? "over" : "outdated";
    },
    get asOf() {
      let oldest: number | undefined;
      for (const asOf of marks.values()) {
        if (asOf === undefined) return undefined;
        oldest = Math.min(oldest ?? asOf, asOf);
      }
      return oldest;
    },
    end: (sessionId, at) => void sessions.set(sessionId, at),
    isRevokedKey: (kid) => keys.has(kid),
    get size() {
      return sessions.size + users.size + keys.size;
    },
  };
}

interface Body {
  at: number;
  minGeneration?: number;
  ended?: boolean;
  asOf?: number;
}

/** What is no JSON object says nothing. */
function read(value: Buffer | null): Body | undefined {
  const body = readJsonObject(value);
  if (body === undefined) return undefined;
  const { at, minGeneration, ended, asOf } = body;
  return {
    at: typeof at === "number" ? at : 0,
    ...(typeof minGeneration === "number" && { minGeneration }),
    ...(typeof asOf === "number" && { asOf }),
    ended: ended === true,
  };
}

/** From the front on, as long as it is due: all that follows is younger, or goes with a later call. */
function drop<K, V>(map: Map<K, V>, due: (value: V) => boolean): void {
  for (const [key, value] of map) {
    if (!due(value)) return;
    map.delete(key);
  }
}
