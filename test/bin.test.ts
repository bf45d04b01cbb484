// The commands of a checkout under the Node that a user has, which may be older than the project's own.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { mustRun, run } from "./support/package.ts";

const root = join(import.meta.dirname, "..");

test("authfleet help shows processes and variables", async () => {
  expect(await mustRun(root, ["node", "bin/authfleet.js", "help"])).toContain("Usage: authfleet PROCESS");
  expect(await mustRun(root, ["node", "bin/authfleet.js", "worker", "--help"])).toContain("AUTH_KAFKA_BROKERS");
});

test("authctl help shows its commands, and both say their version", async () => {
  expect(await mustRun(root, ["node", "bin/authctl.js", "help"])).toContain("demo");
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  for (const command of ["authctl", "authfleet"])
    expect(await mustRun(root, ["node", `bin/${command}.js`, "--version"])).toBe(`${version}\n`);
});

test("a process without its configuration says what is missing", async () => {
  const { code, stderr } = await run(root, ["node", "bin/authfleet.js", "worker"]);
  expect(stderr).toContain("AUTH_MASTER_KEY is not set");
  expect(code).toBe(2);
});
