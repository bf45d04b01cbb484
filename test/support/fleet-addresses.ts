// Where a fleet is: what a test needs to speak to it, or to start another process of it. globalSetup.ts writes the
// addresses of the shared fleet to a file, from which every test file reads them.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runFolder } from "./stack.ts";

/** Addresses and environment of a fleet, as a file can hold them. */
export interface FleetAddresses {
  name: string;
  prefix: string;
  env: Record<string, string>;
  grpc: string;
  http: Record<string, string>;
}

const file = (): string => join(runFolder(), "fleet.json");

export function sharedFleet(): FleetAddresses {
  return JSON.parse(readFileSync(file(), "utf8")) as FleetAddresses;
}

export function writeSharedFleet({ name, prefix, env, grpc, http }: FleetAddresses): void {
  writeFileSync(file(), JSON.stringify({ name, prefix, env, grpc, http }), { mode: 0o600 });
}
