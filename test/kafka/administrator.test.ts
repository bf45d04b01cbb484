// What an administrator of Kafka can read and do in spite of seals, by topic, as docs/security.md lists it. What they
// cannot do is in sealing-attacker.test.ts and, for mails, in mail/mailer.test.ts. Where an attack works on a verifier
// or a service, the test also shows what the fleet itself answers.
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import avsc from "avsc";
import driver from "kafkajs";
import { connectRegistry } from "../../src/bus/avro/schema-store.ts";
import { type AuthEvent, type Client, connect, type Verifier } from "../../src/client/index.ts";
import { openPatched } from "../../src/kafka/kafkajs/patches.ts";
import type { OutRecord } from "../../src/kafka/records.ts";
import { eventSchemas } from "../../src/protocol/generated/schemas.ts";
import { called } from "../authctl/authctl.ts";
import { type Fleet, startFleet } from "../support/fleet.ts";
import { type Mailbox, mailbox } from "../support/mailbox.ts";
import { decodeMail, mailedToken } from "../support/mails.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { until } from "../support/until.ts";
import { bySecret, type Confirmed, loggedIn, refusalOf, refused, registered } from "../support/users.ts";

let own: Fleet;
let fleet: TestFleet;
let seen: Mailbox;
let admin: driver.Admin;
const clients: Client[] = [];
const login = "auth.session.login";

beforeAll(async () => {
  const env = { AUTH_REQUIRE_SEALED: "true", AUTH_LEGACY_TOPICS: "false", AUTH_MAILBOX_LIMIT: "16" };
  own = await startFleet("kafka-administrator", { processes: ["worker", "relay"], env });
  fleet = await testFleet(own);
  seen = mailbox(fleet.kafka, [login, "auth.password.forgot"]);
  await seen.ready;
  const brokers = own.env["AUTH_KAFKA_BROKERS"]!.split(",");
  admin = openPatched({ brokers, logLevel: driver.logLevel.NOTHING }).admin();
  await admin.connect();
}, 90_000);
afterAll(async () => {
  for (const client of clients) await client.close();
  await admin.disconnect();
  await fleet.close();
  await own.stop();
});

/** A service that is given the fleet's id, as a careful one is. */
function service(): Client {
  const { env, prefix } = own;
  const client = connect({
    brokers: env["AUTH_KAFKA_BROKERS"]!.split(","),
    registry: env["AUTH_REGISTRY_URL"]!,
    name: "gateway",
    topicPrefix: prefix,
    fleetId: env["AUTH_FLEET_ID"]!,
  });
  clients.push(client);
  return client;
}

async function confirmed(): Promise<Confirmed> {
  const made = await registered(fleet);
  const token = await mailedToken(fleet, made.email, "confirm");
  const tokens = await fleet.client.request("auth.account.confirm", { token, ...bySecret(made) });
  return { ...made, tokens, confirmationToken: token };
}

const inspected = ({ tokens }: Confirmed) =>
  fleet.client.request("auth.session.inspect", { accessToken: tokens.accessToken });

/** What a verifier says by itself, asking nobody. */
const local = (verifier: Verifier, { tokens }: Confirmed): Promise<string> =>
  verifier.verify(tokens.accessToken, { whenStale: "refuse" }).then(
    ({ by }) => by,
    ({ code }: { code: string }) => code,
  );

async function started(): Promise<Verifier> {
  const verifier = service().verifier();
  await verifier.ready();
  return verifier;
}

/** Deletes all records that a topic has, as kafka-delete-records.sh does. */
async function emptied(topic: string): Promise<void> {
  const name = own.prefix + topic;
  const partitions = (await admin.fetchTopicOffsets(name)).map(({ partition, high: offset }) => ({
    partition,
    offset,
  }));
  await admin.deleteTopicRecords({ topic: name, partitions });
}

const json = (topic: string, key: string | null, body: unknown): OutRecord => ({
  topic,
  key: key === null ? null : Buffer.from(key),
  value: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
  headers: {},
});

describe("whoever reads the topics", () => {
  test("sees logins, addresses, devices and device tokens; no password", async () => {
    const owner = await confirmed();
    const client = { ip: "203.0.113.77", userAgent: "A browser", device: "a telephone" };
    const { deviceToken } = owner.tokens;
    const asked = { login: owner.login.toUpperCase(), password: owner.password, client };
    await fleet.client.request(login, asked, { deviceToken });
    await fleet.client.request("auth.password.forgot", { email: owner.email });
    const request = await seen.last(login, ({ key }) => String(key) === owner.login);
    const [value, headers] = [String(request.value), Object.values(request.headers).map(String)];
    for (const clear of [asked.login, client.ip, client.userAgent, client.device]) expect(value).toContain(clear);
    expect(headers).toContain(deviceToken);
    for (const text of [value, ...headers]) expect(text).not.toContain(owner.password);
    await seen.last("auth.password.forgot", ({ key }) => String(key) === owner.email);
    const event = await fleet.mails.last(
      "auth.event",
      ({ key, value: body }) => String(key) === String(owner.id) && body?.includes(client.ip) === true,
    );
    for (const clear of [client.device, owner.login]) expect(String(event.value)).toContain(clear);
    await fleet.mails.last(
      "auth.mail",
      (mail) => decodeMail(mail).to === owner.email && decodeMail(mail).kind === "reset",
    );
  });

  test("takes the place of a device by its token, and what the password is all the same they do not know", async () => {
    const owner = await confirmed();
    await fleet.client.request(login, { ...owner }, { deviceToken: owner.tokens.deviceToken });
    const read = await seen.last(login, ({ key }) => String(key) === owner.login);
    const deviceToken = String(read.headers["auth-device"]);
    const guess = (device?: string) =>
      refused(
        fleet.client.request(
          login,
          { login: owner.login, password: "a guess of theirs" },
          { timeoutMs: 25_000, ...(device !== undefined && { deviceToken: device }) },
        ),
      );
    const flood = Array.from({ length: 24 }, () => guess());
    const [copied, without] = [guess(deviceToken), guess()];
    expect(await copied).toMatchObject({ code: "INVALID_CREDENTIALS" });
    expect(await without).toMatchObject({ code: "THROTTLED", details: {} }); // the control: the places of others are taken
    await Promise.all(flood);
  });
});

describe("whoever writes and deletes records", () => {
  test("revives on auth.revocation what was revoked, for verifiers that start later; the fleet goes on refusing it", async () => {
    const owner = await confirmed();
    const early = await started();
    expect(await local(early, owner)).toBe("local");
    await fleet.client.request("auth.session.logout", { accessToken: owner.tokens.accessToken });
    await until("it is heard of", async () => (await local(early, owner)) === "SESSION_REVOKED");
    expect(await local(await started(), owner)).toBe("SESSION_REVOKED"); // the control
    await emptied("auth.revocation");
    expect(await local(await started(), owner)).toBe("local");
    expect(await local(early, owner)).toBe("SESSION_REVOKED");
    expect(await refusalOf(inspected(owner))).toBe("SESSION_REVOKED");
    const { refreshToken } = owner.tokens;
    expect(await refusalOf(fleet.client.request("auth.session.refresh", { refreshToken }))).toBe("SESSION_REVOKED");
  });

  test("ends a session on auth.revocation for all verifiers; to the fleet it goes on", async () => {
    const owner = await confirmed();
    const verifier = await started();
    expect(await local(verifier, owner)).toBe("local"); // the control
    await fleet.kafka.produce([json("auth.revocation", `s:${owner.tokens.sessionId}`, { at: Date.now() })]);
    await until("it is believed", async () => (await local(verifier, owner)) === "SESSION_REVOKED");
    expect(await inspected(owner)).toMatchObject({ userId: owner.id });
  });

  test("tells services on auth.event what never happened", async () => {
    const owner = await confirmed();
    const heard: AuthEvent[] = [];
    const reader = service().events(async (event) => void heard.push(event), { group: `gateway.${randomUUID()}` });
    await reader.ready;
    const schema = eventSchemas.UserDeleted;
    const id = await connectRegistry({ url: own.env["AUTH_REGISTRY_URL"]! }).idOf("auth.event.UserDeleted", schema);
    const head = Buffer.alloc(5);
    head.writeInt32BE(id!, 1);
    const actor = "operator:nobody";
    const event = { eventId: randomUUID(), at: Date.now(), userId: owner.id, sequence: 99, actor, reason: "" };
    const body = avsc.Type.forSchema(schema as unknown as avsc.Schema).toBuffer({ ...event, traceparent: null });
    const value = Buffer.concat([head, body]);
    const headers = { ce_type: "auth.event.UserDeleted" };
    await fleet.kafka.produce([{ topic: "auth.event", key: Buffer.from(String(owner.id)), value, headers }]);
    const ofOwner = () => heard.filter(({ userId }) => userId === owner.id);
    await until("it is read", () => ofOwner().some(({ actor: by }) => by === actor));
    // What tells it from an event of the fleet's: the numbers of the user's events have a gap.
    const numbers = ofOwner().map(({ sequence }) => sequence);
    expect([numbers.at(-1), numbers.length < 99]).toEqual([99, true]);
    expect(await inspected(owner)).toMatchObject({ userId: owner.id });
  });

  test("makes authctl audit verify complain of a head of their making on auth.audit; without the topic it does not", async () => {
    const verify = (...more: string[]) => called(["audit", "verify", ...more], own.env);
    expect((await verify()).code).toBe(0); // the control
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const head = `${part({ alg: "ES256", typ: "audit-head+jwt", kid: "theirs" })}.${part({ count: 1 })}.${"A".repeat(86)}`;
    await fleet.kafka.produce([json("auth.audit", null, head)]);
    const { code, stdout } = await verify();
    expect([code, stdout]).toEqual([1, expect.stringContaining("not signed by this fleet")]);
    expect((await verify("--offline")).code).toBe(0);
  });

  test("deletes nobody by the platform's JSON topics where these are off", async () => {
    const owner = await confirmed();
    const topics = ["delete", "admin_delete_user", "admin_ban_user", "check_verified"];
    await fleet.kafka.ensureTopics(topics.map((topic) => ({ topic, partitions: 1, replication: 0, config: {} })));
    await fleet.kafka.produce([json("delete", null, { id: owner.id })]);
    await own.start("worker", "worker-2"); // one that starts while the topic is there
    expect(await loggedIn(fleet, owner)).toMatchObject({ userId: owner.id });
    const committed = await fleet.kafka.committedOffsets("auth_service", ["delete"]);
    expect([...(committed.get("delete") ?? [])]).toEqual([]);
    // The control: a worker where they are on carries the same record out.
    await own.start("worker", "worker-3", { AUTH_LEGACY_TOPICS: "true" });
    await until("the owner is gone", async () => (await refusalOf(loggedIn(fleet, owner))) === "INVALID_CREDENTIALS");
  });
});
