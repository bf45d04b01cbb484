// The rows of the bench: each a command through the whole engine and, where there is one, the raw limit beside it on
// the same stack. The sides of a row run in turns, in changing order, so that a machine that is busy for a while is
// busy for both.
import { connectKafka, type KafkaDriverName } from "../src/kafka/kafka.ts";
import { makeLogger } from "../src/runtime/log.ts";
import { type Child, startChild } from "./child.ts";
import type { EchoOptions, Shape } from "./echo.ts";
import type { Command } from "./engine.ts";
import type { Argon2Options } from "./hash.ts";
import { type Run, type Spread, spread } from "./measure.ts";
import { type BenchTarget, costs } from "./target.ts";
import type { VerifySide } from "./verify.ts";
import { between, type Cpu, cpuByName } from "./where.ts";

interface Side {
  name: string;
  width: number;
  /** Name of the process that answers, as in where.ts. */
  answering: string | undefined;
  run(ms: number): Promise<Run>;
}

/** Processes of the asking side, started when a row needs them. */
export interface Clients {
  /** People are registered when a row needs them: at most so many. */
  most: number;
  /** @param driver default kafkajs, as with users */
  engine(people: number, driver?: KafkaDriverName): Promise<{ child: Child; tokens: string[] }>;
  echo(driver: KafkaDriverName): Promise<Child>;
  hash(cost: Argon2Options): Promise<Child>;
  gateway(): Promise<Child>;
  verifying(): Promise<Child>;
  /** Of the processes started so far. */
  pids(): Record<string, number>;
  end(): Promise<void>;
}

export interface Row {
  name: string;
  /** What the worker is given beside its usual variables. */
  workerEnv?: Record<string, string>;
  /** The measured side first, then its raw limit. */
  sides(clients: Clients, target: BenchTarget): Promise<Side[]>;
}

const worker = "worker-1";

/** Worker, asking side and echo by one driver. */
const roundtrip = (width: number, driver: KafkaDriverName = "kafkajs"): Row => ({
  name: driver === "kafkajs" ? `roundtrip-${width}` : `roundtrip-${width}-${driver}`,
  ...(driver !== "kafkajs" && { workerEnv: { AUTH_KAFKA_DRIVER: driver } }),
  async sides(clients) {
    const ask = await clients.echo(driver);
    const echo = {
      name: `bare ${driver} echo`,
      width,
      answering: named("echo answering", driver),
      run: (ms: number) => ask.call<Run>("run", { width, ms }),
    };
    const { child } = await clients.engine(0, driver);
    const run = (ms: number) => child.call<Run>("run", { command: "list", width, ms });
    return [{ name: "auth list", width, answering: worker, run }, echo];
  },
});

const named = (process: string, driver: KafkaDriverName): string =>
  driver === "kafkajs" ? process : `${process}, ${driver}`;

const loginRow = (name: string, workerEnv: Record<string, string>): Row => ({
  name,
  workerEnv,
  async sides(clients, target) {
    const { argon2, hashThreads: width } =
      target.workers === undefined ? target : costs({ ...target.env, ...workerEnv });
    const bare = await clients.hash(argon2);
    return [
      // Twice the width, so that a hash waits for a thread and never a thread for a hash.
      await command("login", 2 * width, clients),
      { name: "bare argon2.verify", width, answering: undefined, run: (ms) => bare.call<Run>("run", { width, ms }) },
    ];
  },
});

const alone = (name: Command, width: number): Row => ({
  name: `${name}-${width}`,
  sides: async (clients) => [await command(name, width, clients)],
});

async function command(name: Command, wanted: number, clients: Clients): Promise<Side> {
  const width = name === "list" ? wanted : Math.min(wanted, clients.most); // a person each
  const { child } = await clients.engine(name === "list" ? 0 : width);
  const run = (ms: number) => child.call<Run>("run", { command: name, width, ms });
  return { name: `auth ${name}`, width, answering: worker, run };
}

/** One at a time: a verification keeps its core busy and waits for nothing. */
const verify: Row = {
  name: "verify",
  async sides(clients) {
    const child = await clients.verifying();
    const side = (name: string, kind: VerifySide): Side => ({
      name,
      width: 1,
      answering: undefined,
      run: (ms) => child.call<Run>("run", { side: kind, width: 1, ms }),
    });
    return [
      side("verifier", "verifier"),
      side("bare jose jwtVerify", "jose"),
      side("verifier, signatures remembered", "remembering"),
    ];
  },
};

export const rows: Row[] = [
  roundtrip(1),
  roundtrip(64),
  roundtrip(512),
  roundtrip(1, "platformatic"),
  roundtrip(64, "platformatic"),
  roundtrip(512, "platformatic"),
  loginRow("login", {}),
  loginRow("login-64-mib", { AUTH_ARGON2_MEMORY: "65536", AUTH_ARGON2_TIME: "3", AUTH_ARGON2_PARALLELISM: "4" }),
  alone("inspect", 64),
  alone("refresh", 64),
  {
    name: "current-user-grpc-32",
    async sides(clients) {
      const width = Math.min(32, clients.most);
      const [{ tokens }, gateway] = await Promise.all([clients.engine(width), clients.gateway()]);
      const run = (ms: number) => gateway.call<Run>("run", { tokens, width, ms });
      return [{ name: "auth CurrentUser", width, answering: worker, run }];
    },
  },
  verify,
];

export interface SideResult {
  name: string;
  width: number;
  perSecond: Spread;
  p50: Spread;
  p99: Spread;
  failed: Record<string, number>;
  /** CPU µs per request: of the process that asks, and of the one that answers. */
  cpu: { asking: Spread; answering: Spread | undefined };
  /** CPU µs per request of every process that had a part in it, medians; empty where /proc does not say. */
  where: Record<string, number>;
}

export interface RowResult {
  row: string;
  /** CPU ms a second of every process while nothing is asked: at a low rate it is most of what stands in `where`. */
  idle: Record<string, number>;
  sides: SideResult[];
}

export interface Effort {
  repeats: number;
  ms: number;
}

interface Measured extends Run {
  where: Record<string, number>;
  answering: number | undefined;
}

export async function measure(
  row: Row,
  { clients, target }: { clients: Clients; target: BenchTarget },
  effort: Effort,
): Promise<RowResult> {
  const { workerEnv = {} } = row;
  const changed = Object.keys(workerEnv).length > 0;
  if (changed) await target.workers?.replace(workerEnv);
  try {
    return await inTurns(row, { clients, target }, effort);
  } finally {
    if (changed) await target.workers?.replace({});
  }
}

/** Hashes of other parameters are made anew at a person's first login. */
const warmUps = 2;

async function inTurns(
  row: Row,
  { clients, target }: { clients: Clients; target: BenchTarget },
  effort: Effort,
): Promise<RowResult> {
  const sides = await row.sides(clients, target);
  const runs = sides.map((): Measured[] => []);
  for (let warm = 0; warm < warmUps; warm += 1) for (const side of sides) await side.run(effort.ms / 2);
  for (let repeat = 0; repeat < effort.repeats; repeat += 1) {
    const order = repeat % 2 === 0 ? sides : [...sides].reverse();
    for (const side of order) {
      const pids = { ...target.pids(), ...clients.pids() };
      const before = cpuByName(pids);
      const run = await side.run(effort.ms);
      const where = perRequest(between(before, cpuByName(pids)), run.requests);
      const answering = side.answering === undefined ? undefined : where[side.answering];
      runs[sides.indexOf(side)]!.push({ ...run, where, answering });
    }
  }
  const idle = await idleCost({ clients, target }, effort.ms / 2);
  return { row: row.name, idle, sides: sides.map((side, index) => summary(side, runs[index]!)) };
}

async function idleCost(
  { clients, target }: { clients: Clients; target: BenchTarget },
  ms: number,
): Promise<Record<string, number>> {
  const pids = { ...target.pids(), ...clients.pids() };
  const before = cpuByName(pids);
  await new Promise((resolve) => setTimeout(resolve, ms));
  const { others: _, ...used } = between(before, cpuByName(pids));
  return Object.fromEntries(Object.entries(used).map(([name, seconds]) => [name, (seconds * 1e6) / ms]));
}

function perRequest(used: Cpu, requests: number): Record<string, number> {
  return Object.fromEntries(Object.entries(used).map(([name, seconds]) => [name, (seconds * 1e6) / requests]));
}

function summary({ name, width }: Side, runs: Measured[]): SideResult {
  const of = (pick: (run: Run) => number) => spread(runs.map(pick));
  const failed: Record<string, number> = {};
  for (const run of runs) for (const [code, n] of Object.entries(run.failed)) failed[code] = (failed[code] ?? 0) + n;
  const answering = runs.flatMap((run) => run.answering ?? []);
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.where)))];
  return {
    name,
    width,
    perSecond: of((run) => run.perSecond),
    p50: of((run) => run.p50),
    p99: of((run) => run.p99),
    failed,
    cpu: { asking: of((run) => run.cpu), answering: answering.length > 0 ? spread(answering) : undefined },
    where: Object.fromEntries(names.map((each) => [each, spread(runs.map((run) => run.where[each] ?? 0)).median])),
  };
}

export function makeClients(target: BenchTarget, most = 200): Clients {
  const children = new Map<string, Child>();
  const start: Start = async (name, file, options) => {
    const child = startChild(file, options, target.execArgv);
    children.set(name, child);
    await child.call("ready");
    return child;
  };
  const bare = once(() => start("bare hash", "hash.ts", {}));
  const engine = oncePer((driver: KafkaDriverName) =>
    start(named("asking", driver), "engine.ts", { ...target.addresses, driver }),
  );
  const echo = oncePer(async (driver: KafkaDriverName) =>
    startEcho(start, { target, driver, shape: await (await engine(driver)).call<Shape>("shape") }),
  );
  return {
    most,
    engine: async (people, driver = "kafkajs") => {
      const child = await engine(driver);
      return { child, tokens: await child.call<string[]>("gather", Math.min(people, most)) };
    },
    echo,
    async hash(cost) {
      const child = await bare();
      await child.call("cost", cost);
      return child;
    },
    gateway: once(() => start("gateway", "gateway.ts", { grpc: target.addresses.grpc })),
    verifying: once(() => start("verifying", "verify.ts", {})),
    pids: () => Object.fromEntries([...children].map(([name, child]) => [name, child.pid])),
    async end() {
      for (const child of children.values()) await child.end();
    },
  };
}

type Start = (name: string, file: string, options: object) => Promise<Child>;

function once<T>(make: () => Promise<T>): () => Promise<T> {
  const get = oncePer(make);
  return () => get(undefined);
}

function oncePer<K, T>(make: (key: K) => Promise<T>): (key: K) => Promise<T> {
  const made = new Map<K, Promise<T>>();
  return (key) => {
    const there = made.get(key) ?? make(key);
    made.set(key, there);
    return there;
  };
}

/** Topics like those of auth.key.list; one reply partition, since a requester of the engine reads one. */
async function startEcho(
  start: Start,
  { target, driver, shape }: { target: BenchTarget; driver: KafkaDriverName; shape: Shape },
): Promise<Child> {
  const { kafka: broker, prefix } = target.addresses;
  const kafka = connectKafka({ brokers: [broker], clientId: "bench", prefix }, makeLogger("silent", {}));
  const [requests, replies] = [`echo.request.${driver}`, `echo.reply.${driver}`];
  const config = { "message.timestamp.type": "LogAppendTime" };
  const partitions = (await kafka.partitionsOf("auth.key.list"))!;
  await kafka.ensureTopics([
    { topic: requests, partitions, replication: 1, config },
    { topic: replies, partitions: 1, replication: 1, config },
  ]);
  await kafka.close();
  const both: Omit<EchoOptions, "side"> = {
    driver,
    brokers: [broker],
    requests: prefix + requests,
    replies: prefix + replies,
    shape,
  };
  await start(named("echo answering", driver), "echo.ts", { ...both, side: "answer" });
  return start(named("echo asking", driver), "echo.ts", { ...both, side: "ask" });
}
