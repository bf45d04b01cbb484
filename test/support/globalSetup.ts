// Before all tests: brings up the stack that AUTH_TEST_STACK names, once for all files.
// local (default): stack/ as child processes in the folder of this run, on free ports; containers: Docker by
// testcontainers; external: what AUTH_TEST_KAFKA, AUTH_TEST_REGISTRY and AUTH_TEST_DATABASE point to, left as it is
// afterwards.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startStack } from "../../stack/stack.ts";
import { makeTemplate } from "./databases.ts";
import { startSharedFleet } from "./fleet.ts";
import { type RunningStack, runFolder, writeTestStack } from "./stack.ts";

declare global {
  var runningStack: RunningStack | undefined;
  var runningFleet: { stop(): Promise<void> } | undefined;
}

export default async function globalSetup(): Promise<void> {
  const kind = process.env["AUTH_TEST_STACK"] || "local";
  globalThis.runningStack = await starterOf(kind)();
  const { addresses } = globalThis.runningStack;
  writeTestStack({ ...addresses, template: await makeTemplate(addresses.database) });
  globalThis.runningFleet = await startSharedFleet();
}

function starterOf(kind: string): () => Promise<RunningStack> {
  switch (kind) {
    case "local":
      return startLocal;
    case "containers":
      // Loaded only here: testcontainers takes longer to load than most files to test.
      return async () => (await import("./containers.ts")).startContainers();
    case "external":
      return useExternal;
    default:
      throw new Error(`AUTH_TEST_STACK must be local, containers or external, not ${kind}`);
  }
}

async function startLocal(): Promise<RunningStack> {
  const dir = join(runFolder(), "shared");
  mkdirSync(dir);
  const report = (line: string) => console.log(`stack: ${line}`);
  // Tests kill processes, never the machine: what is in the kernel's hands is safe. Two files at a time may each have a
  // fleet with its pools and a pool of 80 connections of their own, and the backends of a process that was stopped
  // stay.
  const stack = await startStack({ dir, report, postgres: { fsync: "off", max_connections: 400 } });
  const addresses = { kafka: stack.kafka.address, registry: stack.registry.address, database: stack.postgres.address };
  return { addresses, stop: () => stack.stop() };
}

async function useExternal(): Promise<RunningStack> {
  const addresses = {
    kafka: needed("AUTH_TEST_KAFKA"),
    registry: needed("AUTH_TEST_REGISTRY"),
    database: needed("AUTH_TEST_DATABASE"),
  };
  return { addresses, stop: async () => {} };
}

function needed(name: string): string {
  const value = process.env[name];
  if (value) return value;
  throw new Error(`AUTH_TEST_STACK=external needs ${name}`);
}
