// The rows of the bench: each a command through the whole engine and, where there is one, the raw limit beside it on the same stack.
// The sides of a row run in turns, in changing order, so that a machine that is busy for a while is busy for both.
import { connectKafka } from "../src/bus/kafka.ts";
import { makeLogger } from "../src/log.ts";
import { type Child, startChild } from "./child.ts";
import type { EchoOptions, Shape } from "./echo.ts";
import type { Command } from "./engine.ts";
import { cpuSeconds, type Run, type Spread, spread } from "./measure.ts";
import type { Site } from "./site.ts";

interface Side {
  name: string;
  width: number;
  /** The process that answers. */
  answering: number | undefined;
  run(ms: number): Promise<Run>;
}

/** Processes of the asking side, started when a row needs them. */
export interface Cast {
  engine(people: number): Promise<{ child: Child; tokens: string[] }>;
  echo(): Promise<{ ask: Child; answering: number }>;
  hash(): Promise<Child>;
  gateway(): Promise<Child>;
  end(): Promise<void>;
}

export interface Row {
  name: string;
  /** The measured side first, then its raw limit. */
  sides(cast: Cast, site: Site): Promise<Side[]>;
}

const roundtrip = (width: number): Row => ({
  name: `roundtrip-${width}`,
  async sides(cast, site) {
    const { ask, answering } = await cast.echo();
    const echo = {
      name: "bare kafkajs echo",
      width,
      answering,
      run: (ms: number) => ask.call<Run>("run", { width, ms }),
    };
    return [await command("list", width, { cast, site }), echo];
  },
});

const alone = (name: Command, width: number): Row => ({
  name: `${name}-${width}`,
  sides: async (cast, site) => [await command(name, width, { cast, site })],
});

async function command(name: Command, width: number, { cast, site }: { cast: Cast; site: Site }): Promise<Side> {
  const { child } = await cast.engine(name === "list" ? 0 : width);
  const run = (ms: number) => child.call<Run>("run", { command: name, width, ms });
  return { name: `auth ${name}`, width, answering: site.worker, run };
}

export const rows: Row[] = [
  roundtrip(1),
  roundtrip(64),
  roundtrip(512),
  {
    name: "login",
    async sides(cast, site) {
      const bare = await cast.hash();
      const width = site.hashThreads;
      return [
        // Twice the width, so that a hash waits for a thread and never a thread for a hash.
        await command("login", 2 * width, { cast, site }),
        { name: "bare argon2.verify", width, answering: undefined, run: (ms) => bare.call<Run>("run", { width, ms }) },
      ];
    },
  },
  alone("inspect", 64),
  alone("refresh", 64),
  {
    name: "current-user-grpc-32",
    async sides(cast, site) {
      const width = 32;
      const [{ tokens }, gateway] = await Promise.all([cast.engine(width), cast.gateway()]);
      const run = (ms: number) => gateway.call<Run>("run", { tokens, width, ms });
      return [{ name: "auth CurrentUser", width, answering: site.worker, run }];
    },
  },
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
}

export interface RowResult {
  row: string;
  sides: SideResult[];
}

export interface Effort {
  repeats: number;
  ms: number;
}

export async function measure(
  row: Row,
  { cast, site }: { cast: Cast; site: Site },
  effort: Effort,
): Promise<RowResult> {
  const sides = await row.sides(cast, site);
  const runs = sides.map((): (Run & { answering: number | undefined })[] => []);
  for (const side of sides) await side.run(effort.ms / 2); // warm
  for (let repeat = 0; repeat < effort.repeats; repeat += 1) {
    const order = repeat % 2 === 0 ? sides : [...sides].reverse();
    for (const side of order) {
      const before = cpuSeconds(side.answering);
      const run = await side.run(effort.ms);
      const after = cpuSeconds(side.answering);
      const requests = run.perSecond * (effort.ms / 1000);
      const answering = before === undefined || after === undefined ? undefined : ((after - before) * 1e6) / requests;
      runs[sides.indexOf(side)]!.push({ ...run, answering });
    }
  }
  return { row: row.name, sides: sides.map((side, index) => summary(side, runs[index]!)) };
}

function summary({ name, width }: Side, runs: (Run & { answering: number | undefined })[]): SideResult {
  const of = (pick: (run: Run) => number) => spread(runs.map(pick));
  const failed: Record<string, number> = {};
  for (const run of runs) for (const [code, n] of Object.entries(run.failed)) failed[code] = (failed[code] ?? 0) + n;
  const answering = runs.flatMap((run) => run.answering ?? []);
  return {
    name,
    width,
    perSecond: of((run) => run.perSecond),
    p50: of((run) => run.p50),
    p99: of((run) => run.p99),
    failed,
    cpu: { asking: of((run) => run.cpu), answering: answering.length > 0 ? spread(answering) : undefined },
  };
}

export function makeCast(site: Site): Cast {
  const children: Child[] = [];
  const start = async (file: string, options: object): Promise<Child> => {
    const child = startChild(file, options, site.execArgv);
    children.push(child);
    await child.call("ready");
    return child;
  };
  const engine = once(() => start("engine.ts", site.addresses));
  const echo = once(async () => startEcho(start, site, await (await engine()).call<Shape>("shape")));
  return {
    engine: async (people) => {
      const child = await engine();
      return { child, tokens: await child.call<string[]>("gather", people) };
    },
    echo,
    hash: once(() => start("hash.ts", site.argon2)),
    gateway: once(() => start("gateway.ts", { grpc: site.addresses.grpc })),
    async end() {
      for (const child of children) await child.end();
    },
  };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** Topics like those of auth.key.list; one reply partition, since a requester of the engine reads one. */
async function startEcho(start: (file: string, options: EchoOptions) => Promise<Child>, site: Site, shape: Shape) {
  const { kafka: broker, prefix } = site.addresses;
  const kafka = connectKafka(
    { brokers: [broker], clientId: "bench", prefix, tls: undefined, sasl: undefined },
    makeLogger("silent", {}),
  );
  const config = { "message.timestamp.type": "LogAppendTime" };
  const partitions = (await kafka.partitionsOf("auth.key.list"))!;
  await kafka.ensureTopics([
    { topic: "echo.request", partitions, replication: 1, config },
    { topic: "echo.reply", partitions: 1, replication: 1, config },
  ]);
  await kafka.close();
  const both = { brokers: [broker], requests: `${prefix}echo.request`, replies: `${prefix}echo.reply`, shape };
  const responder = await start("echo.ts", { ...both, side: "answer" });
  return { ask: await start("echo.ts", { ...both, side: "ask" }), answering: responder.pid };
}
