// The bridge: the gRPC service auth.Auth for the gateway, with health and reflection, plaintext or TLS. To the fleet it
// is a requester like any other. It has no state, and any number may run. It reports SERVING only while its client can
// seal, send and receive. On stop it reports NOT_SERVING, accepts no connections, waits for running calls, and cuts the
// rest after the grace time.
import { findPackageJSON } from "node:module";
import { dirname, join } from "node:path";
import { type handleUnaryCall, Server, ServerCredentials, setLogger } from "@grpc/grpc-js";
import { load, type PackageDefinition, type ServiceDefinition } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation, protoPath as healthProto } from "grpc-health-check";
import { plaintextFaults } from "../config/plaintext.ts";
import { type Config, ConfigFault } from "../config/read.ts";
import type { Logger } from "../runtime/log.ts";
import { type BridgeDeps, type Method, makeCalls } from "./call.ts";
import { wrapIncoming } from "./incoming.ts";
import { makeMethods } from "./methods.ts";

export interface Bridge {
  /** @throws Error in one sentence, where the port is not available */
  start(): Promise<{ host: string; port: number }>;
  /** Waits up to graceMs for running calls. Health watchers count as running and are cut at the end. */
  stop(graceMs: number): Promise<void>;
  /** Whether it serves: it listens, is not stopping, its client is healthy and has a key to seal to. */
  readonly healthy: boolean;
}

/**
 * Far above the longest valid request (a password of 1,024 bytes, a token of some KiB). gRPC refuses larger ones with
 * RESOURCE_EXHAUSTED.
 */
const messageLimit = 64 * 1024;
/** How late health may notice a change of the client: less than any prober's period. */
const healthEveryMs = 250;
const services = ["", "auth.Auth"];

export function makeBridge(parts: BridgeDeps): Bridge {
  const server = new Server({ "grpc.max_receive_message_length": messageLimit });
  wrapIncoming(server);
  const health = new HealthImplementation(Object.fromEntries(services.map((name) => [name, "NOT_SERVING"])));
  const handlers = handlersOf(parts);
  let serving = false;
  let shown = false;
  let watch: NodeJS.Timeout | undefined;

  const isHealthy = () => serving && parts.client.healthy && parts.canSeal();
  // Only changes are set, because each set is sent to every watcher.
  const showHealth = () => {
    if (shown === isHealthy()) return;
    shown = isHealthy();
    for (const name of services) health.setStatus(name, shown ? "SERVING" : "NOT_SERVING");
  };

  return {
    async start() {
      logThrough(parts.log);
      const definition = await loadProto();
      server.addService(definition["auth.Auth"] as ServiceDefinition, handlers);
      health.addToServer(server);
      new ReflectionService(definition).addToServer(server);
      const port = await bind(server, parts.config);
      serving = true;
      showHealth();
      watch = setInterval(showHealth, healthEveryMs).unref();
      return { host: parts.config.AUTH_GRPC_HOST, port };
    },
    async stop(graceMs) {
      serving = false;
      clearInterval(watch);
      showHealth();
      await shutDown(server, graceMs);
    },
    get healthy() {
      return isHealthy();
    },
  };
}

/** grpc-js has one log per process and otherwise writes to the console, not as JSON. */
function logThrough(log: Logger): void {
  const to =
    (level: "error" | "info" | "debug") =>
    (...words: unknown[]) =>
      log[level]({ from: "grpc-js" }, words.join(" "));
  setLogger({ error: to("error"), info: to("info"), debug: to("debug") });
}

function handlersOf(parts: BridgeDeps): Record<string, handleUnaryCall<object, object>> {
  const handle = makeCalls(parts);
  const methods = Object.entries<Method>({ ...makeMethods(parts.config, parts.verifier) });
  return Object.fromEntries(methods.map(([name, method]) => [name, handle(name, method)]));
}

/** Found from the package's root: compiled files are one folder deeper (dist/src/bridge). */
async function loadProto(): Promise<PackageDefinition> {
  const manifest = findPackageJSON(import.meta.url);
  if (manifest === undefined) throw new Error("proto/auth.proto cannot be found: there is no package.json above it.");
  const own = join(dirname(manifest), "proto", "auth.proto");
  return await load([own, healthProto], { keepCase: true, defaults: true, longs: String });
}

/** @throws ConfigFault where plaintext was not explicitly allowed */
function credentialsOf(config: Config): ServerCredentials {
  const faults = plaintextFaults(config, { processName: "bridge", unread: new Set() });
  if (faults.length > 0) throw new ConfigFault(faults);
  const { AUTH_GRPC_TLS_CERT: cert, AUTH_GRPC_TLS_KEY: key, AUTH_GRPC_TLS_CLIENT_CA: clientCa } = config;
  if (cert === undefined || key === undefined) return ServerCredentials.createInsecure();
  const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
  const ca = clientCa === undefined ? null : Buffer.from(clientCa);
  return ServerCredentials.createSsl(ca, [pair], ca !== null);
}

function bind(server: Server, config: Config): Promise<number> {
  const { AUTH_GRPC_HOST: host, AUTH_GRPC_PORT: port } = config;
  const credentials = credentialsOf(config);
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host.includes(":") ? `[${host}]` : host}:${port}`, credentials, (error, bound) => {
      if (error === null) resolve(bound);
      else if (!error.message.includes("EADDRINUSE")) reject(error);
      else
        reject(
          new Error(
            `Port ${port} on ${host} is taken by another program: set AUTH_GRPC_PORT to a free port, or to 0 for any.`,
            { cause: error },
          ),
        );
    });
  });
}

function shutDown(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.forceShutdown(), graceMs);
    // Its error means that it was not running or was cut: either way it is stopped.
    server.tryShutdown(() => {
      clearTimeout(cut);
      resolve();
    });
  });
}
