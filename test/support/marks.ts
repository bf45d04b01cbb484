// What marks of auth.revocation may not pass: the real code of the relay (src/relay/as-of.ts) on a real database, with
// a stand-in for the broker, so that each scenario takes a second at most. relay/marks.test.ts shows the same through
// Kafka.
import pg from "pg";
import { sql } from "slonik";
import type { OutRecord } from "../../src/kafka/records.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { makeAppendTimes, startAsOf } from "../../src/relay/as-of.ts";
import { account, type HandlerHarness } from "./handlers.ts";
import { quiet } from "./logger.ts";
import { until } from "./until.ts";

interface PlayedMark {
  partition: number;
  asOf: number;
  tokenLifeMs: number | undefined;
  /** When the broker took it, Unix ms. */
  appendedAt: number;
}

export interface PlayedFeed {
  marks: PlayedMark[];
  /** Keys of all records, marks included. */
  keys: string[];
  /** The earliest of the partitions' last marks. */
  asOf(): number;
  /** Waits until marks are beyond the time. */
  passes(time: number): Promise<void>;
  stop(): Promise<void>;
}

const partitions = 2;
const everyMs = 50;
/** As long as a mark that lies would need to show, several times over. */
const watchMs = 1000;

/** Marks as one relay would write them. */
export function playedFeed({ pool }: HandlerHarness): PlayedFeed {
  const appends = makeAppendTimes(systemClock.monotonic);
  const [marks, keys]: [PlayedMark[], string[]] = [[], []];
  const send = async ({ topic, partition = 0, key, value }: OutRecord): Promise<void> => {
    const appendedAt = Date.now();
    appends.note({
      sentAt: appendedAt,
      ackedAt: appendedAt,
      at: appendedAt,
      partitions: [{ topic, partition, at: appendedAt }],
    });
    keys.push(String(key));
    if (String(key) !== "asOf") return;
    const { asOf, tokenLifeMs } = JSON.parse(String(value)) as { asOf: number; tokenLifeMs?: number };
    marks.push({ partition, asOf, tokenLifeMs, appendedAt });
  };
  const stop = startAsOf({
    pool,
    sender: { send, pending: 0, acknowledged: 0 },
    partitionsOf: async () => partitions,
    log: quiet,
    clock: systemClock,
    appends,
    everyMs,
    marked: () => undefined,
    databaseTime: () => undefined,
  });
  const last = (partition: number): number => marks.findLast((mark) => mark.partition === partition)?.asOf ?? 0;
  const asOf = (): number => Math.min(...Array.from({ length: partitions }, (_, partition) => last(partition)));
  return {
    marks,
    keys,
    asOf,
    passes: (time) => until("marks beyond that time in every partition", () => asOf() > time),
    stop,
  };
}

/** As a relay would. */
export async function publishAll({ pool }: HandlerHarness): Promise<void> {
  await pool.query(sql.unsafe`UPDATE outbox SET published_at = now() WHERE published_at IS NULL`);
}

/** What marks came to that may not be beyond `since`. */
export interface Watched {
  since: number;
  highest: number;
}

/** Ends as soon as some mark is beyond the time. */
async function watched(feed: PlayedFeed, since: number): Promise<Watched> {
  const end = performance.now() + watchMs;
  while (performance.now() < end && feed.asOf() <= since) await new Promise((resolve) => setTimeout(resolve, 10));
  return { since, highest: feed.asOf() };
}

/** The key of a lock that whoever writes a revocation waits for, where somebody holds it. */
const held = 4711;

/** Commits can be held when they have written their revocation. */
export async function holdable({ pool }: HandlerHarness): Promise<void> {
  const body = `BEGIN PERFORM pg_advisory_xact_lock_shared(${held}); RETURN NULL; END`;
  await pool.query(sql.unsafe`
    CREATE FUNCTION wait_at_outbox() RETURNS trigger LANGUAGE plpgsql AS ${sql.literalValue(body)}`);
  await pool.query(sql.unsafe`
    CREATE TRIGGER wait_at_outbox AFTER INSERT ON outbox FOR EACH ROW WHEN (NEW.topic = 'auth.revocation')
    EXECUTE FUNCTION wait_at_outbox()`);
}

/** Everything that waits at the outbox goes on with the function that is returned. */
async function holdOutbox({ url }: HandlerHarness): Promise<() => Promise<void>> {
  const holder = new pg.Client(url);
  await holder.connect();
  await holder.query(`SELECT pg_advisory_lock(${held})`);
  return () => holder.end();
}

async function newSession(harness: HandlerHarness): Promise<{ id: number; accessToken: string }> {
  const { login, password, id } = await account(harness);
  const { tokens } = await harness.ask("auth.session.login", { login, password });
  await publishAll(harness);
  return { id, accessToken: tokens!.accessToken };
}

/** What marks may not pass, each of them let go on at its end. */
export const scenarios = {
  /** It has written its revocation; nobody else sees that, and all else is published. */
  async "a commit that waits"(harness, feed) {
    const { accessToken } = await newSession(harness);
    await feed.passes(Date.now());
    const release = await holdOutbox(harness);
    const call = harness.ask("auth.session.logout", { accessToken });
    const waits = sql.unsafe`
      SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'advisory'`;
    await until("the commit waits", () => harness.pool.exists(waits));
    const seen = await watched(feed, Date.now());
    await release();
    await call;
    return seen;
  },
  async "a transaction that has written anything"(harness, feed) {
    const { id } = await newSession(harness);
    const writer = new pg.Client(harness.url);
    await writer.connect();
    await writer.query("BEGIN");
    await writer.query("SELECT count(*) FROM users");
    await feed.passes(Date.now()); // one that has only read holds nothing up
    await writer.query("UPDATE users SET username = username WHERE id = $1", [id]);
    const seen = await watched(feed, Date.now());
    await writer.query("ROLLBACK");
    await writer.end();
    return seen;
  },
  async "a revocation that nobody publishes"(harness, feed) {
    const { accessToken } = await newSession(harness);
    await feed.passes(Date.now());
    await harness.ask("auth.session.logout", { accessToken });
    return watched(feed, Date.now());
  },
} satisfies Record<string, (harness: HandlerHarness, feed: PlayedFeed) => Promise<Watched>>;

export type MarkScenario = keyof typeof scenarios;

/** How much a mark was ahead of its own record, ms: the most of some marks. */
export async function aheadMs(harness: HandlerHarness, feed: PlayedFeed): Promise<number> {
  await publishAll(harness);
  const before = feed.marks.length;
  await until("some marks", () => feed.marks.length >= before + 6);
  return Math.max(...feed.marks.slice(before).map(({ asOf, appendedAt }) => asOf - appendedAt));
}
