// Everything delivered again, from the first record on: the state does not change, no event is made twice, and every
// request that changed something gets its first answer again - also when its time is long over.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { without } from "./support/faults.ts";
import { type Fleet, startFleet } from "./support/fleet.ts";
import { forget } from "./support/groups.ts";
import { end } from "./support/processes.ts";
import { type Raw, type RawReply, type RawRequest, rawRequests, replyTopic } from "./support/raw.ts";
import { type TestFleet, testFleet } from "./support/test-fleet.ts";
import { until } from "./support/until.ts";
import { newUser, type TestUser } from "./support/users.ts";

let own: Fleet;
let fleet: TestFleet;
let raw: Raw;
beforeAll(async () => {
  own = await startFleet("redelivery", { processes: ["worker", "relay"] });
  fleet = await testFleet(own);
  raw = await rawRequests(fleet);
}, 90_000);
afterAll(async () => {
  await fleet.close();
  await own.stop();
});

const bare = (fields: Record<string, unknown>, secrets: string[]) => ({
  ...Object.fromEntries(Object.entries(fields).filter(([name]) => !secrets.includes(name))),
  sealed: JSON.stringify(fields),
});

interface Sent {
  request: RawRequest;
  id: Buffer;
  first: RawReply;
}

async function ask(sent: Sent[], request: RawRequest): Promise<RawReply> {
  const id = randomBytes(16);
  const made = { ...request, headers: { ...request.headers, kafka_correlationId: id } };
  const first = await raw.ask(made);
  sent.push({ request: made, id, first });
  return first;
}

const registering = (user: TestUser): RawRequest => {
  const { login, username, email, password } = user;
  return {
    topic: "auth.account.register",
    key: login,
    fields: bare({ login, username, email, password }, ["email", "password"]),
  };
};
const loggingIn = ({ login, password }: TestUser): RawRequest => {
  const fields = { login, rotating: true, client: null, password };
  return { topic: "auth.session.login", key: login, fields: bare(fields, ["password"]) };
};

/** One of everything that changes or counts something. */
async function journey(sent: Sent[], user: TestUser): Promise<void> {
  const registered = await ask(sent, registering(user));
  const id = Number(registered.body["auth.account.RegisterResult"]!["userId"]);
  await ask(sent, registering({ ...newUser(), login: user.login })); // LOGIN_TAKEN is kept too
  await ask(sent, {
    topic: "auth.account.resend",
    key: user.email,
    fields: bare({ email: user.email }, ["email"]),
  });
  await fleet.mails.count("auth", 2, (record) => record.json?.["username"] === user.username);
  const token = await fleet.confirmationToken(user.username);
  const { registrationSecret } = registered.secrets;
  const proven = { token, registrationSecret, password: "", rotating: true, client: null };
  const confirming = bare(proven, ["token", "registrationSecret", "password"]);
  await ask(sent, { topic: "auth.account.confirm", key: token.split(".")[0]!, fields: confirming });
  await ask(sent, loggingIn({ ...user, password: "not the one" }));
  const loggedIn = await ask(sent, loggingIn(user));
  const { refreshToken } = loggedIn.secrets["tokens"] as { refreshToken: string };
  const refreshing = {
    topic: "auth.session.refresh",
    key: refreshToken.split(".")[0]!,
    fields: bare({ refreshToken }, ["refreshToken"]),
  } as const;
  // Its time is over long before it comes again: the inbox is read first.
  const refreshed = await ask(sent, { ...refreshing, headers: { "auth-timeout": "2000" } });
  const { accessToken } = refreshed.secrets as { accessToken: string };
  await ask(sent, {
    topic: "auth.session.logout",
    key: String(id),
    fields: bare({ everywhere: true, accessToken }, ["accessToken"]),
  });
  await fleet.kafka.produce([
    { topic: "admin_ban_user", partition: 0, key: null, value: Buffer.from(JSON.stringify({ id })), headers: {} },
  ]);
  await until("the ban", async () => (await state()).users.some((user) => user["banned"] === true));
}

/** All that commands change, times aside. */
async function state() {
  const { rows: users } = await fleet.sql.query<Record<string, unknown>>(
    "SELECT id, sequence, generation, confirmed_at IS NOT NULL AS confirmed, banned_at IS NOT NULL AS banned FROM users ORDER BY id",
  );
  const { rows: sessions } = await fleet.sql.query(
    "SELECT id, refresh_hash, rotations, ended_at, end_reason FROM sessions ORDER BY id",
  );
  const { rows: outbox } = await fleet.sql.query(
    "SELECT event_id, kind, sequence FROM outbox WHERE topic <> 'auth.audit' ORDER BY id", // heads come by the clock
  );
  const { rows: tokens } = await fleet.sql.query("SELECT id, used_at FROM one_time_tokens ORDER BY id");
  return { users, sessions, outbox, tokens };
}

test("redelivery of everything from offset 0 changes nothing and answers the same", async () => {
  const sent: Sent[] = [];
  await journey(sent, newUser());
  expect(sent.map(({ first }) => first.outcome)).toEqual([
    "ok",
    "LOGIN_TAKEN",
    "ok",
    "ok",
    "INVALID_CREDENTIALS",
    "ok",
    "ok",
    "ok",
  ]);
  const before = await state();
  await end(own.processes.get("worker-1")!);
  await until("the last timeout is over", () => Date.now() > Number(sent.at(-1)!.first.record.timestamp) + 2500);
  await forget(own, ["auth", "auth_service"]);
  await own.start("worker", "worker-2");

  for (const { request, id, first } of sent) {
    const isMine = (record: { headers: Record<string, unknown> }) =>
      String(record.headers["kafka_correlationId"]) === String(id);
    const [, again] = await raw.replies.count(replyTopic, 2, isMine);
    const second = raw.read(request.topic, again!);
    expect([request.topic, second.outcome, second.body, second.secrets]).toEqual([
      request.topic,
      first.outcome,
      first.body,
      first.secrets,
    ]);
  }
  // A record behind all others in the legacy topic was handled, so the ban before it was delivered again.
  const control = newUser();
  await raw.ask(registering(control));
  const { rows } = await fleet.sql.query<{ id: string }>("SELECT id FROM users WHERE login = $1", [control.login]);
  await fleet.kafka.produce([
    {
      topic: "admin_ban_user",
      partition: 0,
      key: null,
      value: Buffer.from(JSON.stringify({ id: Number(rows[0]!.id) })),
      headers: {},
    },
  ]);
  await until("the control is banned", async () =>
    (await state()).users.some((user) => user["id"] === rows[0]!.id && user["banned"] === true),
  );

  const after = await state();
  const known = new Set(before.users.map((user) => user["id"]));
  expect(after.users.filter((user) => known.has(user["id"]))).toEqual(before.users);
  expect(after.sessions).toEqual(before.sessions);
  expect(after.outbox.slice(0, before.outbox.length)).toEqual(before.outbox);
  expect(after.outbox.slice(before.outbox.length).map((row) => row.kind)).toEqual([
    "UserRegistered",
    "json", // to the platform's mailer
    "UserBanned",
    "json", // to auth.revocation
  ]);
}, 90_000);

test("every event is published with the numbers of its user without a gap", async () => {
  const { rows } = await fleet.sql.query<{ user_id: string; sequences: string[] }>(
    "SELECT user_id, array_agg(sequence ORDER BY sequence) AS sequences FROM outbox WHERE sequence IS NOT NULL GROUP BY user_id",
  );
  expect(rows.length).toBeGreaterThan(0);
  for (const { sequences } of rows) expect(sequences.map(Number)).toEqual(sequences.map((_, index) => index + 1));
  await until("all is published", async () => {
    const { rows: left } = await fleet.sql.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM outbox WHERE published_at IS NULL",
    );
    return left[0]!.n === 0;
  });
  const ids = fleet.mails.all("auth.event").map((record) => String(record.headers["ce_id"]));
  // That an operator was added was published before this test read auth.event.
  const { rows: events } = await fleet.sql.query<{ event_id: string }>(
    "SELECT event_id FROM outbox WHERE topic = 'auth.event' AND user_id IS NOT NULL",
  );
  await until(
    "all events arrived",
    () => new Set(fleet.mails.all("auth.event").map((record) => String(record.headers["ce_id"]))).size >= events.length,
  );
  expect(new Set(ids).size).toBeGreaterThan(0);
  expect(
    events.filter(
      ({ event_id }) => !fleet.mails.all("auth.event").some((record) => String(record.headers["ce_id"]) === event_id),
    ),
  ).toEqual([]);
}, 30_000);

test("without the inbox a redelivered login opens a second session", async () => {
  const { login, password } = newUser();
  await raw.ask(registering({ ...newUser(), login, password }));
  await fleet.sql.query("UPDATE users SET confirmed_at = now() WHERE login = $1", [login]);
  const request = loggingIn({ ...newUser(), login, password });
  const first = await raw.ask({ ...request, headers: { "auth-timeout": "300000" } }); // still in time when it comes again
  expect(first.outcome).toBe("ok");
  const before = await state();
  await end(own.processes.get("worker-2")!);
  await forget(own, ["auth", "auth_service"]);
  await own.start("worker", "worker-3", {}, without("no-inbox"));
  await until("a second session", async () => (await state()).sessions.length > before.sessions.length);
}, 60_000);
