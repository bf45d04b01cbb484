// The processes that `dev` runs: workers, relay, mailer and bridge, each `src/main.ts PROCESS` with its own HTTP port
// and log file. Their configuration: our defaults for one machine, then the user's AUTH_ variables, then the addresses
// of the stack, which take precedence. AUTH_DEV_ and AUTH_TEST_ variables are not passed on. Each process has an IPC
// channel; it ends when we do.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { StackFailure } from "../../../stack/failure.ts";
import { lastLines, logFile, logSince, logSize } from "../../../stack/logs.ts";
import type { Processes } from "../../../stack/processes.ts";
import { makeService, type Service } from "../../../stack/service.ts";
import type { Environment } from "../../config/read.ts";
import { devDefaults } from "./defaults.ts";

/** Argon2 shares libuv's pool with file system and DNS calls. */
const THREADS_BESIDE_HASHING = 4;

export interface DevFiles {
  /** The file that runs a process by its first argument. */
  readonly main: string;
  readonly dir: string;
  readonly processes: Processes;
  readonly env: Environment;
}

export interface StackAddresses {
  readonly AUTH_KAFKA_BROKERS: string;
  readonly AUTH_REGISTRY_URL: string;
  readonly AUTH_DATABASE_URL: string;
}

/** @param user the environment of `dev` @param fixed what it cannot change */
export function processEnvironment(user: Environment, fixed: StackAddresses, masterKeyFile: string): Environment {
  const given = Object.entries(user).filter(([name]) => !isOurs(name) && !isFixed(name, fixed));
  const env: Environment = { ...devDefaults, ...Object.fromEntries(given), ...fixed };
  if (!env["AUTH_MASTER_KEY"] && !env["AUTH_MASTER_KEY_FILE"]) env["AUTH_MASTER_KEY_FILE"] = masterKeyFile;
  const hashThreads = Number(env["AUTH_HASH_THREADS"]) || availableParallelism();
  env["UV_THREADPOOL_SIZE"] ??= String(hashThreads + THREADS_BESIDE_HASHING);
  return env;
}

const isOurs = (name: string): boolean => /^AUTH_(DEV|TEST|FLEET_ID)_|^AUTH_((HTTP|GRPC)_PORT|FLEET_ID)$/.test(name);
const isFixed = (name: string, fixed: StackAddresses): boolean => Object.hasOwn(fixed, name.replace(/_FILE$/, ""));

/** Runs `main.ts migrate` to its end. @throws StackFailure with its last output */
export async function migrate({ main, dir, processes, env }: DevFiles, stopped: AbortSignal): Promise<void> {
  const file = logFile(dir, "migrate");
  const from = logSize(file);
  const own = { ...env, AUTH_HTTP_PORT: "0", AUTH_FLEET_ID_OUT: fleetIdFile(dir) };
  const child = processes.spawn("migrate", launchOf(main, "migrate", own));
  stopped.addEventListener("abort", () => child.kill("SIGTERM"));
  const how = await new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(code === null ? `killed by ${signal}` : `exit ${code}`));
  });
  if (how === "exit 0") return;
  throw new StackFailure(`migrate failed (${how}); its log ${file} says:\n${lastLines(logSince(file, from))}`);
}

export type DevProcess = Service & { readonly url: string };

export interface ProcessPlan {
  readonly processName: "worker" | "relay" | "mailer" | "bridge";
  readonly number: number;
  readonly httpPort: number;
  readonly grpcPort: number;
}

const fleetIdFile = (dir: string): string => join(dir, "fleet-id");

/** The fleet id, after `migrate`. */
export function readFleetId(dir: string): string {
  return readFileSync(fleetIdFile(dir), "utf8").trim();
}

/** Ready when its /readyz answers so. */
export function makeProcess({ processName, number, httpPort, grpcPort }: ProcessPlan, place: DevFiles): DevProcess {
  const url = `http://127.0.0.1:${httpPort}`;
  const ports = { AUTH_HTTP_PORT: String(httpPort), AUTH_GRPC_PORT: String(grpcPort) };
  const env = { ...place.env, ...ports, AUTH_FLEET_ID_FILE: fleetIdFile(place.dir) };
  const service = makeService(
    {
      name: `${processName}-${number}`,
      prepare: async () => launchOf(place.main, processName, env),
      ready: () => answers(`${url}/readyz`),
    },
    place,
  );
  return Object.assign(service, { url });
}

function launchOf(main: string, processName: string, env: Environment) {
  return { file: process.execPath, args: [...process.execArgv, main, processName], env, ipc: true };
}

async function answers(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2000) });
    await answer.arrayBuffer();
    return answer.status === 200;
  } catch {
    return false;
  }
}
