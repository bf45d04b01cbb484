// The whole stack dies as in a power cut (kill -9 of everything) and starts again in the same folder: users, sessions
// and schema ids are still there, and what was issued before still works.
import { afterAll, expect, test } from "@jest/globals";
import { connectRegistry } from "../../src/bus/avro/schema-store.ts";
import { subjects } from "../../src/processes/topic-specs.ts";
import { type Stack, startStack } from "../../stack/stack.ts";
import { type Fleet, startFleet } from "../support/fleet.ts";
import { end } from "../support/processes.ts";
import { ownFolder, type TestStack } from "../support/stack.ts";
import { testFleet } from "../support/test-fleet.ts";
import { confirmed, loggedIn } from "../support/users.ts";

const stops: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
}, 60_000);

async function startAgain(dir: string): Promise<Stack> {
  const stack = await startStack({ dir, report: () => undefined });
  stops.push(() => stack.stop());
  return stack;
}

const addressesOf = (stack: Stack): TestStack => ({
  kafka: stack.kafka.address,
  registry: stack.registry.address,
  database: stack.postgres.address,
});

async function schemaIds(registry: string): Promise<(number | undefined)[]> {
  const source = connectRegistry({ url: registry });
  return Promise.all(subjects().map(({ subject, schema }) => source.idOf(subject, schema)));
}

async function killAll(stack: Stack, fleet: Fleet): Promise<void> {
  await Promise.all([...fleet.processes.values()].map((child) => end(child, "SIGKILL")));
  fleet.processes.clear();
  await Promise.all([stack.kafka.kill(), stack.registry.kill(), stack.postgres.kill()]);
  await stack.stop();
}

test("a restart of the whole stack keeps users, sessions and schema ids", async () => {
  const dir = ownFolder("restart");
  const stack = await startAgain(dir);
  const fleet = await startFleet("restart", { stack: addressesOf(stack), processes: ["worker", "relay"] });
  stops.push(() => fleet.stop());
  const before = await testFleet(fleet);
  const user = await confirmed(before);
  const session = await loggedIn(before, user);
  const idsBefore = await schemaIds(addressesOf(stack).registry);
  expect(idsBefore.every((id) => typeof id === "number")).toBe(true);
  await before.close();
  await killAll(stack, fleet);

  const again = await startAgain(dir);
  const second = await startFleet("restart", {
    stack: addressesOf(again),
    processes: ["worker", "relay"],
    again: movedTo(fleet, addressesOf(again)),
  });
  stops.push(() => second.stop());
  const after = await testFleet(second);
  stops.push(() => after.close());
  expect(await schemaIds(addressesOf(again).registry)).toEqual(idsBefore);
  expect(await after.client.request("auth.session.inspect", { accessToken: session.accessToken })).toMatchObject({
    userId: user.id,
  });
  expect(await after.client.request("auth.session.refresh", { refreshToken: session.refreshToken })).toMatchObject({
    userId: user.id,
  });
  expect(await loggedIn(after, user)).toMatchObject({ userId: user.id });
}, 180_000);

/** The ports may have changed; the database's name has not. */
function movedTo(fleet: Fleet, stack: TestStack): Fleet {
  const database = new URL(stack.database);
  database.pathname = new URL(fleet.env["AUTH_DATABASE_URL"]!).pathname;
  return { ...fleet, env: { ...fleet.env, AUTH_DATABASE_URL: database.href } };
}
