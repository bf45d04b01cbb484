// The published package in an empty folder, installed by npm with all that it depends on: as long as that takes.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { mustRun, pack } from "../support/package.ts";

test("npm install brings commands that run", async () => {
  const { folder, tarball } = await pack("install");
  const home = join(folder, "empty");
  mkdirSync(home);
  writeFileSync(join(home, "package.json"), "{}");
  await mustRun(home, ["npm", "install", "--no-audit", "--no-fund", tarball]);
  expect(await mustRun(home, ["npx", "--no-install", "authfleet", "help"])).toContain("Usage: authfleet PROCESS");
  expect(await mustRun(home, ["npx", "--no-install", "authctl", "help"])).toContain("demo");
}, 300_000);
