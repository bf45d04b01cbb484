// What `npm pack` makes: nothing in it but what users need, and all of that works where the checkout is not.
// The packages it depends on are the checkout's, linked beside it; test/long/install.test.ts lets npm install them.
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { runtimeFault } from "../src/client/runtime.ts";
import { sharedFleet } from "./support/fleet.ts";
import { lowestNode, lowestNodeVersion } from "./support/lowest-node.ts";
import { mustRun, pack, run, unpack } from "./support/package.ts";
import { newUser } from "./support/users.ts";

const root = join(import.meta.dirname, "..");
const packages = join(root, "node_modules");

/** Whatever is none of these is a source, a test, a secret or a leftover. */
const published =
  /^(bin\/(authfleet|authctl|bootstrap|install)\.js|dist\/(src|stack)\/[\w/-]+\.(js|d\.ts)|docs\/[\w/-]+\.(md|svg|json|ya?ml)|migrations\/\w+\.sql|proto\/\w+\.proto|lists\/(common-passwords\.txt|README\.md)|schemas\/[\w./-]+\.(avsc|json)|stack\/pom\.xml|templates\/mail\/[\w/-]+\.(txt|html)|package\.json|LICENSE|README\.md)$/;

let home: string;
let files: string[];

beforeAll(async () => {
  home = await unpack(await pack("pack"));
  symlinkSync(packages, join(dirname(home), "node_modules"));
  files = readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(home, join(entry.parentPath, entry.name)));
}, 60_000);

describe("the tarball", () => {
  test("holds what is published and nothing else", () => {
    expect(files.filter((file) => !published.test(file))).toEqual([]);
    expect(
      ["src/main.ts", "test/pack.test.ts", ".data/master-key", "bin/test.js"].filter((file) => published.test(file)),
    ).toEqual([]);
  });

  test("holds every file that package.json names", () => {
    const { bin, exports } = JSON.parse(readFileSync(join(home, "package.json"), "utf8")) as Manifest;
    const named = [...Object.values(bin), ...Object.values(exports).flatMap((each) => Object.values(wrap(each)))];
    expect(named.length).toBeGreaterThan(4);
    expect(named.filter((file) => !existsSync(join(home, file)))).toEqual([]);
  });

  test("holds what the program reads while it runs, where it looks for it", async () => {
    const script = `
      const { packageRoot } = await import(${JSON.stringify(join(home, "dist/src/runtime/package-root.js"))});
      const { projectRoot } = await import(${JSON.stringify(join(home, "dist/stack/root.js"))});
      console.log(JSON.stringify([packageRoot, projectRoot()]));`;
    const said = await mustRun(home, [process.execPath, "--input-type=module", "--eval", script]);
    expect(JSON.parse(said)).toEqual([home, home]);
    expect(files).toEqual(
      expect.arrayContaining([
        "lists/common-passwords.txt",
        "proto/auth.proto",
        "migrations/0001_initial.sql",
        "stack/pom.xml",
        "templates/mail/layout.html",
        "templates/mail/ru/confirm-list.txt",
      ]),
    );
  });
});

interface Manifest {
  bin: Record<string, string>;
  exports: Record<string, string | Record<string, string>>;
}

const wrap = (entry: string | Record<string, string>) => (typeof entry === "string" ? { default: entry } : entry);

describe("the commands, under the Node that is at hand", () => {
  test("authfleet help shows processes and variables", async () => {
    const said = await mustRun(home, ["node", "bin/authfleet.js", "help"]);
    expect(said).toContain("Usage: authfleet PROCESS");
    expect(await mustRun(home, ["node", "bin/authfleet.js", "worker", "--help"])).toContain("AUTH_KAFKA_BROKERS");
  });

  test("authctl help shows its commands, and both say their version", async () => {
    expect(await mustRun(home, ["node", "bin/authctl.js", "help"])).toContain("demo");
    const { version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8")) as { version: string };
    for (const command of ["authctl", "authfleet"])
      expect(await mustRun(home, ["node", `bin/${command}.js`, "--version"])).toBe(`${version}\n`);
  });

  test("a role without its configuration says what is missing", async () => {
    const { code, stderr } = await run(home, ["node", "bin/authfleet.js", "worker"]);
    expect(stderr).toContain("AUTH_MASTER_KEY is not set");
    expect(code).toBe(2);
  });
});

describe("the library for services", () => {
  const program = (password: string) => `
    import { connect, Refusal } from "authfleet/client";
    try {
      const auth = connect({ brokers: [], registry: "http://localhost:1", name: "shop" });
      const { tokens } = await auth.session.login({ login: "alice", password: ${password} }, { timeoutMs: 1 });
      const token: string | undefined = tokens?.accessToken;
      console.log(token);
    } catch (error) {
      console.log(error instanceof Refusal ? error.code : String(error));
    }`;

  /** What a service does with it: calls, checks tokens by itself, reads events. Plain JavaScript, as another language's compiler may make it. */
  const calls = `
    import { connect, Refusal } from "authfleet/client";
    process.on("unhandledRejection", (reason) => console.log("unhandled", reason));
    const [options, person] = JSON.parse(process.argv[2]);
    const auth = connect(options);
    const seen = Promise.withResolvers();
    const read = async (event) => event.name === "UserRegistered" && event.login === person.login && seen.resolve(event.login);
    await auth.events(read, { group: "test." + process.versions.node, only: ["UserRegistered"] }).ready;
    const verifier = auth.verifier();
    await auth.account.register(person);
    const refused = await auth.session.login(person, { timeoutMs: 20_000 }).catch((error) => error);
    const aborted = await auth.key.list({}, { signal: AbortSignal.abort("gone") }).catch((reason) => reason);
    await verifier.ready();
    const said = [process.versions.node, refused instanceof Refusal && refused.code, aborted, await seen.promise];
    console.log(JSON.stringify([...said, verifier.jwks().keys.length > 0]));
    await auth.close();
    process.exit();`;

  /** A service that has installed the package, with compiler settings of its own. */
  let folder: string;
  beforeAll(() => {
    const sources = {
      "shop.ts": program('"correct horse"'),
      "mistaken.ts": program("12345678"),
      "calls.js": calls,
    };
    folder = join(dirname(home), "service");
    mkdirSync(join(folder, "node_modules"), { recursive: true });
    symlinkSync(home, join(folder, "node_modules", "authfleet"));
    const compilerOptions = { module: "nodenext", target: "es2022", strict: true, types: ["node"] };
    const files = Object.keys(sources).filter((file) => file.endsWith(".ts"));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
    for (const [file, source] of Object.entries(sources)) writeFileSync(join(folder, file), source);
  });

  test("compiles and runs in a service, and its types find a mistake", async () => {
    const { stdout: errors } = await run(folder, [join(packages, ".bin", "tsc")]);
    expect(errors.trim()).toMatch(
      /^mistaken\.ts\(\d+,\d+\): error TS2322: Type 'number' is not assignable to type 'string'\.$/,
    );
    expect(await mustRun(folder, [process.execPath, "shop.js"])).toBe(
      'TypeError: "brokers" must be a list of host:port\n',
    );
    const handy = (await mustRun(folder, ["node", "--version"])).trim().slice(1);
    const fault = runtimeFault(handy);
    const said = fault === undefined ? 'TypeError: "brokers" must be a list of host:port' : `Error: ${fault}`;
    expect(await mustRun(folder, ["node", "shop.js"])).toBe(`${said}\n`);
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

  test("states the Node versions under which it is tried here", () => {
    const { engines } = JSON.parse(readFileSync(join(home, "package.json"), "utf8")) as { engines: object };
    expect(engines).toEqual({ node: "^22.15.0 || ^24.0.0" });
    expect(lowestNodeVersion).toMatch(/^22\.15\./);
    expect(process.versions.node).toMatch(/^24\./);
  });

  test.each([
    [lowestNodeVersion, lowestNode],
    [process.versions.node, async () => process.execPath],
  ])(
    "calls, verifies and reads events under Node %s",
    async (version, node) => {
      const { env, prefix } = sharedFleet();
      const options = {
        brokers: env["AUTH_KAFKA_BROKERS"]!.split(","),
        registry: env["AUTH_REGISTRY_URL"],
        name: "test",
        topicPrefix: prefix,
      };
      const person = newUser("pk");
      const said = await mustRun(folder, [await node(), "calls.js", JSON.stringify([options, person])]);
      expect(JSON.parse(said)).toEqual([version, "NOT_CONFIRMED", "gone", person.login, true]);
    },
    120_000,
  );
});
