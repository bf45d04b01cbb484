// The image of a release on a real Docker engine, as `npm run release` builds it: its labels, that it holds what the
// lock file says for production and nothing else, that its programs run, and that `docker load` takes it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type ReleaseSource, writeServer } from "../../tools/release/files.ts";
import { buildImage, imageLabels, writeImage } from "../../tools/release/image.ts";
import { ownFolder } from "../support/stack.ts";
import { treeCopy } from "../support/tree-copy.ts";
import { type Engine, findEngine } from "./docker.ts";

const minute = 60_000;
const tag = `authfleet:test-${process.pid}`;
let engine: Engine;
let source: ReleaseSource;
let folder: string;

beforeAll(async () => {
  engine = await findEngine();
  folder = ownFolder("image");
  const tree = treeCopy(join(folder, "tree"));
  const commit = tree.git("rev-parse", "HEAD").trim();
  source = { root: tree.folder, version: "1.2.0", commit, committedAt: new Date(1_800_000_000_000) };
  await buildImage(source, join(folder, await writeServer(source, folder)), { tag, env: engine.env });
}, 15 * minute);
afterAll(async () => {
  await engine.docker(["image", "rm", "--force", tag]);
  await engine.stop();
}, 2 * minute);

const run = (...args: string[]): Promise<string> => engine.docker(["run", "--rm", "--network", "none", ...args]);
const sh = (script: string): Promise<string> => run("--entrypoint", "sh", tag, "-c", script);
const linesOf = (text: string): string[] => text.trim().split("\n").sort();

test("has the labels of the release beside those of the Dockerfile", async () => {
  const labels: Record<string, string> = JSON.parse(
    await engine.docker(["image", "inspect", "--format", "{{json .Config.Labels}}", tag]),
  );
  expect(labels).toMatchObject(imageLabels(source));
  expect(labels).toMatchObject({
    "org.opencontainers.image.title": "authfleet",
    "org.opencontainers.image.description": expect.stringContaining("auth service"),
    "org.opencontainers.image.licenses": "MIT",
    "org.opencontainers.image.base.name": "docker.io/library/node:24-bookworm-slim",
  });
});

interface Lock {
  packages: Record<string, { version: string; dev?: boolean; devOptional?: boolean }>;
}

test("holds the packages of the lock file for production, and none for development", async () => {
  const find = "find node_modules -name package.json | xargs grep -l '\"version\"'";
  const { packages } = JSON.parse(readFileSync(join(source.root, "package-lock.json"), "utf8")) as Lock;
  const found = linesOf(await sh(`cd /app && ${find}`)).map((path) => path.replace(/\/package\.json$/, ""));
  const installed = found.filter((path) => path in packages);
  expect(installed.length).toBeGreaterThan(50);
  expect(installed.filter((path) => packages[path]!.dev)).toEqual([]);
  expect(installed).toEqual(expect.arrayContaining(["node_modules/pg", "node_modules/argon2"]));
  // The control: there are such packages, and the file would tell.
  expect(packages["node_modules/jest"]!.dev).toBe(true);
});

test("holds no test, no source and no tool", async () => {
  expect(linesOf(await sh("ls -A /app"))).toEqual([
    "LICENSE",
    "dist",
    "docs",
    "lists",
    "migrations",
    "node_modules",
    "package.json",
    "proto",
    "schemas",
    "templates",
  ]);
  expect(await sh("find /app/dist -name '*.test.*' -o -path '*/test/*' -o -name '*.ts' ! -name '*.d.ts'")).toBe("");
});

test.each([
  ["help", /Usage: authfleet PROCESS/],
  ["--help", /Usage: authfleet PROCESS/],
  ["migrate --help", /AUTH_DATABASE_URL/],
  ["worker --help", /AUTH_KAFKA_BROKERS/],
])("answers %s", async (args, said) => {
  expect(await run(tag, ...args.split(" "))).toMatch(said);
});

test("has authctl", async () => {
  expect(await run("--entrypoint", "authctl", tag, "--help")).toMatch(/Usage: authctl/);
});

test(
  "is loaded from its file",
  async () => {
    const name = await writeImage(tag, { version: source.version, out: folder, env: engine.env });
    expect(name).toMatch(/^authfleet-image-1\.2\.0-linux-\w+\.tar\.gz$/);
    expect(await engine.docker(["load", "--input", join(folder, name)], 3 * minute)).toContain(`Loaded image: ${tag}`);
  },
  6 * minute,
);
