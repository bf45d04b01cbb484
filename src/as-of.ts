// Marks in auth.revocation: once a second, in each partition, a record with the key `asOf` and the value {"asOf":T}, which says that every
// revocation committed before T (the database's clock) stands before it. A verifier's age is counted from it, so it must never lie;
// where it cannot be told, it stands still, and verifiers say that they are not fresh.
//
// Why it is true. A relay takes a moment (db/revocations.ts): a time T, then the number X of a transaction, then the last id M of the
// outbox. It looks again and again until in ONE snapshot two things hold:
//   1. every transaction with a number below X has ended. Who had written anything before T got its number before X was taken, so all
//      of them are among these, also one that had begun long before, waits for a row's lock, or is prepared and belongs to nobody;
//   2. no revocation with an id up to M is unpublished. What had been written before T has such an id, has ended by 1, and so is seen by this
//      snapshot: it is published, which means that the broker has acknowledged it (relay.ts marks a row after that and never before).
// Only then it writes T, so T stands behind every revocation written before T, committed since or not; those that are committed after T
// were never promised. Nothing in this is known from memory or about one's own shards: any relay may say it for all of them. A row that
// another relay holds in its shard, and publishes late or never, is an unpublished row of 2.
// It stays true: what is published remains so. A relay that hung writes an old T late, and that is harmless: a reader keeps the highest.
//
// What looks right and is not:
//   - the highest published id, or the database's time when the outbox is empty: ids are drawn before they are visible, so a commit that
//     waits comes with an older id and an older `at` than what was said;
//   - the oldest xact_start of pg_stat_activity: it is NULL for other roles' sessions without pg_read_all_stats, has no prepared
//     transactions, and an operator's backup, which only reads, would make every verifier stale for hours. One that writes does: until it
//     has ended nobody can know that it revokes nothing. Transactions in other databases of the same server count too.
//   - pg_snapshot_xmax() for X: it is one past the highest number that has ended; one above it may be under way since before T.
// After a failover of the database a moment may mean nothing on the new one: any fault forgets it.
import type { OutRecord } from "./bus/records.ts";
import type { Sender } from "./bus/sender.ts";
import type { CommonQueryMethods, DatabasePool } from "./db/pool.ts";
import { asTheOnlyOne, type Moment, nextMoment, revocationTopic, type Standing, standingOf } from "./db/revocations.ts";
import { asError } from "./errors.ts";
import { pause } from "./lifecycle.ts";
import type { Logger } from "./log.ts";

export interface AsOfParts {
  pool: DatabasePool;
  sender: Sender;
  /** Undefined where there is no such topic. */
  partitionsOf(topic: string): Promise<number | undefined>;
  log: Logger;
  /** Gets the time of each mark that was written. */
  marked(asOf: number): void;
}

const everyMs = 1000;
/** A commit takes some 5 ms and its row's way to the broker as long. */
const lookMs = 20;
const looks = 40;
/** Looks in vain, a second each, after which the log says why. */
const patience = 5;

/** @returns a function that stops it and waits for the round under way */
export function startAsOf(parts: AsOfParts): () => Promise<void> {
  const stopping = new AbortController();
  let moment: Moment | undefined;
  let inVain = 0;

  /** A moment that has not come true is kept, also while another relay is at it: it only gets nearer. */
  const round = async (connection: CommonQueryMethods): Promise<void> => {
    moment ??= await nextMoment(connection);
    const standing = await settled(connection, moment, stopping.signal);
    if (standing.ended && standing.published) {
      await write(parts, moment.at);
      parts.marked(moment.at);
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

async function write({ sender, partitionsOf }: AsOfParts, asOf: number): Promise<void> {
  const count = await partitionsOf(revocationTopic);
  if (count === undefined) throw new Error(`there is no topic ${revocationTopic}: run the role migrate`);
  const record: OutRecord = {
    topic: revocationTopic,
    key: Buffer.from("asOf"),
    value: Buffer.from(JSON.stringify({ asOf })),
    headers: {},
  };
  await Promise.all(Array.from({ length: count }, (_, partition) => sender.send({ ...record, partition })));
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
