// A broker that falls silent: its process is stopped (SIGSTOP), so connections stay open, new ones are taken by the
// kernel, and nothing is ever answered. A request ends inside its time all the same, one that has time is answered when
// the broker goes on, and nobody has to be started anew. Both drivers at once, each with a fleet of its own on the one
// broker.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { connectRegistry } from "../../src/bus/avro/schema-store.ts";
import { connectClient } from "../../src/client/connect.ts";
import type { AuthClient } from "../../src/client/types.ts";
import { connectKafka } from "../../src/kafka/kafka.ts";
import type { Kafka } from "../../stack/kafka.ts";
import { everyDriver } from "../kafka/real-kafka.ts";
import { startBroker } from "../support/cluster.ts";
import { type CrashFixture, crashFixture } from "../support/crash.ts";
import { crashSeconds, failures, sendRequest } from "../support/load.ts";
import { quiet } from "../support/logger.ts";
import { ownFolder, testStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

let broker: Kafka;
beforeAll(async () => {
  ({ node: broker } = await startBroker(ownFolder("silent")));
}, 60_000);
const sites = everyDriver.map((driver) => {
  const stack = async () => ({ ...testStack(), kafka: broker.address });
  return Object.assign(crashFixture(`silent-${driver}`, { driver, workers: 1, users: 0, stack }), { driver });
});
afterAll(() => broker.kill()); // after the fleets

/** Who connects only now. */
function newcomer({ driver, own, onStop }: (typeof sites)[number]): AuthClient {
  const settings = { driver, brokers: [broker.address], clientId: "newcomer", prefix: own.prefix };
  const kafka = connectKafka(settings, quiet);
  const schemas = connectRegistry({ url: own.env["AUTH_REGISTRY_URL"]! });
  const client = connectClient({ kafka, schemas, name: "test", log: quiet });
  onStop(async () => {
    await client.close(0);
    await kafka.close();
  });
  return client;
}

/** A key list needs Kafka and the worker alone. */
const ask = (client: AuthClient, timeoutMs: number) =>
  sendRequest({ client }, { by: "", topic: "auth.key.list", input: {}, timeoutMs });

const allReady = (fixture: CrashFixture) =>
  Promise.all(
    Object.values(fixture.own.http).map((url) =>
      until(`${url} is ready`, async () => (await fetch(`${url}/readyz`)).status === 200, 60_000),
    ),
  );

test("a silent broker: a request ends before its deadline, and all works again when the broker answers", async () => {
  const [shortMs, slackMs] = [2000, 1500];
  const known = sites.map(({ fleet }) => fleet.client);
  expect(failures(await Promise.all(known.map((client) => ask(client, 20_000))))).toEqual([]); // the control
  const pids = () =>
    sites.flatMap(({ own }) => [...own.processes.values()].map(({ pid, exitCode }) => [pid, exitCode]));
  const before = pids();
  const stopped = performance.now();
  process.kill(broker.pid!, "SIGSTOP");
  const clients = [...known, ...sites.map(newcomer)];
  const long = clients.map((client) => ask(client, 120_000));
  try {
    for (const { refusal, took } of await Promise.all(clients.map((client) => ask(client, shortMs)))) {
      expect(refusal).toMatch(/^(UNAVAILABLE|DEADLINE_EXCEEDED|NO_WORKERS)$/);
      expect(took).toBeLessThan(shortMs + slackMs);
    }
    await until("every client knows", () => clients.every((client) => !client.healthy));
    const silence = crashSeconds() > 0 ? 40_000 : 0; // longer than any request to a broker is waited for
    await until("that is enough", () => performance.now() - stopped > silence, 60_000);
  } finally {
    process.kill(broker.pid!, "SIGCONT");
  }
  const goes = performance.now();
  expect(failures(await Promise.all(long))).toEqual([]);
  const answered = performance.now() - goes;
  await Promise.all(sites.map(allReady));
  const said = `silent for ${Math.round(goes - stopped)} ms; who waited was answered ${Math.round(answered)} ms after that`;
  console.log(`${said}, and all were ready after ${Math.round(performance.now() - goes)} ms`);
  expect(pids()).toEqual(before);
}, 300_000);
