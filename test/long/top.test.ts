// authctl top on a feed that falls silent: it waits the whole six seconds in which a process may be late.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { noStats } from "../../src/bus/fleet-report.ts";
import { fleetTopic } from "../../src/protocol/bus-names.ts";
import { authctl } from "../authctl/authctl.ts";
import { type RealKafka, realKafka, record, spec } from "../kafka/real-kafka.ts";
import { sharedFleet } from "../support/fleet-addresses.ts";

let own: RealKafka;
beforeAll(async () => {
  own = await realKafka("silent");
  await own.kafka.ensureTopics([spec(fleetTopic, 1, { "message.timestamp.type": "LogAppendTime" })]);
}, 60_000);
afterAll(() => own.close());

test("who spoke just before is not enough, and the exit code is 3", async () => {
  const ping = { id: "worker.a", process: "worker", version: "1.0.0", state: "serving", startedAt: Date.now() };
  const info = { host: "h", pid: 1, group: "auth", commands: ["auth.session.login"], partitions: {} };
  const report = JSON.stringify({ ping, info, stats: noStats });
  await own.kafka.produce([record(fleetTopic, report, { partition: 0 })]);
  const { code, stdout, stderr } = await authctl(["top"], { ...sharedFleet().env, AUTH_TOPIC_PREFIX: own.prefix });
  expect({ code, stdout }).toEqual({ code: 3, stdout: "" });
  expect(stderr).toMatch(/^No process of the fleet was heard within 6 s/);
});
