// Nothing secret on a broker's disk, in the database, in a log: a fleet of its own on servers of its own does all that
// the commands can do, also what is refused and what becomes a dead letter, and then every file is searched for every
// secret in every form (secret-names.test.ts shows which forms). A second fleet, which seals nothing, shows that the
// search finds them.
import { readFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { readConfig } from "../src/config/read.ts";
import { handlers } from "../src/handlers/index.ts";
import { topics } from "../src/processes/topic-specs.ts";
import type { commandSchemas } from "../src/protocol/generated/schemas.ts";
import { type Stack, startStack } from "../stack/stack.ts";
import { connectGateway } from "./bridge/gateway.ts";
import { scenarios } from "./handlers/scenarios.ts";
import { addressesOf, connected } from "./support/crash.ts";
import { without } from "./support/faults.ts";
import { type Fleet, type FleetOptions, startFleet } from "./support/fleet.ts";
import { filesBelow, formsOf, grep, type Hit, type Secret } from "./support/grep.ts";
import { newPassword, throughBridge } from "./support/scenarios.ts";
import {
  malformed,
  malformedMark,
  personal,
  recordsOf,
  type SecretScenarioRunner,
  sealedFields,
  secretScenarios,
} from "./support/secret-scenarios.ts";
import { ownFolder, runFolder } from "./support/stack.ts";
import { testFleet } from "./support/test-fleet.ts";
import { until } from "./support/until.ts";

/** A fleet that has done everything, and was stopped. */
interface Done {
  fleet: Fleet;
  secrets: Secret[];
  letters: number;
}

let stack: Stack;
const dir = ownFolder("secrets");
const strict = {
  AUTH_REQUIRE_SEALED: "true",
  AUTH_LEGACY_TOPICS: "false",
  AUTH_LOG_LEVEL: "trace",
  AUTH_HASH_QUEUE_TARGET: "1000",
  AUTH_PASSWORD_MIN: "15",
};

/** PostgreSQL's own log shows every statement with its parameters: what it was only asked with is searched, too. */
const statementsLogged = { fsync: "off", log_statement: "all", log_parameter_max_length_on_error: -1 };

const stops: (() => Promise<void>)[] = [];
async function started(name: string, options: FleetOptions): Promise<Fleet> {
  const fleet = await startFleet(name, { stack: addressesOf(stack), ...options });
  stops.push(() => fleet.stop());
  return fleet;
}

async function everything(fleet: Fleet, { bare }: { bare: boolean }): Promise<Done> {
  const held = await testFleet(fleet);
  const runner = await secretScenarios(held, { bare });
  await Promise.all(handlers.map(({ topic }) => scenarios[topic]!.run(runner, topic)));
  if (fleet.grpc !== "") await byGrpc(fleet, runner);
  const requests = (
    await recordsOf(
      held,
      handlers.map(({ topic }) => topic),
    )
  ).filter(({ value }) => value !== null);
  const garbage = requests.flatMap(malformed);
  await held.kafka.produce(garbage);
  await held.mails.count("auth.dead-letter", garbage.length, ({ headers }) => headers[malformedMark] !== undefined);
  await until("the outbox is published", async () => {
    const { rowCount } = await held.sql.query("SELECT FROM outbox WHERE published_at IS NULL LIMIT 1");
    return rowCount === 0;
  });
  await runner.close();
  await held.close();
  await fleet.stop();
  return { fleet, secrets: runner.secrets, letters: garbage.length };
}

async function byGrpc({ grpc }: Fleet, runner: SecretScenarioRunner): Promise<void> {
  const gateway = await connectGateway(grpc);
  await throughBridge(gateway, runner).finally(() => gateway.close());
}

async function checkpoint(): Promise<void> {
  const client = await connected(stack.postgres.address);
  await client.query("CHECKPOINT");
  await client.end();
}

/** Segments of the topics whose broker name begins so. */
const segments = (prefix: string): string[] =>
  filesBelow(join(dir, "kafka", "data"), (path) => path.endsWith(".log") && basename(dirname(path)).startsWith(prefix));
const databaseFiles = (): string[] => filesBelow(join(dir, "postgres"));
const serverLogs = (): string[] => filesBelow(join(dir, "logs"));
const processLogs = (name: string): string[] =>
  filesBelow(runFolder(), (path) => basename(path) === "log" && basename(dirname(path)).startsWith(`fleet-${name}-`));
/** All that the servers keep, but for the offsets' index files, of which each is 10 MB of nothing. */
const everyFile = (): string[] => filesBelow(dir, (path) => !/\.(index|timeindex)$/.test(path));

const shown = (hits: Hit[]): string[] =>
  hits.map(({ file, secret, form }) => `${secret.name} as ${form} in ${relative(dir, file)}`);
const topicOf = (file: string, prefix: string): string =>
  basename(dirname(file)).slice(prefix.length).replace(/-\d+$/, "");

beforeAll(async () => {
  stack = await startStack({ dir, report: () => undefined, postgres: statementsLogged });
  stops.push(() => stack.stop());
}, 240_000);
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
}, 60_000);

describe("a fleet that seals", () => {
  let done: Done;
  let hits: Hit[];

  beforeAll(async () => {
    const fleet = await started("secrets", { processes: ["worker", "relay", "bridge"], env: strict });
    done = await everything(fleet, { bare: false });
    await checkpoint();
    hits = grep([...everyFile(), ...processLogs("secrets")], done.secrets);
  }, 240_000);

  test("has had secrets of every command that seals, of mails and of its own", () => {
    const names = new Set(done.secrets.map(({ name }) => name));
    const hasSecret = ({ topic }: { topic: keyof typeof commandSchemas }): boolean =>
      sealedFields(topic).request.some((path) => !(path in personal));
    const sealing = handlers.filter(hasSecret);
    expect(sealing.filter(({ topic }) => ![...names].some((name) => name.startsWith(`${topic} request`)))).toEqual([]);
    for (const name of [
      "auth.mail token",
      "the master key",
      "the private sealing key",
      "auth.session.login reply tokens.refreshToken",
      "gRPC reply",
    ])
      expect(names).toContain(name);
    expect(done.letters).toBeGreaterThan(100);
  });

  test("leaves none of them on the brokers' disks", () => {
    expect(segments(done.fleet.prefix).length).toBeGreaterThan(20);
    expect(shown(hits.filter(({ file }) => file.startsWith(join(dir, "kafka"))))).toEqual([]);
  });

  test("leaves none of them in the database: tables, indexes, write-ahead log", () => {
    expect(databaseFiles().filter((file) => file.includes("pg_wal")).length).toBeGreaterThan(0);
    expect(shown(hits.filter(({ file }) => file.startsWith(join(dir, "postgres"))))).toEqual([]);
  });

  test("leaves none of them in a log: its processes at trace, Kafka, the registry, PostgreSQL with every parameter", () => {
    expect(
      processLogs("secrets")
        .map((file) => basename(dirname(file)))
        .sort(),
    ).toEqual(["bridge-1", "migrate", "relay-1", "worker-1"].map((name) => `fleet-secrets-${name}`));
    expect(shown(hits.filter(({ file }) => file.endsWith("log")))).toEqual([]);
    const log = readFileSync(serverLogs().find((file) => file.includes("postgres"))!, "utf8");
    expect(log).toMatch(/Parameters:/i); // it does show them
  });

  test("leaves none of them anywhere else", () => {
    expect(shown(hits)).toEqual([]);
  });

  describe("while the platform's JSON topics are on", () => {
    /**
     * The platform's mailer reads the confirmation token in clear. Retention 1 h; only the mailer
     * may read it.
     */
    test("writes confirmation tokens in clear to the topic auth, which is kept for an hour, and to no other place", async () => {
      const env = { ...strict, AUTH_LEGACY_TOPICS: "true" };
      const fleet = await started("platform", { processes: ["worker", "relay"], env, again: done.fleet });
      const held = await testFleet(fleet);
      const runner = await secretScenarios(held, { bare: false });
      const login = "platform-user";
      const { registrationSecret } = await runner.ask("auth.account.register", {
        login,
        username: login,
        email: "p@example.com",
        password: newPassword(),
      });
      const token = await held.confirmationToken(login);
      const tokens = await runner.ask("auth.account.confirm", { token, registrationSecret, password: "" });
      expect(tokens).toMatchObject({ sessionId: expect.any(String) });
      await runner.close();
      await held.close();
      await fleet.stop();
      await checkpoint();
      const found = grep([...everyFile(), ...processLogs("platform")], runner.secrets);
      const places = new Set(found.map(({ file, secret }) => `${secret.name} in ${topicOf(file, fleet.prefix)}`));
      expect([...places]).toEqual(["auth.account.confirm request token in auth"]);
      const kept = topics(readConfig({ ...fleet.env, AUTH_LEGACY_TOPICS: "true" }, "migrate")).find(
        ({ topic }) => topic === "auth",
      );
      expect(kept?.config).toMatchObject({ "retention.ms": "3600000", "segment.ms": "600000" });
    }, 120_000);
  });
});

describe("a fleet that seals nothing (the control)", () => {
  let done: Done;
  let hits: Hit[];
  const planted = newPassword();

  beforeAll(async () => {
    const env = { ...strict, AUTH_REQUIRE_SEALED: "false" };
    const fleet = await started("bare", { processes: ["relay"], env });
    await fleet.start("worker", "worker-1", {}, without("request-shown"));
    await plant(fleet);
    done = await everything(fleet, { bare: true });
    await checkpoint();
    const files = [...segments(fleet.prefix), ...databaseFiles(), ...serverLogs(), ...processLogs("bare")];
    hits = grep(files, [...done.secrets, { name: "planted", value: planted }]);
  }, 240_000);

  /** In the database, and as a record that becomes a dead letter: the secret in each of its forms. */
  async function plant(fleet: Fleet): Promise<void> {
    const client = await connected(fleet.env["AUTH_DATABASE_URL"]!);
    await client.query("CREATE TABLE planted (form bytea)");
    const held = await testFleet(fleet);
    for (const bytes of formsOf(planted).values()) {
      // Three times: the end of a page of the write-ahead log cuts a text in two.
      for (let copy = 0; copy < 3; copy += 1) await client.query("INSERT INTO planted VALUES ($1)", [bytes]);
      await held.kafka.produce([{ topic: "auth.session.login", key: null, value: bytes, headers: {} }]);
    }
    await held.close();
    await client.end();
  }

  const requestSecrets = (): Secret[] => done.secrets.filter(({ name }) => / request /.test(name));
  const plainForm = (value: string): string => (formsOf(value).has("json") ? "json" : "plain");
  /** Secrets that were not found in these files in the form in which bare JSON writes them. */
  const missed = (secrets: Secret[], isThere: (file: string) => boolean): string[] => {
    const found = new Set(
      hits.filter(({ file }) => isThere(file)).map(({ secret, form }) => `${form} ${secret.value}`),
    );
    return secrets.filter(({ value }) => !found.has(`${plainForm(value)} ${value}`)).map(({ name }) => name);
  };
  const onTopic = (wanted: (topic: string) => boolean) => (file: string) =>
    file.startsWith(join(dir, "kafka")) && wanted(topicOf(file, done.fleet.prefix));

  test("has what was asked on its request topics", () => {
    expect(requestSecrets().length).toBeGreaterThan(20);
    for (const { topic } of handlers) {
      const own = requestSecrets().filter(({ name }) => name.startsWith(`${topic} `));
      expect(
        missed(
          own,
          onTopic((each) => each === topic),
        ),
      ).toEqual([]);
    }
  });

  test("has what was answered on its reply topic", () => {
    const replies = done.secrets.filter(({ name }) => / reply /.test(name));
    expect(replies.length).toBeGreaterThan(10);
    expect(
      missed(
        replies,
        onTopic((topic) => topic === "auth.reply.gateway"),
      ),
    ).toEqual([]);
  });

  test("has what was asked in its dead letters", () => {
    expect(
      missed(
        requestSecrets(),
        onTopic((topic) => topic === "auth.dead-letter"),
      ),
    ).toEqual([]);
  });

  test("has what was asked in the log of a worker that says what it opens", () => {
    const served = requestSecrets().filter(({ name }) => name.startsWith("auth.session.login "));
    expect(missed(served, (file) => file.includes("fleet-bare-worker-1"))).toEqual([]);
  });

  test("has every form of what was planted: on topics and dead letters, in tables, write-ahead log and PostgreSQL's log", () => {
    const forms = [...formsOf(planted).keys()].sort();
    const found = (isThere: (file: string) => boolean): string[] =>
      [
        ...new Set(
          hits.filter(({ file, secret }) => secret.value === planted && isThere(file)).map(({ form }) => form),
        ),
      ].sort();
    expect(found(onTopic((topic) => topic === "auth.session.login"))).toEqual(forms);
    expect(found(onTopic((topic) => topic === "auth.dead-letter"))).toEqual(forms);
    expect(found((file) => file.startsWith(join(dir, "postgres", "base")))).toEqual(forms);
    expect(found((file) => file.startsWith(join(dir, "postgres", "pg_wal")))).toEqual(forms);
    expect(found((file) => file.startsWith(join(dir, "logs", "postgres"))).length).toBeGreaterThan(0);
  });
});
