// Where a bench runs: a stack of its own in a new folder, with fsync as in production, and one worker, one relay and
// one bridge as processes, with the defaults of a fleet. AUTH_ variables of the caller win, so that another cost or
// pool can be measured.
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfig } from "../src/config/read.ts";
import { type DevFiles, makeProcess, migrate, readFleetId } from "../src/processes/dev/fleet.ts";
import { makeStack } from "../stack/stack.ts";
import type { Argon2Options } from "./hash.ts";
import { makeWorkers, type Workers } from "./workers.ts";

export interface Addresses {
  kafka: string;
  registry: string;
  database: string;
  prefix: string;
  /** Name of the asking service: auth.reply.<service> exists. */
  service: string;
  grpc: string;
  /** AUTH_FLEET_ID. */
  fleetId: string;
}

export interface BenchTarget {
  addresses: Addresses;
  /** Of the worker. */
  env: Record<string, string | undefined>;
  argon2: Argon2Options;
  hashThreads: number;
  /** Of everything that runs here, by name. */
  pids(): Record<string, number>;
  /** Absent where the fleet is not ours to change. */
  workers?: Workers;
  /** Flags for the processes of the asking side. */
  execArgv: string[];
  close(): Promise<void>;
}

const service = "bench";
const kafkaJvm = ["-Xmx1g", "-XX:+UseSerialGC"]; // with C2: what is measured must not wait for a broker in its first-start dress

/** @param profiles folder for CPU profiles of worker and requester; absent: none are made */
export async function openBenchTarget(report: (line: string) => void, profiles?: string): Promise<BenchTarget> {
  const dir = mkdtempSync(join(tmpdir(), "auth-bench-"));
  const stack = makeStack({ dir, report, kafkaJvm });
  const stops = [() => stack.stop()];
  const close = async (): Promise<void> => {
    for (const stop of stops.splice(0).reverse()) await stop();
    rmSync(dir, { recursive: true, force: true });
  };
  const interrupted = (): void => void close().finally(() => process.exit(130));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, interrupted);
  try {
    await stack.claim();
    await stack.start();
    const env = environment({
      AUTH_KAFKA_BROKERS: stack.kafka.address,
      AUTH_REGISTRY_URL: stack.registry.address,
      AUTH_DATABASE_URL: stack.postgres.address,
    });
    const main = join(import.meta.dirname, "..", "src", "main.ts");
    const place: DevFiles = { main, dir, processes: stack.processes, env };
    await migrate(place, new AbortController().signal);
    const execArgv = profiles === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profiles}`];
    const grpcPort = await stack.ports.choose("gRPC");
    const roles = await Promise.all(
      (["relay", "bridge"] as const).map(async (role) => {
        const httpPort = await stack.ports.choose(role);
        return makeProcess({ processName: role, number: 1, httpPort, grpcPort }, place);
      }),
    );
    const profiled: Record<string, string> = execArgv.length > 0 ? { NODE_OPTIONS: execArgv.join(" ") } : {};
    const workers = makeWorkers(place, stack.ports, profiled);
    for (const role of roles) stops.push(() => role.stop());
    stops.push(() => workers.count(0));
    await Promise.all([...roles.map((role) => role.start()), workers.count(1)]);
    const { kafka, registry, postgres } = stack;
    return {
      addresses: {
        kafka: kafka.address,
        registry: registry.address,
        database: postgres.address,
        prefix: "",
        service,
        grpc: `127.0.0.1:${grpcPort}`,
        fleetId: readFleetId(dir),
      },
      env,
      ...costs(env),
      pids: () => stack.processes.pids(),
      workers,
      execArgv,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What a worker with this environment hashes with. */
export function costs(env: Record<string, string | undefined>): Pick<BenchTarget, "argon2" | "hashThreads"> {
  const config = readConfig(env, "worker");
  return {
    argon2: {
      memoryCost: config.AUTH_ARGON2_MEMORY,
      timeCost: config.AUTH_ARGON2_TIME,
      parallelism: config.AUTH_ARGON2_PARALLELISM,
    },
    hashThreads: config.AUTH_HASH_THREADS,
  };
}

function environment(addresses: Record<string, string>): Record<string, string> {
  const given = Object.entries(process.env).filter(([name]) => /^AUTH_(?!DEV_|TEST_)/.test(name));
  return {
    PATH: process.env["PATH"] ?? "",
    AUTH_REPLY_SERVICES: `bridge,${service}`,
    AUTH_LOG_LEVEL: "warn",
    AUTH_HTTP_HOST: "127.0.0.1",
    AUTH_GRPC_HOST: "127.0.0.1",
    AUTH_MASTER_KEY: `bench:${randomBytes(32).toString("base64")}`,
    ...(Object.fromEntries(given) as Record<string, string>),
    ...addresses,
  };
}
