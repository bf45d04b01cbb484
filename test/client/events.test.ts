// client.events(): every event typed, in the order of its user, at least once, shared by a group; and the hooks of
// connect().
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type AuthEvent, type Client, type ConnectOptions, connect, Refusal } from "../../src/client/index.ts";
import { sharedFleet } from "../support/fleet-addresses.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { until } from "../support/until.ts";
import { confirmed, loggedIn, registered } from "../support/users.ts";

let fleet: TestFleet;
let options: ConnectOptions;
const clients: Client[] = [];
const open = (more: Partial<ConnectOptions> = {}): Client => {
  const client = connect({ ...options, ...more });
  clients.push(client);
  return client;
};
beforeAll(async () => {
  const addresses = sharedFleet();
  options = {
    brokers: addresses.env["AUTH_KAFKA_BROKERS"]!.split(","),
    registry: addresses.env["AUTH_REGISTRY_URL"]!,
    name: "test",
    topicPrefix: addresses.prefix,
  };
  fleet = await testFleet(addresses);
}, 60_000);
afterAll(async () => {
  for (const client of clients) await client.close();
  await fleet.close();
});

const group = (): string => `readers-${randomBytes(6).toString("hex")}`;

test("events come typed and in the order of their user", async () => {
  const seen: AuthEvent[] = [];
  const reader = open().events(async (event) => void seen.push(event), { group: group() });
  await reader.ready;
  const user = await confirmed(fleet);
  await loggedIn(fleet, user);
  const of = () => seen.filter(({ userId }) => userId === user.id);
  await until("they are there", () => of().some(({ name }) => name === "LoggedIn"));
  expect(of().map(({ name }) => name)).toEqual(expect.arrayContaining(["UserRegistered", "UserConfirmed", "LoggedIn"]));
  expect(of().map(({ sequence }) => sequence)).toEqual(of().map((_, at) => at + 1));
  const [first] = of();
  if (first?.name !== "UserRegistered") throw new Error(`the first was ${first?.name}`);
  expect(first.userId).toBe(user.id); // the name has told the compiler what else there is
});

/** CloudEvents 1.0.2, Kafka protocol binding, binary mode; W3C trace context. */
test("an event is a CloudEvent by its headers, of one trace with its request, and so is its row in the audit", async () => {
  const user = await confirmed(fleet);
  const traceparent = `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-01`;
  const client = open({ hooks: { traceparent: () => traceparent } });
  const before = Date.now();
  await client.session.login({ login: user.login, password: user.password });
  const { headers, key } = await fleet.mails.last(
    "auth.event",
    (record) => String(record.headers["traceparent"]) === traceparent,
  );
  const { ce_time: time, ...others } = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, String(value)]),
  );
  expect(others).toEqual({
    ce_specversion: "1.0",
    ce_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    ce_type: "auth.event.LoggedIn",
    ce_source: "auth",
    ce_subject: String(user.id),
    "content-type": "application/vnd.confluent.avro",
    traceparent,
  });
  expect(String(key)).toBe(String(user.id));
  expect(Math.abs(Date.parse(time!) - before)).toBeLessThan(60_000);
  const audited = async () =>
    (await fleet.sql.query("SELECT event_id AS id, event FROM audit WHERE traceparent = $1", [traceparent])).rows;
  await until("the row is chained", async () => (await audited()).length > 0);
  expect(await audited()).toEqual([{ id: others["ce_id"], event: "LoggedIn" }]);
});

test("an event whose reading fails comes again, others of other users go on, and only those asked for come", async () => {
  const [bad, good] = [await registered(fleet), await registered(fleet)];
  let failures = 0;
  const read: number[] = [];
  open().events(
    async (event) => {
      if (event.userId === bad.id && failures < 2) {
        failures += 1;
        throw new Error("not yet");
      }
      expect(event.name).toBe("UserRegistered");
      read.push(event.userId!);
    },
    { group: group(), only: ["UserRegistered"] },
  );
  await until("both are read", () => [bad.id, good.id].every((id) => read.includes(id)));
  expect(failures).toBe(2);
  expect(read.filter((id) => id === bad.id)).toHaveLength(1);
  expect(read.indexOf(good.id)).toBeLessThan(read.indexOf(bad.id));
});

test("a group goes on where it was", async () => {
  const name = group();
  const user = await registered(fleet);
  const first: AuthEvent[] = [];
  const before = open();
  before.events(async (event) => void first.push(event), { group: name });
  await until("the first reader has read it", () => first.some(({ userId }) => userId === user.id));
  await before.close();
  const other = await registered(fleet);
  const second: AuthEvent[] = [];
  open().events(async (event) => void second.push(event), { group: name });
  await until("the second reader goes on", () => second.some(({ userId }) => userId === other.id));
  const read = new Set(first.map(({ eventId }) => eventId));
  expect(second.filter(({ eventId }) => read.has(eventId))).toEqual([]);
});

test("hooks see each call with its outcome and time, and give it its trace", async () => {
  const calls: unknown[] = [];
  const traceparent = `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-01`;
  const client = open({ hooks: { traceparent: () => traceparent, called: (call) => void calls.push(call) } });
  await client.key.list({});
  await expect(client.session.login({ login: "nobody", password: "nothing" })).rejects.toBeInstanceOf(Refusal);
  const common = { ms: expect.any(Number), traceparent };
  expect(calls).toEqual([
    { topic: "auth.key.list", outcome: "ok", ...common },
    { topic: "auth.session.login", outcome: "INVALID_CREDENTIALS", ...common },
  ]);
});
