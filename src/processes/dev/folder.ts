// The data folder of `dev`: its location, the master key and the operator's key in it, and stack.json, which tells
// others where the running system listens. These files can be read by their owner only (they hold keys, and the
// database's password); stack.json exists exactly while the system is ready, and is replaced atomically. authctl finds
// a running system by it.
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { projectRoot } from "../../../stack/root.ts";
import type { Environment } from "../../config/read.ts";

/** The content of stack.json. */
export interface Addresses {
  readonly kafka: string;
  /** Including the path of the Confluent-compatible API. */
  readonly registry: string;
  readonly database: string;
  readonly grpc: string;
  /** `<process>-<n>` -> the address of its /healthz, /readyz and /metrics. */
  readonly http: Readonly<Record<string, string>>;
  /** AUTH_FLEET_ID. */
  readonly fleetId: string;
}

/** AUTH_DEV_DIR; default: .data in the checkout, or in the current folder where the package is installed. */
export function devFolder(env: Environment): string {
  const given = env["AUTH_DEV_DIR"];
  if (given) return resolve(given);
  const root = projectRoot();
  return join(root.includes(`${sep}node_modules${sep}`) ? process.cwd() : root, ".data");
}

/** Created once: what it has wrapped in the database cannot be read with another. @returns the key's file */
export function masterKeyFile(folder: string): string {
  const file = join(folder, "master-key");
  if (!existsSync(file)) writeWhole(file, `k1:${randomBytes(32).toString("base64")}\n`);
  return file;
}

/** The key with which authctl acts as operator:dev. */
export function operatorKeyFile(folder: string): string {
  return join(folder, "operator-key.json");
}

export function writeAddresses(folder: string, addresses: Addresses): void {
  writeWhole(join(folder, "stack.json"), `${JSON.stringify(addresses, null, 2)}\n`);
}

export function removeAddresses(folder: string): void {
  rmSync(join(folder, "stack.json"), { force: true });
}

/** @returns undefined where no system is ready in this folder */
export function readAddresses(folder: string): Addresses | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, "stack.json"), "utf8")) as Addresses;
  } catch {
    return undefined;
  }
}

export function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
