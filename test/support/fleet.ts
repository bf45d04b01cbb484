// Fleets of tests: processes of their own against the stack that all tests share. globalSetup.ts starts one for all
// files, with a worker, a relay and a bridge; tests keep apart on it by logins of their own. A test that stops or
// breaks things starts a fleet of its own with startFleet(): another topic prefix, another database, nothing shared but
// the servers.
import type { ChildProcess } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeDatabase } from "./databases.ts";
import { testDriver } from "./driver.ts";
import { type FleetAddresses, writeSharedFleet } from "./fleet-addresses.ts";
import { enrol, testOperator, writeOperatorKey } from "./operator.ts";
import { end, launch, run, upLine } from "./processes.ts";
import { runFolder, type TestStack, testStack } from "./stack.ts";
import { until } from "./until.ts";

export type FleetProcess = "worker" | "relay" | "mailer" | "bridge";

export interface Fleet extends FleetAddresses {
  processes: Map<string, ChildProcess>;
  /** Starts another process. @param node arguments for Node itself (faults.ts) */
  start(kind: FleetProcess, name: string, env?: Record<string, string>, node?: string[]): Promise<void>;
  /** The same, without waiting until it is ready. */
  boot: Fleet["start"];
  stop(): Promise<void>;
}

/** Cheap enough that a test does not wait for it, and above the bound of AUTH_ARGON2_MEMORY. */
const testArgon2 = { AUTH_ARGON2_MEMORY: "7168", AUTH_ARGON2_TIME: "1", AUTH_ARGON2_PARALLELISM: "1" };

/** Called by globalSetup.ts. */
export async function startSharedFleet(): Promise<Fleet> {
  const fleet = await startFleet("shared", {
    env: { AUTH_BREACHED_PASSWORDS: stolenPasswords(runFolder()), AUTH_AUDIT_HEAD_EVERY: "5s" },
  });
  writeSharedFleet(fleet);
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

export interface FleetOptions {
  /** Of topics and groups on the broker; default: one that nobody has. */
  prefix?: string;
  env?: Record<string, string>;
  stack?: TestStack;
  /** What is started with it; default: a worker, a relay and a bridge. */
  processes?: FleetProcess[];
  /** Keeps what an earlier fleet of the name left: its database, topics and keys. */
  again?: FleetAddresses;
}

/** A fleet of its own: migrated, and its processes ready. */
export async function startFleet(name: string, options: FleetOptions = {}): Promise<Fleet> {
  const stack = options.stack ?? testStack();
  const folder = join(runFolder(), `fleet-${name}`);
  const prefix = options.prefix ?? options.again?.prefix ?? `${name}-${randomBytes(3).toString("hex")}.`;
  const database =
    options.again?.env["AUTH_DATABASE_URL"] ?? (await makeDatabase(stack, prefix.replace(/[^a-z0-9]/g, "_")));
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
