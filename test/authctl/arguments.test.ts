// How authctl is called: help, wrong arguments, and where there is nobody to speak to. Nothing here reaches a fleet.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commands } from "../../src/authctl/commands.ts";
import { commandSchemas } from "../../src/protocol/generated/schemas.ts";
import { authctl, called, calledAt } from "./authctl.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "authctl-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const nobody = () => ({ AUTH_DEV_DIR: folder });
const names = commands.map(({ name }) => name);
/** Without the layout: help is wrapped. */
const words = (text: string): string => text.replace(/\s+/g, " ");
/** Nothing listens on the discard port. */
const closedPort = "127.0.0.1:9";
const path = { PATH: process.env["PATH"] ?? "" };

describe("help", () => {
  test.each([[[]], [["help"]], [["--help"]], [["help", "help"]]])("lists every command for %j", async (args) => {
    const { code, stdout, stderr } = await called(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const { name, summary } of commands) expect(words(stdout)).toContain(` ${name} ${summary} `);
  });

  test.each(names)("tells how %s is called, the same by help and by --help", async (name) => {
    const byHelp = await called(["help", ...name.split(" ")]);
    expect(byHelp).toMatchObject({ code: 0, stderr: "" });
    expect(byHelp.stdout).toContain(`Usage: authctl ${name}`);
    expect(await called([...name.split(" "), "--help"])).toEqual(byHelp);
  });

  test("tells every option of every command", async () => {
    for (const { name, options = {} } of commands) {
      const { stdout } = await called(["help", ...name.split(" ")]);
      for (const option of Object.keys(options)) expect(stdout).toContain(`--${option}`);
    }
  });

  test("tells all commands of a group", async () => {
    const { stdout } = await called(["users", "--help"]);
    for (const name of names) {
      const [group, member] = name.split(" ");
      if (group === "users") expect(words(stdout)).toContain(` ${member} `);
    }
    expect(stdout).not.toContain("rewrap");
  });

  test("of request warns of secrets on the command line and offers standard input", async () => {
    const { stdout } = await called(["help", "request"]);
    expect(stdout).toMatch(/\(ps\)[\s\S]*standard input/);
    for (const topic of Object.keys(commandSchemas)) expect(stdout).toContain(topic);
  });

  test("is one JSON document with --json", async () => {
    const { stdout } = await called(["--json", "help"]);
    expect(JSON.parse(stdout)).toMatchObject({ commands: names.map((name) => ({ name })) });
  });
});

describe("the width of the terminal", () => {
  const narrow = 44;

  test.each([["help"], ["help users"], ["help users ban"], ["help request"]])(
    "%s breaks no word in a narrow one",
    async (line) => {
      const [wide, small] = await Promise.all([200, narrow].map((columns) => calledAt(columns, line.split(" "))));
      expect(words(small!.stdout)).toBe(words(wide!.stdout));
      const tooLong = small!.stdout
        .split("\n")
        .filter((text) => text.length > narrow && /\S {1,2}\S/.test(text.trim()));
      const fixed = /^(Usage: | {2}echo |.*\S+$)/; // usage and examples are shown as they are, and a word may be longer
      expect(tooLong.filter((text) => !fixed.test(text))).toEqual([]);
      expect(small!.stdout.split("\n").length).toBeGreaterThan(wide!.stdout.split("\n").length);
    },
  );
});

describe("the version", () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "..", "..", "package.json"), "utf8")) as {
    version: string;
  };

  test("is that of the package", async () => {
    expect(await called(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
    expect(JSON.parse((await called(["--version", "--json"])).stdout)).toEqual({ version });
  });
});

describe("what is nearly right is suggested", () => {
  test.each([
    ["usres", "There is no command usres. Did you mean users?"],
    ["help usres", "There is no command usres. Did you mean users?"],
    ["users shwo ada", "There is no command users shwo. Did you mean show?"],
    ["users show ada --josn", "Unknown option '--josn'. Did you mean --json?"],
    ["users ban ada --reson spam", "Unknown option '--reson'. Did you mean --reason?"],
    ["--verison", "Unknown option '--verison'. Did you mean --version?"],
    ["frobnicate", "There is no command frobnicate."],
    ["users show ada --frobnicate", "Unknown option '--frobnicate'."],
  ])("%s", async (line, sentence) => {
    const { code, stdout, stderr } = await called(line.split(" "), nobody());
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr.split("\n")[0]).toBe(sentence);
  });
});

describe("the definition of every command", () => {
  test.each(commands.map((command) => [command.name, command] as const))(
    "of %s has a usage that says the same",
    async (_name, command) => {
      const { usage, arguments: taken = [], options = {} } = command;
      const named = [...usage.matchAll(/--([a-z-]+)/g)].map(([, option]) => option!);
      expect([...new Set(named)].sort()).toEqual(Object.keys(options).sort());
      for (const [syntax] of taken) expect(usage).toMatch(new RegExp(`\\b${syntax.replace(/\W/g, "")}\\b|bash`));
      expect(typeof (await command.load())).toBe("function");
    },
  );
});

describe("wrong arguments are told in one sentence with the usage, exit code 2", () => {
  test.each([
    ["frobnicate", "There is no command frobnicate."],
    ["help frobnicate", "There is no command frobnicate."],
    ["login", "LOGIN is missing."],
    ["login ada secret", "What is secret for?"],
    ["users", "Say which: users find or users show or users set-roles or users ban or"],
    ["users frobnicate", "There is no command users frobnicate."],
    ["users show", "LOGIN is missing."],
    ["users show ada bob", "What is bob for?"],
    ["users show ada --force", "Unknown option '--force'."],
    ["users show ada --as a/b", "--as takes 1 to 64 letters, digits or . _ @ -"],
    ["users set-roles ada", "Name the roles, or say --none."],
    ["users set-roles ada admin --none", "Either name roles or say --none, not both."],
    ["users set-roles ada admin,,user", "A role's name is empty: separate roles with one comma, or say --none."],
    ["users ban ada", "Say why: --reason TEXT."],
    ["users ban ada --reason spam", "say --yes."],
    ["users ban ada --reason spam --until soon", "--until takes a time, such as 2030-01-31, 2030-01-31T18:00Z or 7d"],
    ["users ban ada --reason spam --until 2030-01-31T18:00", "--until takes a time, such as"],
    ["users ban ada --reason spam --until 2030-02-31", "--until takes a time, such as"],
    ["users ban ada --reason spam --until 2020-01-31", "--until takes a time to come, and 2020-01-31 is past."],
    ["users delete ada", "say --yes."],
    ["users revoke-sessions ada", "say --yes."],
    ["users revoke-sessions", "LOGIN is missing."],
    ["users revoke-sessions --all", "say --yes."],
    ["users revoke-sessions ada --all --yes", "Either name a LOGIN or say --all, not both."],
    ["users find ada bob", "What is bob for?"],
    ["users find ada --state asleep", "--state takes unconfirmed, active, banned, not asleep."],
    ["users find ada --limit 201", "--limit takes 1 to 200, not 201."],
    ["users create-admin ada", "EMAIL is missing."],
    ["sessions", "Say which: sessions list or sessions revoke."],
    ["sessions revoke ada", "SESSION is missing."],
    ["sessions revoke ada 1", "say --yes."],
    ["roles grant moderator", "PERMISSION is missing."],
    ["roles revoke moderator posts.read", "say --yes."],
    ["roles delete moderator", "say --yes."],
    ["users reset-mfa ada", "Say why: --reason TEXT."],
    ["users reset-mfa ada --reason lost", "say --yes."],
    ["users export", "LOGIN is missing."],
    ["users export ada", "Say why: --reason TEXT."],
    ["users export ada --reason", "Option '--reason <TEXT>' argument missing."],
    ["roles require-mfa", "ROLE is missing."],
    ["request", "TOPIC and JSON are missing."],
    ["request key.list", "JSON is missing."],
    ["request key.list {} --timeout", "Option '--timeout <DURATION>' argument missing."],
    ["request key.list {} --timeout soon", "--timeout takes a duration from 1ms to 5m, such as 10s, not soon."],
    ["request key.list {} --timeout 6m", "--timeout takes a duration from 1ms to 5m, such as 10s, not 6m."],
    [
      "request key.list {} --idempotency-key k",
      "--idempotency-key takes 128 random bits as text, 22 characters or more.",
    ],
    ["request key.list {", "The fields must be one JSON object"],
    ["request key.list []", "The fields must be one JSON object"],
    ["request key.list -", "The fields must be one JSON object"],
    ['request key.list {"x":1}', "auth.key.list has no field x: it has none."],
    ['request session.inspect {"token":"t"}', "auth.session.inspect has no field token: it has accessToken."],
    ["demo please", "What is please for?"],
    ["import", "Where is the old service's database? Set DATABASE_URL"],
    ["import users.jsonl --table members", "--table and --column are for the old service's table, not for a file."],
    ["import --column login", "--column takes A=B, not login."],
    ["import --column nick=login", "--column: ours is id, login, username, email, hash"],
    ["import --role admin", "--role takes A=B, not admin."],
  ])("%s", async (line, sentence) => {
    const { code, stdout, stderr } = await called(line.split(" "), nobody());
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr.split("\n")[0]).toContain(sentence);
    expect(stderr).toContain("Usage: authctl ");
  });

  test("a topic that does not exist, with the list of those that do", async () => {
    const { code, stdout, stderr } = await called(["request", "session.logni", "{}"], nobody());
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    for (const topic of Object.keys(commandSchemas)) expect(stderr).toContain(topic);
  });

  test("what should have been JSON is not repeated: it may hold a secret", async () => {
    const { stderr } = await called(["request", "session.login", "{'password':'swordfish'}"], nobody());
    expect(stderr).not.toContain("swordfish");
  });

  test("a fault in the configuration", async () => {
    const { code, stderr } = await called(["demo"], { AUTH_KAFKA_BROKERS: closedPort, AUTH_NONSENSE: "1" });
    expect(code).toBe(2);
    expect(stderr).toContain("AUTH_NONSENSE");
  });

  test("an old service's database in the open, and the control: with leave, or ciphered, it is asked", async () => {
    const old = "postgresql://u:secret@old-service.invalid/x";
    const ours = {
      AUTH_KAFKA_BROKERS: closedPort,
      AUTH_REGISTRY_URL: `http://${closedPort}`,
      AUTH_DATABASE_URL: `postgresql://u@${closedPort}/x`,
      AUTH_MASTER_KEY: `k1:${Buffer.alloc(32).toString("base64")}`,
    };
    const { code, stdout, stderr } = await called(["import", "--dry-run"], { ...ours, DATABASE_URL: old });
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/old-service\.invalid.*sslmode=require.*AUTH_DATABASE_PLAINTEXT=true/);
    expect(stderr).not.toContain("secret");
    for (const env of [
      { ...ours, DATABASE_URL: old, AUTH_DATABASE_PLAINTEXT: "true" },
      { ...ours, DATABASE_URL: `${old}?sslmode=require` },
    ])
      expect((await called(["import", "--dry-run"], env)).code).toBe(3);
  });
});

describe("nobody to speak to is exit code 3", () => {
  test.each(["demo", "request key.list {}", "users show ada", "users set-roles ada admin", "import users.jsonl"])(
    "%s without a stack says what to do",
    async (line) => {
      const { code, stdout, stderr } = await called(line.split(" "), nobody());
      expect({ code, stdout }).toEqual({ code: 3, stdout: "" });
      expect(stderr).toMatch(/npm start.*AUTH_KAFKA_BROKERS/);
      const inJson = await called([...line.split(" "), "--json"], nobody());
      expect({ code: inJson.code, stderr: inJson.stderr }).toEqual({ code: 3, stderr: "" });
      expect(JSON.parse(inJson.stdout)).toEqual({ unreachable: { message: stderr.trim() } });
    },
  );

  test("a Kafka that is away is named, also through the real command", async () => {
    const env = { ...path, AUTH_KAFKA_BROKERS: closedPort, AUTH_REGISTRY_URL: `http://${closedPort}` };
    const { code, stdout, stderr } = await authctl(["request", "key.list", "{}"], env);
    expect({ code, stdout }).toEqual({ code: 3, stdout: "" });
    expect(stderr).toMatch(/^(Kafka \(127\.0\.0\.1:9\)|The schema registry at 127\.0\.0\.1:9) does not answer/);
  });

  test("a database that is away is named without its password", async () => {
    const addresses = {
      kafka: closedPort,
      registry: `http://${closedPort}`,
      database: `postgresql://u:secret@${closedPort}/x`,
    };
    writeFileSync(join(folder, "stack.json"), JSON.stringify(addresses));
    writeFileSync(join(folder, "master-key"), `k1:${Buffer.alloc(32).toString("base64")}`);
    const { code, stderr } = await authctl(["keys", "list"], { ...path, ...nobody() });
    rmSync(join(folder, "stack.json"));
    expect(code).toBe(3);
    expect(stderr).toMatch(/^PostgreSQL \(127\.0\.0\.1:9\) does not answer: .*stack\.json.*npm start/);
    expect(stderr).not.toContain("secret");
  });
});
