// Marks in auth.revocation: once a second at least, in each partition, a record with the key `asOf` and the value
// {"asOf":T,"tokenLifeMs":L}. It says that every revocation committed before T stands before it, and for how long
// revocations must be kept: L is the longest life that access tokens ever had. A verifier's age is counted from T, so
// it must never lie; where it cannot be told, it stands still, and verifiers say that they are not fresh.
//
// T is by two clocks: the earlier of the database's at the moment that is marked, and of the broker's when it last took
// a record of this relay for the partition before that moment. Verifiers take no mark that is later than its own record
// (client/revocations.ts), so that nobody who can write there stops time or makes tokens expire; a database whose clock
// is ahead must not keep all marks from counting. A relay that has not written to a partition for a while writes a
// record `clock` there first, which says nothing else: its own and the database's clock.
//
// Why it is true. A relay takes a moment (db/revocations.ts): a time T, then the number X of a transaction, then the
// last id M of the outbox. It looks again and again until in ONE snapshot two things hold:
//   1. every transaction with a number below X has ended. Who had written anything before T got its number before X was
//      taken, so all of them are among these, also one that had begun long before, waits for a row's lock, or is
//      prepared and belongs to nobody;
//   2. no revocation with an id up to M is unpublished. What had been written before T has such an id, has ended by 1,
//      and so is seen by this snapshot: it is published, which means that the broker has acknowledged it (relay.ts
//      marks a row after that and never before).
// Only then it writes T, so T stands behind every revocation written before T, committed since or not; those that are
// committed after T were never promised. Nothing in this is known from memory or about one's own shards: any relay may
// say it for all of them. A row that another relay holds in its shard, and publishes late or never, is an unpublished
// row of 2. It stays true: what is published remains so. A relay that hung writes an old T late, and that is harmless:
// a reader keeps the highest.
//
// What looks right and is not:
//   - the highest published id, or the database's time when the outbox is empty: ids are drawn before they are visible,
//     so a commit that waits comes with an older id and an older `at` than what was said;
//   - the oldest xact_start of pg_stat_activity: it is NULL for other roles' sessions without pg_read_all_stats, has no
//     prepared transactions, and an operator's backup, which only reads, would make every verifier stale for hours. One
//     that writes does: until it has ended nobody can know that it revokes nothing. Transactions in other databases of
//     the same server count too.
//   - pg_snapshot_xmax() for X: it is one past the highest number that has ended; one above it may be under way since
//     before T.
// After a failover of the database a moment may mean nothing on the new one: any fault forgets it.

import type { Sender } from "../bus/sender.ts";
import type { CommonQueryMethods, DatabasePool } from "../db/pool.ts";
import {
  asTheOnlyOne,
  type Moment,
  nextMoment,
  revocationTopic,
  type Standing,
  standingOf,
} from "../db/revocations.ts";
import type { Append } from "../kafka/broker-clock.ts";
import type { OutRecord } from "../kafka/records.ts";
import type { Clock } from "../lib/clock.ts";
import { asError } from "../lib/errors.ts";
import { pause } from "../runtime/lifecycle.ts";
import type { Logger } from "../runtime/log.ts";

export interface AsOfDeps {
  pool: DatabasePool;
  sender: Sender;
  /** Undefined where there is no such topic. */
  partitionsOf(topic: string): Promise<number | undefined>;
  log: Logger;
  clock: Clock;
  appends: AppendTimes;
  /** How often a mark is written, ms. */
  everyMs: number;
  /** Gets the time of each mark that was written. */
  marked(asOf: number): void;
  /** Gets the database's time of each moment, Unix ms, as soon as it is here. */
  databaseTime(at: number): void;
}

/** When this process last appended to each partition of auth.revocation. */
export interface AppendTimes {
  note(append: Append): void;
  /** By the broker's clock, Unix ms; undefined where that was not within so many ms. */
  lately(partition: number, ms: number): number | undefined;
}

export function makeAppendTimes(monotonic: () => number): AppendTimes {
  const last = new Map<number, { at: number; noted: number }>();
  return {
    note({ partitions = [] }) {
      for (const { topic, partition, at } of partitions)
        if (topic === revocationTopic) last.set(partition, { at, noted: monotonic() });
    },
    lately(partition, ms) {
      const append = last.get(partition);
      return append !== undefined && monotonic() - append.noted <= ms ? append.at : undefined;
    },
  };
}

/**
 * Marks are no further apart than a fifth of the verifiers' maximum age, so that one may fail; and there is one a
 * second where that is more.
 */
export function markEveryMs(maxAgeMs: number): number {
  return Math.min(1000, Math.floor(maxAgeMs / 5));
}

/** A commit takes some 5 ms and its row's way to the broker as long. */
const lookMs = 20;
const looks = 40;
/** Looks in vain, a second each, after which the log says why. */
const patience = 5;

/** @returns a function that stops it and waits for the round under way */
export function startAsOf(parts: AsOfDeps): () => Promise<void> {
  const stopping = new AbortController();
  const { everyMs } = parts;
  let moment: Marked | undefined;
  let inVain = 0;

  /** A moment that has not come true is kept, also while another relay is at it: it only gets nearer. */
  const round = async (connection: CommonQueryMethods): Promise<void> => {
    moment ??= await momentOf(parts, connection);
    const standing = await settled(connection, moment, stopping.signal);
    if (standing.ended && standing.published) {
      parts.marked(await write(parts, moment));
      moment = undefined;
      inVain = 0;
    } else if (!stopping.signal.aborted) {
      inVain += 1;
      if (inVain === patience) parts.log.warn(why(standing), "auth.revocation gets no marks: verifiers turn not fresh");
    }
  };

  const working = (async () => {
    while (!stopping.signal.aborted) {
      try {
        // The lock is kept for the whole second, so that any number of relays together write one mark a second.
        const second = pause(everyMs, stopping.signal);
        await asTheOnlyOne(parts.pool, async (connection) => {
          await Promise.all([round(connection), second]);
        });
        await second;
      } catch (error) {
        moment = undefined;
        if (!stopping.signal.aborted)
          parts.log.warn({ err: asError(error) }, "no mark in auth.revocation, tried again");
        await pause(everyMs, stopping.signal);
      }
    }
  })();

  return async () => {
    stopping.abort();
    await working;
  };
}

async function settled(connection: CommonQueryMethods, moment: Moment, signal: AbortSignal): Promise<Standing> {
  for (let look = 1; ; look += 1) {
    const standing = await standingOf(moment, connection);
    if ((standing.ended && standing.published) || look === looks || signal.aborted) return standing;
    await pause(lookMs, signal);
  }
}

/** A moment, and what the broker's clock said in each partition before it. */
interface Marked extends Moment {
  before: number[];
}

/** The broker's times first: what they stand for was appended before the moment was taken. */
async function momentOf(parts: AsOfDeps, connection: CommonQueryMethods): Promise<Marked> {
  const before = await brokerTimes(parts, connection);
  const moment = await nextMoment(connection);
  parts.databaseTime(moment.at);
  return { ...moment, before };
}

async function brokerTimes(parts: AsOfDeps, connection: CommonQueryMethods): Promise<number[]> {
  const { appends, clock, everyMs } = parts;
  const count = await parts.partitionsOf(revocationTopic);
  if (count === undefined) throw new Error(`there is no topic ${revocationTopic}: run authfleet migrate`);
  const partitions = Array.from({ length: count }, (_, partition) => partition);
  const silent = partitions.filter((partition) => appends.lately(partition, 2 * everyMs) === undefined);
  if (silent.length > 0) {
    const { at: database } = await nextMoment(connection);
    const value = { clock: clock.now(), database };
    await Promise.all(silent.map((partition) => parts.sender.send(recordOf("clock", value, partition))));
  }
  return partitions.map((partition) => {
    const at = appends.lately(partition, Number.POSITIVE_INFINITY);
    if (at === undefined)
      throw new Error(`${revocationTopic} takes its producers' times, not the broker's: run authfleet migrate`);
    return at;
  });
}

function recordOf(key: string, value: object, partition: number): OutRecord {
  return {
    topic: revocationTopic,
    partition,
    key: Buffer.from(key),
    value: Buffer.from(JSON.stringify(value)),
    headers: {},
  };
}

/** @returns the earliest of what was written */
async function write({ sender }: AsOfDeps, { at, before, tokenLifeMs }: Marked): Promise<number> {
  const marks = before.map((brokerTime) => Math.min(at, brokerTime));
  const life = tokenLifeMs === null ? {} : { tokenLifeMs };
  await Promise.all(marks.map((asOf, partition) => sender.send(recordOf("asOf", { asOf, ...life }, partition))));
  return Math.min(...marks);
}

function why({ ended, published }: Standing): object {
  const reasons = [
    ...(ended
      ? []
      : ["a transaction that writes has been open for seconds, in this database or another of its server"]),
    ...(published ? [] : ["revocations are not published yet"]),
  ];
  return { reasons };
}
