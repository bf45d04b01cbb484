// The entry: reads the process from the first argument and the configuration from the environment, starts the process, and stays until it is
// told to stop. SIGTERM, SIGINT and the end of the process that started it stop it in order; a second signal ends it at once.
import { constants } from "node:os";
import { helpText } from "./config/help.ts";
import type { ProcessName } from "./config/kinds.ts";
import { type Config, ConfigFault, type Environment, environment, readConfig, sizeThreadPool } from "./config/read.ts";
import { relaxed } from "./config/relaxed.ts";
import { systemClock } from "./lib/clock.ts";
import { asError } from "./lib/errors.ts";
import { escaped } from "./lib/escaped.ts";
import { dev } from "./processes/dev.ts";
import {
  type Running,
  startBridge,
  startMailerRole,
  startRelayRole,
  startWorker,
  type Wiring,
} from "./processes/index.ts";
import { migrate } from "./processes/migrate.ts";
import { sealedNames } from "./protocol/secret-fields.ts";
import { jwksAnswer, type Route, serveHttp } from "./runtime/http.ts";
import { type Lifecycle, makeLifecycle } from "./runtime/lifecycle.ts";
import { type Logger, makeLogger } from "./runtime/log.ts";
import { makeMetrics } from "./runtime/metrics.ts";

type ServingProcess = "worker" | "relay" | "bridge" | "mailer";

const starts: Record<ServingProcess, (wiring: Wiring) => Promise<Running>> = {
  worker: startWorker,
  relay: startRelayRole,
  bridge: startBridge,
  mailer: startMailerRole,
};

/** @returns the exit code */
async function main([name = "help", ...rest]: string[], env: Environment): Promise<number> {
  if (name === "help" || name === "--help" || name === "-h") {
    process.stdout.write(helpText());
    return 0;
  }
  if (name === "dev") return dev(env);
  if (name === "migrate") return runMigrate(env);
  if (name === "ctl") {
    const { ctl } = await import("./authctl/index.ts");
    return ctl(rest, env);
  }
  if (Object.hasOwn(starts, name)) return serve(name as ServingProcess, env);
  process.stderr.write(
    `There is no process ${name}: use ${[...Object.keys(starts), "migrate", "dev", "ctl", "help"].join(", ")}.\n`,
  );
  return 2;
}

async function serve(name: ServingProcess, env: Environment): Promise<number> {
  const config = readConfig(env, name);
  if (name === "worker") sizeThreadPool(config.AUTH_HASH_THREADS);
  const log = loggerOf(config, name);
  const lifecycle = makeLifecycle(log);
  const stopped = listenForStop(lifecycle);
  try {
    await start(name, { config, log, lifecycle });
  } catch (error) {
    if (!lifecycle.stopping.aborted) lifecycle.fail(asError(error));
  }
  const failure = await stopped;
  log.info("stopping");
  await lifecycle.stop().catch(() => undefined);
  log.info("stopped");
  return failure === undefined ? 0 : 1;
}

async function start(
  name: ServingProcess,
  { config, log, lifecycle }: { config: Config; log: Logger; lifecycle: Lifecycle },
): Promise<void> {
  const metrics = makeMetrics({ process: name });
  let running: Running | undefined;
  const starting = [{ name: "start", reason: "not started yet" }];
  const checks = {
    live: () => [],
    ready: () => (lifecycle.stopping.aborted ? [{ name: "stop", reason: "stopping" }] : (running?.ready() ?? starting)),
  };
  const routes: Record<string, Route> =
    name === "bridge" ? { "/.well-known/jwks.json": async () => jwksAnswer(running?.jwks?.()) } : {};
  const { AUTH_HTTP_HOST: host, AUTH_HTTP_PORT: port } = config;
  const http = await serveHttp({ host, port, checks, metrics, relaxed: relaxed(config), routes, log });
  lifecycle.onStop(() => http.close());
  running = await starts[name]({ config, log, metrics, lifecycle });
  log.info({ http: http.url, ...(running.address && { address: running.address }) }, `${name} is up`);
}

/** Resolves with the failure, if that is why. A second signal does not wait. */
function listenForStop(lifecycle: Lifecycle): Promise<Error | undefined> {
  let signals = 0;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      signals += 1;
      if (signals > 1) process.exit(128 + constants.signals[signal]);
      lifecycle.ask();
    });
  }
  process.once("disconnect", () => lifecycle.ask());
  process.channel?.unref();
  return lifecycle.asked;
}

async function runMigrate(env: Environment): Promise<number> {
  const config = readConfig(env, "migrate");
  const log = loggerOf(config, "migrate");
  const stopping = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stopping.abort());
  await migrate({
    config,
    log,
    clock: systemClock,
    signal: stopping.signal,
    report: (line) => process.stdout.write(`${line}\n`),
  });
  return 0;
}

function loggerOf(config: Config, name: ProcessName): Logger {
  return makeLogger(config.AUTH_LOG_LEVEL, { process: name, pid: process.pid }, { secretNames: sealedNames() });
}

try {
  const code = await main(process.argv.slice(2), environment());
  // Whatever is left by now is not ours to wait for: kafkajs keeps a stopped consumer's sockets for a while (kafkajs#967).
  process.exit(code);
} catch (error) {
  const told = error instanceof ConfigFault ? error.message : (asError(error).stack ?? "");
  process.stderr.write(`${told.split("\n").map(escaped).join("\n")}\n`);
  process.exit(error instanceof ConfigFault ? 2 : 1);
}
