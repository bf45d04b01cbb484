// What the files of test/crash share: a fleet that may be broken, with users on it, made before the tests of a file and
// ended after them in the reverse order; ways to ask more of it; and a request that is held up in the middle of its
// commit.
import { afterAll, beforeAll } from "@jest/globals";
import pg from "pg";
import type { KafkaDriverName } from "../../src/kafka/kafka.ts";
import { type Stack, startStack } from "../../stack/stack.ts";
import { testDriver } from "./driver.ts";
import { type FaultName, without } from "./faults.ts";
import { type Fleet, type FleetOptions, startFleet } from "./fleet.ts";
import { newUsers, type SentRequest, sendRequest } from "./load.ts";
import { ownFolder, type TestStack } from "./stack.ts";
import { oneConnection, type TestFleet, testFleet } from "./test-fleet.ts";
import { until } from "./until.ts";
import type { Confirmed } from "./users.ts";

export interface CrashFixture {
  own: Fleet;
  fleet: TestFleet;
  users: Confirmed[];
  /** Where the plan asked for one. */
  stack: Stack;
  onStop(undo: () => unknown): void;
}

export interface Plan {
  /** Default 2. */
  workers?: number;
  /** Default 8. */
  users?: number;
  env?: Record<string, string>;
  bridge?: boolean;
  /** Of its processes and of who asks them; default: testDriver(). */
  driver?: KafkaDriverName;
  /** Mechanisms that its workers and its relay are to do without. */
  without?: FaultName[];
  /** Its own Kafka, registry and PostgreSQL, or what this brings up; default: those that all tests share. */
  stack?: "own" | ((fixture: CrashFixture) => Promise<TestStack>);
}

/**
 * The load is bounded by its users, and a recovery ends in a burst: no login may be refused for the length of the
 * queue.
 */
export const patient = { AUTH_HASH_QUEUE_TARGET: "1000" };

/** @returns what beforeAll fills */
export function crashFixture(name: string, plan: Plan = {}): CrashFixture {
  const stops: (() => unknown)[] = [];
  const fixture = { onStop: (undo) => void stops.push(undo) } as CrashFixture;
  beforeAll(async () => {
    const stack = await stackOf(name, plan, fixture);
    await settle(fixture, { name, plan, options: stack === undefined ? {} : { stack } });
  }, 240_000);
  afterAll(async () => {
    for (const stop of stops.reverse()) await stop();
  }, 60_000);
  return fixture;
}

async function stackOf(name: string, { stack }: Plan, fixture: CrashFixture): Promise<TestStack | undefined> {
  if (stack !== "own") return stack?.(fixture);
  fixture.stack = await startStack({ dir: ownFolder(name), report: () => undefined, postgres: { fsync: "off" } });
  fixture.onStop(() => fixture.stack.stop());
  return addressesOf(fixture.stack);
}

export const addressesOf = ({ kafka, registry, postgres }: Stack): TestStack => ({
  kafka: kafka.address,
  registry: registry.address,
  database: postgres.address,
});

interface Settling {
  name: string;
  plan: Plan;
  options: FleetOptions;
}

async function settle(fixture: CrashFixture, { name, plan, options }: Settling): Promise<void> {
  const { workers = 2, users: count = 8, env, bridge = false, without: faults = [], driver = testDriver() } = plan;
  const own = await startFleet(name, {
    ...options,
    processes: bridge ? ["bridge"] : [],
    env: { ...patient, AUTH_KAFKA_DRIVER: driver, ...env },
  });
  fixture.own = own;
  fixture.onStop(() => own.stop());
  const node = faults.length > 0 ? without(...faults) : [];
  const names = Array.from({ length: workers }, (_, index) => `worker-${index + 1}`);
  await Promise.all([
    own.start("relay", "relay-1", {}, node),
    ...names.map((each) => own.start("worker", each, {}, node)),
  ]);
  fixture.fleet = await testFleet(own, driver);
  fixture.onStop(() => fixture.fleet.close());
  fixture.users = await newUsers(fixture.fleet, count);
}

/** A connection of its own; who stops PostgreSQL asks for another one. */
export async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3000 });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

/** The fleet's own connection anew, after PostgreSQL was away. */
export async function reconnect({ fleet }: CrashFixture): Promise<void> {
  const before = fleet.sql;
  await until("PostgreSQL answers", async () => {
    const anew = oneConnection(fleet.env["AUTH_DATABASE_URL"]!);
    await anew.query("SELECT 1").catch(async (error: unknown) => {
      await anew.end();
      throw error;
    });
    fleet.sql = anew;
    return true;
  });
  void before.end().catch(() => undefined);
}

export interface Held {
  /** The login whose commit waits; settles with its outcome. */
  request: Promise<SentRequest>;
  /** Lets the commit go on, and whoever else waits behind it. */
  release(): Promise<void>;
  /** Nobody waits for an answer any more. */
  forget(): void;
}

/** A user logs in, and the commit waits for their row: a request that is surely in the middle of its work. */
export async function heldLogin(fleet: TestFleet, { id, login, password }: Confirmed): Promise<Held> {
  const holder = await connected(fleet.env["AUTH_DATABASE_URL"]!);
  const waiting = async (): Promise<number> => {
    const { rows } = await fleet.sql.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    );
    return rows[0]!.n;
  };
  await holder.query("BEGIN");
  await holder.query("SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE", [id]);
  const patience = new AbortController();
  const ask = { by: login, topic: "auth.session.login", input: { login, password, rotating: true } } as const;
  const request = sendRequest(fleet, { ...ask, timeoutMs: 120_000, signal: patience.signal });
  await until("the commit waits", async () => (await waiting()) > 0);
  return {
    request,
    async release() {
      await holder.query("ROLLBACK");
      await holder.end();
    },
    forget: () => patience.abort(new Error("nobody waits any more")),
  };
}
