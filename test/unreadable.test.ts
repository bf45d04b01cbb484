// A batch that no process of the fleet may unpack, in every topic that one of them reads: each passes it over and goes
// on, and who owns dead letters leaves one that says where it lies.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type AuthEvent, type Client, connect } from "../src/client/index.ts";
import { over } from "./authctl/authctl.ts";
import { sharedFleet } from "./support/fleet-addresses.ts";
import { bomb, type ForeignProducer, foreignProducer } from "./support/foreign-batches.ts";
import { type Raw, rawRequests } from "./support/raw.ts";
import { type TestFleet, testFleet } from "./support/test-fleet.ts";
import { until } from "./support/until.ts";
import { confirmed, loggedIn } from "./support/users.ts";

/** Beyond what is unpacked by default; 1.3 KB as it is sent. */
const bytes = bomb("zstd", 40 * 1024 * 1024);

let fleet: TestFleet;
let raw: Raw;
let foreign: ForeignProducer;
let service: Client;
beforeAll(async () => {
  const { env, prefix } = sharedFleet();
  const brokers = env["AUTH_KAFKA_BROKERS"]!.split(",");
  [fleet, foreign] = await Promise.all([testFleet(), foreignProducer(brokers)]);
  raw = await rawRequests(fleet);
  service = connect({ brokers, registry: env["AUTH_REGISTRY_URL"]!, name: "test", topicPrefix: prefix });
}, 60_000);
afterAll(() => Promise.all([service.close(), foreign.close(), fleet.close()]));

const sendTo = (topic: string, partition = 0): Promise<bigint> =>
  foreign.send(fleet.prefix + topic, { codec: "zstd", count: 1, bytes, partition });

async function sendToAll(topic: string): Promise<void> {
  for (let each = 0; each < (await fleet.kafka.partitionsOf(topic))!; each += 1) await sendTo(topic, each);
}

async function placeInLetter(topic: string, offset: bigint): Promise<unknown> {
  const { key, value, headers } = await fleet.mails.last("auth.dead-letter", (letter) => {
    const of = (name: string): string => String(letter.headers[`auth-dlq-${name}`]);
    return of("topic") === topic && of("partition") === "0" && of("offset") === String(offset);
  });
  return { key, value, lastOffset: String(headers["auth-dlq-last-offset"]), error: String(headers["auth-dlq-error"]) };
}

const letterAt = (offset: bigint) => ({
  key: null,
  value: null,
  lastOffset: String(offset),
  error: "records that cannot be read: more than 33554432 bytes, unpacked",
});

test("in a topic of requests: those before and behind it are answered, and a dead letter names it", async () => {
  const request = { topic: "auth.key.list", partition: 0 } as const;
  const before = raw.ask(request);
  const offset = await sendTo("auth.key.list");
  const behind = raw.ask(request);
  expect([(await before).outcome, (await behind).outcome]).toEqual(["ok", "ok"]);
  expect(await placeInLetter("auth.key.list", offset)).toEqual(letterAt(offset));
  const metrics = await (await fetch(`${fleet.http["worker-1"]}/metrics`)).text();
  expect(metrics).toMatch(
    /auth_kafka_passed_over_total\{topic="auth.key.list",reason="too-large",process="worker"\} \d/,
  );
  expect(metrics).toMatch(/auth_dead_letters_total\{reason="unreadable",process="worker"\} \d/);
});

test("in a topic of the platform's: the records behind it take effect", async () => {
  const user = await confirmed(fleet);
  const offset = await sendTo("delete");
  const value = Buffer.from(JSON.stringify({ id: user.id }));
  await fleet.kafka.produce([{ topic: "delete", partition: 0, key: null, value, headers: {} }]);
  await until("the user is gone", async () => {
    const { rowCount } = await fleet.sql.query("SELECT FROM users WHERE id = $1", [user.id]);
    return rowCount === 0;
  });
  expect(await placeInLetter("delete", offset)).toEqual(letterAt(offset));
});

test("in what requesters and verifiers read: replies, the fleet, keys and revocations", async () => {
  const verifier = service.verifier();
  await verifier.ready();
  for (const topic of ["auth.reply.test", "auth.fleet", "auth.revocation"]) await sendToAll(topic);
  const user = await confirmed(fleet);
  const { accessToken } = await loggedIn(fleet, user);
  expect(await verifier.verify(accessToken)).toMatchObject({ by: "local", fresh: true });
  await service.session.logout({ accessToken });
  await until("the verifier has heard of it", () =>
    verifier.verify(accessToken, { whenStale: "refuse" }).then(
      () => false,
      (error: { code?: string }) => error.code === "SESSION_REVOKED",
    ),
  );
  await verifier.close();
});

test("in the events that a service reads", async () => {
  await sendToAll("auth.event");
  const seen: AuthEvent[] = [];
  const read = async (event: AuthEvent): Promise<void> => void seen.push(event);
  const reader = service.events(read, { group: `readers-${randomBytes(6).toString("hex")}` });
  const user = await confirmed(fleet);
  await until("its events were read", () => seen.some(({ userId }) => userId === user.id));
  await reader.close();
});

test("in the dead letters themselves, which authctl reads", async () => {
  await sendToAll("auth.dead-letter");
  const offset = await sendTo("admin_ban_user");
  await placeInLetter("admin_ban_user", offset);
  const run = (args: string) => over(fleet).called(["dlq", ...args.split(" ")], fleet.env, "");
  const { letters } = JSON.parse((await run("list --json --topic admin_ban_user")).stdout) as {
    letters: { id: string }[];
  };
  const shown = await run(`show ${letters[0]!.id}`);
  expect(shown.stdout).toContain(`admin_ban_user, partition 0, offsets ${offset} to ${offset}`);
  expect((await run(`replay ${letters[0]!.id} --yes`)).stdout).toContain("nothing of them was kept");
});
