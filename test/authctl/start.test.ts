// What a command of authctl loads and what CPU it takes until it would reach the network.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "@jest/globals";

const root = join(import.meta.dirname, "..", "..");
const module = (path: string): string => pathToFileURL(join(root, path)).href;

/** Prints at the end, on standard error, which packages were loaded and the CPU that this process has taken. */
const watch = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module";
  const packages = new Set();
  registerHooks({ load(url, context, next) {
    const name = /\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1];
    if (name !== undefined) packages.add(name);
    return next(url, context);
  } });
  process.on("exit", () => {
    const { userCPUTime, systemCPUTime } = process.resourceUsage();
    process.stderr.write("\\n" + JSON.stringify({ cpuMs: (userCPUTime + systemCPUTime) / 1000, packages: [...packages] }));
  });`)}`;

interface Started {
  code: number;
  cpuMs: number;
  packages: string[];
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "start-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Nobody is there to speak to. @param besides modules that are loaded first */
async function start(line: string, besides: string[] = []): Promise<Started> {
  const imports = [watch, ...besides.map(module)].flatMap((each) => ["--import", each]);
  const args = [...imports, join(root, "src", "main.ts"), "ctl", ...line.split(" ")];
  const env = { PATH: process.env["PATH"] ?? "", AUTH_DEV_DIR: folder };
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "ignore", "pipe"] });
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, "exit")]);
  return { code: code as number, ...(JSON.parse(said.trim().split("\n").at(-1)!) as Omit<Started, "code">) };
}

/** What parses arguments and prints, with its dependencies; zod reads the stored login, jose signs as an operator. */
const light = [
  "commander",
  "slice-ansi",
  "ansi-styles",
  "string-width",
  "get-east-asian-width",
  "strip-ansi",
  "ansi-regex",
  "zod",
  "jose",
];
const loadedBeyond = ({ packages }: Started): string[] => packages.filter((name) => !light.includes(name));

test.each([
  ["--help", 0, 400],
  ["users show --help", 0, 400],
  ["help request", 0, 800],
  ["users show ada", 3, 800],
  ["login ada", 3, 800],
  ["dlq list", 3, 800],
  ["keys list", 3, 800],
  ["schemas check", 3, 800],
])("%s ends with %i, within %i ms of CPU, and loads no driver", async (line, code, bound) => {
  let cpuMs = Number.POSITIVE_INFINITY;
  // CPU time, not time, so that other processes of this machine count little; and the best of some tries.
  for (let tries = 0; tries < 5 && cpuMs >= bound; tries += 1) {
    const started = await start(line);
    expect(started.code).toBe(code);
    expect(loadedBeyond(started)).toEqual([]);
    cpuMs = Math.min(cpuMs, started.cpuMs);
  }
  expect(cpuMs).toBeLessThan(bound);
});

test("what the worker loads would be seen, by its packages and by its CPU (the control)", async () => {
  const eager = await start("--help", ["src/processes/worker.ts"]);
  const lazy = await start("--help");
  expect(loadedBeyond(eager)).toEqual(expect.arrayContaining(["slonik", "avsc", "argon2"]));
  expect(eager.cpuMs).toBeGreaterThan(1.5 * lazy.cpuMs);
});
