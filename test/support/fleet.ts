// The fleet that most tests share: one worker, one relay and one bridge as processes of their own against the shared
// stack, started once by globalSetup.ts. Tests keep apart by logins of their own. A test that stops or breaks things
// starts a fleet of its own with startFleet(): another topic prefix, another database, nothing shared but the servers.
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createWriteStream, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { connectRegistry } from "../../src/bus/avro/schema-store.ts";
import { connectClient } from "../../src/client/connect.ts";
import type { AuthClient } from "../../src/client/types.ts";
import { connectKafka, type KafkaDriverName, type KafkaPort } from "../../src/kafka/kafka.ts";
import { makeLogger } from "../../src/runtime/log.ts";
import { noteProcess } from "../../stack/processes.ts";
import { type Mailbox, mailbox } from "./mailbox.ts";
import { enrol, testOperator, writeOperatorKey } from "./operator.ts";
import { runFolder, type TestStack, testStack } from "./stack.ts";

export const quiet = makeLogger("silent", {});

/** Addresses and environment of a fleet, as a file can hold them. */
export interface FleetAddresses {
  name: string;
  prefix: string;
  env: Record<string, string>;
  grpc: string;
  http: Record<string, string>;
}

export type FleetProcess = "worker" | "relay" | "mailer" | "bridge";

export interface Fleet extends FleetAddresses {
  processes: Map<string, ChildProcess>;
  /** Starts another process of this kind. @param node arguments for Node itself (faults.ts) */
  start(kind: FleetProcess, name: string, env?: Record<string, string>, node?: string[]): Promise<void>;
  /** The same, without waiting until it is ready. */
  boot: Fleet["start"];
  stop(): Promise<void>;
}

const root = join(import.meta.dirname, "..", "..");
const file = (): string => join(runFolder(), "fleet.json");
/** Cheap enough that a test does not wait for it, and above the bound of AUTH_ARGON2_MEMORY. */
const testArgon2 = { AUTH_ARGON2_MEMORY: "7168", AUTH_ARGON2_TIME: "1", AUTH_ARGON2_PARALLELISM: "1" };

/**
 * What the fleets and the clients of the tests speak to Kafka with: AUTH_TEST_KAFKA_DRIVER, by default what users get
 * by default.
 */
export function testDriver(): KafkaDriverName {
  const name = process.env["AUTH_TEST_KAFKA_DRIVER"] || "kafkajs";
  if (name === "kafkajs" || name === "platformatic") return name;
  throw new Error(`AUTH_TEST_KAFKA_DRIVER must be kafkajs or platformatic, not ${name}`);
}

/** Called by globalSetup.ts. */
export async function startSharedFleet(): Promise<Fleet> {
  const fleet = await startFleet("shared", {
    env: { AUTH_BREACHED_PASSWORDS: stolenPasswords(runFolder()), AUTH_AUDIT_HEAD_EVERY: "5s" },
  });
  const { name, prefix, env, grpc, http } = fleet;
  writeFileSync(file(), JSON.stringify({ name, prefix, env, grpc, http }), { mode: 0o600 });
  return fleet;
}

/** Known to the shared fleet as stolen. */
export const stolenPassword = "seven staples in a horse";

function stolenPasswords(folder: string): string {
  const digest = createHash("sha1").update(stolenPassword).digest("hex").toUpperCase();
  const ranges = join(folder, "stolen-passwords");
  mkdirSync(ranges, { recursive: true });
  writeFileSync(join(ranges, digest.slice(0, 5)), `${digest.slice(5)}:7\n`);
  return ranges;
}

export function sharedFleet(): FleetAddresses {
  return JSON.parse(readFileSync(file(), "utf8")) as FleetAddresses;
}

export interface FleetOptions {
  /** Of topics and groups on the broker; default: one that nobody has. */
  prefix?: string;
  env?: Record<string, string>;
  stack?: TestStack;
  /** Processes that are started with it. */
  processes?: FleetProcess[];
  /** Keeps what an earlier fleet of the name left: its database, topics and keys. */
  again?: FleetAddresses;
}

/** A fleet of its own: migrated, and its processes ready. */
export async function startFleet(name: string, options: FleetOptions = {}): Promise<Fleet> {
  const stack = options.stack ?? testStack();
  const folder = join(runFolder(), `fleet-${name}`);
  const prefix = options.prefix ?? options.again?.prefix ?? `${name}-${randomBytes(3).toString("hex")}.`;
  const database = options.again?.env["AUTH_DATABASE_URL"] ?? (await makeDatabase(stack.database, prefix));
  const env: Record<string, string> = {
    ...baseEnvironment(stack, folder),
    ...testArgon2,
    ...options.env,
    ...(options.again && { AUTH_OPERATOR_KEY_FILE: options.again.env["AUTH_OPERATOR_KEY_FILE"]! }),
    AUTH_TOPIC_PREFIX: prefix,
    AUTH_DATABASE_URL: database,
    AUTH_MASTER_KEY: options.again?.env["AUTH_MASTER_KEY"] ?? `t1:${randomBytes(32).toString("base64")}`,
  };
  const fleetIdFile = `${folder}-fleet-id`;
  await run(["migrate"], { env: { ...env, AUTH_FLEET_ID_OUT: fleetIdFile }, folder: `${folder}-migrate` });
  env["AUTH_FLEET_ID"] = options.env?.["AUTH_FLEET_ID"] ?? readFileSync(fleetIdFile, "utf8").trim();
  writeOperatorKey(env["AUTH_OPERATOR_KEY_FILE"]!);
  await enrol({ env }, testOperator);
  const fleet = makeFleet({ name, prefix, env, grpc: "", http: {} }, folder);
  await Promise.all((options.processes ?? ["worker", "relay", "bridge"]).map((kind) => fleet.start(kind, `${kind}-1`)));
  return fleet;
}

function makeFleet(addresses: FleetAddresses, folder: string): Fleet {
  const processes = new Map<string, ChildProcess>();
  const fleet: Fleet = {
    ...addresses,
    processes,
    async boot(kind, name, more = {}, node = []) {
      const own = `${folder}-${name}`;
      const child = launch([kind], { env: { ...addresses.env, ...more }, folder: own, node });
      processes.set(name, child);
      const up = await upLine(child, own);
      fleet.http[name] = up.http;
      if (up.address !== undefined) fleet.grpc = up.address.replace("0.0.0.0", "127.0.0.1");
    },
    async start(kind, name, more, node) {
      await fleet.boot(kind, name, more, node);
      await until(`${name} is ready`, async () => (await fetch(`${fleet.http[name]}/readyz`)).status === 200);
    },
    async stop() {
      await Promise.all([...processes.values()].map((child) => end(child)));
      processes.clear();
    },
  };
  return fleet;
}

/** Stops a child as an operator would, and as the kernel would where that takes too long. */
export async function end(child: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exit = once(child, "exit");
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), 15_000);
  await exit;
  clearTimeout(timer);
  await logged.get(child);
  return child.exitCode;
}

function baseEnvironment(stack: TestStack, folder: string): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "",
    HOME: folder,
    NODE_REDIRECT_WARNINGS: join(runFolder(), "warnings"), // bin/run-jest.js takes each for a failure
    NODE_OPTIONS: "--trace-warnings",
    NODE_COMPILE_CACHE: join(runFolder(), "compiled"), // half of what a process computes until it is up
    AUTH_KAFKA_BROKERS: stack.kafka,
    AUTH_KAFKA_DRIVER: testDriver(),
    AUTH_REGISTRY_URL: stack.registry,
    AUTH_PARTITIONS: "auth.session.*=4,*=2",
    AUTH_HTTP_HOST: "127.0.0.1",
    AUTH_HTTP_PORT: "0",
    AUTH_GRPC_HOST: "127.0.0.1",
    AUTH_GRPC_PORT: "0",
    AUTH_GRPC_TRUST_CLIENT: "true",
    AUTH_REPLY_SERVICES: "authctl,bridge,gateway,test",
    AUTH_REQUIRE_SEALED: "false",
    AUTH_LEGACY_TOPICS: "true",
    AUTH_CONFIRM_WITHOUT_PROOF: "auth.reply.bridge",
    AUTH_OPERATOR_KEY_FILE: `${folder}-operator-key.json`,
  };
}

async function makeDatabase(url: string, prefix: string): Promise<string> {
  const name = prefix.replace(/[^a-z0-9]/g, "_");
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`CREATE DATABASE "${name}"`);
  await client.end();
  const own = new URL(url);
  own.pathname = `/${name}`;
  return own.href;
}

interface Launch {
  env: Record<string, string>;
  /** Of this process alone: its log, and the note by which the runner finds it should a test leave it behind. */
  folder: string;
  /** Arguments for Node itself. */
  node?: string[];
  /** What runs instead of src/main.ts: below test. */
  script?: string;
}

/** For each child: settled once all that it printed is in its log, which is after its exit. */
const logged = new WeakMap<ChildProcess, Promise<unknown>>();

const logOf = (folder: string): string => join(folder, "log");

export function launch(args: string[], { env, folder, node = [], script }: Launch): ChildProcess {
  mkdirSync(folder, { recursive: true });
  const file = script === undefined ? join(root, "src", "main.ts") : join(root, "test", script);
  const child = spawn(process.execPath, [...node, file, ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe", "ipc"], // the channel's end tells the child that this process is gone
  });
  if (child.pid !== undefined) noteProcess(folder, args.join(" "), child.pid);
  const sink = createWriteStream(logOf(folder), { flags: "a" });
  child.stdout?.pipe(sink, { end: false });
  child.stderr?.pipe(sink, { end: false });
  child.once("close", () => sink.end());
  logged.set(child, once(sink, "close"));
  return child;
}

/** Runs to the end. @throws Error with the log's last lines */
export async function run(args: string[], options: Launch): Promise<void> {
  const child = launch(args, options);
  await logged.get(child);
  const code = child.exitCode;
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${String(code)}:\n${tail(options.folder)}`);
}

function tail(folder: string): string {
  return readFileSync(logOf(folder), "utf8").split("\n").slice(-15).join("\n");
}

/** The line in which a process says where it is. */
function upLine(child: ChildProcess, folder: string): Promise<{ http: string; address?: string }> {
  return new Promise((resolve, reject) => {
    let text = "";
    const gone = async (): Promise<void> => {
      await logged.get(child);
      reject(new Error(`the process ended before it was up:\n${tail(folder)}`));
    };
    child.once("exit", gone);
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const line = text.split("\n").find((each) => / is up"/.test(each));
      if (line === undefined) return;
      child.removeListener("exit", gone);
      resolve(JSON.parse(line) as { http: string; address?: string });
    });
  });
}

/** Asks until it is so. @throws Error after the bound, naming what it waited for */
export async function until(what: string, ask: () => Promise<boolean> | boolean, boundMs = 20_000): Promise<void> {
  const end = performance.now() + boundMs;
  let last: unknown;
  while (performance.now() < end) {
    try {
      if (await ask()) return;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`waited ${boundMs} ms in vain: ${what}`, { cause: last });
}

/** A file's hold on a fleet: a client, a port to Kafka, the mails it sends, a database connection. */
export interface TestFleet extends FleetAddresses {
  client: AuthClient;
  kafka: KafkaPort;
  mails: Mailbox;
  /** One connection: what is asked of it at once is done one after the other. */
  sql: pg.Pool;
  /** The token in the latest confirmation mail to the account with this username. */
  confirmationToken(username: string): Promise<string>;
  close(): Promise<void>;
}

/**
 * A pool of one: transactions work as on a client, and queries may be made side by side, which pg deprecates on a
 * client.
 */
export function oneConnection(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 1, idleTimeoutMillis: 0, connectionTimeoutMillis: 30_000 });
  pool.on("error", () => undefined); // a test that stops PostgreSQL loses the connection; the next query makes another
  return pool;
}

/** Connects a test file to the shared fleet, or to one of its own. */
export async function testFleet(
  addresses: FleetAddresses = sharedFleet(),
  driver: KafkaDriverName = testDriver(),
): Promise<TestFleet> {
  const { env, prefix } = addresses;
  const settings = {
    driver,
    brokers: env["AUTH_KAFKA_BROKERS"]!.split(","),
    clientId: "test",
    prefix,
    tls: undefined,
    sasl: undefined,
  };
  const kafka = connectKafka(settings, quiet);
  const schemas = connectRegistry({ url: env["AUTH_REGISTRY_URL"]! });
  const fleetIds = env["AUTH_FLEET_ID"]!.split(",");
  const client = connectClient({ kafka, schemas, name: "test", log: quiet, fleetIds });
  const legacy = env["AUTH_LEGACY_TOPICS"] === "false" ? [] : ["auth", "registration"];
  const mails = mailbox(kafka, [...legacy, "auth.mail", "auth.event", "auth.dead-letter"]);
  const sql = oneConnection(env["AUTH_DATABASE_URL"]!);
  await Promise.all([client.ready(), mails.ready, sql.query("SELECT 1")]);
  const fleet: TestFleet = {
    ...addresses,
    client,
    kafka,
    mails,
    sql,
    async confirmationToken(username) {
      const mail = await mails.last("auth", (record) => record.json?.["username"] === username);
      return String(mail.json?.["token"]);
    },
    async close() {
      await client.close(1000);
      await kafka.close();
      await fleet.sql.end(); // another one where PostgreSQL was away
    },
  };
  return fleet;
}
