// A Docker engine, and the project's compose file on it under a name of its own, so that whatever else the engine has
// stays as it is. The engine is the one that `docker info` reaches. Where there is none, AUTH_TEST_DOCKER_UP says how
// one is started: a shell command that may print `export NAME=value` lines; AUTH_TEST_DOCKER_DOWN ends it afterwards,
// and only then. With neither, the tests fail with one sentence.
import { randomBytes } from "node:crypto";
import { freePort } from "../../stack/ports.ts";
import { lastLines, run } from "./program.ts";

const minute = 60_000;

export interface Engine {
  /** With what its clients find it. */
  env: NodeJS.ProcessEnv;
  /** @throws Error with what docker said, where it fails */
  docker(args: string[], boundMs?: number): Promise<string>;
  /** Ends it, where the tests started it. */
  stop(): Promise<void>;
}

export const noEngine =
  "No Docker engine answers `docker info`: start one, or set AUTH_TEST_DOCKER_UP to a shell command that does (CONTRIBUTING.md).";

/** @throws Error in one sentence where there is none, and none can be started */
export async function findEngine(env: NodeJS.ProcessEnv = process.env): Promise<Engine> {
  if (await answers(env)) return engineOf(env, async () => {});
  const { AUTH_TEST_DOCKER_UP: up, AUTH_TEST_DOCKER_DOWN: down } = env;
  if (!up) throw new Error(noEngine);
  // Its output is what eval takes, as with `docker-machine env`; what it prints of other things goes to standard error.
  // TEST_RUN_DIR marks what has to end with the run: an engine that nothing is said to end may stay.
  const { TEST_RUN_DIR: _, ...unmarked } = env;
  const started = await run("sh", ["-c", 'exports=$(eval "$AUTH_TEST_DOCKER_UP") && eval "$exports" && env -0'], {
    env: unmarked,
    boundMs: 5 * minute,
  });
  const told = Object.fromEntries(started.stdout.split("\0").map((line) => line.split(/=(.*)/s, 2)));
  if (started.code !== 0 || !(await answers(told)))
    throw new Error(`AUTH_TEST_DOCKER_UP brought up no Docker engine: ${lastLines(started)}`);
  return engineOf(told, async () => {
    if (down) await run("sh", ["-c", down], { env: told, boundMs: 2 * minute });
  });
}

async function answers(env: NodeJS.ProcessEnv): Promise<boolean> {
  try {
    const { code, stdout } = await run("docker", ["info", "--format", "{{.ServerVersion}}"], { env });
    return code === 0 && stdout.trim() !== "";
  } catch {
    return false; // no such program
  }
}

function engineOf(env: NodeJS.ProcessEnv, stop: () => Promise<void>): Engine {
  return {
    env,
    stop,
    async docker(args, boundMs) {
      const ran = await run("docker", args, { env, ...(boundMs !== undefined && { boundMs }) });
      if (ran.code !== 0) throw new Error(`docker ${args.join(" ")} ended with ${String(ran.code)}: ${lastLines(ran)}`);
      return ran.stdout;
    },
  };
}

/** The compose file of this repository under a project of its own. */
export interface Composed {
  project: string;
  /** Published addresses. */
  ports: { kafka: number; registry: number; grpc: number };
  /** `docker compose up` with these arguments. @throws Error with the last lines of every container's log */
  up(args: string[]): Promise<void>;
  /** docker compose, as it is called in README.md. */
  compose(args: string[], boundMs?: number): Promise<string>;
  /** IDs of a service's containers that run. */
  containersOf(service: string): Promise<string[]>;
  /** Removes containers, networks and volumes. */
  remove(): Promise<void>;
}

export async function composed(engine: Engine): Promise<Composed> {
  const project = `auth-test-${randomBytes(4).toString("hex")}`;
  const ports = { kafka: await freePort(), registry: await freePort(), grpc: await freePort() };
  const { docker } = engineOf(
    {
      ...engine.env,
      COMPOSE_PROJECT_NAME: project,
      AUTH_DEV_KAFKA_PORT: String(ports.kafka),
      AUTH_DEV_REGISTRY_PORT: String(ports.registry),
      AUTH_DEV_GRPC_PORT: String(ports.grpc),
    },
    engine.stop,
  );
  const compose = (args: string[], boundMs?: number): Promise<string> => docker(["compose", ...args], boundMs);
  return {
    project,
    ports,
    compose,
    async up(args) {
      try {
        await compose(["up", ...args], 20 * minute);
      } catch (error) {
        const logs = await compose(["logs", "--no-color", "--tail", "3"]).catch(String);
        const lines = logs.split("\n").map((line) => line.slice(0, 300));
        throw new Error([(error as Error).message, ...lines].join("\n"));
      }
    },
    containersOf: async (service) => (await compose(["ps", "--quiet", service])).split("\n").filter((id) => id !== ""),
    async remove() {
      await compose(["--profile", "tools", "down", "--volumes", "--remove-orphans", "--timeout", "5"], 3 * minute);
    },
  };
}
