// The client's package in a project of its own, under Node 24; under the lowest Node it is in test/pack.test.ts. And
// its reference, which npm fetches a program for.
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { mustRun } from "../support/package.ts";
import { installService, journey, wanted } from "../support/service.ts";

test("the installed client calls, verifies and reads events under Node 24, and leaves every kafkajs as it was", async () => {
  expect(process.versions.node).toMatch(/^24\./);
  const { told, login } = await journey(await installService("install"), process.execPath);
  expect(told).toEqual(wanted(process.versions.node, login));
}, 300_000);

test("npm run docs writes the reference of the client's types, and warns of nothing", async () => {
  const home = join(import.meta.dirname, "..", "..", "clients", "typescript");
  // What it warns of is an error (typedoc.json).
  expect(await mustRun(home, ["npm", "run", "docs"])).toContain("html generated at ./docs");
}, 300_000);
