// Runs a process until it is told to stop, with its log, metrics, /healthz and /readyz. SIGTERM, SIGINT and the end of
// its parent process stop it in order; a second signal ends it at once.
import { constants } from "node:os";
import type { ProcessName } from "../config/kinds.ts";
import { type Config, type Environment, readConfig } from "../config/read.ts";
import { relaxed } from "../config/relaxed.ts";
import { systemClock } from "../lib/clock.ts";
import { asError } from "../lib/errors.ts";
import { sealedNames } from "../protocol/secret-fields.ts";
import { jwksAnswer, type Route, serveHttp } from "../runtime/http.ts";
import { type Lifecycle, makeLifecycle } from "../runtime/lifecycle.ts";
import { type Logger, makeLogger } from "../runtime/log.ts";
import { makeMetrics } from "../runtime/metrics.ts";
import type { ProcessContext, Running } from "./parts.ts";

export type ServingProcess = "worker" | "relay" | "bridge" | "mailer";

/** Loaded on demand: a process loads no other's code. */
const starts: Record<ServingProcess, () => Promise<(context: ProcessContext) => Promise<Running>>> = {
  worker: async () => (await import("./worker.ts")).startWorker,
  relay: async () => (await import("./relay.ts")).startRelayProcess,
  bridge: async () => (await import("./bridge.ts")).startBridge,
  mailer: async () => (await import("./mailer.ts")).startMailerProcess,
};

/** @returns the exit code */
export async function serve(name: ServingProcess, config: Config): Promise<number> {
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
  running = await (await starts[name]())({ config, log, metrics, lifecycle });
  log.info({ http: http.url, ...(running.address && { address: running.address }) }, `${name} is up`);
}

/** Resolves with the failure, if that is the reason. A second signal does not wait. */
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

/** @returns the exit code */
export async function runMigrate(env: Environment): Promise<number> {
  const config = readConfig(env, "migrate");
  const { migrate } = await import("./migrate.ts");
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
