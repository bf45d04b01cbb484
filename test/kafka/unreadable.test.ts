// What a broker takes and nobody can read: both drivers pass it over, name it, and read what is before and behind it.
// So does whoever reads next.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { connectKafka } from "../../src/kafka/kafka.ts";
import type { InRecord, UnreadableRecords } from "../../src/kafka/records.ts";
import {
  bomb,
  everyCodec,
  type ForeignProducer,
  foreignProducer,
  packed,
  recordsBytes,
} from "../support/foreign-batches.ts";
import { quiet } from "../support/logger.ts";
import { until } from "../support/until.ts";
import { driversOfRun, makeReader, type RealKafka, realKafka, record, spec } from "./real-kafka.ts";

const unpackedBytes = 1024 * 1024;
const text = (value: string) => ({ value: Buffer.from(value) });

describe.each(driversOfRun)("with %s", (driver) => {
  let real: RealKafka;
  let foreign: ForeignProducer;
  const told: UnreadableRecords[] = [];
  let kafka: RealKafka["kafka"];
  beforeAll(async () => {
    real = await realKafka("unreadable", driver);
    foreign = await foreignProducer(real.brokers);
    const { brokers, prefix } = real;
    kafka = connectKafka(
      { driver, brokers, clientId: "bounded", prefix, unpackedBytes, passedOver: (each) => told.push(each) },
      quiet,
    );
  });
  afterAll(async () => {
    await Promise.all([kafka.close(), foreign.close(), real.close()]);
  });

  /** Honest records around each batch, in one partition. */
  async function fill(topic: string, batches: (() => Promise<unknown>)[]): Promise<void> {
    await real.kafka.ensureTopics([spec(topic)]);
    await real.kafka.produce([record(topic, "first")]);
    for (const send of batches) {
      await send();
      await real.kafka.produce([record(topic, "honest")]);
    }
  }

  const reader = (topic: string) => {
    const unreadable: UnreadableRecords[] = [];
    const seen: (InRecord | UnreadableRecords)[] = [];
    const made = makeReader(kafka, [topic], {
      onRecords(some) {
        made.records.push(...some);
        seen.push(...some);
      },
      onUnreadable(some) {
        unreadable.push(some);
        seen.push(some);
      },
    });
    return { ...made, unreadable, seen };
  };

  test("bombs of every codec, and honest batches of each", async () => {
    const topic = "bombs";
    await fill(
      topic,
      everyCodec.flatMap((codec) => [
        () => foreign.send(real.prefix + topic, { codec, count: 1, bytes: bomb(codec, 4 * unpackedBytes) }),
        () =>
          foreign.send(real.prefix + topic, {
            codec,
            count: 2,
            bytes: packed(codec, recordsBytes([text("packed"), text("honest")])),
          }),
      ]),
    );
    const { records, unreadable, seen, consumption } = reader(topic);
    await until("all was read", () => records.length === 17 && unreadable.length === 4);
    const around = ["honest", "packed", "honest", "honest"];
    expect(records.map(({ value }) => String(value))).toEqual(["first", ...Array(4).fill(around).flat()]);
    expect(unreadable.map(({ first, last, reason }) => [first, last, reason])).toEqual(
      [1n, 6n, 11n, 16n].map((offset) => [offset, offset, "too-large"]),
    );
    expect(seen.map((each) => ("offset" in each ? each.offset : each.first))).toEqual(
      Array.from({ length: 21 }, (_, at) => BigInt(at)),
    );
    expect(told.filter((each) => each.topic === topic)).toHaveLength(4);
    await consumption.close();
  });

  test("lengths that lie, in a batch that the broker takes", async () => {
    const topic = "lies";
    const bytes = packed(
      "gzip",
      recordsBytes([text("before"), { ...text("x"), lies: { size: 2 ** 31 - 1 } }, text("behind")]),
    );
    await fill(topic, [() => foreign.send(real.prefix + topic, { codec: "gzip", count: 3, bytes })]);
    const { records, unreadable, consumption } = reader(topic);
    await until("all was read", () => records.length === 3 && unreadable.length === 1);
    expect(records.map(({ offset, value }) => [offset, String(value)])).toEqual([
      [0n, "first"],
      [1n, "before"],
      [4n, "honest"],
    ]);
    expect(unreadable[0]).toMatchObject({ topic, partition: 0, first: 2n, last: 3n, reason: "broken" });
    await consumption.close();
  });

  test("one that ends a partition is passed over once, and the group goes on behind it", async () => {
    const topic = "last";
    await real.kafka.ensureTopics([spec(topic)]);
    await foreign.send(real.prefix + topic, { codec: "zstd", count: 1, bytes: bomb("zstd", 4 * unpackedBytes) });
    const { records, unreadable, consumption } = reader(topic);
    await until("it was passed over", () => unreadable.length === 1);
    await real.kafka.produce([record(topic, "later")]);
    await until("what came later was read", () => records.length === 1);
    expect([unreadable.length, consumption.healthy]).toEqual([1, true]);
    await consumption.close();
  });

  test("a partition that is held back in the middle of a batch goes on from there", async () => {
    const topic = "held";
    await real.kafka.ensureTopics([spec(topic)]);
    const many = Array.from({ length: 2500 }, (_, at) => text(String(at)));
    await foreign.send(real.prefix + topic, {
      codec: "gzip",
      count: many.length,
      bytes: packed("gzip", recordsBytes(many)),
    });
    const records: InRecord[] = [];
    const made = makeReader(kafka, [topic], {
      onRecords(some, partition) {
        records.push(...some);
        made.consumption.pause(partition);
        setTimeout(() => made.consumption.resume(partition), 20);
      },
    });
    await until("all was read", () => records.length >= many.length);
    expect(records.map(({ value }) => String(value))).toEqual(many.map(({ value }) => String(value)));
    await made.consumption.close();
  });
});
