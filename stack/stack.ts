// The whole stack on one data folder: Kafka, PostgreSQL and the registry as child processes, started together and ended
// in order. `dev` and the tests use the same. Promises: one stack per folder at a time; what a killed former run left
// running is ended first; the ports of the former run are kept while they are free; every handle can be stopped, killed
// and started again on the same address. Way of a start: folder and lock (claim), Java, leftovers, jars, ports, then
// Kafka beside PostgreSQL -> registry. stop() may come at any point of it.
import { accessSync, constants, mkdirSync, statfsSync } from "node:fs";
import { join, resolve } from "node:path";
import { codeOf, StackFailure } from "./failure.ts";
import { bringJars } from "./jars.ts";
import { findJava } from "./java.ts";
import { type Kafka, makeKafka } from "./kafka.ts";
import { type Lock, waitForLock } from "./lock.ts";
import { openPorts, type Ports } from "./ports.ts";
import { type Database, makePostgres } from "./postgres.ts";
import { killLeftovers, makeProcesses, type Processes } from "./processes.ts";
import { type Report, stopwatch, whileSaying } from "./progress.ts";
import { makeRegistry, type Registry } from "./registry.ts";
import { projectRoot } from "./root.ts";
import type { Service } from "./service.ts";

/**
 * 40 MB for an empty PostgreSQL, the rest for a while of use: a full disk later stops Kafka in the middle of a write.
 */
const NEEDED_BYTES = 300_000_000;
/** How long a former run may take to notice that its parent was killed, and then to stop in order. */
const NOTICE_MS = 3000;
const ENDING_MS = 60_000;

export interface StackOptions {
  /** The data folder; made when missing. */
  readonly dir: string;
  /** Preferred ports; none: any free ones. */
  readonly ports?: { readonly kafka?: number; readonly registry?: number; readonly database?: number };
  readonly report: Report;
  /** Broker properties that win over the stack's. */
  readonly kafka?: Readonly<Record<string, string | number>>;
  /** Replaces Kafka's JVM options. */
  readonly kafkaJvm?: readonly string[];
  /** PostgreSQL settings that win over the stack's. */
  readonly postgres?: Readonly<Record<string, string | number>>;
}

export interface Stack {
  /** Handles, there once start() has resolved; so is host. */
  readonly kafka: Kafka;
  readonly registry: Registry;
  readonly postgres: Database;
  /** The children of this folder: further services are made with it, so that they are ended and cleaned up alike. */
  readonly processes: Processes;
  readonly ports: Ports;
  /** What a further Kafka node needs (makeKafka): Java, the jars, the folder, the children. */
  readonly host: { readonly java: string; readonly jars: string; readonly dir: string; readonly processes: Processes };
  /** Makes the folder and takes its lock. @throws StackFailure where another run holds it */
  claim(): Promise<void>;
  /** After claim(). */
  start(): Promise<void>;
  /** In order: registry, Kafka, PostgreSQL; then the folder is free for the next. */
  stop(): Promise<void>;
  /** Tells another start on this folder that waiting is worth while. */
  announceEnd(): void;
}

export async function startStack(options: StackOptions): Promise<Stack> {
  const stack = makeStack(options);
  try {
    await stack.claim();
    await stack.start();
  } catch (error) {
    await stack.stop();
    throw error;
  }
  return stack;
}

export function makeStack(options: StackOptions): Stack {
  return new LocalStack({ ...options, dir: resolve(options.dir) });
}

class LocalStack implements Stack {
  readonly #options: StackOptions;
  readonly processes: Processes;
  readonly ports: Ports;
  #lock: Lock | undefined;
  #services: { kafka: Kafka; registry: Registry; postgres: Database } | undefined;
  #host: Stack["host"] | undefined;
  readonly #ending = new AbortController();

  constructor(options: StackOptions) {
    this.#options = options;
    this.processes = makeProcesses(options.dir);
    this.ports = openPorts(join(options.dir, "ports.json"), options.report);
  }

  get kafka(): Kafka {
    return started(this.#services).kafka;
  }
  get registry(): Registry {
    return started(this.#services).registry;
  }
  get postgres(): Database {
    return started(this.#services).postgres;
  }
  get host(): Stack["host"] {
    return started(this.#host);
  }

  async claim(): Promise<void> {
    const { dir, report } = this.#options;
    openFolder(dir);
    this.#lock = await lockFolder(dir, report);
  }

  async start(): Promise<void> {
    const { dir, report } = this.#options;
    const java = await findJava();
    const left = await killLeftovers(dir);
    if (left.length > 0) report(`ended what a former run had left running: ${left.join(", ")}`);
    this.#refuseWhenEnding();
    const jars = await bringJars({ stack: join(projectRoot(), "stack"), dir, processes: this.processes, report });
    this.#host = { java, jars: jars.kafka, dir, processes: this.processes };
    this.#services = await this.#makeServices(jars.registry);
    const { kafka, registry, postgres } = this.#services;
    const storage = this.#up(postgres, "PostgreSQL").then(() => this.#up(registry, "the registry"));
    // All are waited for even when one fails: stop() must not meet a service that is still about to start.
    const outcomes = await Promise.allSettled([this.#up(kafka, "Kafka"), storage]);
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  async #makeServices(jar: string) {
    const { dir, ports = {}, kafka: properties = {}, kafkaJvm, postgres: settings = {} } = this.#options;
    const host = this.host;
    const postgres = makePostgres({
      dir,
      processes: host.processes,
      settings,
      port: await this.ports.choose("PostgreSQL", ports.database),
    });
    const kafka = makeKafka({
      ...host,
      properties,
      ...(kafkaJvm === undefined ? {} : { jvm: kafkaJvm }),
      port: await this.ports.choose("Kafka", ports.kafka),
      controllerPort: await this.ports.choose("Kafka's controller"),
    });
    const registry = makeRegistry({
      ...host,
      jar,
      database: postgres,
      port: await this.ports.choose("the registry", ports.registry),
    });
    return { kafka, registry, postgres };
  }

  async #up(service: Service, label: string): Promise<void> {
    this.#refuseWhenEnding();
    const { report } = this.#options;
    const elapsed = stopwatch();
    await whileSaying({ what: `waiting for ${label}`, report }, () => service.start());
    report(`${label} is up after ${elapsed()}`);
  }

  /** start() goes on while stop() is called: nothing may be started behind it. */
  #refuseWhenEnding(): void {
    if (this.#ending.signal.aborted) throw new StackFailure("The stack was stopped before it had started.");
  }

  announceEnd(): void {
    this.#ending.abort();
    this.#lock?.announceEnd();
  }

  async stop(): Promise<void> {
    this.announceEnd();
    const services = this.#services;
    if (services === undefined) this.processes.killAll();
    else for (const service of [services.registry, services.kafka, services.postgres]) await service.stop();
    this.#lock?.release();
    this.#lock = undefined;
  }
}

function started<T>(part: T | undefined): T {
  if (part === undefined) throw new Error("the stack has not started");
  return part;
}

function openFolder(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true });
    mkdirSync(join(dir, "logs"), { recursive: true, mode: 0o700 });
    accessSync(dir, constants.W_OK);
  } catch (error) {
    throw new StackFailure(
      `The data folder ${dir} cannot be written (${codeOf(error)}): give this user the right to, or set AUTH_DEV_DIR to another folder.`,
    );
  }
  const { bavail, bsize } = statfsSync(dir);
  if (bavail * bsize >= NEEDED_BYTES) return;
  throw new StackFailure(
    `The data folder ${dir} has ${Math.round((bavail * bsize) / 1e6)} MB left, but ${NEEDED_BYTES / 1e6} MB are needed: make room there, or set AUTH_DEV_DIR to another folder.`,
  );
}

async function lockFolder(dir: string, report: Report): Promise<Lock> {
  let said = false;
  const outcome = await waitForLock(join(dir, "lock"), (owner, waitedMs) => {
    if (owner.ending && !said) report(`waiting for the former run (process ${owner.pid}) to end ...`);
    said ||= owner.ending;
    return waitedMs < (owner.ending ? ENDING_MS : NOTICE_MS);
  });
  if ("release" in outcome) return outcome;
  throw new StackFailure(
    `Another run (process ${outcome.pid}) uses the data folder ${dir}: stop it first, or set AUTH_DEV_DIR to another folder.`,
  );
}
