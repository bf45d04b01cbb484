// authctl at Kafka and the registry: topics, topics acl, lag, schemas. They show what the brokers have: the shared
// fleet's topics, and topics of this file where something must be wrong.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { compareAll } from "../../../src/authctl/fleet/schemas.ts";
import { connectRegistry } from "../../../src/bus/avro/schema-store.ts";
import { readConfig } from "../../../src/config/read.ts";
import { subjects, topics } from "../../../src/processes/topic-specs.ts";
import { commandSchemas } from "../../../src/protocol/generated/schemas.ts";
import { type RealKafka, realKafka, record, spec } from "../../kafka/real-kafka.ts";
import { type FleetAddresses, sharedFleet } from "../../support/fleet-addresses.ts";
import { testStack } from "../../support/stack.ts";
import { type TestFleet, testFleet } from "../../support/test-fleet.ts";
import { until } from "../../support/until.ts";
import { confirmed } from "../../support/users.ts";
import { called } from "../authctl.ts";

let addresses: FleetAddresses;
let fleet: TestFleet;
let own: RealKafka;
beforeAll(async () => {
  addresses = sharedFleet();
  [fleet, own] = await Promise.all([testFleet(addresses), realKafka("ctl")]);
}, 60_000);
afterAll(async () => {
  await own.close();
  await fleet.close();
});

async function documentOf<T>(args: string[], env: Record<string, string> = {}): Promise<T> {
  const { code, stdout, stderr } = await called([...args, "--json"], { ...addresses.env, ...env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as T;
}

interface Described {
  topic: string;
  partitions: number | null;
  retentionMs: number | null;
  differences: string[];
}

describe("topics", () => {
  test("of a migrated fleet are as they should be", async () => {
    const { topics: found } = await documentOf<{ topics: Described[] }>(["topics"]);
    expect(found.map(({ topic }) => topic)).toEqual(topics(readConfig(addresses.env, "ctl")).map(({ topic }) => topic));
    expect(found.filter(({ differences }) => differences.length > 0)).toEqual([]);
    const hour = 3_600_000;
    expect(found.find(({ topic }) => topic === "auth.session.login")).toMatchObject({ retentionMs: hour });
    const { stdout } = await called(["topics"], addresses.env);
    expect(stdout).toMatch(/^TOPIC +PARTITIONS +KEPT +STATE\n/);
    expect(stdout).toMatch(/\nauth\.session\.login +\d+ +1h +as it should be\n/);
    expect(stdout).toMatch(/\nauth\.key +1 +compacted +as it should be\n/);
  });

  test("that lack, or differ from what the environment asks for, are named", async () => {
    await own.kafka.ensureTopics([spec("auth.session.login", 2, { "retention.ms": "7200000" })]);
    const env = { AUTH_TOPIC_PREFIX: own.prefix, AUTH_PARTITIONS: "*=3" };
    const { topics: found } = await documentOf<{ topics: Described[] }>(["topics"], env);
    const login = found.find(({ topic }) => topic === "auth.session.login");
    expect(login?.differences).toEqual(
      expect.arrayContaining(["has 2 partitions, not 3", "retention.ms is 7200000, not 3600000"]),
    );
    expect(found.find(({ topic }) => topic === "auth.event")).toMatchObject({
      partitions: null,
      differences: ["is not there"],
    });
    const { code, stdout } = await called(["topics"], { ...addresses.env, ...env });
    expect(code).toBe(0);
    expect(stdout).toContain("authfleet migrate does it");
  });
});

interface Acl {
  client: string;
  principal: string;
  resource: string;
  pattern: string;
  names: string[];
  operations: string[];
}

describe("topics acl", () => {
  const acls = async (...args: string[]) => (await documentOf<{ acls: Acl[] }>(["topics", "acl", ...args])).acls;
  const may = (all: Acl[], operation: string, topic: string): string[] => {
    const name = addresses.prefix + topic;
    const covers = ({ pattern, names }: Acl) =>
      names.some((each) => (pattern === "prefixed" ? name.startsWith(each) : name === each));
    const some = all.filter((each) => each.resource === "topic" && each.operations.includes(operation) && covers(each));
    return [...new Set(some.map(({ client }) => client))].sort();
  };

  test("give nobody but relays what the fleet says, and nobody but workers another's replies", async () => {
    const all = await acls();
    for (const topic of ["auth.revocation", "auth.audit"]) expect(may(all, "Write", topic)).toEqual(["relay"]);
    expect(may(all, "Write", "auth.key")).toEqual(["migrate", "relay"]); // so that keys are there before a relay runs
    expect(may(all, "Read", "auth.key")).toEqual(expect.arrayContaining(["authctl", "bridge", "gateway", "relay"]));
    expect(may(all, "Write", "auth.event")).toEqual(["authctl", "relay"]); // dlq replay
    expect(may(all, "Write", "auth.reply.gateway")).toEqual(["gateway", "worker"]); // its own probe
    expect(may(all, "Read", "auth.reply.gateway")).toEqual(["gateway"]);
    expect(may(all, "Read", "auth")).toEqual(["platform-mailer"]);
    expect(may(all, "Read", "auth.mail")).toEqual(["mailer"]);
    for (const topic of Object.keys(commandSchemas)) expect(may(all, "Read", topic)).toEqual(["worker"]);
  });

  test("are printed as commands, for whom and where is said", async () => {
    const env = { ...addresses.env, AUTH_TOPIC_PREFIX: "" };
    const args = ["topics", "acl", "bridge", "--principal", "bridge=CN=it's me", "--bootstrap", "kafka:9093"];
    const { code, stdout } = await called([...args, "--command-config", "admin.properties"], env);
    const lines = stdout.trim().split("\n");
    const start =
      "kafka-acls.sh --bootstrap-server kafka:9093 --command-config admin.properties --add --allow-principal";
    expect(code).toBe(0);
    expect(lines[0]).toMatch(/^# bridge: /);
    expect(lines.slice(1).every((line) => line.startsWith(`${start} 'User:CN=it'\\''s me' --operation `))).toBe(true);
    expect(lines.some((line) => line.endsWith(" --operation Read --operation Write --topic auth.reply.bridge"))).toBe(
      true,
    );
    expect(
      lines.some((line) => line.endsWith(" --operation Read --group bridge. --resource-pattern-type prefixed")),
    ).toBe(true);
  });

  test("of a client that there is not are refused", async () => {
    const { code, stderr } = await called(["topics", "acl", "butler"], addresses.env);
    expect(code).toBe(2);
    expect(stderr).toContain("There is no process or service butler: there are worker, relay, bridge,");
  });
});

interface Lag {
  lag: number;
  groups: {
    group: string;
    lag: number;
    topics: {
      topic: string;
      lag: number;
      partitions: { partition: number; committed: number | null; end: number; lag: number | null }[];
    }[];
  }[];
}

describe("lag", () => {
  test("of a fleet that has worked is none, by group and topic", async () => {
    await confirmed(fleet);
    await until("all is committed", async () => (await documentOf<Lag>(["lag"])).lag === 0);
    const { groups } = await documentOf<Lag>(["lag"]);
    const auth = groups.find(({ group }) => group === "auth")!;
    const register = auth.topics.find(({ topic }) => topic === "auth.account.register")!;
    expect(register.partitions.reduce((sum, { end }) => sum + end, 0)).toBeGreaterThan(0);
  });

  test("of a group that is behind is told, by partition", async () => {
    const topic = "auth.session.login";
    await own.kafka.ensureTopics([spec(topic, 2)]);
    const before = await own.kafka.endOffsets(topic);
    await own.kafka.produce([1, 2, 3, 4].map((number) => record(topic, String(number), { partition: 1 })));
    const { consumption, has } = own.reader([topic], { group: "auth" });
    await has(4);
    await consumption.commit([{ topic, partition: 1, offset: before.get(1)! + 1n }]);
    await consumption.close();
    const env = { AUTH_TOPIC_PREFIX: own.prefix };
    const { lag, groups } = await documentOf<Lag>(["lag"], env);
    expect([lag, groups.map(({ group }) => group)]).toEqual([3, ["auth"]]);
    const end = Number(before.get(1)) + 4;
    expect(groups[0]?.topics).toEqual([
      {
        topic,
        lag: 3,
        partitions: [
          { partition: 0, committed: null, end: 0, lag: 0 },
          { partition: 1, committed: end - 3, end, lag: 3 },
        ],
      },
    ]);
    const shown = await called(["lag", "--partitions"], { ...addresses.env, ...env });
    expect(shown.stdout).toMatch(
      new RegExp(`\nauth +auth\\.session\\.login +1 +${end - 3} +${end} +3\n\n3 records in all`),
    );
    expect((await called(["lag"], { ...addresses.env, ...env })).stdout).toMatch(
      /\nauth +auth\.session\.login +2 +3\n/,
    );
  });
});

describe("schemas", () => {
  interface Checked {
    ok: boolean;
    schemas: { subject: string; state: string; id: number | null; registered?: boolean }[];
  }

  test("of a migrated fleet are registered, and registering again changes nothing", async () => {
    const before = await documentOf<Checked>(["schemas", "check"]);
    expect(before.schemas.map(({ subject }) => subject)).toEqual(subjects().map(({ subject }) => subject));
    expect(before.schemas.filter(({ state }) => state !== "registered")).toEqual([]);
    const again = await documentOf<Checked>(["schemas", "register"]);
    expect(again.schemas).toEqual(before.schemas.map(({ subject, id }) => ({ subject, id, registered: false })));
    const { code, stdout } = await called(["schemas", "check"], addresses.env);
    expect([code, stdout]).toEqual([0, `${subjects().length} of ${subjects().length} schemas are registered.\n`]);
  });

  test("that are new, compatible, incompatible, or in a subject of another compatibility are told apart", async () => {
    const registry = connectRegistry({ url: testStack().registry });
    const subject = (name: string) => `${own.prefix}${name}`;
    const record = (...names: string[]) => ({
      type: "record",
      name: `Trial${own.prefix.replace(/\W/g, "")}`,
      fields: ["id", ...names].map((name) => ({
        name,
        type: "string",
        ...(name.startsWith("may") && { default: "" }),
      })),
    });
    const backward = "BACKWARD" as const;
    for (const name of ["compatible", "incompatible"]) await registry.register(subject(name), record(), backward);
    await registry.register(subject("other"), record(), "FORWARD");
    const judged = await compareAll(registry, [
      { subject: subject("new"), schema: record(), compatibility: backward },
      { subject: subject("compatible"), schema: record("mayBe"), compatibility: backward },
      { subject: subject("incompatible"), schema: record("must"), compatibility: backward },
      { subject: subject("other"), schema: record("mayBe"), compatibility: backward },
    ]);
    expect(judged.map(({ state }) => state)).toEqual([
      "new subject",
      "new version",
      "incompatible",
      "other compatibility",
    ]);
    expect(judged.map(({ faults }) => faults.length > 0)).toEqual([false, false, true, true]);
  });

  test("without a registry that answers are exit code 3", async () => {
    const { code, stderr } = await called(["schemas", "check"], {
      ...addresses.env,
      AUTH_REGISTRY_URL: "http://127.0.0.1:9",
    });
    expect(code).toBe(3);
    expect(stderr).toMatch(/^The schema registry at 127\.0\.0\.1:9 does not answer: /);
  });
});
