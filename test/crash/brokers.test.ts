// One of three brokers is killed -9 under load: the coordinator of the workers' group, so that every worker has to find
// its new one, while it leads a third of all partitions too. Requests wait until the others have taken over; what was
// acknowledged is on one of them.
import { expect, test } from "@jest/globals";
import { connectKafka, type KafkaDriverName, type KafkaPort } from "../../src/kafka/kafka.ts";
import { everyDriver, makeReader, record } from "../kafka/real-kafka.ts";
import { audit } from "../support/audit.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { crashFixture } from "../support/crash.ts";
import { testDriver } from "../support/driver.ts";
import { asked } from "../support/groups.ts";
import { failures, longest, type SentRequest, startLoad } from "../support/load.ts";
import { quiet } from "../support/logger.ts";
import { ownFolder, testStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

let cluster: Cluster;
const fixture = crashFixture("brokers", {
  env: { AUTH_REPLICATION: "3" },
  async stack(own) {
    cluster = await startCluster(ownFolder("brokers"));
    own.onStop(() => cluster.stop());
    return { ...testStack(), kafka: cluster.address };
  },
});

/**
 * A group's commits are in the partition of __consumer_offsets that Java's hash of its name gives; who leads that is
 * its coordinator.
 */
async function coordinatorOf(group: string): Promise<number> {
  let hash = 0;
  for (const character of `${fixture.own.prefix}${group}`) hash = (Math.imul(hash, 31) + character.charCodeAt(0)) | 0;
  const { topics } = await asked(fixture.own, (admin) => admin.fetchTopicMetadata({ topics: ["__consumer_offsets"] }));
  const { partitions } = topics[0]!;
  return partitions.find((each) => each.partitionId === (hash & 0x7fffffff) % partitions.length)!.leader;
}

/** To the three brokers; closed in the end. */
function portOver(driver: KafkaDriverName, prefix: string): KafkaPort {
  const settings = {
    driver,
    brokers: cluster.address.split(","),
    clientId: "beside",
    prefix,
    tls: undefined,
    sasl: undefined,
  };
  const port = connectKafka(settings, quiet);
  fixture.onStop(() => port.close());
  return port;
}

/** A topic with one replica, on this broker. */
async function unreplicated(id: number): Promise<{ write(): Promise<void> }> {
  const topic = `${fixture.own.prefix}alone-${id}`;
  const replicaAssignment = [{ partition: 0, replicas: [id] }];
  const configEntries = [{ name: "min.insync.replicas", value: "1" }];
  await asked(fixture.own, (admin) => admin.createTopics({ topics: [{ topic, replicaAssignment, configEntries }] }));
  const record = { topic, partition: 0, key: null, value: null, headers: {} };
  const other = portOver(testDriver(), ""); // its own: kafkajs asks for no topic anew while one of them has no leader
  return { write: () => other.produce([record]) };
}

const sent: SentRequest[] = [];

test("kill -9 of one of three brokers under load: every request is answered, nothing accepted is lost", async () => {
  const id = await coordinatorOf("auth");
  const node = cluster.nodes.get(id)!;
  const alone = await unreplicated(id);
  await until("the topic with one replica takes records", () => alone.write().then(() => true));
  const load = startLoad(fixture.fleet, fixture.users, { perSecond: 60, timeoutMs: 60_000 });
  await load.awaitProgress(2);
  const usual = longest(load.sent, 0);
  const killed = performance.now();
  await node.kill();
  await load.awaitProgress(3);
  const pause = longest(load.sent, killed);
  await expect(alone.write()).rejects.toThrow(); // the control: what is on that broker alone is away
  const returned = performance.now();
  await node.start();
  await load.awaitProgress(2);
  await until("the topic with one replica is back", () => alone.write().then(() => true));
  sent.push(...(await load.stop()));
  const back = longest(sent, returned);
  const said = `${usual} ms before, ${pause} ms after the kill, ${back} ms as it came back`;
  console.log(
    `kill -9 of broker ${id} of three, the group's coordinator: ${sent.length} requests, the longest took ${said}`,
  );
  // While the new coordinator is found no worker is a member of its group: who asks then is told so, and nothing is
  // begun.
  expect(failures(sent)).toEqual([]);
  expect(pause).toBeLessThan(30_000);
  expect(await audit(fixture.fleet, fixture.users, sent)).toEqual([]);
}, 180_000);

/**
 * The coordinator of these readers' groups lives on, and each reads from the broker already that leads the dead one's
 * partition next.
 */
test("what the dead broker led is read on from the new leader, over either driver", async () => {
  const topic = "moves";
  const readers = everyDriver.map((driver) => ({
    port: portOver(driver, fixture.own.prefix),
    group: `moves-${driver}`,
  }));
  const coordinators = await Promise.all(readers.map(({ group }) => coordinatorOf(group)));
  const dead = [...cluster.nodes.keys()].find((id) => !coordinators.includes(id))!;
  const lives = [...cluster.nodes.keys()].find((id) => id !== dead)!;
  const replicaAssignment = [
    { partition: 0, replicas: [dead, lives] },
    { partition: 1, replicas: [lives, dead] },
  ];
  const configEntries = [{ name: "min.insync.replicas", value: "1" }];
  const name = `${fixture.own.prefix}${topic}`;
  await asked(fixture.own, (admin) =>
    admin.createTopics({ topics: [{ topic: name, replicaAssignment, configEntries }] }),
  );
  const all = readers.map(({ port, group }) => makeReader(port, [topic], { group }));
  const write = async (value: string): Promise<void> => {
    const both = [0, 1].map((partition) => record(topic, `${value} ${partition}`, { partition }));
    await until("both leaders take it", () => readers[0]!.port.produce(both).then(() => true), 30_000);
  };
  const read = (value: string) =>
    Promise.all(
      all.map(({ values }) =>
        until(`both are read: ${value}`, () => [0, 1].every((each) => values().includes(`${value} ${each}`)), 20_000),
      ),
    );
  await write("before");
  await read("before");
  await cluster.nodes.get(dead)!.kill();
  await write("after");
  await read("after");
  // kafkajs's consumer crashes and joins anew; the other one has only its fetches to know it by.
  expect(all[everyDriver.indexOf("platformatic")]!.assigned).toHaveLength(1);
  await cluster.nodes.get(dead)!.start();
  await Promise.all(all.map(({ consumption }) => consumption.close()));
}, 120_000);
