// What `authctl topics acl` prints is enough, and no more: a fleet on a broker that denies whatever is not allowed,
// each role as a user of its own with exactly these ACLs. A whole journey passes; and what a requester must not do is
// refused by the broker.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import driver, { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } from "kafkajs";
import { connect } from "../../src/client/index.ts";
import { connectKafka, type KafkaPort } from "../../src/kafka/kafka.ts";
import { openPatched } from "../../src/kafka/kafkajs/patches.ts";
import { called } from "../authctl/authctl.ts";
import { connectGateway } from "../bridge/gateway.ts";
import { startBroker } from "../support/cluster.ts";
import { type Fleet, startFleet } from "../support/fleet.ts";
import { sharedFleet } from "../support/fleet-addresses.ts";
import { quiet } from "../support/logger.ts";
import { ownFolder, testStack } from "../support/stack.ts";
import { until } from "../support/until.ts";
import { newUser, refused } from "../support/users.ts";

interface Acl {
  principal: string;
  resource: "topic" | "group";
  pattern: "literal" | "prefixed";
  names: string[];
  operations: string[];
}

const users = [
  "auth-worker",
  "auth-relay",
  "auth-bridge",
  "auth-mailer",
  "auth-migrate",
  "authctl",
  "gateway",
  "platform",
  "stranger",
];
const sasl = (username: string) => ({ mechanism: "plain" as const, username, password: `of ${username}` });
let address: string;
let superUser: driver.Admin;
let stop: () => Promise<void>;
let fleet: Fleet | undefined;
const prefix = "acl.";
const ports: KafkaPort[] = [];

beforeAll(async () => {
  const jaas = users.map((user) => ` user_${user}="${sasl(user).password}"`).join("");
  const started = await startBroker(ownFolder("acl"), {
    listeners: ["SASL_PLAINTEXT"],
    properties: {
      "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
      "super.users": "User:ANONYMOUS",
      "sasl.enabled.mechanisms": "PLAIN",
      "listener.name.sasl_plaintext.plain.sasl.jaas.config": `org.apache.kafka.common.security.plain.PlainLoginModule required${jaas};`,
    },
  });
  address = started.addresses["SASL_PLAINTEXT"]!;
  stop = () => started.node.kill();
  superUser = openPatched({ brokers: [started.node.address], logLevel: driver.logLevel.NOTHING }).admin();
  await superUser.connect();
}, 60_000);
afterAll(async () => {
  await fleet?.stop();
  await Promise.all(ports.map((port) => port.close()));
  await superUser.disconnect();
  await stop();
});

function as(user: string): Record<string, string> {
  const { username, password } = sasl(user);
  return {
    AUTH_KAFKA_BROKERS: address,
    AUTH_KAFKA_SASL_MECHANISM: "plain",
    AUTH_KAFKA_SASL_USERNAME: username,
    AUTH_KAFKA_SASL_PASSWORD: password,
  };
}

function port(user: string): KafkaPort {
  const made = connectKafka({ brokers: [address], clientId: user, prefix, sasl: sasl(user) }, quiet);
  ports.push(made);
  return made;
}

const named = <T>(values: Record<string, T>, name: string): T =>
  values[name.replace(/(?<!^)([A-Z])/g, "_$1").toUpperCase()]!;

/** What the command prints, as the broker takes it. */
async function grant(env: Record<string, string>): Promise<number> {
  const { code, stdout } = await called(["topics", "acl", "--json"], env);
  expect(code).toBe(0);
  const { acls } = JSON.parse(stdout) as { acls: Acl[] };
  const acl = acls.flatMap(({ principal, resource, pattern, names, operations }) =>
    names.flatMap((resourceName) =>
      operations.map((operation) => ({
        principal,
        host: "*",
        resourceName,
        resourceType: resource === "topic" ? AclResourceTypes.TOPIC : AclResourceTypes.GROUP,
        resourcePatternType: pattern === "prefixed" ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
        operation: named(AclOperationTypes as unknown as Record<string, AclOperationTypes>, operation),
        permissionType: AclPermissionTypes.ALLOW,
      })),
    ),
  );
  await superUser.createAcls({ acl });
  return acl.length;
}

const write = (topic: string) => ({ topic, partition: 0, key: null, value: Buffer.from("x"), headers: {} });
const writes = (user: string, topic: string): Promise<string> =>
  port(user)
    .produce([write(topic)])
    .then(
      () => "ok",
      (error: { kind?: string }) => String(error.kind ?? error),
    );

test("a fleet works under the ACLs that are printed, and nobody may do more", async () => {
  await grant({ ...sharedFleet().env, ...as("authctl"), AUTH_TOPIC_PREFIX: prefix });
  const own = await startFleet("acl", { prefix, env: as("auth-migrate"), processes: [] });
  fleet = own;
  await own.start("worker", "worker-1", as("auth-worker"));
  await own.start("relay", "relay-1", as("auth-relay"));
  await own.start("bridge", "bridge-1", as("auth-bridge"));

  await own.start("mailer", "mailer-1", {
    ...as("auth-mailer"),
    AUTH_SMTP_URL: "print:",
    AUTH_MAIL_FROM: "auth@example.com",
    AUTH_MAIL_LINK_URL: "https://example.com/{kind}?token={token}",
  });

  const gateway = await connectGateway(own.grpc);
  const user = newUser();
  expect(await gateway.call("CreateUser", { ...user })).toMatchObject({ status: "OK" });
  gateway.close();

  const client = connect({
    brokers: [address],
    registry: testStack().registry,
    name: "gateway",
    topicPrefix: own.prefix,
    sasl: sasl("gateway"),
  });
  expect((await refused(client.session.login({ login: user.login, password: user.password }))).code).toBe(
    "NOT_CONFIRMED",
  );
  const names: string[] = [];
  client.events(async ({ name }) => void names.push(name));
  await until("its event is read", () => names.includes("UserRegistered"));
  const verifier = client.verifier();
  await verifier.ready();
  await client.close();

  expect(await writes("platform", "delete")).toBe("ok");
  const operator = { ...own.env, ...as("authctl") };
  for (const line of ["users show", "topics", "lag", "top", "dlq list"]) {
    const args = line === "users show" ? [...line.split(" "), user.login] : line.split(" ");
    expect([line, (await called(args, operator)).code]).toEqual([line, 0]);
  }

  const replayed = async () => (await called(["dlq", "replay", "--topic", "delete", "--yes"], operator)).stdout;
  await until("what the worker put away is replayed", async () => (await replayed()).startsWith("Replayed "));
  expect(await writes("gateway", "auth.reply.gateway")).toBe("ok"); // the control: its own topic, for its probe
  for (const [user, topic] of [
    ["gateway", "auth.event"],
    ["gateway", "auth.revocation"],
    ["gateway", "auth.key"],
    ["gateway", "auth.reply.bridge"],
    ["auth-bridge", "auth.reply.gateway"],
    ["auth-worker", "auth.event"],
    ["auth-worker", "auth.session.login"],
    ["auth-relay", "auth.reply.gateway"],
    ["stranger", "auth.session.login"],
  ] as const)
    expect([user, topic, await writes(user, topic)]).toEqual([user, topic, "not-authorized"]);
}, 180_000);
