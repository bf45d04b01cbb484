// The pieces of the embedded stack that decide whether `npm start` can be trusted: ports, locks, leftovers, and what it
// says when it cannot start. Real processes throughout; the services themselves are started by globalSetup.ts for all
// tests, so they are not started here again.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { majorVersion } from "../stack/java.ts";
import { tryLock } from "../stack/lock.ts";
import { isAlive, startTimeOf } from "../stack/pid.ts";
import { freePort, isFree, openPorts } from "../stack/ports.ts";
import { killLeftovers } from "../stack/processes.ts";
import { projectRoot } from "../stack/root.ts";
import { makeStack } from "../stack/stack.ts";
import { runFolder } from "./support/stack.ts";

const root = projectRoot();
const children: ChildProcess[] = [];
const newFolder = () => mkdtempSync(join(runFolder(), "pieces-"));

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

describe("a port", () => {
  test("that is taken is replaced by a free one, and said so; one that is free is kept in silence", async () => {
    const { said, ports } = portsIn(newFolder());
    const [taken, free] = [await freePort(), await unusedPort()];
    const listener = await listen(taken);
    const replaced = await ports.choose("Kafka", taken);
    expect(replaced).not.toBe(taken);
    expect(await isFree(replaced)).toBe(true);
    expect(said).toEqual([`port ${taken} is taken: Kafka gets ${replaced} instead`]);
    expect(await ports.choose("the registry", free)).toBe(free);
    expect(said).toHaveLength(1);
    listener.close();
  });

  test("that a former run had to take is taken again, unless another is wished for now", async () => {
    const folder = newFolder();
    const former = await unusedPort();
    const choice = { preferred: 1, port: former };
    writeFileSync(
      join(folder, "ports.json"),
      JSON.stringify({ Kafka: choice, PostgreSQL: { ...choice, port: await unusedPort() } }),
    );
    expect(await portsIn(folder).ports.choose("Kafka", 1)).toBe(former);
    const wished = await unusedPort();
    expect(await portsIn(folder).ports.choose("PostgreSQL", wished)).toBe(wished);
  });

  test("is given out once only", async () => {
    const given = await Promise.all(Array.from({ length: 50 }, () => freePort()));
    expect(new Set(given).size).toBe(50);
  });
});

describe("processes that a killed parent left running", () => {
  test("are ended by the next start", async () => {
    const folder = newFolder();
    const pid = await orphan(folder);
    const startTime = startTimeOf(pid);
    expect(isAlive(pid, startTime)).toBe(true);
    expect(await killLeftovers(folder)).toEqual(["sleeper"]);
    expect(isAlive(pid, startTime)).toBe(false);
    expect(await killLeftovers(folder)).toEqual([]);
  });

  test("are left alone when only the pid is the same", async () => {
    const folder = newFolder();
    const pid = await orphan(folder);
    const notes = JSON.parse(readFileSync(join(folder, "pids.json"), "utf8")) as object[];
    writeFileSync(join(folder, "pids.json"), JSON.stringify(notes.map((note) => ({ ...note, startTime: "1" }))));
    expect(await killLeftovers(folder)).toEqual([]);
    expect(isAlive(pid, startTimeOf(pid))).toBe(true);
    process.kill(pid, "SIGKILL");
  });
});

describe("a lock", () => {
  test("of a live process is refused with its pid, of a dead one taken over, however many try", async () => {
    const lock = join(newFolder(), "lock");
    const holder = run(
      `const { tryLock } = await import("${root}/stack/lock.ts"); tryLock("${lock}"); console.log("held"); setInterval(() => {}, 1000);`,
    );
    await firstLine(holder);
    expect(tryLock(lock)).toEqual({ pid: holder.pid, ending: false });
    await killed(holder);
    const attempts = await Promise.all(Array.from({ length: 4 }, () => attempt(lock)));
    expect(attempts.filter((outcome) => outcome === "held")).toHaveLength(1);
    expect(attempts.filter((outcome) => outcome === "refused")).toHaveLength(3);
  });

  test("is free again after its release", () => {
    const lock = join(newFolder(), "lock");
    for (let round = 0; round < 2; round++) {
      const held = tryLock(lock);
      if (!("release" in held)) throw new Error("refused");
      held.release();
      expect(existsSync(lock)).toBe(false);
    }
  });

  test("keeps a second stack from a folder in use", async () => {
    const dir = newFolder();
    const holder = run(
      `const { tryLock } = await import("${root}/stack/lock.ts"); tryLock("${dir}/lock"); console.log("held"); setInterval(() => {}, 1000);`,
    );
    await firstLine(holder);
    const claim = makeStack({ dir, report: () => {} }).claim();
    await expect(claim).rejects.toThrow(
      `Another run (process ${holder.pid}) uses the data folder ${dir}: stop it first`,
    );
    await killed(holder);
  });
});

describe("npm start says in one sentence what to do and fails when", () => {
  test("Java is missing", async () => {
    const said = await failedStart({ PATH: newFolder(), AUTH_DEV_DIR: newFolder() });
    expect(said).toBe(
      "Java was not found: install Java 17 or newer (a JRE is enough) and put `java` on PATH or set JAVA_HOME.",
    );
  });

  test("Java is too old", async () => {
    const programs = newFolder();
    program(join(programs, "java"), `echo 'openjdk version "11.0.22" 2024-01-16' >&2`);
    const said = await failedStart({ PATH: programs, AUTH_DEV_DIR: newFolder() });
    expect(said).toMatch(/^Java 11 is too old for Kafka 4: install Java 17 or newer/);
  });

  test("Maven is missing while something is to be fetched", async () => {
    const [stack, dir, programs] = [newFolder(), newFolder(), newFolder()];
    copyFileSync(join(root, "stack", "pom.xml"), join(stack, "pom.xml"));
    mkdirSync(join(dir, "logs"));
    const fetching = `const { bringJars } = await import("${root}/stack/jars.ts"); const { makeProcesses } = await import("${root}/stack/processes.ts");
      await bringJars({ stack: "${stack}", dir: "${dir}", processes: makeProcesses("${dir}"), report: () => {} }).catch((error) => console.log(error.message));`;
    expect(await output(run(fetching, { ...process.env, PATH: programs }))).toMatch(
      /^Maven was not found: install Maven 3\.8 or newer/,
    );
    expect(existsSync(join(stack, ".jars", "lock"))).toBe(false);
  });

  test("the data folder cannot be written", async () => {
    const file = join(newFolder(), "file");
    writeFileSync(file, "");
    const said = await failedStart({ AUTH_DEV_DIR: join(file, "data") });
    expect(said).toBe(
      `The data folder ${file}/data cannot be written (ENOTDIR): give this user the right to, or set AUTH_DEV_DIR to another folder.`,
    );
  });
});

test("Java's version is read in every form it has had", () => {
  const forms = {
    'java version "1.8.0_402"': 8,
    'openjdk version "17.0.15" 2025-04-15': 17,
    'openjdk version "25-ea"': 25,
    none: 0,
  };
  for (const [text, version] of Object.entries(forms)) expect(majorVersion(text)).toBe(version);
});

function portsIn(folder: string) {
  const said: string[] = [];
  return { said, ports: openPorts(join(folder, "ports.json"), (line) => said.push(line)) };
}

/** freePort() would keep the port from being chosen: it counts as given out. */
async function unusedPort(): Promise<number> {
  const listener = await listen(0);
  const { port } = listener.address() as { port: number };
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

function listen(port: number): Promise<Server> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

function run(code: string, env: NodeJS.ProcessEnv = process.env) {
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  return child;
}

/** A process whose parent, which had noted it as a stack does, was killed. */
async function orphan(folder: string): Promise<number> {
  mkdirSync(join(folder, "logs"));
  const parent = run(`const { makeProcesses } = await import("${root}/stack/processes.ts");
    const child = makeProcesses("${folder}").spawn("sleeper", { file: "sleep", args: ["300"] }); console.log(child.pid);`);
  const pid = Number(await firstLine(parent));
  await killed(parent);
  return pid;
}

/** Ends with its test, so that whoever tried after it found it alive. */
async function attempt(lock: string): Promise<string> {
  return firstLine(
    run(`const { tryLock } = await import("${root}/stack/lock.ts"); console.log("release" in tryLock("${lock}") ? "held" : "refused");
      setInterval(() => {}, 1000);`),
  );
}

function firstLine(child: ReturnType<typeof run>): Promise<string> {
  return new Promise((resolve) =>
    child.stdout.once("data", (data: Buffer) => resolve(data.toString().split("\n")[0] as string)),
  );
}

async function output(child: ReturnType<typeof run>): Promise<string> {
  let text = "";
  for await (const data of child.stdout) text += String(data);
  return text;
}

function killed(child: ReturnType<typeof run>): Promise<void> {
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}

function program(file: string, script: string): void {
  symlinkSync("/bin/sh", join(file, "..", "sh"));
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
}

/** @returns all it printed, which has to be one line */
function failedStart(env: Record<string, string>): Promise<string> {
  const { JAVA_HOME: _, ...inherited } = process.env;
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [join(root, "bin", "authfleet.js"), "dev"],
      { env: { ...inherited, ...env } },
      (error, stdout, stderr) => {
        if (error?.code !== 1) reject(new Error(`exit code ${error?.code ?? 0}: ${stdout}${stderr}`));
        else resolve(`${stdout}${stderr}`.trim());
      },
    );
  });
}
