// The stack that the tests run against: where it is, and the folder of this run.
// Started once for all files by globalSetup.ts; a test only reads the addresses. A test that stops or kills services
// starts a stack of its own (stack/stack.ts) in a folder below runFolder(), so that the runner finds and ends what it
// may leave behind.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What globalTeardown.ts, which runs in the same process as globalSetup.ts, has to end. */
export interface RunningStack {
  readonly addresses: TestStack;
  stop(): Promise<void>;
}

export interface TestStack {
  /** host:port */
  readonly kafka: string;
  /** With the path of the Confluent-compatible API. */
  readonly registry: string;
  readonly database: string;
  /** A database with all migrations, to make others from (databases.ts). */
  readonly template?: string;
}

/** Made and removed by bin/run-jest.js. */
export function runFolder(): string {
  const folder = process.env["TEST_RUN_DIR"];
  if (folder === undefined)
    throw new Error("run the tests with `npm test -- PATTERN`: bin/run-jest.js makes the folder of a run");
  return folder;
}

/** A new folder for a stack of a test's own. */
export function ownFolder(name: string): string {
  const folder = join(runFolder(), name);
  mkdirSync(folder, { recursive: true });
  return folder;
}

export function testStack(): TestStack {
  return JSON.parse(readFileSync(join(runFolder(), "stack.json"), "utf8")) as TestStack;
}

export function writeTestStack(stack: TestStack): void {
  writeFileSync(join(runFolder(), "stack.json"), JSON.stringify(stack), { mode: 0o600 });
}
