// Faults at random, one after the other, for as long as AUTH_TEST_CRASH_SECONDS says (`npm run test:crash`): workers
// and the relay are killed, told to leave, joined; Kafka, PostgreSQL and the registry restart. Users go on all the
// while; then everything is audited. The seed is printed; AUTH_TEST_CRASH_SEED gives the same order again. `npm test`
// leaves it out: each fault has a test of its own there.
import { randomInt } from "node:crypto";
import { expect, test } from "@jest/globals";
import { audit, repeats } from "../support/audit.ts";
import { crashFixture, reconnect } from "../support/crash.ts";
import { crashSeconds, longest, startLoad } from "../support/load.ts";
import { end } from "../support/processes.ts";
import { until } from "../support/until.ts";

const fixture = crashFixture("random", { stack: "own" });
const seed = Number(process.env["AUTH_TEST_CRASH_SEED"] ?? randomInt(2 ** 31));

/** Numbers below n, the same for the same seed (mulberry32). */
function dice(start: number): (n: number) => number {
  let state = start;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n);
  };
}

const roll = dice(seed);
let started = 2;
const named = (kind: string): string[] => [...fixture.own.processes.keys()].filter((name) => name.startsWith(kind));

async function begin(kind: "worker" | "relay"): Promise<void> {
  started += 1;
  await fixture.own.start(kind, `${kind}-${started}`);
}

async function lose(kind: "worker" | "relay", signal: "SIGKILL" | "SIGTERM"): Promise<void> {
  const names = named(kind);
  const name = names[roll(names.length)]!;
  await end(fixture.own.processes.get(name)!, signal);
  fixture.own.processes.delete(name);
}

const most = 4;
const faults: Record<string, () => Promise<void>> = {
  "a worker is killed": async () => {
    await lose("worker", "SIGKILL");
    if (named("worker").length < 2) await begin("worker");
  },
  "the relay is killed": async () => {
    await lose("relay", "SIGKILL");
    await begin("relay");
  },
  "a worker leaves": async () => {
    if (named("worker").length < 2) await begin("worker");
    await lose("worker", "SIGTERM");
  },
  "a worker joins": async () => {
    if (named("worker").length < most) await begin("worker");
  },
  "Kafka is killed": async () => {
    await fixture.stack.kafka.kill();
    await fixture.stack.kafka.start();
  },
  "Kafka restarts": async () => {
    await fixture.stack.kafka.stop();
    await fixture.stack.kafka.start();
  },
  "PostgreSQL is killed": async () => {
    await fixture.stack.postgres.kill();
    await fixture.stack.postgres.start();
  },
  "the registry restarts": async () => {
    await fixture.stack.registry.kill();
    await fixture.stack.registry.start();
  },
};

/** What a caller may be told while a server is away: it was not done, or ask again with the same key. */
const honest = new Set<string | undefined>(["UNAVAILABLE", "NO_WORKERS", "DEADLINE_EXCEEDED"]);

const inLongRuns = crashSeconds() > 0 ? test : test.skip;

inLongRuns(
  "faults at random under load: one answer, one effect, nothing lost",
  async () => {
    const { fleet, users } = fixture;
    const load = startLoad(fleet, users, { perSecond: 60, timeoutMs: 60_000 });
    const made: string[] = [];
    const kinds = Object.entries(faults);
    const ends = performance.now() + crashSeconds() * 1000;
    while (performance.now() < ends) {
      await load.awaitProgress(1);
      const [name, fault] = kinds[roll(kinds.length)]!;
      made.push(name);
      await fault();
    }
    await load.awaitProgress(2);
    const sent = await load.stop();
    await reconnect(fixture);
    await until("all is published", async () => {
      const { rows } = await fleet.sql.query("SELECT FROM outbox WHERE published_at IS NULL LIMIT 1");
      return rows.length === 0;
    });
    const refusals = sent.filter(({ refusal }) => refusal !== undefined);
    const said = `${sent.length} requests, ${refusals.length} refused, the longest took ${longest(sent, 0)} ms`;
    console.log(
      `${made.length} faults (seed ${seed}): ${said}, ${repeats(fleet)} events came twice: ${made.join(", ")}`,
    );
    expect(refusals.filter(({ refusal }) => !honest.has(refusal))).toEqual([]);
    expect(await audit(fleet, users, sent)).toEqual([]);
  },
  240_000 + crashSeconds() * 3000,
);
