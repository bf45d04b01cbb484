// authctl against the real fleet: what it prints and its exit code. Each command once as an operator runs it
// (bin/authctl.js, a process), the other cases in this process.
import { randomBytes } from "node:crypto";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { holdUser } from "../../support/held.ts";
import { enrol } from "../../support/operator.ts";
import { ownFolder } from "../../support/stack.ts";
import { type TestFleet, testFleet } from "../../support/test-fleet.ts";
import { answering, authctl, called } from "../authctl.ts";

const password = "correct horse battery";

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
afterAll(() => fleet.close());

const run = (args: string[], input?: string) => called(args, fleet.env, input);

function without(...names: string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(fleet.env).filter(([name]) => !names.includes(name)));
}

const newLogin = (): string => `eve${randomBytes(6).toString("hex")}`;
const fieldsOf = (login: string) => ({ login, username: login, email: `${login}@example.org`, password });

async function registered(): Promise<string> {
  const login = newLogin();
  await fleet.client.request("auth.account.register", fieldsOf(login));
  return login;
}

interface DemoDocument {
  ok: boolean;
  failure?: string;
  steps: { step: string; topic: string; ms: number; outcome: string; shown: string }[];
}

describe("demo", () => {
  test("shows every step of the journey with its latency, and no secret", async () => {
    const { code, stdout, stderr } = await authctl(["demo"], fleet.env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const steps = stdout.split("\n\n")[0]!.split("\n");
    expect(steps).toHaveLength(17);
    for (const step of steps) expect(step).toMatch(/ +\d+ ms {5}\S/);
    expect(stdout).not.toContain("eyJ"); // how every JWT and JWE begins
    expect(stdout).not.toContain("\u001b"); // no colours where no terminal is
  });

  test("goes through all that may be done and all that must be refused", async () => {
    const { code, stdout } = await run(["demo", "--json"]);
    const { ok, steps } = JSON.parse(stdout) as DemoDocument;
    expect({ code, ok }).toEqual({ code: 0, ok: true });
    expect(steps.map(({ topic, outcome }) => `${topic} ${outcome}`)).toEqual([
      "auth.key.list ok",
      "auth.account.register ok",
      "auth (JSON) ok",
      "auth.session.login NOT_CONFIRMED",
      "auth.account.confirm ok",
      "auth.session.login ok",
      "auth.session.inspect ok",
      "auth.session.refresh ok",
      "auth.session.refresh ok",
      "auth.session.login INVALID_CREDENTIALS",
      "auth.admin.set-roles ok",
      "auth.session.inspect TOKEN_EXPIRED",
      "auth.session.refresh ok",
      "auth.session.inspect ok",
      "auth.session.logout ok",
      "auth.session.inspect SESSION_REVOKED",
      "auth.admin.set-roles ok",
    ]);
  });

  test("leaves the operator's part out where no operator's key is at hand", async () => {
    const { code, stdout } = await called(["demo", "--json"], without("AUTH_OPERATOR_KEY_FILE"));
    const { ok, steps } = JSON.parse(stdout) as DemoDocument;
    expect({ code, ok }).toEqual({ code: 0, ok: true });
    expect(steps.some(({ topic }) => topic === "auth.admin.set-roles")).toBe(false);
    expect(steps.at(-1)).toMatchObject({ outcome: "SESSION_REVOKED" });
  });

  test("stops with a sentence where legacy topics are off", async () => {
    const { code, stdout } = await called(["demo"], { ...fleet.env, AUTH_LEGACY_TOPICS: "off" });
    expect(code).toBe(1);
    expect(stdout).toMatch(/The demo failed\. Legacy topics are off/);
  });
});

describe("request", () => {
  test("prints the reply, opened; the topic may do without its prefix", async () => {
    const login = newLogin();
    const made = await authctl(["request", "account.register", "-"], fleet.env, JSON.stringify(fieldsOf(login)));
    expect(made).toMatchObject({ code: 0, stderr: "" });
    const { registrationSecret, ...told } = JSON.parse(made.stdout) as { registrationSecret: string };
    expect(told).toEqual({ userId: expect.any(Number), confirmationSent: true });
    const token = await fleet.confirmationToken(login);
    const proven = JSON.stringify({ token, registrationSecret, password: "" });
    const confirmed = await run(["request", "auth.account.confirm", "-", "--json"], proven);
    const { accessToken } = JSON.parse(confirmed.stdout) as { accessToken: string };
    expect(await fleet.client.request("auth.session.inspect", { accessToken })).toMatchObject({ login });
  });

  test("shows a refusal, exit code 1", async () => {
    const fields = JSON.stringify({ login: newLogin(), password });
    const forPeople = await run(["request", "session.login", fields]);
    expect(forPeople).toMatchObject({ code: 1, stdout: "" });
    expect(forPeople.stderr).toMatch(/^Refused with INVALID_CREDENTIALS: /);
    const { code, stdout, stderr } = await run(["request", "session.login", fields, "--json"]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
    expect(JSON.parse(stdout)).toEqual({
      refused: { code: "INVALID_CREDENTIALS", message: expect.any(String), details: {} },
    });
  });

  test("given an idempotency key again gets the first reply again, without one it is another request", async () => {
    const fields = JSON.stringify(fieldsOf(newLogin()));
    const key = ["--idempotency-key", randomBytes(16).toString("hex")];
    const first = await run(["request", "account.register", "-", ...key], fields);
    expect(first).toMatchObject({ code: 0, stderr: "" });
    expect(await run(["request", "account.register", "-", ...key], fields)).toEqual(first);
    expect((await run(["request", "account.register", "-"], fields)).stderr).toMatch(/^Refused with LOGIN_TAKEN/);
  });

  test("that nobody answers in time ends with its idempotency key, to ask again", async () => {
    const fields = fieldsOf(newLogin());
    const { userId } = await fleet.client.request("auth.account.register", fields);
    const held = await holdUser(fleet.env["AUTH_DATABASE_URL"]!, Number(userId));
    const resend = ["request", "account.resend", JSON.stringify({ email: fields.email })];
    const { code, stdout } = await run([...resend, "--timeout", "500ms", "--json"]);
    await held.release();
    expect(code).toBe(1);
    const details = { idempotencyKey: expect.stringMatching(/^[0-9a-f]{32}$/) };
    expect(JSON.parse(stdout)).toMatchObject({ refused: { code: "DEADLINE_EXCEEDED", details } });
  });
});

describe("users", () => {
  test("show tells who a user is", async () => {
    const login = await registered();
    const { code, stdout } = await authctl(["users", "show", login.toUpperCase()], fleet.env);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`login +${login}\n`));
    expect(stdout).toMatch(/confirmed +no\nbanned +no\nroles +\(none\)\n/);
    const { userId, ...user } = JSON.parse((await run(["users", "show", login, "--json"])).stdout) as {
      userId: number;
    };
    expect(user).toMatchObject({ login, email: `${login}@example.org`, isActive: true, isVerified: false, roles: [] });
    expect((await run(["users", "show", `id:${userId}`])).stdout).toBe(stdout);
  });

  test("show of nobody is refused with NOT_FOUND", async () => {
    const { code, stdout } = await run(["users", "show", newLogin(), "--json"]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ refused: { code: "NOT_FOUND" } });
  });

  test("set-roles gives exactly the named roles, shows before and after, and stands in the event with who and why", async () => {
    const login = await registered();
    const name = `op-${randomBytes(4).toString("hex")}`;
    await enrol(fleet, name);
    const words = ["users", "set-roles", login, "admin", "--reason", "on call this week", "--as", name];
    const given = await authctl(words, fleet.env);
    expect(given).toMatchObject({ code: 0, stderr: "" });
    expect(given.stdout).toMatch(/before +\(none\)\nafter +admin\n/);
    const event = await fleet.mails.last("auth.event", ({ value }) => value?.includes(`operator:${name}`) === true);
    expect(event.value?.includes("on call this week")).toBe(true);
    const taken = await run(["users", "set-roles", login, "--none", "--json"]);
    expect(JSON.parse(taken.stdout)).toMatchObject({ login, before: ["admin"], after: [] });
    expect((await run(["users", "show", login])).stdout).toMatch(/roles +\(none\)/);
  });

  test("set-roles with a role that does not exist changes nothing", async () => {
    const login = await registered();
    const { code, stderr } = await run(["users", "set-roles", login, "admin,emperor"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Refused with INVALID_INPUT: .*emperor/);
    expect((await run(["users", "show", login])).stdout).toMatch(/roles +\(none\)/);
  });

  test("ban keeps a user out until its end or unban, says so, and stands in the event with who and why", async () => {
    const login = await registered();
    const name = `op-${randomBytes(4).toString("hex")}`;
    await enrol(fleet, name);
    const words = [
      "users",
      "ban",
      login,
      "--reason",
      "sends spam",
      "--until",
      "2100-01-31T12:00Z",
      "--yes",
      "--as",
      name,
    ];
    const banned = await authctl(words, fleet.env);
    expect(banned).toMatchObject({ code: 0, stderr: "" });
    expect(banned.stdout).toMatch(new RegExp(`^${login} \\(\\d+\\) is banned until 2100-01-31T12:00:00.000Z; all`));
    const event = await fleet.mails.last("auth.event", ({ value }) => value?.includes(`operator:${name}`) === true);
    expect(event.value?.includes("sends spam")).toBe(true);
    expect((await run(["users", "show", login])).stdout).toMatch(
      /banned +yes, until 2100-01-31T12:00:00.000Z\nreason +sends spam\n/,
    );
    const lifted = await authctl(["users", "unban", login], fleet.env);
    expect(lifted).toMatchObject({ code: 0, stdout: expect.stringContaining("is banned no more"), stderr: "" });
    expect(JSON.parse((await run(["users", "unban", login, "--json"])).stdout)).toMatchObject({
      login,
      wasBanned: false,
    });
    expect((await run(["users", "show", login])).stdout).toMatch(/banned +no/);
    const forGood = await run(["users", "ban", login, "--reason", "again", "--yes", "--json"]);
    expect(JSON.parse(forGood.stdout)).toMatchObject({ login, done: true, until: null });
  });

  test("delete takes a user away for ever, once asked or told --yes", async () => {
    const login = await registered();
    const { code, stderr } = await run(["users", "delete", login]);
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining("say --yes") });
    expect((await run(["users", "show", login])).code).toBe(0);
    const deleted = await authctl(["users", "delete", login, "--yes"], fleet.env);
    expect(deleted).toMatchObject({ code: 0, stdout: expect.stringContaining("is deleted"), stderr: "" });
    expect(JSON.parse((await run(["users", "delete", login, "--yes", "--json"])).stdout)).toMatchObject({
      refused: { code: "NOT_FOUND" },
    });
  });

  test("reset-password has a link mailed, and says where none goes", async () => {
    const login = await registered();
    const early = await run(["users", "reset-password", login, "--json"]);
    expect(early).toMatchObject({ code: 1 });
    expect(JSON.parse(early.stdout)).toMatchObject({ login, done: false });
    await fleet.sql.query("UPDATE users SET confirmed_at = now() WHERE login = $1", [login]);
    expect(await run(["users", "reset-password", login])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`A link goes to the e-mail address of ${login}`),
    });
    const { rows } = await fleet.sql.query(
      "SELECT count(*)::int AS links FROM one_time_tokens t JOIN users u ON u.id = t.user_id WHERE u.login = $1 AND purpose = 'reset'",
      [login],
    );
    expect(rows).toEqual([{ links: 1 }]);
  });

  test("ban and delete do nothing where the question is answered with no, or with nothing", async () => {
    const login = await registered();
    for (const answer of ["n", ""])
      for (const words of [
        ["users", "ban", login, "--reason", "spam"],
        ["users", "delete", login],
      ]) {
        const asked = await answering(words, fleet.env, answer);
        expect(asked).toMatchObject({ code: 1, stdout: "Nothing was done.\n" });
        expect(asked.questions).toEqual([expect.stringContaining(login)]);
      }
    expect((await run(["users", "show", login])).stdout).toMatch(/banned +no/);
    expect((await answering(["users", "delete", login], fleet.env, "y")).code).toBe(0);
  });

  test("takes an operator's key, and neither the master key nor the database", async () => {
    const missing = await called(["users", "show", "ada"], without("AUTH_OPERATOR_KEY_FILE"));
    expect(missing).toMatchObject({ code: 2, stdout: "" });
    expect(missing.stderr).toContain("AUTH_OPERATOR_KEY_FILE");
    const { AUTH_DATABASE_URL: _, ...env } = without("AUTH_MASTER_KEY");
    expect(await called(["users", "show", newLogin()], env)).toMatchObject({ code: 1 }); // asked, and there is no such user
  });
});

describe("the fleet", () => {
  test("of a running dev stack is found by stack.json, and the operator's key beside it", async () => {
    const login = await registered();
    const { AUTH_KAFKA_BROKERS, AUTH_REGISTRY_URL, AUTH_DATABASE_URL, AUTH_OPERATOR_KEY_FILE, AUTH_FLEET_ID, ...env } =
      fleet.env;
    const folder = join(ownFolder("authctl"), "data");
    mkdirSync(folder);
    const addresses = { kafka: AUTH_KAFKA_BROKERS, registry: AUTH_REGISTRY_URL, database: AUTH_DATABASE_URL };
    const write = (fleetId: string) =>
      writeFileSync(
        join(folder, "stack.json"),
        JSON.stringify({ ...addresses, grpc: fleet.grpc, http: fleet.http, fleetId }),
      );
    write(AUTH_FLEET_ID!);
    copyFileSync(AUTH_OPERATOR_KEY_FILE!, join(folder, "operator-key.json"));
    const { code, stdout } = await called(["users", "show", login], { ...env, AUTH_DEV_DIR: folder });
    expect(code).toBe(0);
    expect(stdout).toContain(login);
    write("b917Uo0YbOJGxKEONUIxEtQyxrY1jFVwDoEDvbSTbMs"); // of another fleet
    const deceived = await called(["users", "show", login], { ...env, AUTH_DEV_DIR: folder });
    expect(deceived).toMatchObject({ code: 1, stdout: "" });
    expect(deceived.stderr).toMatch(/has no certificate of the fleet's root key/);
  });

  test("that was not migrated for authctl says so, exit code 3", async () => {
    const { code, stderr } = await called(["request", "key.list", "{}"], {
      ...fleet.env,
      AUTH_TOPIC_PREFIX: "nobody.",
    });
    expect(code).toBe(3);
    expect(stderr).toMatch(/auth\.reply\.authctl.*migrate/);
  });
});
