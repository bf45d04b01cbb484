// A fleet that requires seals (the default): secrets in the bare form are refused before any work, sealed ones are served. And what a
// worker does with its threads.
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type Fleet, startFleet, type TestFleet, testFleet } from "./support/fleet.ts";
import { confirmed, loggedIn, somebody } from "./support/people.ts";
import { type Raw, rawRequests } from "./support/raw.ts";

let own: Fleet;
let fleet: TestFleet;
let raw: Raw;
beforeAll(async () => {
  own = await startFleet("sealing", {
    roles: ["worker", "relay"],
    env: { AUTH_REQUIRE_SEALED: "true", AUTH_HASH_THREADS: "3" },
  });
  fleet = await testFleet(own);
  raw = await rawRequests(fleet);
}, 90_000);
afterAll(async () => {
  await fleet.close();
  await own.stop();
});

const replyKey = JSON.stringify({
  kty: "EC",
  crv: "P-256",
  x: "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
  y: "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
});

test("a sealed journey works", async () => {
  const person = await confirmed(fleet);
  expect(await loggedIn(fleet, person)).toMatchObject({ userId: person.id });
});

test("a bare secret is refused, and nothing is done", async () => {
  const person = somebody();
  const { password, ...clear } = person;
  const bare = { ...clear, sealed: JSON.stringify(person) };
  const reply = await raw.ask({ topic: "auth.account.register", key: person.login, fields: bare });
  expect(reply.outcome).toBe("SEAL_REQUIRED");
  const { rowCount } = await fleet.sql.query("SELECT FROM users WHERE login = $1", [person.login]);
  expect(rowCount).toBe(0);
});

test("a request whose reply has secrets must bring a reply key", async () => {
  const { login, password } = somebody();
  const fields = {
    login,
    rotating: true,
    client: null,
    sealed: JSON.stringify({ login, rotating: true, client: null, password }),
  };
  const without = await raw.ask({ topic: "auth.session.login", key: login, fields });
  expect([without.outcome, without.body["auth.Refusal"]?.["message"]]).toEqual([
    "SEAL_REQUIRED",
    expect.stringContaining("auth-reply-key"),
  ]);
  // The control: with one it is the bare password that is refused.
  const reply = await raw.ask({
    topic: "auth.session.login",
    key: login,
    fields,
    headers: { "auth-reply-key": replyKey },
  });
  expect([reply.outcome, reply.body["auth.Refusal"]?.["message"]]).toEqual([
    "SEAL_REQUIRED",
    "Secrets must be sealed.",
  ]);
});

test("a command without secrets needs no seal", async () => {
  expect((await raw.ask({ topic: "auth.key.list" })).outcome).toBe("ok");
});

const onLinux = process.platform === "linux" ? test : test.failing; // elsewhere there is no /proc to look into
onLinux("a worker's thread pool has a thread for each hash and four beside", () => {
  const pid = own.processes.get("worker-1")!.pid!;
  const names = readdirSync(`/proc/${pid}/task`).map((task) =>
    readFileSync(`/proc/${pid}/task/${task}/comm`, "utf8").trim(),
  );
  expect(names.filter((name) => name.startsWith("libuv-worker"))).toHaveLength(7);
});
