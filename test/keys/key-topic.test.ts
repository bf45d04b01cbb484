// auth.key after the broker's cleaner has run over it: compaction keeps the last record of a key, not the newest truth.
// A record that was written late, by a relay that hung or by somebody who keeps old ones, would be all that a fresh
// verifier finds of a key that is gone. On a broker of this file's own, whose cleaner runs all the time.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { makeKeyReader } from "../../src/client/key-reader.ts";
import { readConfig } from "../../src/config/read.ts";
import { type DatabasePool, openPool } from "../../src/db/pool.ts";
import { shared } from "../../src/kafka/assigner.ts";
import { connectKafka, type KafkaPort } from "../../src/kafka/kafka.ts";
import type { InRecord } from "../../src/kafka/records.ts";
import { rotateDueKeys, rotateKeys } from "../../src/keys/fleet-keys.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { keyDepsFor } from "../../src/processes/parts.ts";
import { startBroker } from "../support/cluster.ts";
import { type Fleet, startFleet } from "../support/fleet.ts";
import { quiet } from "../support/logger.ts";
import { end } from "../support/processes.ts";
import { ownFolder } from "../support/stack.ts";
import { until } from "../support/until.ts";

const day = 86_400_000;
let stopBroker: (() => Promise<unknown>) | undefined;
let fleet: Fleet | undefined;
let kafka: KafkaPort;
let pool: DatabasePool;
beforeAll(async () => {
  const { node } = await startBroker(ownFolder("cleaned"), { properties: { "log.cleaner.backoff.ms": 100 } });
  stopBroker = () => node.kill();
  fleet = await startFleet("cleaned", { env: { AUTH_KAFKA_BROKERS: node.address }, processes: ["relay"] });
  kafka = connectKafka({ brokers: [node.address], clientId: "test", prefix: fleet.prefix }, quiet);
  pool = await openPool({ url: fleet.env["AUTH_DATABASE_URL"]!, size: 2, applicationName: "test keys" });
  // What is in the open segment is never cleaned: each record closes the one before.
  const config = { "segment.ms": "50", "min.cleanable.dirty.ratio": "0.001", "max.compaction.lag.ms": "100" };
  await kafka.ensureTopics([{ topic: "auth.key", partitions: 1, replication: 1, config }]);
}, 90_000);
afterAll(async () => {
  await pool.end();
  await kafka.close();
  await fleet?.stop();
  await stopBroker?.();
});

/** All that the topic holds now. */
async function held(): Promise<InRecord[]> {
  const records: InRecord[] = [];
  const to = (await kafka.endOffsets("auth.key")).get(0)!;
  const consumption = kafka.consume({
    group: `test.${Math.random()}`,
    topics: ["auth.key"],
    from: "earliest",
    assign: shared(() => ({})),
    onAssigned: () => undefined,
    onRecords: (some) => void records.push(...some),
  });
  await until("the topic is read", () => records.at(-1) !== undefined && records.at(-1)!.offset + 1n >= to);
  await consumption.close();
  return records;
}

const of = (records: InRecord[], kid: string) =>
  records
    .filter(({ key }) => String(key) === kid)
    .map(({ value }) => JSON.parse(String(value)) as { gone?: true; version: number });

/** Writes until the cleaner has left one record of the key. @returns that */
async function cleaned(kid: string) {
  let left = of(await held(), kid);
  await until("the cleaner has run", async () => {
    const filler = { topic: "auth.key", key: Buffer.from("filler"), value: Buffer.from("{}"), headers: {} };
    await kafka.produce([filler]);
    left = of(await held(), kid);
    return left.length === 1;
  });
  return left[0]!;
}

/** Whether a verifier that starts now would take what the key has signed. */
async function isGood(kid: string): Promise<boolean> {
  const fleetIds = fleet!.env["AUTH_FLEET_ID"]!.split(",");
  const reader = makeKeyReader({ kafka, name: "test", log: quiet, clock: systemClock, fleetIds });
  await reader.catchUp();
  const good = reader.keys.verification(kid) !== undefined;
  await reader.close();
  return good;
}

test("a key that is gone stays gone for a fresh verifier, whatever came late and whatever the cleaner leaves", async () => {
  const config = readConfig(fleet!.env, "ctl");
  const at = (ms: number) => ({
    ...keyDepsFor({ config, clock: systemClock }, pool),
    clock: { ...systemClock, now: () => systemClock.now() + ms },
  });
  const genuine = (await held()).find(({ value }) => String(value).includes('"use":"sig"'))!;
  const kid = String(genuine.key);
  expect(await isGood(kid)).toBe(true);
  await rotateKeys(at(0), ["sig"]);
  await rotateDueKeys(at(day / 2)); // the next one is used,
  await rotateDueKeys(at(2 * day)); // and this one is over
  await until("it is gone from auth.key", async () => of(await held(), kid).at(-1)?.gone === true);
  expect(await isGood(kid)).toBe(false);

  // The control: nobody follows the topic, its own record comes late, and the cleaner takes away that it is gone.
  await end(fleet!.processes.get("relay-1")!);
  const { topic, key, value } = genuine;
  await kafka.produce([{ topic, key, value, headers: {} }]);
  expect(await isGood(kid)).toBe(false); // while the older record is still there,
  expect(await cleaned(kid)).toMatchObject({ version: 1, state: "active" });
  expect(await isGood(kid)).toBe(true); // and not any more

  await fleet!.start("relay", "relay-2");
  await until("a relay has written it again", async () => of(await held(), kid).at(-1)?.gone === true);
  expect(await cleaned(kid)).toEqual({ kid, gone: true, version: 3 });
  expect(await isGood(kid)).toBe(false);
  // And where a relay is there all the time, what comes late is written over at once.
  await kafka.produce([{ topic, key, value, headers: {} }]);
  await until("it is written again", async () => of(await held(), kid).at(-1)?.gone === true);
  expect(await isGood(kid)).toBe(false);
}, 120_000);
