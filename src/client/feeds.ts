// What a verifier knows: the fleet's signing keys by auth.key, what counts no more by auth.revocation, and how old that
// knowledge is. Promises: what looks fresh is complete up to its age; the time never goes behind the fleet's; and after
// an absence longer than auth.revocation remembers no key counts before auth.key is read to its end.
import { shared } from "../kafka/assigner.ts";
import type { Consumption, KafkaPort } from "../kafka/kafka.ts";
import type { InRecord } from "../kafka/records.ts";
import type { Clock } from "../lib/clock.ts";
import { randomId } from "../lib/random-id.ts";
import type { Logger } from "../runtime/log.ts";
import type { KeyReader } from "./key-reader.ts";
import { makeRevocations, type Revocations } from "./revocations.ts";

export interface FeedsDeps {
  kafka: KafkaPort;
  /** Of the service, for its consumer group. */
  name: string;
  log: Logger;
  clock: Clock;
  keys: KeyReader;
  /** How long a revocation is kept, ms. */
  keepMs: number;
  /** Knowledge older than this, ms, is not fresh. */
  maxAgeMs: number;
}

export interface Feeds {
  /** Those of now: ask anew each time. */
  keys(): KeyReader["keys"];
  readonly revocations: Revocations;
  /** ms; Infinity before the feeds were read. */
  age(): number;
  isFresh(): boolean;
  /** Unix ms, by this machine's clock or, where that is behind, by what the fleet has said last. */
  now(): number;
  close(): Promise<void>;
}

const revocationTopic = "auth.revocation";
/**
 * auth.revocation is kept for 10 minutes at least. Whoever hears a mark that is so much younger than their last one may
 * have missed that a key was revoked: auth.key says so for ever, but nothing orders the two topics.
 */
const absentMs = 5 * 60_000;

export function makeFeeds(parts: FeedsDeps): Feeds {
  const { clock, log, keys, maxAgeMs } = parts;
  const revocations = makeRevocations(parts.keepMs, () => clock.now());
  /** Partitions whose last record has the time of its producer: of a mark there nobody knows when it was written. */
  const untimed = new Set<number>();
  let heardAt = clock.monotonic();
  /** The mark at which all was known last. */
  let freshAt: number | undefined;
  let closed = false;

  /**
   * A clock that is behind must not make a feed that has stopped look fresh: what counts is also when its mark last
   * moved.
   */
  const age = (): number => {
    const { asOf } = revocations;
    if (asOf === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(0, clock.now() - asOf, clock.monotonic() - heardAt);
  };
  const isFresh = (): boolean => !closed && untimed.size === 0 && !keys.untimed && age() <= maxAgeMs;

  const heard = (asOf: number): void => {
    heardAt = clock.monotonic();
    if (freshAt !== undefined && asOf - freshAt > absentMs) readAnew(asOf - freshAt);
    else if (isFresh()) freshAt = asOf;
  };

  const noteTimes = ({ partition, producersTime }: InRecord): void => {
    if (!producersTime) {
      untimed.delete(partition);
      return;
    }
    if (untimed.size === 0)
      log.warn(
        { topic: revocationTopic, partition },
        "the feed has the times of its producers (message.timestamp.type=CreateTime), so nothing is fresh here: run migrate",
      );
    untimed.add(partition);
  };

  const takeRevocations = (records: InRecord[]): void => {
    const last = records.at(-1);
    if (last !== undefined) noteTimes(last);
    const before = revocations.asOf;
    revocations.take(records);
    const { asOf } = revocations;
    if (asOf !== undefined && asOf !== before) heard(asOf);
  };

  const readAnew = (missedMs: number): void => {
    log.warn({ missedMs }, "the feeds were away for longer than they remember: keys and revocations are read anew");
    keys.suspend();
    revocations.unmark();
    freshAt = undefined;
    const before = consumption;
    consumption = consume();
    before.close().catch((error: unknown) => log.debug({ err: error }, "the reader of before could not be closed"));
  };

  /** Readers that there were: only what the last of them reads counts. */
  let readers = 0;
  const consume = (): Consumption => {
    readers += 1;
    const own = readers;
    return parts.kafka.consume({
      group: `${parts.name}.verifier.${randomId()}`,
      topics: [revocationTopic],
      from: "earliest", // it holds no more than the window that matters: a token's life
      assign: shared(() => ({})),
      onAssigned: (assignment) => revocations.assigned(assignment.get(revocationTopic) ?? []),
      onRecords(records) {
        if (!closed && own === readers) takeRevocations(records);
      },
    });
  };
  let consumption = consume();
  keys.start();

  return {
    keys: () => keys.keys,
    revocations,
    age,
    isFresh,
    now: () => Math.max(clock.now(), revocations.asOf ?? 0),
    async close() {
      closed = true;
      await consumption.close();
    },
  };
}
