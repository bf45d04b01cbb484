// The package of the client, as services get it: what is in its tarball, what npm installs with it, and that it works
// where no checkout is, under the lowest Node that it promises. Under Node 24 test/long/install.test.ts does the same.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { runtimeFault } from "../src/client/runtime.ts";
import { lowestNode, lowestNodeVersion } from "./support/lowest-node.ts";
import { mustRun, run, unpack } from "./support/package.ts";
import { bytesOf, installService, journey, packagesOf, type Service, wanted } from "./support/service.ts";

const root = join(import.meta.dirname, "..");

/** Whatever is none of these is a source, a test, a secret or a leftover. */
const published =
  /^(dist\/(bus|client|crypto|kafka|lib|protocol|runtime)\/[\w/-]+\.(js|d\.ts)|node_modules\/kafkajs\/.+|package\.json|LICENSE|README\.md)$/;

interface Manifest {
  exports: { ".": Record<string, string> };
  dependencies: Record<string, string>;
  scripts: Record<string, string>;
  engines: object;
}

const manifestIn = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;

let service: Service;
let home: string;
let files: string[];

beforeAll(async () => {
  service = await installService("pack");
  home = await unpack({ folder: join(service.folder, ".."), tarball: service.tarball });
  files = readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(home, join(entry.parentPath, entry.name)));
}, 120_000);

describe("the tarball", () => {
  test("holds what is published and nothing else", () => {
    expect(files.filter((file) => !published.test(file))).toEqual([]);
    expect(
      ["src/main.ts", "dist/db/pool.js", "dist/handlers/index.js", "build.js", ".data/master-key"].filter((file) =>
        published.test(file),
      ),
    ).toEqual([]);
  });

  test("holds the files that its package.json names, and the copy of kafkajs that it carries", () => {
    const named = Object.values(manifestIn(home).exports["."]);
    expect(named.length).toBe(2);
    expect(named.filter((file) => !existsSync(join(home, file)))).toEqual([]);
    expect(files).toEqual(
      expect.arrayContaining(["node_modules/kafkajs/package.json", "node_modules/kafkajs/src/index.js"]),
    );
  });
});

describe("an installation", () => {
  const most = { bytes: 25_000_000, packages: 45 };

  test("is small", () => {
    const installed = packagesOf(service);
    expect(installed.length).toBeGreaterThan(5);
    expect(installed.length).toBeLessThanOrEqual(most.packages);
    const bytes = bytesOf(service, join("node_modules", "kafkajs"));
    expect(bytes).toBeGreaterThan(5_000_000);
    expect(bytes).toBeLessThanOrEqual(most.bytes);
  });

  test("runs no script of the package or of what it depends on directly", () => {
    const scripts = packagesOf(service).filter(({ hasScript }) => hasScript);
    const direct = ["authfleet-client", ...Object.keys(manifestIn(home).dependencies)];
    expect(scripts.filter(({ path }) => direct.includes(path.replace(/^.*node_modules\//, "")))).toEqual([]);
    // The control: one has a script, and npm says so.
    expect(scripts.map(({ path }) => path)).toEqual(["node_modules/protobufjs"]);
    expect(Object.keys(manifestIn(home).scripts).filter((name) => /install|prepare/.test(name))).toEqual([]);
  });
});

describe("in a service", () => {
  const program = (password: string) => `
    import { connect, Refusal } from "authfleet-client";
    try {
      const auth = connect({ brokers: [], registry: "http://localhost:1", name: "shop" });
      const { tokens } = await auth.session.login({ login: "alice", password: ${password} }, { timeoutMs: 1 });
      const token: string | undefined = tokens?.accessToken;
      console.log(token);
    } catch (error) {
      console.log(error instanceof Refusal ? error.code : String(error));
    }`;

  test("it compiles, and its types find a mistake", async () => {
    const { folder } = service;
    writeFileSync(join(folder, "shop.ts"), program('"correct horse"'));
    writeFileSync(join(folder, "mistaken.ts"), program("12345678"));
    const compilerOptions = { module: "nodenext", target: "es2022", strict: true, types: ["node"] };
    const config = { compilerOptions, files: ["shop.ts", "mistaken.ts"] };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    const { stdout: errors } = await run(folder, [join(root, "node_modules", ".bin", "tsc")]);
    expect(errors.trim()).toMatch(
      /^mistaken\.ts\(\d+,\d+\): error TS2322: Type 'number' is not assignable to type 'string'\.$/,
    );
  });

  test("it says under which Node it does not run, and what is wrong with its options", async () => {
    const { folder } = service;
    writeFileSync(join(folder, "options.js"), program('"correct horse"').replace(": string | undefined", ""));
    const mistake = 'TypeError: "brokers" must be a list of host:port';
    expect(await mustRun(folder, [process.execPath, "options.js"])).toBe(`${mistake}\n`);
    const handy = (await mustRun(folder, ["node", "--version"])).trim().slice(1);
    const fault = runtimeFault(handy);
    expect(await mustRun(folder, ["node", "options.js"])).toBe(
      `${fault === undefined ? mistake : `Error: ${fault}`}\n`,
    );
  });

  test.each([
    ["20.20.2", "this is 20.20.2"],
    ["22.14.0", "this is 22.14.0"],
    ["22.15.0", undefined],
    ["24.0.0", undefined],
  ])("says of Node %s: %s", (version, said) => {
    const fault = runtimeFault(version);
    expect(fault).toEqual(said === undefined ? undefined : expect.stringContaining(said));
  });

  test("it states the Node versions under which it is tried", () => {
    expect(manifestIn(home).engines).toEqual({ node: "^22.15.0 || ^24.0.0" });
    expect(lowestNodeVersion).toMatch(/^22\.15\./);
    expect(process.versions.node).toMatch(/^24\./);
  });

  test("it calls, verifies and reads events under the lowest Node, and leaves every kafkajs as it was", async () => {
    const { told, login } = await journey(service, await lowestNode());
    expect(told).toEqual(wanted(lowestNodeVersion, login));
    expect(told.members).toBeGreaterThan(500);
  }, 120_000);
});
