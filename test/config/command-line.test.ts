// The arguments of authfleet: which process runs, and what is printed instead.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { readCommandLine } from "../../src/config/command-line.ts";
import { processes } from "../../src/config/help.ts";
import { type HelpedProcess, variablesOf } from "../../src/config/readers.ts";
import { variables } from "../../src/config/variables.ts";

const root = join(import.meta.dirname, "..", "..");
const names = Object.keys(processes) as HelpedProcess[];

const read = (line: string) => readCommandLine(line.split(" ").filter(Boolean));

test.each(names)("%s is the process that runs", (name) => {
  expect(read(name)).toEqual({ process: name });
});

test("what follows ctl is authctl's, as it is", () => {
  expect(read("ctl users show ada --help --json")).toEqual({ ctl: ["users", "show", "ada", "--help", "--json"] });
});

test.each(["", "help", "--help", "-h"])("%j prints every process", (line) => {
  const { print, code } = read(line) as { print: string; code: number };
  expect(code).toBe(0);
  for (const name of [...names, "ctl", "help"]) expect(print).toMatch(new RegExp(`^  ${name} `, "m"));
});

test("--version prints that of the package", () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  expect(read("--version")).toEqual({ print: `${version}\n`, code: 0 });
});

describe.each(names)("the help of %s", (name) => {
  const { print, code } = read(`${name} --help`) as { print: string; code: number };

  test("is the same by help", () => {
    expect(code).toBe(0);
    expect(read(`help ${name}`)).toEqual({ print, code });
    expect(print).toContain(`Usage: authfleet ${name}`);
    expect(print).toContain(processes[name].about);
  });

  test("has the variables that it reads, and no other, with default, range and meaning", () => {
    const shown = [...print.matchAll(/^ {2}(AUTH_\w+)$/gm)].map(([, variable]) => variable);
    expect(shown).toEqual(variablesOf(name));
    for (const variable of variablesOf(name)) {
      expect(print).toContain(variables[variable].meaning);
      expect(print).toContain(variables[variable].range);
    }
  });
});

test.each([
  [
    "worer",
    "There is no process worer: use worker, relay, bridge, mailer, migrate, dev, ctl, help. Did you mean worker?",
  ],
  [
    "help worer",
    "There is no process worer: use worker, relay, bridge, mailer, migrate, dev, ctl, help. Did you mean worker?",
  ],
  ["frobnicate", "There is no process frobnicate: use worker, relay, bridge, mailer, migrate, dev, ctl, help."],
  ["worker --hepl", "Unknown option '--hepl'. Did you mean --help?"],
  ["worker relay", "Too many arguments for 'worker'. Expected 0 arguments but got 1: relay."],
])("%s is told with a suggestion, exit code 2", (line, sentence) => {
  expect(read(line)).toEqual({ print: `${sentence}\n`, code: 2 });
});

test("an escape sequence in the name of a process does not reach the terminal", () => {
  const hostile = "\u001b[31mworker";
  expect((read(hostile) as { print: string }).print).toContain(hostile); // the control: it is escaped where it is printed
  const { status, stderr } = spawnSync(process.execPath, [join(root, "src", "main.ts"), hostile], { encoding: "utf8" });
  expect(status).toBe(2);
  expect(stderr).toMatch(/^There is no process \\u001b\[31mworker: use /);
});

describe("which process reads which variable", () => {
  const source = (path: string): string =>
    readFileSync(join(root, "src", path), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*|"(?:[^"\\\n]|\\.)*"/g, "");
  const namedIn = (...paths: string[]): string[] =>
    [...new Set(paths.flatMap((path) => source(path).match(/(?<=\.|\{ |, |^ +)AUTH_[A-Z0-9_]+/gm) ?? []))].filter(
      (name) => Object.hasOwn(variables, name),
    );
  const shared = ["processes/parts.ts"];
  /** The files that are this process's own, and read its configuration. */
  const own: Record<HelpedProcess, string[]> = {
    worker: ["processes/worker.ts", "processes/serving.ts", "processes/claim.ts"],
    relay: ["processes/relay.ts"],
    bridge: ["processes/bridge.ts", "bridge/server.ts", "bridge/call.ts", "bridge/metadata.ts", "bridge/methods.ts"],
    mailer: ["processes/mailer.ts"],
    migrate: ["processes/migrate.ts", "processes/topic-specs.ts"],
    dev: ["processes/dev.ts"],
  };
  /** What dev sets for the processes it starts is no variable of its own. */
  const setForOthers = ["AUTH_KAFKA_BROKERS", "AUTH_REGISTRY_URL", "AUTH_DATABASE_URL"];

  test.each(names)("%s: what its own code names is in its help", (name) => {
    const read = namedIn(...own[name]).filter((each) => name !== "dev" || !setForOthers.includes(each));
    expect(read.length).toBeGreaterThan(0);
    expect(read.filter((each) => !variablesOf(name).includes(each as never))).toEqual([]);
  });

  test("every variable is read by a process, or by authctl alone", () => {
    const read = new Set(names.flatMap(variablesOf));
    const unread = Object.keys(variables).filter((name) => !read.has(name as never));
    expect(unread).toEqual(["AUTH_OPERATOR_KEY_FILE"]);
    expect(namedIn(...shared).filter((name) => !read.has(name as never))).toEqual([]);
  });

  test("the bridge is shown neither the database nor the master key, and the worker no SMTP server", () => {
    expect(variablesOf("bridge").filter((name) => /DATABASE|MASTER_KEY/.test(name))).toEqual([]);
    expect(variablesOf("worker").filter((name) => /SMTP|GRPC|_DEV_/.test(name))).toEqual([]);
    expect(variablesOf("mailer")).toContain("AUTH_SMTP_URL"); // the control
  });
});
